"""Generations of an index on disk: immutable folders, one of which ``CURRENT`` names.

    index/
        LOCK                 held by the one process that builds
        CURRENT              "gen-000007 <sha256 of its manifest>"
        gen-000007/          store.sqlite  manifest.json  chunks-000005.faiss  sentences-000005.f16  chunks-000007.faiss  …

The vectors of a generation stand in parts. A part is written once, and later generations hold hard links to it, so
that a small change writes little. A new generation is written beside the others under a temporary name, synced,
verified by reading back what is new, renamed, and made current by one atomic replace. A reader that holds the old one
keeps it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rag.errors import (
    IndexCorruptError,
    IndexingError,
    IndexLockedError,
    IndexMismatchError,
    IndexMissingError,
    IndexUnusableError,
)
from rag.models import file_sha256

FORMAT = 2
STORE = "store.sqlite"
_REBUILD = "Rebuild it with `rag index --rebuild`."


@dataclass(frozen=True, slots=True)
class Part:
    """Vectors that were written together."""

    name: str
    """Number of the generation that wrote it."""
    chunks: int
    sentences: int

    @property
    def chunk_file(self) -> str:
        return f"chunks-{self.name}.faiss"

    @property
    def sentence_file(self) -> str:
        return f"sentences-{self.name}.f16"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built from and what it holds."""

    embedding_model: str
    embedding_sha256: str
    dimension: int
    chunk_tokens: int
    splitter: str
    documents: int
    chunks: int
    """Without those that a later change has removed, whose rows stay empty."""
    sentences: int
    skipped: int
    """Files that were not indexed."""
    content: str
    """sha256 over the paths and hashes of all files: equal where the corpus is."""
    parts: list[dict[str, Any]]
    """Vectors in order of their rows; see ``Part``."""
    versions: dict[str, str]
    created: str
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name → size and sha256 of every file of the generation."""
    format: int = FORMAT

    def all_parts(self) -> list[Part]:
        """The parts as records."""
        return [Part(**part) for part in self.parts]


@dataclass(frozen=True, slots=True)
class Generation:
    """A published folder and its manifest."""

    name: str
    folder: Path
    manifest: Manifest

    @property
    def chunk_files(self) -> list[Path]:
        return [self.folder / part.chunk_file for part in self.manifest.all_parts()]

    @property
    def sentence_files(self) -> list[Path]:
        return [self.folder / part.sentence_file for part in self.manifest.all_parts()]

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(int(file["bytes"]) for file in self.manifest.files.values())


@contextlib.contextmanager
def building(index: Path) -> Iterator[Path]:
    """Hold the index's lock and give a fresh folder to build in; it is removed unless it was published.

    Raises:
        IndexLockedError: another process is building.
        IndexingError: the folder cannot be written.
    """
    with _locked(index):
        try:
            name = _next_name(index)  # never that of a folder which a reader may know, as one that was rolled back
            _remove_leftovers(index)
            folder = index / f"{name}.tmp"
            folder.mkdir()
            yield folder
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise IndexingError(f"Writing the index failed: {reason}", "The index in use is unchanged.") from error
        finally:
            _remove_leftovers(index)


def link(source: Path, folder: Path) -> None:
    """Take an immutable file of another generation over, by a hard link where the file system has them.

    Raises:
        OSError: it cannot be read or written.
    """
    try:
        os.link(source, folder / source.name)
    except OSError:
        shutil.copyfile(source, folder / source.name)


def publish(folder: Path, manifest: Manifest, taken_over: Collection[str] = ()) -> Generation:
    """Seal the files in ``folder``, read back what is new, and make them the current generation.

    Args:
        folder: as given by ``building``.
        manifest: for it. ``files`` holds the entries of the files that were taken over, and no others.
        taken_over: names of files that are those of a generation published before; they are not read again.

    Raises:
        IndexCorruptError: what was read back is not what was written.
        OSError: writing failed; nothing has changed.
    """
    index = folder.parent
    files = {name: manifest.files[name] for name in taken_over}
    for path in sorted(folder.iterdir()):
        if path.name not in files:
            _sync(path)
            files[path.name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    sealed = asdict(manifest) | {"files": files}
    content = json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False).encode()
    _write(folder / "manifest.json", content)
    _sync(folder)
    final = folder.with_suffix("")
    folder.rename(final)
    _sync(index)
    generation = Generation(final.name, final, _parse_manifest(content, final))
    verify(generation, but=taken_over)
    _point(index, final.name, hashlib.sha256(content).hexdigest())
    return generation


def rollback(index: Path) -> Generation:
    """Make the newest generation before the current one current again.

    Raises:
        IndexMissingError: there is none that is whole.
        IndexLockedError: another process is building.
        IndexingError: the folder cannot be written.
    """
    with _locked(index):
        live = _pointer(index)[0]
        for name in sorted((path.name for path in index.glob("gen-??????") if path.name < live), reverse=True):
            with contextlib.suppress(IndexUnusableError, OSError):
                digest = hashlib.sha256((index / name / "manifest.json").read_bytes()).hexdigest()
                generation = _open(index, (name, digest))
                verify(generation)
                _point(index, name, digest)
                return generation
    raise IndexMissingError(f"{index} holds no whole generation before {live}", "The current one stays in use.")


def current_name(index: Path) -> str:
    """The name of the generation in use; nothing but ``CURRENT`` is read.

    Raises:
        IndexUnusableError: there is none, or ``CURRENT`` is damaged.
    """
    return _pointer(index)[0]


def current(index: Path) -> Generation:
    """The generation in use, after cheap checks (manifest hash, sizes of all files).

    Raises:
        IndexMissingError: there is none.
        IndexCorruptError: it is incomplete or damaged.
        IndexMismatchError: another version of this program wrote it.
    """
    pointer = _pointer(index)
    for _ in range(10):
        try:
            return _open(index, pointer)
        except FileNotFoundError as error:
            # It may have been replaced and removed since CURRENT was read. Only a moved pointer is worth a retry.
            moved = _pointer(index)
            if moved == pointer:
                raise IndexCorruptError(f"{error.filename} is missing", _REBUILD) from error
            pointer = moved
        except OSError as error:
            raise _unreadable(error) from error
    raise IndexCorruptError(f"{index} is replaced faster than it can be read", "Try again.")


def verify(generation: Generation, but: Collection[str] = ()) -> None:
    """Compare the hash of every file with the manifest, but of those named.

    Raises:
        IndexCorruptError: one differs or is missing.
    """
    for name, expected in generation.manifest.files.items():
        if name in but:
            continue
        path = generation.folder / name
        try:
            whole = path.is_file() and file_sha256(path) == expected["sha256"]
        except OSError as error:
            raise _unreadable(error) from error
        if not whole:
            raise IndexCorruptError(f"{path} is damaged: its sha256 is not the manifest's", _REBUILD)


def remove_old(index: Path, keep: int = 2) -> None:
    """Delete all but the newest ``keep`` generations; the one before the current stays for its readers."""
    names = sorted(path.name for path in index.glob("gen-??????") if path.is_dir())
    live = _pointer(index)[0]
    for name in names[:-keep]:
        if name != live:
            shutil.rmtree(index / name, ignore_errors=True)


@contextlib.contextmanager
def _locked(index: Path) -> Iterator[None]:
    try:
        index.mkdir(parents=True, exist_ok=True)
        lock = FileLock(index / "LOCK")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLockedError(
            f"Another run is indexing into {index}", "Wait for it to end, then try again."
        ) from error
    except OSError as error:
        raise IndexingError(
            f"Cannot write the index folder {index}: {error.strerror}", "Choose another --index."
        ) from error
    try:
        yield
    finally:
        # The lock's file stays: removing it would let two processes hold two locks.
        lock.release()


def _point(index: Path, name: str, digest: str) -> None:
    _write(index / "CURRENT.tmp", f"{name} {digest}\n".encode())
    (index / "CURRENT.tmp").replace(index / "CURRENT")
    _sync(index)


def _pointer(index: Path) -> tuple[str, str]:
    try:
        name, digest = (index / "CURRENT").read_text("ascii").split()
    except FileNotFoundError as error:
        problem = f"There is no index in {index}"
        raise IndexMissingError(problem, "Build it with `rag index --corpus FOLDER`.") from error
    except OSError as error:
        raise _unreadable(error) from error
    except ValueError as error:
        raise IndexCorruptError(f"{index / 'CURRENT'} is damaged", _REBUILD) from error
    if Path(name).name != name or not name.startswith("gen-"):
        raise IndexCorruptError(f"{index / 'CURRENT'} names no generation", _REBUILD)
    return name, digest


def _open(index: Path, pointer: tuple[str, str]) -> Generation:
    name, digest = pointer
    folder = index / name
    content = (folder / "manifest.json").read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise IndexCorruptError(f"{folder / 'manifest.json'} is damaged", _REBUILD)
    manifest = _parse_manifest(content, folder)
    for file, expected in manifest.files.items():
        if (folder / file).stat().st_size != expected["bytes"]:
            raise IndexCorruptError(f"{folder / file} is damaged: its size is not the manifest's", _REBUILD)
    return Generation(name, folder, manifest)


def _parse_manifest(content: bytes, folder: Path) -> Manifest:
    try:
        values = json.loads(content)
        if values["format"] != FORMAT:
            problem = f"{folder} has index format {values['format']}; this version reads format {FORMAT}"
            raise IndexMismatchError(problem, _REBUILD)
        manifest = Manifest(**values)
        needed = {STORE, *(file for part in manifest.all_parts() for file in (part.chunk_file, part.sentence_file))}
        if needed != manifest.files.keys():
            raise IndexCorruptError(f"{folder / 'manifest.json'} names other files than its parts", _REBUILD)
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexCorruptError(f"{folder / 'manifest.json'} is not a manifest", _REBUILD) from error


def _unreadable(error: OSError) -> IndexUnusableError:
    """A disk or its permissions at fault is no damage: rebuilding would not mend it."""
    return IndexUnusableError(
        f"{error.filename} cannot be read: {error.strerror}", "Check its permissions and the disk."
    )


def _next_name(index: Path) -> str:
    numbers = [int(path.name[4:10]) for path in index.glob("gen-??????*") if path.name[4:10].isdigit()]
    return f"gen-{max(numbers, default=0) + 1:06d}"


def _remove_leftovers(index: Path) -> None:
    """Delete what runs that never published have left; only the holder of the lock may."""
    try:
        newest = _pointer(index)[0]
    except IndexMissingError:
        newest = ""
    except IndexUnusableError:
        newest = "gen-999999"  # CURRENT is damaged: which one was in use cannot be told
    for path in index.glob("gen-??????*"):
        if path.suffix == ".tmp" or path.name > newest:
            shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        (index / "CURRENT.tmp").unlink()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders, and does not need it
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
