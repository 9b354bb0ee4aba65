"""Word documents (DOCX): the paragraphs of the body. Headers, footers, notes and deleted text are no part of it."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rag.documents.archive import Archive, refuse_definitions
from rag.documents.article import Article, Content, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder
from rag.documents.office import Names, add_paragraphs, read_part, read_properties

if TYPE_CHECKING:
    from lxml.etree import _Element

MAIN_PART = re.compile(r"word/document\d*\.xml")
_NAMES = Names(
    paragraphs=frozenset(("p",)),
    # Fallback holds a drawing's text a second time, for older programs.
    left_out=frozenset(("del", "movefrom", "fallback")),
    marks={"tab": " ", "br": "\n", "cr": "\n", "nobreakhyphen": "-"},
    text=frozenset(("t",)),
)
_NO_TITLE = re.compile(
    r"(microsoft word|untitled|document\d*$|dokument\d*$|word document|.*\.(docx?|dotx?|rtf|odt|pdf|indd|qxd)$)", re.I
)
_NOBODY = ("python-docx", "microsoft office user", "user", "admin", "anonymous", "unknown")


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: damaged, a bomb, or without text.
    """
    archive = Archive(content)
    refuse_definitions(archive)
    root = read_part(archive, next(filter(MAIN_PART.fullmatch, archive.names)))
    levels = _heading_levels(archive)
    builder = TextBuilder()
    heading = add_paragraphs(builder, root, _NAMES, lambda paragraph: levels.get(_style(paragraph), 0))
    if not builder.text:
        raise UnreadableFileError("there is no text in it")
    values = read_properties(archive, "docProps/core.xml")
    yield Article(
        content.path,
        builder.text,
        content.sha256,
        facts=facts(
            "DOCX properties",
            title=is_title(values.get("title")),
            language=values.get("language"),
            publisher=values.get("publisher"),
        ),
        # Who typed it and when is not always who wrote it and when it appeared.
        hints=facts("DOCX properties", author=is_author(values.get("creator")), published=values.get("created"))
        | facts("first heading", title=heading),
        anchors=builder.anchors,
    )


def is_title(value: str | None) -> str | None:
    """``value`` unless it is what programs write where nobody gave a title."""
    return value if value and value.strip() and not _NO_TITLE.match(value.strip()) else None


def is_author(value: str | None) -> str | None:
    """``value`` unless it is what programs write where nobody gave a name."""
    return value if value and value.strip(" ()").lower() not in _NOBODY else None


def _style(paragraph: "_Element") -> str:
    for element in paragraph.iterfind("{*}pPr/{*}pStyle"):
        return next((value for key, value in element.items() if key.endswith("}val")), "")
    return ""


def _heading_levels(archive: Archive) -> dict[str, int]:
    """Identifier of a style → level of the headings that have it."""
    levels: dict[str, int] = {}
    if "word/styles.xml" not in archive.names:
        return levels
    for style in read_part(archive, "word/styles.xml").iterfind("{*}style"):
        values = {key.rsplit("}", 1)[-1]: value for key, value in style.items()}
        name = next((value for element in style.iterfind("{*}name") for value in element.values()), "").lower()
        if match := re.fullmatch(r"heading ([1-9])", name):
            levels[values.get("styleId", "")] = int(match.group(1))
        elif name == "title":
            levels[values.get("styleId", "")] = 1
    return levels
