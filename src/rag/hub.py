"""Models of the Hugging Face hub: named, fetched on request, verified, found again offline. Nothing else downloads."""

import contextlib
import fnmatch
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rag.errors import ModelError
from rag.models import file_sha256

Progress = Callable[[int, int], None]
"""Bytes done and bytes in all."""

PREFIX = "hub:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_PART = re.compile(r"(.+-)(\d{5})-of-(\d{5})\.gguf")
_SHA256 = re.compile(r"[0-9a-f]{64}")

# What transformers needs of a repository. Pickles (.bin, .pt, .pth) and code (.py) are never among it.
_WEIGHTS = "*.safetensors"
_WANTED = (_WEIGHTS, "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
# The same weights again in the form of the model's first publisher.
_UNWANTED = ("consolidated*.safetensors",)

_INFO_SECONDS = 30.0
_TRIES = 4
_PAUSE_SECONDS = 1.0
_KEPT = "What has been downloaded so far is kept; run the command again to go on."


@dataclass(frozen=True, slots=True)
class Reference:
    """What a user calls a model of the hub."""

    repository: str
    file: str | None = None
    """A GGUF file; without one, the whole model for transformers is meant."""
    revision: str | None = None
    """Branch, tag or commit; without one, the hub's newest."""

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{revision}" + (f"/{self.file}" if self.file else "")

    @property
    def command(self) -> str:
        """What fetches it."""
        return f"rag models fetch {str(self).removeprefix(PREFIX)}"


@dataclass(frozen=True, slots=True)
class Installed:
    """One revision of a model in the local cache."""

    repository: str
    revision: str
    """The branches or tags it was fetched as, otherwise its commit."""
    folder: Path
    bytes: int
    references: tuple[str, ...]
    """How settings name what can be used of it; none if it holds no whole model."""


def parse(reference: str) -> Reference:
    """``hub:owner/name``, ``hub:owner/name/file.gguf``, either with ``@revision`` after the name.

    The ``hub:`` may be left out.

    Raises:
        ModelError: it has another form, or the file is no GGUF.
    """
    owner, _, rest = reference.removeprefix(PREFIX).partition("/")
    name, _, file = rest.partition("/")
    name, at, revision = name.partition("@")
    if not (_is_name(owner) and _is_name(name)) or (at and not _REVISION.fullmatch(revision)):
        raise ModelError(f"{reference!r:.120} names no model of the hub", _FORM)
    if rest.count("/") and not _is_gguf(file):
        raise ModelError(f"{reference!r:.120} names no GGUF file of a model", _FORM)
    return Reference(f"{owner}/{name}", file or None, revision or None)


_FORM = "Write hub:owner/name, or hub:owner/name/file.gguf for a GGUF file."


def fetch(
    repository: str, file: str | None = None, revision: str | None = None, progress: Progress | None = None
) -> Path:
    """Download a model into the hub's own cache, or go on with a download that was broken off.

    Everything whose sha256 the hub knows is verified, also what was there before.

    Args:
        repository: ``owner/name``.
        file: a GGUF file; its other parts come with it. Without one, safetensors weights and what belongs to them.
        revision: branch, tag or commit.
        progress: told of bytes done and bytes in all.

    Returns:
        The GGUF file, or the folder of the model.

    Raises:
        ModelError: offline, no such model or file, only pickled weights, no room on the disk, a wrong hash.
    """
    from huggingface_hub import HfApi

    reference = Reference(repository, file, revision)
    api = HfApi()
    with _explained(reference):
        info = api.model_info(repository, revision=revision, files_metadata=True, timeout=_INFO_SECONDS)
    wanted = _choose([sibling for sibling in info.siblings or () if _is_inside(sibling.rfilename)], reference)
    total = sum(sibling.size or 0 for sibling in wanted)
    _check_room(reference, wanted)
    done = 0

    def report(count: int) -> None:
        if progress:
            progress(done + count, total)

    paths = {}
    for sibling in wanted:
        with _explained(reference):
            paths[sibling.rfilename] = _download(api, reference, sibling, str(info.sha), report)
        done += sibling.size or 0
        report(0)
    folders = {_above(path, name) for name, path in paths.items()}
    if {folder.name for folder in folders} != {info.sha}:
        problem = f"The model {repository} was changed on the hub while it was fetched"
        raise ModelError(problem, f"Run `{reference.command}` again.")
    return paths[file] if file else folders.pop()


def local_path(reference: Reference | str) -> Path:
    """Where a fetched model lies: its GGUF file, or its folder. Never touches the network.

    Raises:
        ModelError: it has not been fetched, or not completely.
    """
    from huggingface_hub import try_to_load_from_cache

    if isinstance(reference, str):
        reference = parse(reference)

    def find(name: str) -> Path | None:
        found = try_to_load_from_cache(reference.repository, name, _cache(), reference.revision)
        return Path(found) if isinstance(found, str) else None

    found = [find(name) for name in (_parts(reference.file) if reference.file else ["config.json"])]
    first = found[0]
    if first is None or None in found or not (reference.file or _has_all_weights(first.parent)):
        raise ModelError(f"The model {reference} has not been fetched", f"Run `{reference.command}`.")
    return first if reference.file else first.parent


def installed() -> list[Installed]:
    """Every model in the local cache, by name, whichever program fetched it. Never touches the network."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir(_cache())
    except (CacheNotFound, ValueError):
        return []
    models = [
        Installed(
            repository=repository.repo_id,
            revision=", ".join(sorted(revision.refs)) or revision.commit_hash,
            folder=revision.snapshot_path,
            bytes=revision.size_on_disk,
            references=_usable(repository.repo_id, revision.refs, revision.commit_hash, revision.snapshot_path),
        )
        for repository in cache.repos
        if repository.repo_type == "model"
        for revision in repository.revisions
    ]
    return sorted(models, key=lambda model: (model.repository, model.revision))


def verify(path: Path, sha256: str) -> None:
    """Compare a file's hash with the known one.

    Raises:
        ModelError: it is missing, unreadable, or differs.
    """
    try:
        found = file_sha256(path)
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}", _AGAIN) from error
    if found != sha256:
        raise ModelError(f"The model file {path} is damaged: its sha256 is {found}, not {sha256}", _AGAIN)


_AGAIN = "Fetch it again with `rag models fetch`."


def verify_installed(model: Installed) -> int:
    """Compare the files of a fetched model with the hashes that the hub told when they were fetched.

    The cache names each large file by its sha256, where the file system has symbolic links.

    Returns:
        How many files have a known hash and were compared.

    Raises:
        ModelError: a file is missing or differs.
    """
    known = 0
    for path in sorted(model.folder.rglob("*")):
        if path.is_symlink() and _SHA256.fullmatch(path.readlink().name):
            verify(path, path.readlink().name)
            known += 1
    return known


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and ".." not in text and "--" not in text


def _is_gguf(file: str) -> bool:
    return file.lower().endswith(".gguf") and _is_inside(file)


def _is_inside(file: str) -> bool:
    """Whether a name given by somebody else stays in its folder, on every system."""
    parts = file.split("/")
    return not any(part in ("", ".", "..") for part in parts) and "\\" not in file and ":" not in file


def _parts(file: str) -> list[str]:
    """All parts of a GGUF file that was split; llama.cpp finds the others beside the one that it is given."""
    match = _PART.fullmatch(file)
    if match is None or not 1 <= int(match[2]) <= int(match[3]) <= 1000:
        return [file]
    numbers = range(1, int(match[3]) + 1)
    others = (f"{match[1]}{number:05d}-of-{match[3]}.gguf" for number in numbers if number != int(match[2]))
    return [file, *others]


def _choose(siblings: Sequence[Any], reference: Reference) -> list[Any]:
    """The files to fetch, weights last: who finds all weights may rely on the rest."""
    if reference.file:
        if not _is_gguf(reference.file):
            raise ModelError(f"{reference.file} is no GGUF file", _FORM)
        by_name = {sibling.rfilename: sibling for sibling in siblings}
        missing = [name for name in _parts(reference.file) if name not in by_name]
        if missing:
            there = sorted(name for name in by_name if _is_gguf(name))
            remedy = f"GGUF files there: {', '.join(there)}." if there else "There are no GGUF files in it."
            raise ModelError(f"The model {reference.repository} has no file {missing[0]}", remedy)
        return [by_name[name] for name in _parts(reference.file)]
    wanted = [sibling for sibling in siblings if _is_wanted(sibling.rfilename)]
    if not any(fnmatch.fnmatchcase(sibling.rfilename, _WEIGHTS) for sibling in wanted):
        gguf = [sibling.rfilename for sibling in siblings if _is_gguf(sibling.rfilename)]
        remedy = (
            f"Name one of its GGUF files, like {Reference(reference.repository, min(gguf), reference.revision)}."
            if gguf
            else "Choose a model with safetensors or GGUF files; pickled weights could run anything when they are loaded."
        )
        raise ModelError(f"The model {reference.repository} has no safetensors weights", remedy)
    return sorted(wanted, key=lambda sibling: (fnmatch.fnmatchcase(sibling.rfilename, _WEIGHTS), sibling.rfilename))


def _is_wanted(name: str) -> bool:
    # Folders hold the same model for other runtimes.
    return (
        "/" not in name
        and any(fnmatch.fnmatchcase(name, pattern) for pattern in _WANTED)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _UNWANTED)
    )


def _download(api: Any, reference: Reference, sibling: Any, commit: str, progress: Callable[[int], None]) -> Path:
    """One file, from the cache if it is there and sound; returns where the cache shows it."""
    blob = None
    if sibling.lfs:
        _drop_damaged(reference, sibling, commit)
        blob = _blob(reference, sibling)
        if not blob.is_file() or file_sha256(blob) != sibling.lfs.sha256:
            _download_large(reference, sibling, commit, progress)
    # Finding the large ones under their names, the hub's client links them into the folder of this revision.
    path = Path(
        api.hf_hub_download(
            reference.repository,
            sibling.rfilename,
            revision=reference.revision,
            cache_dir=_cache(),
            tqdm_class=_Silent,
        )
    )
    if blob and path.resolve() != blob.resolve():
        verify(path, sibling.lfs.sha256)
    return path


def _drop_damaged(reference: Reference, sibling: Any, commit: str) -> None:
    """Forget a cached file with another hash; without symbolic links it is no blob, and would be kept for ever."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(reference.repository, sibling.rfilename, _cache(), commit)
    if isinstance(found, str) and file_sha256(Path(found)) != sibling.lfs.sha256:
        Path(found).unlink()


def _download_large(reference: Reference, sibling: Any, commit: str, progress: Callable[[int], None]) -> None:
    """Download a large file, going on where an earlier run stopped.

    The hub's client throws away what it has of a file when it is stopped, see huggingface_hub issue 4196.
    """
    from filelock import FileLock, Timeout
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(reference.repository, sibling.rfilename, revision=commit)
    part = _part(reference, sibling)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{part}.lock", timeout=0):
            _complete(url, part, sibling.lfs.size, progress)
            try:
                verify(part, sibling.lfs.sha256)
            except ModelError:
                part.unlink()
                raise
            part.replace(_blob(reference, sibling))
    except Timeout as error:
        problem = f"{reference.repository} is being fetched by another program"
        raise ModelError(problem, "Wait until it has ended.") from error


def _complete(url: str, part: Path, size: int, progress: Callable[[int], None]) -> None:
    """Append what is missing, again and again as long as something comes."""
    import httpx2

    fruitless = 0
    while not part.exists() or _size(part) < size:
        before = _size(part)
        try:
            _append(url, part, size, progress)
            failure: Exception = OSError("the hub sent an empty reply")
        except httpx2.TransportError as error:
            failure = error
        if _size(part) < size:
            fruitless = fruitless + 1 if _size(part) <= before else 0
            if fruitless == _TRIES:
                raise failure
            time.sleep(_PAUSE_SECONDS)
    if _size(part) > size:
        part.unlink()
        raise ModelError(f"The hub sent more than the {size:,} bytes it had told", _AGAIN)


def _append(url: str, part: Path, size: int, progress: Callable[[int], None]) -> None:
    from huggingface_hub import constants, get_session, get_token, hf_raise_for_status

    have = _size(part)
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
    # On the way to another host, as to the hub's storage, a redirect loses the user's token.
    with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=seconds) as response:
        hf_raise_for_status(response)
        if response.status_code != 206:
            have = 0
        with part.open("ab" if have else "wb") as file:
            # Pieces as they come: filling larger ones would lose what has come when the connection breaks.
            for chunk in response.iter_raw():
                file.write(chunk)
                have += len(chunk)
                progress(have)
                if have > size:
                    return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_room(reference: Reference, siblings: Sequence[Any]) -> None:
    """Raise ``ModelError`` before anything is downloaded that will not fit."""
    there = (
        _size(path)
        for sibling in siblings
        if sibling.lfs
        for path in (_blob(reference, sibling), _part(reference, sibling))
    )
    missing = sum(sibling.size or 0 for sibling in siblings) - sum(there)
    folder = _cache()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if missing > free:
        problem = f"{reference.repository} needs {_megabytes(missing)} more, but {folder} has {_megabytes(free)} left"
        raise ModelError(problem, "Make room, or set HF_HOME to a folder on another disk.")


