"""The files of the corpus folder, and each of them as documents."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rag.documents.article import Content, UnreadableFileError, printable
from rag.documents.finish import finish
from rag.documents.registry import by_content, by_name, no_reader, read_content
from rag.documents.sandbox import SANDBOX, Sandbox
from rag.errors import CorpusError
from rag.records import Document, SkippedFile

_OF_PAGE = ("_files", ".files", "-Dateien", "_fichiers", "_archivos")
"""Endings that browsers give to the folder of a saved page."""


def corpus_files(corpus: Path) -> list[Path]:
    """All candidate files below ``corpus``, sorted. Hidden files, links, what is no file, and the folders with pictures
    and scripts that belong to saved pages are left alone.


    Raises:
        CorpusError: the folder is missing, not a folder, or not readable.
    """
    return [file for file, reason in _survey(corpus) if not reason]


def left_alone(corpus: Path) -> list[SkippedFile]:
    """Links, pipes, sockets and devices below ``corpus``, none of which is opened.

    Raises:
        CorpusError: the folder is missing, not a folder, or not readable.
    """
    return [
        SkippedFile(printable(file.relative_to(corpus).as_posix()), reason)
        for file, reason in _survey(corpus)
        if reason
    ]


def read_documents(corpus: Path, max_bytes: int) -> Iterator[Document | SkippedFile]:
    """Read every file of the corpus in path order; what cannot be read becomes a SkippedFile.

    Raises:
        CorpusError: the folder itself cannot be read.
    """
    for file, reason in _survey(corpus):
        path = file.relative_to(corpus).as_posix()
        if reason:
            yield SkippedFile(printable(path), reason)
        else:
            yield from read_file(file, path, max_bytes)


def read_file(file: Path, path: str, max_bytes: int, sandbox: Sandbox = SANDBOX) -> list[Document | SkippedFile]:
    """The documents of one file, and what was skipped in it. Never raises for a bad file.

    Args:
        file: to read.
        path: its name in the corpus, with forward slashes.
        max_bytes: larger files are skipped, unread.
        sandbox: where formats are parsed whose parsers are not trusted.
    """
    try:
        named = by_name(path)
        if named is None:
            raise no_reader(path)
        if path != printable(path):
            raise UnreadableFileError("its name holds characters that cannot be shown; rename it")
        _refuse_ambiguous(file, path)
        data = _read_bytes(file, max_bytes)
        if by_content(data, named).trusted:
            found = list(read_content(Content.of_file(data, path, max_bytes)))
        else:
            found = sandbox.read(data, path, max_bytes)
    except UnreadableFileError as error:
        return [SkippedFile(printable(path), str(error))]
    if not found:
        return [SkippedFile(path, "no articles in it")]
    documents: list[Document | SkippedFile] = []
    taken: set[str] = set()
    for item in found:
        document = item if isinstance(item, SkippedFile) else finish(item)
        if isinstance(document, Document):
            # A name in one archive can be spelled like the way into another.
            if document.path in taken:
                document = SkippedFile(document.path, "another article has the same name")
            taken.add(document.path)
        documents.append(document)
    return documents


def read_document(file: Path, path: str, max_bytes: int) -> Document:
    """Read a file of one article, or the first article of a file of several.

    Raises:
        UnreadableFileError: there is none that can be read.
    """
    found = read_file(file, path, max_bytes)
    document = next((item for item in found if isinstance(item, Document)), None)
    if document is None:
        raise UnreadableFileError(next(item.reason for item in found if isinstance(item, SkippedFile)))
    return document


def _survey(corpus: Path) -> list[tuple[Path, str]]:
    """Everything in the folder that is not hidden, sorted, with the reason if it must not be opened."""
    if not corpus.exists():
        raise CorpusError(f"The corpus folder {corpus} does not exist", "Create it or name another one with --corpus.")
    if not corpus.is_dir():
        raise CorpusError(f"{corpus} is not a folder", "Name the folder that holds the articles with --corpus.")

    def refuse(error: OSError) -> None:
        raise CorpusError(f"Cannot read {error.filename}: {error.strerror}", "Check its permissions.") from error

    found: list[tuple[Path, str]] = []
    for folder, subfolders, names in os.walk(corpus, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and not _is_of_page(name, names)]
        linked = [name for name in subfolders if Path(folder, name).is_symlink()]
        for name in (*names, *linked):
            if not name.startswith("."):
                file = Path(folder, name)
                found.append((file, _kind(file)))
    return sorted(found, key=lambda item: item[0].parts)  # comparing paths themselves takes ten times as long


def _is_of_page(folder: str, files: list[str]) -> bool:
    """Whether a browser put the pictures and scripts of a saved page into a folder: ``mir_files`` beside ``mir.html``."""
    stem = next((folder.removesuffix(ending) for ending in _OF_PAGE if folder.endswith(ending)), "")
    return bool(stem) and (f"{stem}.html" in files or f"{stem}.htm" in files)


def _kind(file: Path) -> str:
    try:
        mode = file.lstat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(mode):
        return "a link, which is not followed"
    return "" if stat.S_ISREG(mode) else "not a regular file"


def _refuse_ambiguous(file: Path, path: str) -> None:
    """Refuse ``press.zip#a.txt`` beside ``press.zip``, an article of which has that name."""
    parts = path.split("/")
    root = file.parents[len(parts) - 1] if len(parts) <= len(file.parents) else file.parent
    for position, char in enumerate(path):
        container = path[:position]
        if char == "#" and (named := by_name(container)) and named.is_container and (root / container).is_file():
            raise UnreadableFileError(f"its name is that of an article inside {container}; rename it")


def _read_bytes(file: Path, max_bytes: int) -> bytes:
    try:
        if not file.is_file():
            raise UnreadableFileError("not a regular file")
        size = file.stat().st_size
        if size > max_bytes:
            raise UnreadableFileError(f"{size:,} bytes; the limit is {max_bytes:,} (setting max_file_bytes)")
        with file.open("rb") as opened:
            return opened.read(max_bytes + 1)[:max_bytes]
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror}") from error
