"""Text → vectors. The only file that runs the embedding model."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import ModelError
from rag.models import file_sha256

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

_EXPORT_VERSION = 1
_BATCH_TOKENS = 512
"""Small batches of equal length beat large ones: nothing is padded and all stays in the processor's cache."""


class Embedder(Protocol):
    """What the rest of the project knows of an embedding model."""

    name: str
    sha256: str
    """Of the weights: vectors of different weights are never compared."""
    dimension: int
    max_tokens: int
    """Including special tokens; longer texts are cut by the model."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Length of each text in tokens, without special tokens."""
        ...

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Unit vectors of shape ``(len(texts), dimension)``."""
        ...


class OnnxEmbedder:
    """A sentence-transformers model run by ONNX Runtime on the CPU, without torch.

    Batches run beside each other, one on each thread: sharing out every matrix product instead leaves the threads
    waiting for each other at each of them.

    Args:
        folder: a sentence-transformers model with ``tokenizer.json`` and ``model.safetensors``.
        name: what to call it in the index and the interface.
        cache: where the exported graph is kept; it is exported there at first use, which takes seconds.
        threads: batches at a time.
        int8: run the products of weights in 8-bit integers: faster, and the vectors are slightly others.

    Raises:
        ModelError: the model is missing or incomplete, or cannot be exported or loaded.
    """

    def __init__(self, folder: Path, name: str, cache: Path, threads: int, int8: bool = False) -> None:
        self.name = f"{name} (int8)" if int8 else name
        self.max_tokens, weights = _describe(folder)
        self.sha256 = file_sha256(weights)
        graph = exported_graph(folder, self.sha256, cache, int8)
        if int8:
            self.sha256 = hashlib.sha256(f"{self.sha256} int8 {_EXPORT_VERSION}".encode()).hexdigest()
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # onnxruntime and tokenizers raise bare and private exception types
            remedy = f"Delete {graph} and try again; if it stays, reinstall the model."
            raise ModelError(f"The embedding model {self.name} cannot be loaded: {error}", remedy) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A fast tokenizer that is shared by threads fails with "Already borrowed".
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(threads, "embed")
        self.dimension = int(self.embed(["dimension"]).shape[1])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._lock:
            encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        with self._lock:
            self._tokenizer.enable_truncation(self.max_tokens)
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
            self._tokenizer.no_truncation()
        lengths = np.array([len(ids) for ids in tokens])
        # Longest first: memory peaks at once, and the time left can be told from the first batches.
        order = np.argsort(-lengths, kind="stable")
        batches: list[list[int]] = []
        for row in map(int, order):
            if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > _BATCH_TOKENS:
                batches.append([])
            batches[-1].append(row)
        vectors: Vectors | None = None
        done = 0
        runs = map if len(batches) == 1 else self._workers.map  # a question needs no other thread
        for rows, part in zip(
            batches, runs(self._run, ([tokens[row] for row in rows] for rows in batches)), strict=True
        ):
            vectors = np.empty((len(tokens), part.shape[1]), np.float32) if vectors is None else vectors
            vectors[rows] = part
            done += len(rows)
            if progress:
                progress(done, len(tokens))
        assert vectors is not None, "there is at least one batch"
        return vectors

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        width = max(map(len, tokens))
        ids = np.zeros((len(tokens), width), np.int64)
        mask = np.zeros((len(tokens), width), np.int64)
        for row, sequence in enumerate(tokens):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        result: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return result


class TorchEmbedder:
    """Any sentence-transformers model run by sentence-transformers itself, on a GPU where there is one.

    Raises:
        ModelError: the model is missing or cannot be loaded.
    """

    def __init__(self, folder: Path, name: str, threads: int) -> None:
        self.name = name
        self.max_tokens, weights = _describe(folder)
        self.sha256 = file_sha256(weights)
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # whatever the architecture's own code raises
            raise ModelError(f"The embedding model {folder} cannot be loaded: {error}", _OTHER_MODEL) from error
        self._lock = threading.Lock()
        self.dimension = len(self.embed(["dimension"])[0])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._lock:
            encoded = self._model.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        step = 256
        parts: list[Vectors] = []
        for start in range(0, len(texts), step):
            with self._lock:
                part = self._model.encode(
                    list(texts[start : start + step]), normalize_embeddings=True, show_progress_bar=False
                )
            parts.append(np.asarray(part, np.float32))
            if progress:
                progress(min(start + step, len(texts)), len(texts))
        return np.concatenate(parts)


_OTHER_MODEL = "Name the folder of a sentence-transformers model in the setting embedding_model."


def exported_graph(folder: Path, sha256: str, cache: Path, int8: bool = False) -> Path:
    """Path of the model's ONNX graph, exported now if the cache lacks it.

    Raises:
        ModelError: the export failed.
    """
    graph = cache / f"{sha256[:16]}-v{_EXPORT_VERSION}{'-int8' if int8 else ''}.onnx"
    if graph.is_file():
        return graph
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"Cannot write the model cache {cache}: {error.strerror}", "Check its permissions.") from error
    command = [sys.executable, "-m", "rag.onnx_export", str(folder), str(graph), *(["--int8"] if int8 else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not graph.is_file():
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        remedy = 'Set embedding_runtime = "torch", or name another model in the setting embedding_model.'
        raise ModelError(f"The model {folder} cannot be exported to ONNX: {reason[0]}", remedy)
    return graph


def _describe(folder: Path) -> tuple[int, Path]:
    """Token limit and weights file of a sentence-transformers model."""
    weights = folder / "model.safetensors"
    for needed in (weights, folder / "modules.json", folder / "tokenizer.json", folder / "config.json"):
        if not needed.is_file():
            raise ModelError(f"The embedding model {folder} is missing or incomplete: no {needed.name}", _OTHER_MODEL)
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        limits = folder / "sentence_bert_config.json"
        limit = json.loads(limits.read_text("utf-8")).get("max_seq_length") if limits.is_file() else None
        return int(limit or config["max_position_embeddings"]), weights
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The embedding model {folder} has an unreadable configuration: {error}", _OTHER_MODEL
        ) from error
