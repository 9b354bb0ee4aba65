"""Files → Documents. The text of a document is its decoded file, so any editor can check a quote.

UTF-8 files are decoded byte for byte (a byte-order mark stays as U+FEFF, line ends stay as they are);
other encodings are recognised by their byte-order mark or, failing that, by charset-normalizer.
"""

import datetime
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from rag.errors import CorpusError
from rag.records import Document, SkippedFile

SUFFIXES = (".txt", ".md", ".markdown")

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MAX_FRONT_MATTER = 20_000
_FIELDS = ("title", "publisher", "author", "url", "language", "licence")
_MAX_TITLE = 200


class UnreadableFileError(Exception):
    """One file cannot become a document; the message is the reason shown to the user."""


def corpus_files(corpus: Path) -> list[Path]:
    """All candidate files below ``corpus``, sorted; hidden files and links are left alone.

    Raises:
        CorpusError: the folder is missing, not a folder, or not readable.
    """
    if not corpus.exists():
        raise CorpusError(f"The corpus folder {corpus} does not exist", "Create it or name another one with --corpus.")
    if not corpus.is_dir():
        raise CorpusError(f"{corpus} is not a folder", "Name the folder that holds the articles with --corpus.")

    def refuse(error: OSError) -> None:
        raise CorpusError(f"Cannot read {error.filename}: {error.strerror}", "Check its permissions.") from error

    found: list[Path] = []
    for folder, subfolders, names in os.walk(corpus, onerror=refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if not path.is_symlink())


def read_documents(corpus: Path, max_bytes: int) -> Iterator[Document | SkippedFile]:
    """Read every file of the corpus in path order; a file that cannot be read becomes a SkippedFile.

    Raises:
        CorpusError: the folder itself cannot be read.
    """
    for file in corpus_files(corpus):
        path = file.relative_to(corpus).as_posix()
        try:
            yield read_document(file, path, max_bytes)
        except UnreadableFileError as error:
            yield SkippedFile(_printable(path), str(error))


def read_document(file: Path, path: str, max_bytes: int) -> Document:
    """Read one file.

    Raises:
        UnreadableFileError: unknown format, too large, binary, empty, not readable, or bad front matter.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(
            f"no reader for {file.suffix or 'files without an ending'} (read: {', '.join(SUFFIXES)})"
        )
    if path != _printable(path):
        raise UnreadableFileError("its name holds characters that cannot be shown; rename it")
    data = _read_bytes(file, max_bytes)
    text = decode(data)
    metadata, body_start = _front_matter(text)
    if not text[body_start:].replace("\ufeff", "").replace("\u200b", "").strip():
        raise UnreadableFileError("empty")
    fields = {name: metadata[name] for name in _FIELDS if name in metadata}
    if "title" in fields:
        fields["title"] = fields["title"][:_MAX_TITLE]
    fields.setdefault("title", _guess_title(text[body_start:]) or file.stem)
    return Document(
        id=document_id(path),
        path=path,
        text=text,
        body_start=body_start,
        sha256=hashlib.sha256(data).hexdigest(),
        published=metadata.get("date") or metadata.get("published"),
        **fields,
    )


def document_id(path: str) -> str:
    """A readable name that is safe in a URL and unique: the file's stem and a hash of its whole path."""
    stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(path).stem.lower()).strip("-")[:48]
    return f"{stem or 'document'}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def decode(data: bytes) -> str:
    """Bytes → text.

    Raises:
        UnreadableFileError: the bytes are no text in any encoding that can be recognised.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise UnreadableFileError("its UTF-16 text is damaged") from error
    if b"\x00" in data:
        raise UnreadableFileError("binary file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    match = from_bytes(data).best()
    if match is None:
        raise UnreadableFileError("binary file or unknown encoding; save it as UTF-8")
    return data.decode(match.encoding)


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


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    match = _FRONT_MATTER.match(text[:_MAX_FRONT_MATTER])
    if match is None:
        return {}, 0
    import yaml

    try:
        parsed = yaml.safe_load(match.group(1) or "")
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 2}" if mark else ""
        raise UnreadableFileError(f"its front matter is not valid YAML{where}") from error
    if parsed is None:
        parsed = {}
    if not isinstance(parsed, dict):
        raise UnreadableFileError("its front matter is not a list of `name: value` lines")
    values = {str(name).lower(): _scalar(value) for name, value in parsed.items()}
    return {name: value for name, value in values.items() if value}, match.end()


def _scalar(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _guess_title(body: str) -> str | None:
    """A Markdown heading, else the first of the opening lines that reads like a headline (four words or more)."""
    lines = [line.strip() for line in body[:5000].splitlines() if line.strip(" \ufeff")][:6]
    headings = [line.lstrip("#").strip() for line in lines if re.match(r"#{1,2}\s", line)]
    headlines = [line for line in lines if len(line.split()) >= 4 and not line.lower().startswith("by ")]
    for title in headings + headlines + lines:
        return title.strip("\ufeff")[:_MAX_TITLE]
    return None


def _printable(path: str) -> str:
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "\ufffd" for char in path)
