"""Every choice a user can make, in one frozen record, read from ``rag.toml``. No behaviour."""

import dataclasses
import os
import tomllib
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rag.errors import SettingsError

Mode = Literal["quote", "write"]
Runtime = Literal["onnx", "onnx-int8", "torch"]
Retrieval = Literal["fusion", "chunks+words", "chunks"]
Ranking = Literal["auto", "reader", "words", "cosine"]
Prompt = Literal["auto", "sentences", "passages"]
Backend = Literal["auto", "llama.cpp", "transformers", "openai"]

Log = Literal["plain", "json"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

FILE_NAME = "rag.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults work offline after installation; ``rag.toml`` overrides any of them by name."""

    corpus: Path = Path("corpus")
    index: Path = Path("index")
    # Models: "" means the one installed with the package.
    embedding_model: str = ""
    """Folder of a sentence-transformers model."""
    embedding_runtime: Runtime = "onnx"
    """``onnx`` runs on the CPU without importing torch; ``onnx-int8`` does so about twice as fast with slightly other
    vectors; ``torch`` uses a GPU where there is one. Changing it embeds everything anew."""
    writer_model: str = ""
    """A GGUF file, a folder of a transformers model, ``hub:owner/name`` or ``hub:owner/name/file.gguf`` (fetched before
    by ``rag models fetch``), or the name of a model on the server of ``writer_url``."""
    writer_adapter: str = "auto"
    """GGUF file of a low-rank adapter for the GGUF model; ``auto``: the project's own with the packaged model;
    ``none``."""
    writer_prompt: Prompt = "auto"
    """``sentences``: only the evidence, for small models; ``passages``: the whole passages around it. ``auto``:
    ``sentences`` for the model that comes with the project, ``passages`` for any other."""
    writer_backend: Backend = "auto"
    """``auto``: ``openai`` if there is a ``writer_url``, ``llama.cpp`` for GGUF files, otherwise ``transformers``."""
    writer_url: str = ""
    """Of an OpenAI-compatible server, such as http://127.0.0.1:11434/v1. Its key is read from RAG_API_KEY."""
    writer_device: str = "auto"
    """For transformers: ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    writer_dtype: Dtype = "auto"
    """For transformers."""
    threads: int = 0
    """Threads of the models; 0 means one for each usable core."""
    # Indexing
    chunk_tokens: int = 180
    """Most tokens of a chunk without its title; title and chunk together never exceed the model's limit."""
    max_file_bytes: int = 20_000_000
    cache_megabytes: int = 512
    """Most size of the vectors that are kept beside the index so that no text is embedded twice; 0: none."""
    # Answering
    mode: Mode = "write"
    """``quote`` shows the evidence itself; ``write`` lets the small model word it, then checks it."""
    retrieval: Retrieval = "fusion"
    """``fusion`` of chunk vectors, sentence vectors and BM25; ``chunks+words`` leaves out the sentence vectors,
    ``chunks`` BM25 too."""
    rerank: bool = True
    """Let the reader order the retrieved chunks."""
    ranking: Ranking = "auto"
    """What ranks sentences: all that is known (``reader``), all but the reader (``words``), or the ``cosine`` alone.
    ``auto``: the reader with the embedding model that comes with the package, the cosine with any other."""
    candidates: int = 16
    """Chunks retrieved and read for a question."""
    passages: int = 10
    """Best ones of these, whose sentences can be shown."""
    sources: int = 3
    """Most evidence sentences of an answer."""
    refuse_below: float = 0.18
    """Evidence below this estimated probability is refused."""
    answer_words: int = 60
    """Answers stop growing at about this length."""
    writer_timeout: float = 30.0
    """Seconds after which the writer is given up and the evidence is quoted instead."""
    # Chat
    history: str = "auto"
    """File of the conversations; ``auto``: in the user's data folder; ``off``: kept only while the chat runs."""
    manage: bool = False
    """Whether the chat's library page may add and delete articles and rebuild the index."""
    host: str = "127.0.0.1"
    port: int = 7860
    answers_at_once: int = 1
    """How many questions are answered at the same time; the models share the cores, so more makes each slower."""
    waiting: int = 32
    """How many more questions may wait for their turn."""
    answer_timeout: float = 120.0
    """Seconds after which an answer is given up once it has begun."""
    history_visitors: int = 1000
    """Visitors whose conversations are kept; the one who has not come for longest is forgotten for another."""
    history_exchanges: int = 50_000
    """Questions with their answers that are kept of all visitors together; the oldest go first."""
    requests_per_minute: int = 0
    """Requests of one client that change or ask something; 0: 6,000 on this machine, 300 from elsewhere."""
    hosts: str = ""
    """Names under which the chat may be asked for beside addresses and this machine's own, separated by commas."""
    trusted_proxy: str = ""
    """Addresses of reverse proxies, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    login_user: str = ""
    """Whoever opens the chat must log in by this name and a password: that of RAG_PASSWORD or ``login_password``."""
    login_password: str = ""
    """The password as `python -m rag.chat.login` prints it: salted and hashed."""
    metrics: bool = False
    """Serve figures for Prometheus at /metrics."""
    log: Log = "plain"
    """``json``: one JSON object a line for each request and answer, to standard error; no word of any question."""


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read settings from a TOML file; later ``overrides`` that are not ``None`` win.

    Without ``path``, ``rag.toml`` in the working directory is read if it is there. Relative folders in
    the file are relative to the file.

    Raises:
        SettingsError: the file is missing, is no TOML, or names an unknown or ill-typed setting.
    """
    found = path or (Path(FILE_NAME) if Path(FILE_NAME).is_file() else None)
    values: dict[str, Any] = {}
    if found is not None:
        values = _read(found)
        for name in ("corpus", "index"):
            if name in values:
                values[name] = found.parent / values[name]
        for name in ("embedding_model", "writer_model", "writer_adapter", "history"):
            if values.get(name) and _is_path(found.parent, name, values[name]):
                values[name] = str(found.parent / values[name])
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = dataclasses.replace(Settings(), **values)
    _check_ranges(settings, found)
    return settings


def usable_cores(settings: Settings) -> int:
    """Threads to give a model: the setting, or the cores this process may run on."""
    if settings.threads > 0:
        return settings.threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_path(folder: Path, name: str, value: str) -> bool:
    """Whether a model is named by a path; a writer may also be one of the hub or of a server, others a keyword."""
    if name in ("writer_adapter", "history"):
        return value not in {"auto", "none", "off"}
    if name != "writer_model":
        return True
    return not value.startswith("hub:") and (value.lower().endswith(".gguf") or (folder / value).exists())


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {path}: {error.strerror}", "Check --settings.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", "Mend the line or remove the file.") from error
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in hints:
            raise SettingsError(f"{path}: unknown setting {name!r}", f"Known settings: {', '.join(sorted(hints))}.")
        values[name] = _convert(path, name, hints[name], value)
    return values


def _convert(path: Path, name: str, hint: Any, value: Any) -> Any:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            allowed = " or ".join(repr(choice) for choice in get_args(hint))
            raise SettingsError(f"{path}: {name} = {value!r} is not a choice", f"Use {allowed}.")
        return value
    if hint is Path and isinstance(value, str) and "\0" not in value:
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is bool and isinstance(value, bool):
        return value
    if isinstance(hint, types.GenericAlias) or not isinstance(value, hint) or isinstance(value, bool):
        raise SettingsError(f"{path}: {name} = {value!r} has the wrong type", f"Give a value like {_example(name)!r}.")
    return value


def _example(name: str) -> Any:
    default = getattr(Settings(), name)
    return str(default) if isinstance(default, Path) else default


def _check_ranges(settings: Settings, path: Path | None) -> None:
    where = path or "settings"
    at_least = {
        "chunk_tokens": 32,
        "max_file_bytes": 1,
        "cache_megabytes": 0,
        "candidates": 1,
        "passages": 1,
        "sources": 1,
        "answer_words": 1,
        "threads": 0,
        "answers_at_once": 1,
        "waiting": 0,
        "history_visitors": 1,
        "history_exchanges": 1,
        "requests_per_minute": 0,
    }
    for name, least in at_least.items():
        if getattr(settings, name) < least:
            raise SettingsError(f"{where}: {name} = {getattr(settings, name)} is too small", f"Use {least} or more.")
    if settings.writer_backend == "openai" and not settings.writer_url:
        problem = f"{where}: writer_backend is openai, but there is no writer_url"
        raise SettingsError(problem, 'Write the server\'s address, such as "http://127.0.0.1:11434/v1".')
    if settings.writer_url and not settings.writer_model:
        problem = f"{where}: writer_url names a server, but writer_model no model on it"
        raise SettingsError(problem, "Name one that the server has.")
    if not 0.0 <= settings.refuse_below <= 1.0:
        raise SettingsError(f"{where}: refuse_below = {settings.refuse_below} is out of range", "Use 0.0 to 1.0.")
    if not 0 < settings.writer_timeout <= 86_400:
        raise SettingsError(
            f"{where}: writer_timeout = {settings.writer_timeout} is out of range", "Use 1.0 to 86400.0."
        )
    if not 0 < settings.answer_timeout <= 86_400:
        raise SettingsError(
            f"{where}: answer_timeout = {settings.answer_timeout} is out of range", "Use 1.0 to 86400.0."
        )
    if settings.threads > 1024:
        raise SettingsError(f"{where}: threads = {settings.threads} is too large", "Use 1024 or less; 0 chooses.")
    if not 0 < settings.port < 65536:
        raise SettingsError(f"{where}: port = {settings.port} is out of range", "Use 1 to 65535.")
