"""Plain text and Markdown: the text is the decoded file, so any editor can check a quote.

UTF-8 files are decoded byte for byte: a byte-order mark stays as U+FEFF, line ends stay as they are.
"""

import datetime
import re
from collections.abc import Iterator
from typing import Any

from rag.documents.article import Article, Content, Facts, UnreadableFileError
from rag.documents.encodings import decode

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MAX_FRONT_MATTER = 20_000
_FIELDS = ("title", "publisher", "author", "url", "language", "licence")
# What PyYAML lets through of a wrong value: "!!int ''" is an IndexError, "!!bool x" a KeyError, "[[[[…" a RecursionError.
_YAML_ERRORS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: no text, or bad front matter.
    """
    text = decode(content.data)
    facts, body_start = _front_matter(text)
    yield Article(content.path, text, content.sha256, body_start, facts)


def _front_matter(text: str) -> tuple[Facts, int]:
    match = _FRONT_MATTER.match(text[:_MAX_FRONT_MATTER])
    if match is None:
        return {}, 0
    import yaml

    try:
        parsed = yaml.safe_load(match.group(1) or "")
        if not isinstance(parsed, dict | None):
            raise UnreadableFileError("its front matter is not a list of `name: value` lines")
        values = {str(name).lower(): _scalar(value) for name, value in (parsed or {}).items()}
    except (yaml.YAMLError, *_YAML_ERRORS) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 2}" if mark else ""
        raise UnreadableFileError(f"its front matter is not valid YAML{where}") from error
    facts = {name: (values[name], "front matter") for name in _FIELDS if values.get(name)}
    if published := values.get("date") or values.get("published"):
        facts["published"] = (published, "front matter")
    return facts, match.end()


def _scalar(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""
