"""Which reader reads which file: by its content where that is sure, otherwise by its ending."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from rag.documents import archive, docx, epub, mail, odt, pdf, plain, rtf, tables, warc, web
from rag.documents.article import Article, Content, Reader, UnreadableFileError
from rag.records import SkippedFile


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file and how it is read."""

    name: str
    suffixes: tuple[str, ...]
    read: Reader
    trusted: bool = False
    """Whether it is read without a parser that could hang, crash or take all memory."""
    is_container: bool = False


TEXT = Format("text", (".txt",), plain.read, trusted=True)
MARKDOWN = Format("Markdown", (".md", ".markdown"), plain.read, trusted=True)
HTML = Format("HTML", (".html", ".htm", ".xhtml"), web.read)
SAVED_PAGE = Format("saved page", (".mhtml", ".mht"), mail.read_saved_page)
PDF = Format("PDF", (".pdf",), pdf.read)
DOCX = Format("DOCX", (".docx",), docx.read)
EPUB = Format("EPUB", (".epub",), epub.read)
ODT = Format("ODT", (".odt",), odt.read)
RTF = Format("RTF", (".rtf",), rtf.read)
SEPARATED = Format("CSV", (".csv", ".tsv"), tables.read_separated, is_container=True)
JSON_LINES = Format("JSON lines", (".jsonl", ".ndjson"), tables.read_lines, is_container=True)
JSON = Format("JSON", (".json",), tables.read_json, is_container=True)
MESSAGE = Format("message", (".eml",), mail.read, is_container=True)
ZIP = Format("zip", (".zip",), archive.read, is_container=True)
WARC = Format("WARC", (".warc", ".warc.gz"), warc.read, is_container=True)

FORMATS = (
    TEXT, MARKDOWN, HTML, SAVED_PAGE, PDF, DOCX, EPUB, ODT, RTF, SEPARATED, JSON_LINES, JSON, MESSAGE, ZIP, WARC,
)  # fmt: skip
SUFFIXES = tuple(suffix for format_ in FORMATS for suffix in format_.suffixes)

_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_SAVED_PAGE = re.compile(rb"^content-type:\s*multipart/related\b", re.IGNORECASE | re.MULTILINE)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def by_name(path: str) -> Format | None:
    """The format that the ending of a name stands for."""
    name = path.lower()
    return next((known for known in FORMATS if name.endswith(known.suffixes)), None)


def by_content(data: bytes, named: Format) -> Format:
    """The format that the bytes themselves show, or else the one that their name says; ``ZIP`` for all zip files.

    Raises:
        UnreadableFileError: they are of a kind that is not read.
    """
    if data.startswith(b"%PDF-") or (named is PDF and b"%PDF-" in data[:1024]):
        return PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    if data.startswith(b"{\\rtf"):
        return RTF
    if data.startswith(_OLE):
        raise UnreadableFileError("password-protected, or of an office program before 2007")
    if data.startswith(b"WARC/1."):
        return WARC
    if _HTML.match(data[:4096]):
        return HTML
    if named in (HTML, MESSAGE) and b"mime-version:" in data[:4096].lower() and _SAVED_PAGE.search(data[:4096]):
        return SAVED_PAGE if named is HTML or b"Snapshot-Content-Location" in data[:4096] else named
    if named in (PDF, DOCX, EPUB, ODT, ZIP, RTF):
        raise UnreadableFileError(f"it is no {named.name} file, or damaged")
    return named


def read_content(content: Content) -> Iterator[Article | SkippedFile]:
    """All articles of a file and of the files in it; whatever fails becomes a SkippedFile."""
    named = by_name(content.path)
    try:
        if named is None:
            raise no_reader(content.path)
        kind = by_content(content.data, named)
        if kind is ZIP:
            kind = _zip_kind(content)
        for found in kind.read(content):
            if isinstance(found, Content):
                yield from read_content(found)
            else:
                yield found
    except UnreadableFileError as error:
        yield SkippedFile(content.path, str(error))
    except RecursionError:
        yield SkippedFile(content.path, "too deeply nested")
    except MemoryError:
        yield SkippedFile(content.path, "reading it takes more memory than allowed")
    except ImportError as error:
        yield SkippedFile(content.path, f"a library that reads it is missing ({error.name}); install the package anew")
    except Exception as error:
        # Parsers of other people's formats fail in ways of their own; one file must not end the run.
        yield SkippedFile(content.path, f"damaged: it cannot be read ({type(error).__name__})")


def no_reader(path: str) -> UnreadableFileError:
    """The refusal of a file by its ending."""
    match = re.search(r"\.[^./#\s]{1,12}$", path)
    kind = match.group().lower() if match else "files without an ending"
    return UnreadableFileError(f"no reader for {kind}")


def _zip_kind(content: Content) -> Format:
    """DOCX, EPUB and ODT are zip files; the names in their directory tell."""
    try:
        with zipfile.ZipFile(io.BytesIO(content.data)) as opened:
            names = set(opened.namelist())
            kind = opened.open("mimetype").read(100) if "mimetype" in names else b""
    except Exception:
        # Damaged in one of many ways; the reader says so.
        return ZIP
    if any(docx.MAIN_PART.fullmatch(name) for name in names):
        return DOCX
    if "META-INF/container.xml" in names:
        return EPUB
    if "content.xml" in names and b"opendocument.text" in kind:
        return ODT
    if "[Content_Types].xml" in names or b"opendocument" in kind:
        raise UnreadableFileError("a table, presentation or drawing of an office program")
    return ZIP
