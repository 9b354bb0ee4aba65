"""The engine that answers on this machine: builds the index at first start, loads the models, follows rebuilds."""

import threading
from collections.abc import Iterator, Sequence

from rag import models
from rag.assembly import Assembly
from rag.chat.engine import EngineStatus, IndexSummary
from rag.errors import IndexMismatchError, IndexMissingError, RagError
from rag.records import AnswerEvent, Document, Turn
from rag.settings import Mode, Settings
from rag.terminal import index_progress


class LocalEngine:
    """Starts preparing at once, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._assembly = Assembly(settings)
        self._status = EngineStatus("preparing", "Loading the models")
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    def status(self) -> EngineStatus:
        return self._status

    def ask(self, question: str, history: Sequence[Turn], mode: Mode) -> Iterator[AnswerEvent]:
        return self._assembly.answerer.ask(question, history, mode)

    def document(self, document_id: str) -> Document:
        return self._assembly.document(document_id)

    def summary(self) -> IndexSummary:
        manifest = self._assembly.snapshot().manifest
        writer = self._settings.writer_model or models.WRITER.name
        return IndexSummary(manifest.documents, manifest.chunks, manifest.sentences, manifest.embedding_model, writer)

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
                self._status = EngineStatus("preparing", f"{stage} your articles", done, total)

            self._assembly.build_index(rebuild=False, progress=show)
