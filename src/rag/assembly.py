"""Settings → real objects. The one place that picks implementations."""

import contextlib
import dataclasses
import importlib.metadata
import os
import threading
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from rag import __version__, generations, hub, languages, models
from rag.answering import Answerer
from rag.changes import Changes
from rag.embedding import Embedder, OnnxEmbedder, TorchEmbedder
from rag.errors import ModelError, UsageError
from rag.evaluation import Evaluation, evaluate, fit_to_index
from rag.indexing import IndexReport, Progress, build_index, plan_index
from rag.merging import merged
from rag.picking import Picker, Steps
from rag.prompts import answer_messages
from rag.question_sets import QuestionSet
from rag.reader import OnnxReader, Reader
from rag.records import Chunk, Document
from rag.retrieval import Snapshot
from rag.settings import Settings, usable_cores
from rag.writer import LlamaCppWriter, Writer


class Assembly:
    """The parts of one program run, each made when it is first needed and then kept.

    Making a part raises ``ModelError`` or ``IndexUnusableError`` as that part says.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._snapshot: Snapshot | None = None
        self._lock = threading.RLock()

    @cached_property
    def embedder(self) -> Embedder:
        settings = self.settings
        if settings.embedding_model:
            folder = Path(settings.embedding_model)
            name = folder.name
        else:
            models.verify(models.EMBEDDING)
            folder, name = models.EMBEDDING.path.parent, models.EMBEDDING.name
        threads = usable_cores(settings)
        if settings.embedding_runtime == "torch":
            return TorchEmbedder(folder, name, threads)
        int8 = settings.embedding_runtime == "onnx-int8"
        return OnnxEmbedder(folder, name, cache_folder(), threads, int8)

    @cached_property
    def reader(self) -> Reader:
        models.verify(models.READER)
        return OnnxReader(models.READER.path.parent, usable_cores(self.settings))

    @cached_property
    def writer(self) -> Writer:
        settings, model = self.settings, self.settings.writer_model
        backend = settings.writer_backend
        if backend == "auto":
            gguf = not model or model.lower().endswith(".gguf")
            backend = "openai" if settings.writer_url else "llama.cpp" if gguf else "transformers"
        if backend == "openai":
            from rag.openai_writer import OpenAiWriter

            return OpenAiWriter(settings.writer_url, model, api_key=os.environ.get("RAG_API_KEY"))
        if backend == "transformers":
            from rag.transformers_writer import TransformersWriter

            return TransformersWriter(model, device=settings.writer_device, dtype=settings.writer_dtype)
        threads = usable_cores(settings)
        adapter = None if settings.writer_adapter in {"auto", "none"} else Path(settings.writer_adapter)
        if model:
            path = hub.local_path(model) if model.startswith(hub.PREFIX) else Path(model)
            return LlamaCppWriter(path, path.stem, threads, adapter)
        if settings.writer_adapter == "auto":
            try:
                return LlamaCppWriter(taught_writer(), models.WRITER.name, threads, taught=True)
            except OSError:  # slower, but there without a file of its own
                adapter = models.ADAPTER.path
        models.verify(models.WRITER)
        return LlamaCppWriter(models.WRITER.path, models.WRITER.name, threads, adapter)

    @cached_property
    def answerer(self) -> Answerer:
        return Answerer(self.snapshot, self.picker, self._get_writer, self.settings)

    @cached_property
    def picker(self) -> Picker:
        settings = self.settings
        ranking = settings.ranking
        if ranking == "auto":
            ranking = "cosine" if settings.embedding_model else "reader"
        steps = Steps(settings.retrieval, settings.rerank and not settings.embedding_model, ranking)
        return Picker(self.embedder, self.reader if steps.reads else None, steps)

    def warm_up(self) -> None:
        """Make every part that answering needs and let the writer read its fixed prompt once.

        A writer that is missing or fails is no reason to stop: answers quote then, and say why.
        """
        self.answerer.answer("Which words warm everything up?")
        if self.settings.mode == "write":
            with contextlib.suppress(ModelError):
                for _ in self._get_writer().write(
                    answer_messages("Ready?", ["Ready."]), 1, self.settings.writer_timeout
                ):
                    pass

    def snapshot(self) -> Snapshot:
        """The current generation, opened anew only when ``CURRENT`` names another one."""
        with self._lock:
            if self._snapshot is None or generations.current_name(self.settings.index) != self._snapshot.name:
                self._snapshot = Snapshot(self.settings.index)
            return self._snapshot

    def document(self, name: str) -> Document:
        """A stored document by its id or path.

        Raises:
            UsageError: there is no such document.
        """
        document = self.snapshot().store.document(name)
        if document is None:
            raise UsageError(f"There is no document {name!r} in the index", "`rag search` shows ids and paths.")
        return document

    def chunks(self, document: Document) -> list[Chunk]:
        """The chunks of a stored document with their sentences, in order."""
        store = self.snapshot().store
        return store.chunks_of(store.rows_of(document.id))

    def facts(self) -> dict[str, Any]:
        """Versions, models and the index, every hash recomputed.

        Raises:
            ModelError: a model is missing or damaged.
            IndexUnusableError: the index is missing or damaged.
        """
        for model in models.ALL:
            models.verify(model)
        generation = generations.current(self.settings.index)
        generations.verify(generation)
        manifest = generation.manifest
        packages = ("torch", "sentence-transformers", "onnxruntime", "faiss-cpu", "xllamacpp", "gradio")
        return {
            "version": __version__,
            "mode": self.settings.mode,
            "index": {
                "folder": str(self.settings.index),
                "generation": generation.name,
                "created": manifest.created,
                "documents": manifest.documents,
                "chunks": manifest.chunks,
                "sentences": manifest.sentences,
                "skipped": manifest.skipped,
                "sha256": {name: file["sha256"] for name, file in manifest.files.items()},
            },
            "languages": self._languages(),
            "embedding": {"model": self.embedder.name, "sha256": self.embedder.sha256},
            "reader": {"sha256": models.READER.sha256},
            "writer": self._writer_facts(),
            "packages": {name: importlib.metadata.version(name) for name in packages},
        }

    def _writer_facts(self) -> dict[str, str]:
        settings = self.settings
        if settings.writer_model:
            server = {"server": settings.writer_url} if settings.writer_url else {}
            return {"model": settings.writer_model, **server}
        return {
            "model": models.WRITER.name,
            "sha256": models.WRITER.sha256,
            "adapter_sha256": models.ADAPTER.sha256,
        }

    def _languages(self) -> dict[str, str]:
        articles = Counter(item.language for item in self.snapshot().store.listed())
        multilingual = bool(self.settings.embedding_model)
        facts = {
            "articles": languages.summary(articles),
            "models know": f"those of {self.embedder.name}" if multilingual else languages.name("en"),
        }
        notice = languages.corpus_notice(articles, multilingual=multilingual)
        return facts | ({"notice": notice} if notice else {})

    def evaluate(self, questions: QuestionSet, progress: Callable[[int, int], None]) -> Evaluation:
        """Measure these settings on a question set; see ``evaluation.evaluate``."""
        snapshot, settings = self.snapshot(), self.settings
        fitted = fit_to_index(questions, snapshot.store)
        self.warm_up()  # loading is not what is measured
        quoting = dataclasses.replace(settings, refuse_below=0.0, mode="quote")
        unrefused = Answerer(lambda: snapshot, self.picker, self._get_writer, quoting)
        chosen = (
            *("mode", "writer_model", "writer_adapter", "retrieval", "rerank", "ranking"),
            *("candidates", "passages", "sources", "refuse_below"),
        )
        facts = {name: getattr(settings, name) for name in chosen} | {"generation": snapshot.name}
        return evaluate(self.answerer, unrefused, self.picker, snapshot, fitted, facts, progress)

    def plan_index(self, *, rebuild: bool) -> Changes:
        """What ``build_index`` would do; see ``indexing.plan_index``."""
        return plan_index(
            self.settings.corpus,
            self.settings.index,
            self.embedder,
            chunk_tokens=self.settings.chunk_tokens,
            max_file_bytes=self.settings.max_file_bytes,
            rebuild=rebuild,
        )

    def build_index(self, *, rebuild: bool, progress: Progress) -> IndexReport:
        """Bring the index up to date; see ``indexing.build_index``."""
        return build_index(
            self.settings.corpus,
            self.settings.index,
            self.embedder,
            chunk_tokens=self.settings.chunk_tokens,
            max_file_bytes=self.settings.max_file_bytes,
            cache_bytes=1_000_000 * self.settings.cache_megabytes,
            rebuild=rebuild,
            progress=progress,
        )

    def _get_writer(self) -> Writer:
        with self._lock:
            return self.writer


def taught_writer() -> Path:
    """The packaged writer with our adapter in its weights, made now if it is not there yet.

    Raises:
        ModelError: one of the two is missing or damaged.
        OSError: there is nowhere to keep it.
    """
    models.verify(models.WRITER)
    models.verify(models.ADAPTER)
    key = f"writer-{models.WRITER.sha256[:16]}-{models.ADAPTER.sha256[:16]}"
    return merged(models.WRITER.path, models.ADAPTER.path, key, cache_folder())


def cache_folder() -> Path:
    """Where models are kept that are made of the packaged ones."""
    return platformdirs.user_cache_path("ask-the-articles") / "models"
