"""Web archives (WARC, also gzipped): the pages of their responses."""

import gzip
import io
import zlib
from collections.abc import Iterator
from http.client import HTTPException, parse_headers
from typing import BinaryIO, cast

from rag.documents.article import Content, Found, UnreadableFileError, facts
from rag.documents.encodings import declared_encoding, decode
from rag.documents.web import read_page
from rag.records import SkippedFile

_MAX_RECORDS = 100_000


def read(content: Content) -> Iterator[Found]:
    """One document for each page that was fetched; pictures, scripts and failures are left alone.

    Raises:
        UnreadableFileError: damaged, or more unpacked than the file's budget.
    """
    is_packed = content.data.startswith(b"\x1f\x8b")
    raw = io.BytesIO(content.data)
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw
    number = 0
    try:
        for _ in range(_MAX_RECORDS):
            header = _record(stream)
            if header is None:
                break
            length = int(header.get("Content-Length") or 0)
            if length > content.max_bytes or length < 0:
                raise UnreadableFileError(f"a record of it has {length:,} bytes; the limit is {content.max_bytes:,}")
            content.budget.bytes -= length
            if content.budget.bytes < 0:
                raise UnreadableFileError("too much to unpack from one file of the corpus")
            block = stream.read(length)
            if len(block) < length:
                raise UnreadableFileError("damaged: it ends within a record")
            if header.get("WARC-Type") == "response":
                page = _page(block)
                if page is None:
                    continue
                number += 1
                path = f"{content.path}#{number}"
                known = facts("WARC header", url=(header.get("WARC-Target-URI") or "").strip("<>"))
                try:
                    yield read_page(page, path, content.member(str(number), block).sha256, known)
                except UnreadableFileError as error:
                    yield SkippedFile(path, str(error))
    except (OSError, EOFError, zlib.error, HTTPException, ValueError) as error:
        raise UnreadableFileError("damaged: it ends within a record") from error
    if number == 0:
        raise UnreadableFileError("there is no page in it")


def _record(stream: BinaryIO) -> dict[str, str] | None:
    """Headers of the next record; None at the end."""
    line = stream.readline(1000)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(1000)
    if not line:
        return None
    if not line.startswith(b"WARC/"):
        raise UnreadableFileError("damaged: a record of it has no beginning")
    return dict(parse_headers(stream).items())


def _page(block: bytes) -> str | None:
    """The HTML of a successful response, decoded."""
    response = io.BytesIO(block)
    status = response.readline(1000).split()
    if len(status) < 2 or status[1] != b"200":
        return None
    headers = parse_headers(response)
    if headers.get_content_type() not in ("text/html", "application/xhtml+xml"):
        return None
    body = response.read()
    if headers.get("Content-Encoding") == "gzip":
        body = zlib.decompressobj(31).decompress(body, 50_000_000)
    elif headers.get("Transfer-Encoding") == "chunked":
        body = _unchunked(body)
    return decode(body, headers.get_content_charset() or declared_encoding(body))


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    stream = io.BytesIO(body)
    while size := int(stream.readline(100).split(b";")[0] or b"0", 16):
        parts.append(stream.read(size))
        stream.readline(10)
    return b"".join(parts)
