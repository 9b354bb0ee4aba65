"""The small language model that words an answer. The only file that touches llama.cpp."""

import json
import queue
import secrets
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

from rag.errors import ModelError
from rag.stopping import LOOK_SECONDS, stop_wanted

_CONTEXT = 2048
_STOP_SECONDS = 2.0
_LOOKED_UP, _GUESSED = 4, 10
"""Tokens: how many must be the same, and how many are then guessed."""


class Writer(Protocol):
    """What the rest of the project knows of a language model."""

    name: str

    def write(
        self, messages: Sequence[dict[str, str]], max_tokens: int, timeout: float, grammar: str = ""
    ) -> Generator[str]:
        """Stream the reply in pieces. Closing the iterator stops the model.

        Args:
            messages: of a chat.
            max_tokens: of the reply.
            timeout: in seconds, for the whole reply.
            grammar: what the reply may look like, in GBNF. A hint: writers that cannot follow one ignore it.

        Raises:
            ModelError: the model failed, or did not end within ``timeout`` seconds.
        """
        ...


class LlamaCppWriter:
    """A GGUF model run by llama.cpp inside this process (xllamacpp), greedy and therefore repeatable.

    Args:
        path: the GGUF file.
        name: how the model is called.
        threads: to compute with.
        adapter: GGUF file of a low-rank adapter that is laid over the model.
        taught: whether the model answers in the words of its sources by itself; with an adapter it always does.

    Raises:
        ModelError: a file is missing, no GGUF, or cannot be loaded.
    """

    def __init__(self, path: Path, name: str, threads: int, adapter: Path | None = None, taught: bool = False) -> None:
        self.name = name
        # The penalty counts the words of the prompt too. A model that was taught to answer in the words of its sources
        # must be free to use them; an untaught one falls into loops without it.
        self._repeat_penalty = 1.0 if adapter or taught else 1.1
        _check_gguf(path, "writer model", _OTHER_MODEL)
        if adapter:
            _check_gguf(adapter, "adapter", _OTHER_ADAPTER)
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        if adapter:
            parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        # Prompt-lookup decoding (Saxena 2023): where the last words stand in the prompt, the words after them are
        # guessed and checked in one step. Answers copy their sources: 1.4 times as fast, to the letter the same.
        kinds = xllamacpp.common_speculative_type
        parameters.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        parameters.speculative.ngram_simple.size_n = _LOOKED_UP
        parameters.speculative.ngram_simple.size_m = _GUESSED
        parameters.n_ctx = _CONTEXT
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = threads
        parameters.cpuparams_batch.n_threads = threads
        parameters.warmup = False
        parameters.verbosity = -1
        # The runtime opens a loopback port of its own that cannot be turned off; without a key any local program
        # could use the model through it. Calls from this process need none.
        parameters.api_keys = [secrets.token_hex(32)]
        try:
            self._server: Any = xllamacpp.Server(parameters)
        except Exception as error:  # the binding raises RuntimeError and its like without a common base
            what = f"{path} with the adapter {adapter}" if adapter else str(path)
            remedy = _OTHER_ADAPTER if adapter else _OTHER_MODEL
            raise ModelError(f"The writer model {what} cannot be loaded: {error}", remedy) from error

    def write(
        self, messages: Sequence[dict[str, str]], max_tokens: int, timeout: float, grammar: str = ""
    ) -> Generator[str]:
        request = {
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "repeat_penalty": self._repeat_penalty,
            "stream": True,
            "cache_prompt": True,
        }
        if grammar:
            request["grammar"] = grammar
        pieces: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def receive(chunk: Any) -> bool:
            pieces.put(_text_of(chunk))
            return stopped.is_set()

        def run() -> None:
            try:
                self._server.handle_chat_completions(json.dumps(request), receive)
                pieces.put(None)
            except Exception as error:  # handed over to the reader of the stream, which raises it
                pieces.put(error)

        deadline = time.monotonic() + timeout
        thread = threading.Thread(target=run, name="writer", daemon=True)
        thread.start()
        try:
            while True:
                if stop_wanted():
                    return
                left = max(0.0, deadline - time.monotonic())
                try:
                    piece = pieces.get(timeout=min(LOOK_SECONDS, left))
                except queue.Empty as error:
                    if left > LOOK_SECONDS:
                        continue
                    problem = f"The writer model {self.name} did not answer within {timeout:g} s"
                    raise ModelError(problem, 'Raise writer_timeout or use mode = "quote".') from error
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    remedy = 'Use mode = "quote", or name another model in the setting writer_model.'
                    raise ModelError(f"The writer model {self.name} failed: {piece}", remedy) from piece
                if piece:
                    yield piece
        finally:
            stopped.set()
            # llama.cpp looks at the flag after each token. A thread that outlives the interpreter would crash in it.
            thread.join(_STOP_SECONDS)


_OTHER_MODEL = (
    "Name a GGUF file in the setting writer_model, or run `make setup` for the one installed with the project."
)
_OTHER_ADAPTER = 'Name a GGUF adapter of this model in the setting writer_adapter, or write writer_adapter = "none".'


def _check_gguf(path: Path, what: str, remedy: str) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelError(f"The {what} {path} cannot be read: {error.strerror}", remedy) from error
    if magic != b"GGUF":
        raise ModelError(f"The {what} {path} is not a GGUF file", remedy)


def _text_of(chunk: Any) -> str:
    """The text of one streamed chunk of the chat-completions format."""
    parsed = json.loads(chunk) if isinstance(chunk, str | bytes) else chunk
    if not isinstance(parsed, dict) or "error" in parsed:
        raise ValueError(f"unexpected reply {parsed!r:.200}")
    choices = parsed.get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")
