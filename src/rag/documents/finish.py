"""What a reader gave → a Document. The file's own statements come first, then its opening lines, then guesses."""

import re
from pathlib import PurePosixPath

from rag.boilerplate import boilerplate
from rag.datelines import read_header
from rag.documents.article import Article, Facts
from rag.documents.canonical import make_safe
from rag.documents.dates import date_in_name, iso_date
from rag.documents.identity import document_id
from rag.languages import UNKNOWN, detect
from rag.records import Document, SkippedFile

FIELDS = ("title", "author", "publisher", "published", "url", "language", "licence")
_MAX_VALUE = {"title": 200, "url": 2_000}
_MAX_OTHER = 300
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)


def finish(article: Article) -> Document | SkippedFile:
    """The document of an article; a SkippedFile if there is no text in it."""
    text, start = article.text, article.body_start
    if not text[start:].replace("\ufeff", "").replace("\u200b", "").strip():
        return SkippedFile(article.path, "empty")
    header = read_header(text, start)
    header_facts = {
        name: (value, place) for name, place in header.found if (value := getattr(header, name, None)) is not None
    }
    values: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    named, lines = _file_name(article.path), _first_lines(article)
    for name in FIELDS:
        # A heading, or the largest type, is more of a title than whatever line comes first.
        middle = (article.hints, header_facts) if name == "title" else (header_facts, named, article.hints)
        for source in (article.facts, *middle, lines):
            if name in source and (value := _usable(name, source[name][0])):
                values[name] = value
                found.append((name, source[name][1]))
                break
    return Document(
        id=document_id(article.path),
        path=article.path,
        text=text,
        body_start=start,
        sha256=article.sha256,
        title=values["title"],
        author=values.get("author"),
        publisher=values.get("publisher"),
        published=values.get("published"),
        url=values.get("url"),
        language=values.get("language") or _detected(text, start),
        licence=values.get("licence"),
        boilerplate=_all_but_everything(text, start, _merged((*article.boilerplate, *boilerplate(text, start)), start)),
        anchors=article.anchors,
        found=tuple(found),
    )


def _all_but_everything(text: str, start: int, ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """No text is nothing but boilerplate: if all of it looks so, there is no telling what is."""
    for begin, end in (*ranges, (len(text), len(text))):
        if any(map(str.isalnum, text[start:begin])):
            return ranges
        start = end
    return ()


def _detected(text: str, start: int) -> str:
    """The language of an article that does not say it; English where that cannot be told."""
    found = detect(text[start:])
    return "en" if found == UNKNOWN else found


def _file_name(path: str) -> Facts:
    date = date_in_name(path)
    return {"published": (date, "file name")} if date else {}


def _first_lines(article: Article) -> Facts:
    """A Markdown heading, else the first of the opening lines that reads like a headline (four words or more)."""
    body = article.text[article.body_start :][:5000]
    lines = [line.strip() for line in body.splitlines() if line.strip(" \ufeff")][:6]
    headings = [line.lstrip("#").strip() for line in lines if re.match(r"#{1,2}\s", line)]
    headlines = [line for line in lines if len(line.split()) >= 4 and not line.lower().startswith("by ")]
    for titles, place in ((headings, "first heading"), (headlines, "first line"), (lines, "first line")):
        for title in titles:
            if _usable("title", title):
                return {"title": (title, place)}
    return {"title": (PurePosixPath(article.path).stem or article.path, "file name")}


def _usable(name: str, value: str) -> str | None:
    """``value`` as one safe line, in the form that its field wants; None if it says nothing."""
    value = " ".join(make_safe(value).split())[: _MAX_VALUE.get(name, _MAX_OTHER)].strip()
    if name == "published":
        return iso_date(value)
    if name == "url":
        return value if re.match(r"https?://[^\s<>\"]+$", value) else None
    if name == "language":
        match = _LANGUAGE.fullmatch(value)
        return match.group(1).lower() if match else None
    return value or None


def _merged(ranges: tuple[tuple[int, int], ...], start: int) -> tuple[tuple[int, int], ...]:
    """The ranges behind ``start``, sorted, those that meet made one."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((max(begin, start), end) for begin, end in ranges):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
