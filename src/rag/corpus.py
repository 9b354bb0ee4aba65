"""Adding and deleting files of the corpus folder, for those who do it in the chat rather than in a file manager."""

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from rag.documents import SUFFIXES, UnreadableFileError, corpus_files, read_file
from rag.errors import CorpusError
from rag.records import SkippedFile

_MOST_NAME = 120
"""Bytes of a file's name without its ending; file systems take 255 with it."""


def add_file(corpus: Path, name: str, content: bytes, max_bytes: int) -> str:
    """Store a new article; its path in the corpus. A name that is taken gets a number.

    Args:
        corpus: the folder; made if it is not there.
        name: as the visitor's file was called; folders in it are ignored, unusual characters replaced.
        content: of the file. It must be an article that can be indexed.
        max_bytes: most bytes of a file.

    Raises:
        CorpusError: it cannot be read as an article, or not be written.
    """
    stem, suffix = _safe(name)
    try:
        corpus.mkdir(parents=True, exist_ok=True)
        # Hidden, so that an indexing run that is under way leaves it alone.
        with tempfile.NamedTemporaryFile(dir=corpus, prefix=".", suffix=suffix, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            found = read_file(Path(file.name), f"{stem}{suffix}", max_bytes)
            reasons = [item.reason for item in found if isinstance(item, SkippedFile)]
            if len(reasons) == len(found):
                raise UnreadableFileError(reasons[0])
            return _publish(Path(file.name), corpus, stem, suffix)
        finally:
            Path(file.name).unlink(missing_ok=True)
    except UnreadableFileError as error:
        raise CorpusError(f"{name!r:.120} cannot be taken: {error}", "Save it anew, or as plain text.") from error
    except OSError as error:
        raise CorpusError(f"Cannot write to {corpus}: {error.strerror}", "Check the folder and the disk.") from error


def remove_file(corpus: Path, path: str) -> None:
    """Delete an article's file.

    Raises:
        CorpusError: the corpus has no such file, or it cannot be deleted.
    """
    # Only what indexing would read can be deleted: nothing hidden, no links, nothing outside.
    found = {file.relative_to(corpus).as_posix(): file for file in corpus_files(corpus)}
    container = path.split("#", 1)[0]
    if path not in found and container != path and container in found:
        raise CorpusError(f"{path!r:.120} is one of the articles in {container}", "Delete that file as a whole.")
    if path not in found:
        raise CorpusError(
            f"The corpus has no file {path!r:.120}", "Rebuild the index: it may have been deleted before."
        )
    try:
        found[path].unlink()
    except OSError as error:
        raise CorpusError(f"Cannot delete {path}: {error.strerror}", "Check its permissions.") from error


def _safe(name: str) -> tuple[str, str]:
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    suffix = next((ending for ending in SUFFIXES if last.lower().endswith(ending)), None)
    if suffix is None:
        raise CorpusError(f"{name!r:.120} has a format that is not read", f"Read are: {', '.join(SUFFIXES)}.")
    kept = "".join(char if char.isalnum() or char in " -_.,()" else "-" for char in last[: -len(suffix)]).strip(" .-")
    while len(kept.encode("utf-8", "ignore")) > _MOST_NAME:
        kept = kept[:-1]
    return kept or "article", suffix


def _publish(file: Path, corpus: Path, stem: str, suffix: str) -> str:
    number = 1
    while True:
        name = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
        try:
            (corpus / name).open("xb").close()  # takes the name, or fails where it is taken
        except FileExistsError:
            number += 1
        else:
            file.replace(corpus / name)
            return name