def _blob(reference: Reference, sibling: Any) -> Path:
    """Where the hub's client looks for a large file before it downloads one."""
    folder = _cache() / f"models--{reference.repository.replace('/', '--')}"
    return folder / "blobs" / str(sibling.lfs.sha256)


def _part(reference: Reference, sibling: Any) -> Path:
    """The beginning of a large file. The name is the hash: what lies there cannot belong to another version."""
    blob = _blob(reference, sibling)
    return blob.with_name(f"{blob.name}.rag-part")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _above(path: Path, name: str) -> Path:
    """The folder of a model, from one of its files."""
    return path.parents[name.count("/")]


def _has_all_weights(folder: Path) -> bool:
    if (folder / "model.safetensors").exists():
        return True
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
        shards = set(index["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False
    return bool(shards) and all(isinstance(name, str) and (folder / name).exists() for name in shards)


def _usable(repository: str, refs: frozenset[str], commit: str, folder: Path) -> tuple[str, ...]:
    revision = None if "main" in refs or not refs else min(refs)
    if not refs:
        revision = commit
    references = [Reference(repository, None, revision)] if _has_all_weights(folder) else []
    for path in sorted(folder.rglob("*.gguf")):
        name = path.relative_to(folder).as_posix()
        parts = _parts(name)
        if parts[0] == min(parts) and all((folder / part).exists() for part in parts):
            references.append(Reference(repository, name, revision))
    return tuple(map(str, references))


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser()


@contextlib.contextmanager
def _explained(reference: Reference) -> Iterator[None]:
    """Turn what the hub's client raises into one line and a remedy."""
    from huggingface_hub import errors

    name = reference.repository
    try:
        yield
    except ModelError:
        raise
    except errors.OfflineModeIsEnabled as error:
        remedy = f"Unset it to download, or copy {_cache()} from a machine that has the model."
        raise ModelError(f"{name} cannot be fetched: HF_HUB_OFFLINE is set", remedy) from error
    except errors.GatedRepoError as error:
        remedy = f"Accept its terms on https://huggingface.co/{name} and set HF_TOKEN to your token."
        raise ModelError(f"The model {name} is given only to those who accept its terms", remedy) from error
    except errors.RepositoryNotFoundError as error:
        remedy = "Check the name; a private model needs HF_TOKEN set to a token that may read it."
        raise ModelError(f"The hub has no public model {name}", remedy) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(
            f"The model {name} has no revision {reference.revision}", "Leave it out or name another."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        remedy = "Check the name and the token in HF_TOKEN." if status in (401, 403) else f"Try again later. {_KEPT}"
        raise ModelError(f"The hub answered {status} when asked for {name}", remedy) from error
    except Exception as error:  # its two ways of downloading raise errors of two HTTP libraries and of the disk
        if isinstance(error, OSError) and error.filename is not None:
            raise ModelError(f"{error.filename} cannot be written: {error.strerror}", "Check the disk.") from error
        problem = f"{name} could not be fetched from the hub: {' '.join(str(error).split()):.200}"
        raise ModelError(problem, f"Check the connection to the network. {_KEPT}") from error


class _Silent:
    """What the hub's client takes for a progress bar. It shows nothing: only small files get it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None
