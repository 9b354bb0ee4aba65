"""A writer run by transformers: any causal language model with safetensors weights, on the CPU or a GPU."""

import contextlib
import json
import math
import queue
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from rag import hub
from rag.errors import ModelError

DTYPES = ("auto", "float32", "bfloat16", "float16")
_STOP_SECONDS = 2.0
_LOOK_SECONDS = 0.05

Messages = Sequence[dict[str, str]]


class TransformersWriter:
    """A model in a folder, or one that ``rag models fetch`` has brought; greedy and therefore repeatable.

    It loads no pickle, runs no code that comes with a model, and never uses the network.

    Args:
        model: a folder, or ``hub:owner/name``.
        device: as torch names it, ``cpu`` or ``cuda:1``; ``auto`` takes an accelerator where there is one.
        dtype: one of ``DTYPES``; ``auto`` is the model's own on an accelerator and float32 on the CPU.
        revision: branch, tag or commit of a model of the hub, if the name does not hold one.

    Raises:
        ModelError: the model is missing, has only pickled weights, does not fit into memory, or cannot be loaded.
    """

    def __init__(self, model: str, *, device: str = "auto", dtype: str = "auto", revision: str | None = None) -> None:
        folder, self.name = _locate(model, revision)
        _refuse_foreign_parts(folder)
        weights = _weights(folder)
        self._device = _device(device)
        kind = _dtype(dtype, self._device)
        try:
            if self._device.type == "cpu":
                _check_memory(folder, weights, kind.itemsize)
            self._tokenizer, self._model = _load(folder, kind, self._device)
        except ModelError:
            raise
        except Exception as error:  # whatever the architecture's own code raises
            raise _failure(f"{folder} cannot be loaded", error) from error
        self._lock = threading.Lock()

    def write(self, messages: Messages, max_tokens: int, timeout: float, grammar: str = "") -> Generator[str]:
        from transformers import TextIteratorStreamer

        deadline = time.monotonic() + timeout
        streamer: Any = TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        stopped = threading.Event()
        failures: list[Exception] = []

        def run() -> None:
            try:
                with self._turn(stopped):
                    if not stopped.is_set():
                        self._generate(messages, max_tokens, streamer, stopped)
            except Exception as error:  # handed over to the reader of the stream, which raises it
                failures.append(error)
            finally:
                streamer.on_finalized_text("", stream_end=True)

        thread = threading.Thread(target=run, name="writer", daemon=True)
        thread.start()
        try:
            while True:
                streamer.timeout = max(0.0, deadline - time.monotonic())
                try:
                    piece = next(streamer, None)
                except queue.Empty as error:
                    problem = f"The writer model {self.name} did not answer within {timeout:g} s"
                    raise ModelError(problem, 'Raise writer_timeout or use mode = "quote".') from error
                if piece is None:
                    break
                if piece:
                    yield str(piece)
            if failures:
                raise _failure(f"{self.name} failed", failures[0]) from failures[0]
        finally:
            stopped.set()
            # The flag is looked at after each token. A thread that outlives the interpreter would crash in torch.
            thread.join(_STOP_SECONDS)

    @contextlib.contextmanager
    def _turn(self, stopped: threading.Event) -> Iterator[None]:
        """One answer at a time: two would share the same cores, and each be half as fast."""
        held = False
        while not held and not stopped.is_set():
            held = self._lock.acquire(timeout=_LOOK_SECONDS)
        try:
            yield
        finally:
            if held:
                self._lock.release()

    def _generate(self, messages: Messages, max_tokens: int, streamer: Any, stopped: threading.Event) -> None:
        import torch
        from transformers import StoppingCriteriaList

        def stop(input_ids: Any, _: Any, **__: Any) -> Any:
            return torch.full((len(input_ids),), stopped.is_set(), dtype=torch.bool, device=input_ids.device)

        try:
            self._model.generate(
                **self._encode(messages),
                streamer=streamer,
                stopping_criteria=StoppingCriteriaList([stop]),
                max_new_tokens=max_tokens,
                do_sample=False,
            )
        except torch.OutOfMemoryError:
            if self._device.type != "cpu":
                # What was given up would otherwise stay with torch, and the next answer fail as well.
                torch.accelerator.empty_cache()
            raise

    def _encode(self, messages: Messages) -> dict[str, Any]:
        if not self._tokenizer.chat_template:
            encoded = self._tokenizer(plain_prompt(messages), return_tensors="pt", split_special_tokens=True)
        else:
            encoded = self._tokenizer.apply_chat_template(
                messages if self._takes_system(messages) else without_system(messages),
                add_generation_prompt=True,
                return_dict=True,
                return_tensors="pt",
                # What an article says is text, even where it looks like the end of a message.
                sanitize_control_tokens=True,
                # Known to templates of models that reason aloud; others ignore it.
                enable_thinking=False,
            )
        return {name: encoded[name].to(self._device) for name in ("input_ids", "attention_mask")}

    def _takes_system(self, messages: Messages) -> bool:
        """Whether the model's template shows the system message: some raise an error, some drop it in silence."""
        import jinja2

        system = [message["content"].strip() for message in messages if message["role"] == "system"]
        try:
            shown = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        except jinja2.TemplateError:
            return False
        return all(text in shown for text in system)


def plain_prompt(messages: Messages) -> str:
    """For a model without a chat template: the texts, and the beginning of an answer."""
    texts = [("Answer: " if item["role"] == "assistant" else "") + item["content"] for item in messages]
    return "\n\n".join([*texts, "Answer:"])


