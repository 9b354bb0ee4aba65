"""What a server sent → the file of the corpus that keeps it readable without the server."""

import codecs
import contextlib
import os
import re
from html import escape
from urllib.parse import urlsplit

_HEAD_BYTES = 65_536
"""Where a page says its address and charset, if it does."""
_CANONICAL = re.compile(rb"\brel\s*=\s*[\"']?canonical\b", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"\bhref\s*=\s*[\"']?\s*https?:", re.IGNORECASE)

SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/epub+zip": ".epub",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "message/rfc822": ".eml",
    "multipart/related": ".mhtml",
    "application/warc": ".warc",
    "application/zip": ".zip",
    "application/x-zip-compressed": ".zip",
}
"""Content type → ending of the file."""
ENDINGS = frozenset(SUFFIXES.values())
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")


def suffix(content_type: str, url: str, data: bytes) -> str | None:
    """The ending that says what was sent; ``None`` if it is no article.

    Args:
        content_type: the header.
        url: whose own ending counts where the header says nothing.
        data: whose beginning counts where neither does.
    """
    kind = media_type(content_type)
    if kind in SUFFIXES:
        return SUFFIXES[kind]
    if kind in _UNTYPED:
        ending = os.path.splitext(urlsplit(url).path)[1].lower()  # noqa: PTH122 - not a path of this machine
        if ending in ENDINGS:
            return ending
        start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(b"%pdf-"):
            return ".pdf"
        if start.startswith((b"<!doctype html", b"<html")):
            return ".html"
    return None


def media_type(content_type: str) -> str:
    """The type without what follows it."""
    return content_type.partition(";")[0].strip().lower()


def content(content_type: str, url: str, data: bytes, suffix: str) -> bytes:
    """What is written into the file: what was sent, with two exceptions that keep it readable later.

    The header's charset and the address of an HTML page are written into its head, in one line, where the page does
    not say them itself; plain text in another encoding becomes UTF-8.
    """
    charset = _charset(content_type)
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    if suffix == ".html":
        return _page(data, "" if marked else charset, url)
    if suffix in (".txt", ".md") and charset not in ("", "utf-8", "utf8", "us-ascii", "ascii") and not marked:
        with contextlib.suppress(UnicodeError):
            return data.decode(charset).encode()
    return data


def _charset(content_type: str) -> str:
    """The encoding that the header names, if Python knows it."""
    found = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", content_type, re.IGNORECASE)
    with contextlib.suppress(LookupError, ValueError):
        if found and "x".encode(found[1]):
            return found[1].lower()
    return ""


def _page(data: bytes, charset: str, url: str) -> bytes:
    """An HTML page that says its charset and its address, which until now only the transfer did."""
    if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)) or (charset and "<".encode(charset) != b"<"):
        # A line in ASCII cannot be put into such a page.
        data, charset = data.decode(charset or "utf-16", "replace").lstrip("\ufeff").encode(), "utf-8"
    begin = data[:_HEAD_BYTES]
    said = f'<meta charset="{charset}">' if charset else ""
    links = re.findall(rb"<link\s[^>]*>", begin, re.IGNORECASE)
    if not any(_CANONICAL.search(link) and _ABSOLUTE.search(link) for link in links):
        said += f'<link rel="canonical" href="{escape(url)}">'
    place = 0
    for pattern in (rb"<head(?:\s[^>]*)?>", rb"<html(?:\s[^>]*)?>", rb"<!doctype[^>]*>", rb"^\xef\xbb\xbf"):
        if found := re.search(pattern, begin, re.IGNORECASE):
            place = found.end()
            break
    return data[:place] + (f"{said}\n".encode() if said else b"") + data[place:]
