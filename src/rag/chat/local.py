"""The engine that answers on this machine: builds the index at first start, loads the models, follows rebuilds."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rag import hub, models
from rag.answering import Answerer
from rag.assembly import Assembly
from rag.chat.engine import Choices, EngineStatus, IndexSummary
from rag.corpus import add_file, remove_file
from rag.errors import IndexMismatchError, IndexMissingError, RagError
from rag.records import Answer, AnswerEvent, Document, Listed, Turn
from rag.settings import Settings
from rag.suggestions import suggest
from rag.terminal import index_progress
from rag.writer import Writer

_CANDIDATES = 8
_PROMISING = 0.5
"""Confidence from which a question is offered: it must be answered when it is asked."""


class LocalEngine:
    """Starts preparing at once, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._assembly = Assembly(settings)
        self._status = EngineStatus("preparing", "Loading the models")
        self._writers: dict[str, Writer] = {}
        self._lock = threading.Lock()
        self._rebuilding = threading.Lock()
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    def status(self) -> EngineStatus:
        return self._status

    def ask(self, question: str, history: Sequence[Turn], choices: Choices) -> Iterator[AnswerEvent]:
        chosen: dict[str, float] = {}
        if choices.sources is not None:
            chosen["sources"] = choices.sources
        if choices.refuse_below is not None:
            chosen["refuse_below"] = choices.refuse_below
        settings = dataclasses.replace(self._settings, **chosen)  # type: ignore[arg-type]
        answerer = Answerer(
            self._assembly.snapshot, self._assembly.picker, lambda: self._writer(choices.writer), settings
        )
        return answerer.ask(question, history, choices.mode, choices.filter)

    def suggest(self, answer: Answer, asked: Sequence[str]) -> Iterator[str]:
        snapshot = self._assembly.snapshot()
        cited = {(citation.document, citation.start) for citation in answer.citations}
        for question in suggest(answer.retrieved, asked, _CANDIDATES):
            picked = self._assembly.picker.pick(snapshot, question, 4, 4)
            best = picked.evidence[0] if picked.evidence else None
            if best and picked.confidence >= _PROMISING and (best.document.id, best.start) not in cited:
                yield question

    def document(self, document_id: str) -> Document:
        return self._assembly.document(document_id)

    def summary(self) -> IndexSummary:
        snapshot = self._assembly.snapshot()
        manifest = snapshot.manifest
        listed = self._listed(snapshot.name)
        dates = sorted(item.published for item in listed if item.published)
        return IndexSummary(
            manifest.documents,
            manifest.chunks,
            manifest.sentences,
            manifest.embedding_model,
            self.writers()[0],
            publishers=tuple(sorted({item.publisher for item in listed if item.publisher})),
            first=dates[0] if dates else None,
            last=dates[-1] if dates else None,
            generation=snapshot.name,
            created=manifest.created,
            problems=tuple((item.path, item.reason) for item in snapshot.store.skipped()),
        )

    def writers(self) -> Sequence[str]:
        first = self._settings.writer_model or models.WRITER.name
        return [first, *(name for found in hub.installed() for name in found.references if name != first)]

    def listed(self) -> Sequence[Listed]:
        return self._listed(self._assembly.snapshot().name)

    def add(self, name: str, content: bytes) -> str:
        return add_file(self._settings.corpus, name, content, self._settings.max_file_bytes)

    def remove(self, path: str) -> None:
        remove_file(self._settings.corpus, path)

    def rebuild(self) -> None:
        with self._rebuilding:
            try:
                self._build()
            finally:
                self._status = EngineStatus("ready")

    @lru_cache(maxsize=2)  # noqa: B019 - there is one engine, and it lives as long as the process
    def _listed(self, generation: str) -> tuple[Listed, ...]:
        return tuple(self._assembly.snapshot().store.listed())

    def _writer(self, name: str) -> Writer:
        if name in ("", self.writers()[0]):
            return self._assembly.writer
        with self._lock:
            if name not in self._writers:
                # One more model at a time: each takes memory.
                self._writers = {
                    name: Assembly(dataclasses.replace(self._settings, writer_model=name, writer_backend="auto")).writer
                }
            return self._writers[name]

    def _prepare(self) -> None:
        try:
            try:
                self._assembly.snapshot().check_model(self._assembly.embedder)
            except (IndexMissingError, IndexMismatchError):
                self._build()
            self._status = EngineStatus("preparing", "Loading the models")
            self._assembly.warm_up()
            self._status = EngineStatus("ready")
        except RagError as error:
            self._status = EngineStatus("failed", str(error))

    def _build(self) -> None:
        with index_progress() as terminal:

            def show(stage: str, done: int, total: int) -> None:
                terminal(stage, done, total)
                state = self._status.state
                self._status = EngineStatus(state, f"{stage} your articles", done, total)

            self._assembly.build_index(rebuild=False, progress=show)
