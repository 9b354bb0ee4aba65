"""Tables of articles: CSV, TSV, JSON and JSON lines. Each row is a document."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rag.documents.article import Article, Content, Found, UnreadableFileError
from rag.documents.canonical import TextBuilder
from rag.documents.encodings import decode
from rag.documents.web import flat, read_fragment
from rag.records import SkippedFile

MAX_ROWS = 100_000
_COLUMNS = {
    "text": "text body content article article_text article_body full_text fulltext maintext content_text content_html",
    "title": "title headline heading name",
    "published": "published date publish_date published_at publication_date date_published datepublished pubdate "
    "published_date datetime created_at",
    "url": "url link href permalink external_url",
    "author": "author authors byline creator",
    "publisher": "publisher source site outlet publication domain",
    "language": "language lang",
    "licence": "licence license",
}
"""Field → names of columns that hold it, the surest first; upper case and blanks do not matter."""
_LISTS = ("articles", "items", "documents", "docs", "data", "results", "rows", "entries")
_IS_MARKUP = re.compile(r"<(?:p|br|div|h[1-6]|ul|ol|article|section)\b[^>]*>", re.IGNORECASE)


def read_separated(content: Content) -> Iterator[Found]:
    """CSV and TSV.

    Raises:
        UnreadableFileError: no text, no head line that names the text's column, or damaged further down.
    """
    text = decode(content.data).lstrip("\ufeff")
    csv.field_size_limit(max(131_072, len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, content.path))
    try:
        head = next(reader, [])
        fields = _fields(head)
        number = 0
        for values in reader:
            if not any(values):
                continue
            number += 1
            if number > MAX_ROWS:
                raise UnreadableFileError(f"the rows after {MAX_ROWS:,} were not read")
            yield _row(content, number, dict(zip(head, values, strict=False)), fields)
    except csv.Error as error:
        raise UnreadableFileError(f"damaged near line {reader.line_num:,}") from error
    if number == 0:
        raise UnreadableFileError("no rows in it")


def read_lines(content: Content) -> Iterator[Found]:
    """JSON lines. A line that is none is skipped by itself.

    Raises:
        UnreadableFileError: no text, or too many lines.
    """
    number = 0
    for line in decode(content.data).lstrip("\ufeff").split("\n"):
        if not line.strip():
            continue
        number += 1
        if number > MAX_ROWS:
            raise UnreadableFileError(f"the rows after {MAX_ROWS:,} were not read")
        try:
            yield _object(content, number, json.loads(line))
        except (ValueError, RecursionError):
            yield SkippedFile(f"{content.path}#{number}", "its line is not valid JSON")
    if number == 0:
        raise UnreadableFileError("empty")


def read_json(content: Content) -> Iterator[Found]:
    """A list of articles, an object that holds one, or a single article.

    Raises:
        UnreadableFileError: no JSON, or no article in it.
    """
    text = decode(content.data).lstrip("\ufeff")
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise UnreadableFileError("too deeply nested") from error
    except ValueError as error:
        try:
            first = json.loads(text.strip().split("\n", 1)[0])
        except ValueError:
            raise UnreadableFileError("it is not valid JSON") from error
        if not isinstance(first, dict):
            raise UnreadableFileError("it is not valid JSON") from error
        yield from read_lines(content)
        return
    if isinstance(parsed, dict):
        inner = next((parsed[name] for name in _LISTS if isinstance(parsed.get(name), list)), None)
        if inner is None:
            yield _article(content, content.path, parsed, _fields(list(parsed)))
            return
        parsed = inner
    if not isinstance(parsed, list) or not parsed:
        raise UnreadableFileError("no list of articles in it")
    if len(parsed) > MAX_ROWS:
        yield SkippedFile(content.path, f"the rows after {MAX_ROWS:,} were not read")
    for number, row in enumerate(parsed[:MAX_ROWS], start=1):
        yield _object(content, number, row)


def _object(content: Content, number: int, row: Any) -> Found:
    if not isinstance(row, dict):
        return SkippedFile(f"{content.path}#{number}", "it is not an object with fields")
    try:
        return _row(content, number, row, _fields(list(row)))
    except UnreadableFileError as error:
        return SkippedFile(f"{content.path}#{number}", str(error))


def _row(content: Content, number: int, row: Mapping[str, Any], fields: Mapping[str, str]) -> Found:
    try:
        return _article(content, f"{content.path}#{number}", row, fields)
    except UnreadableFileError as error:
        return SkippedFile(f"{content.path}#{number}", str(error))


def _article(content: Content, path: str, row: Mapping[str, Any], fields: Mapping[str, str]) -> Article:
    text = row.get(fields["text"])
    if isinstance(text, list):
        text = "\n\n".join(item for item in text if isinstance(item, str))
    if not isinstance(text, str) or not text.strip():
        raise UnreadableFileError("empty")
    if _IS_MARKUP.search(text):
        builder = read_fragment(text)
    else:
        builder = TextBuilder()
        for paragraph in re.split(r"\n[ \t\r]*\n", text.replace("\r\n", "\n")):
            builder.add(paragraph)
    stated = {
        field: (value, f"column {column}")
        for field, column in fields.items()
        if field != "text" and (value := flat(row.get(column)))
    }
    # The row as it is spelled in one way, whatever the table's own spelling.
    spelled = json.dumps(row, sort_keys=True, ensure_ascii=True, default=str)
    return Article(path, builder.text, hashlib.sha256(spelled.encode()).hexdigest(), facts=stated)


def _fields(head: list[str]) -> dict[str, str]:
    """Field → column."""
    by_name = {str(name).strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(head)}
    found = {
        field: by_name[name] for field, names in _COLUMNS.items() for name in reversed(names.split()) if name in by_name
    }
    if "text" not in found:
        raise UnreadableFileError("no column named text, body or content")
    return found


def _delimiter(text: str, path: str) -> str:
    if path.lower().endswith((".tsv", ".tab")):
        return "\t"
    head = text.split("\n", 1)[0]
    return max(",;\t|", key=head.count)