def without_system(messages: Messages) -> list[dict[str, str]]:
    """The same with what the system message says at the beginning of the first user message."""
    system = [item["content"] for item in messages if item["role"] == "system"]
    others = [dict(item) for item in messages if item["role"] != "system"]
    if not others or others[0]["role"] != "user":
        others.insert(0, {"role": "user", "content": ""})
    others[0]["content"] = "\n\n".join(filter(None, [*system, others[0]["content"]]))
    return others


def _locate(model: str, revision: str | None) -> tuple[Path, str]:
    if model.startswith(hub.PREFIX):
        reference = hub.parse(model)
        if reference.file:
            raise ModelError(f"{model} is a GGUF file, which transformers does not run", "Use the backend llama.cpp.")
        reference = hub.Reference(reference.repository, None, reference.revision or revision)
        return hub.local_path(reference), reference.repository
    folder = Path(model)
    if not (folder / "config.json").is_file():
        problem = f"There is no model for transformers in {model}: config.json is missing"
        raise ModelError(problem, f"{_OTHER_MODEL} One of the hub is written hub:owner/name.")
    return folder, folder.resolve().name


_OTHER_MODEL = "Name the folder of a causal language model in the setting writer_model."


def _refuse_foreign_parts(folder: Path) -> None:
    """Raise ``ModelError`` for a model that would bring in another one, or code for its attention.

    transformers follows both as soon as the packages for them, peft and kernels, happen to be installed.
    """
    if (folder / "adapter_config.json").exists():
        raise ModelError(f"The writer model {folder} is an adapter to another model", "Merge it into that one first.")
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read", _OTHER_MODEL) from error
    if _names_a_kernel(config):
        problem = f"The writer model {folder} asks for code of the hub to compute its attention"
        raise ModelError(problem, "Such code is never run: remove attn_implementation from its config.json.")


def _names_a_kernel(config: Any, name: str = "") -> bool:
    if isinstance(config, dict):
        return any(_names_a_kernel(value, key if "implementation" in key else name) for key, value in config.items())
    return "implementation" in name and isinstance(config, str) and "/" in config


def _weights(folder: Path) -> list[Path]:
    """The files that transformers would load.

    Raises:
        ModelError: there are none, or their list names something else than safetensors.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        remedy = "Choose one with safetensors; pickled weights are never loaded, since they could run anything."
        raise ModelError(f"The writer model {folder} has no file model.safetensors", remedy)
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read", _OTHER_MODEL) from error
    for name in names:
        if not str(name).endswith(".safetensors") or not (folder / name).is_file():
            raise ModelError(f"{index} names {name!r:.120}, which is no safetensors file there", _OTHER_MODEL)
    return [folder / name for name in names]


def _device(name: str) -> Any:
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r:.80} is no name of a device", "Use auto, cpu, cuda or cuda:1.") from error
    if device.type == "cpu":
        return device
    if (
        accelerator is None
        or device.type != accelerator.type
        or (device.index or 0) >= torch.accelerator.device_count()
    ):
        raise ModelError(f"There is no device {name} that torch could use", "Use auto or cpu.")
    return device


def _dtype(name: str, device: Any) -> Any:
    import torch

    if name not in DTYPES:
        raise ModelError(f"{name!r:.80} is no type of numbers for a writer model", f"Use {', '.join(DTYPES)}.")
    if name == "auto":
        # Most processors compute with half precision many times more slowly.
        return torch.float32 if device.type == "cpu" else "auto"
    return getattr(torch, name)


def _check_memory(folder: Path, weights: Sequence[Path], itemsize: int) -> None:
    """Refuse what cannot fit: where memory is promised freely, the system would end the whole program instead."""
    from safetensors import safe_open

    free = free_memory()
    needed = 0
    for path in weights:
        with safe_open(path, "np") as file:
            needed += sum(itemsize * math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    if free is not None and needed > free:
        problem = f"The writer model {folder} needs {needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free"
        raise ModelError(problem, _SMALLER)


def free_memory() -> int | None:
    """Bytes that programs can still take; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _load(folder: Path, kind: Any, device: Any) -> tuple[Any, Any]:
    import transformers
    import transformers.utils

    causal: Any = transformers.AutoModelForCausalLM
    logging: Any = transformers.utils.logging
    # A user meets one line of ours instead: standard error belongs to the program.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    safe = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
    model, found = causal.from_pretrained(folder, dtype=kind, use_safetensors=True, output_loading_info=True, **safe)
    absent = sorted(map(str, {*found["missing_keys"], *found["mismatched_keys"]}))
    if absent:
        # transformers would make them up.
        raise ModelError(f"The writer model {folder} lacks {len(absent)} of its weights: {absent[0]}", _OTHER_MODEL)
    model.generation_config = _greedy(tokenizer, model.generation_config)
    return tokenizer, model.to(device).eval()


def _greedy(tokenizer: Any, published: Any) -> Any:
    """The model's own end marks, and none of the sampling that it was published with."""
    import transformers

    config: Any = transformers.GenerationConfig
    ends = published.eos_token_id
    ends = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
    pad = tokenizer.pad_token_id
    return config(
        bos_token_id=published.bos_token_id,
        eos_token_id=sorted(ends) or None,
        pad_token_id=min(ends, default=None) if pad is None else pad,
    )


def _failure(what: str, error: Exception) -> ModelError:
    import torch

    text = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _NO_MEMORY.search(text):
        return ModelError(f"The writer model {what}: out of memory", _SMALLER)
    return ModelError(f"The writer model {what}: {text or type(error).__name__:.300}", _OTHER_MODEL)


_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
_SMALLER = 'Use a smaller model, a dtype of half precision, or mode = "quote".'
