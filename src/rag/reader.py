"""The reader model on ONNX Runtime: which span of a passage answers a question, or none."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from rag.errors import ModelError
from rag.reading import Encoded, Reading, decode, encode, pad

_BATCH = 4


class Reader(Protocol):
    """What the rest of the project knows of a reading model."""

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Reading | None]:
        """Read each (title, text) for the question; ``None`` where a passage has no words."""
        ...


class OnnxReader:
    """The project's own reader (``models/reader``).

    Raises:
        ModelError: the model is missing or cannot be loaded.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        remedy = "Restore the folder models/reader from the repository, or reinstall the project."
        for name in ("reader.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise ModelError(f"The reader model is incomplete: {folder / name} is missing", remedy)
        try:
            graph = str(folder / "reader.onnx")
            self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # onnxruntime and tokenizers raise bare and private exception types
            raise ModelError(f"The reader model in {folder} cannot be loaded: {error}", remedy) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._lock = threading.Lock()

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Reading | None]:
        with self._lock:
            encoded = [encode(self._tokenizer, question, title, text) for title, text in passages]
        order = sorted(range(len(encoded)), key=lambda position: len(encoded[position].ids))
        readings: list[Reading | None] = [None] * len(encoded)
        for first in range(0, len(order), _BATCH):
            rows = order[first : first + _BATCH]
            batch: list[Encoded] = [encoded[row] for row in rows]
            starts, ends = self._session.run(None, pad(batch))
            for position, row in enumerate(rows):
                readings[row] = decode(encoded[row], starts[position], ends[position])
        return readings
