"""OpenDocument texts (ODT): content.xml without what was deleted, commented or put into notes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rag.documents.archive import Archive, refuse_definitions
from rag.documents.article import Article, Content, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder
from rag.documents.docx import is_title
from rag.documents.office import Names, add_paragraphs, read_part, read_properties

if TYPE_CHECKING:
    from lxml.etree import _Element

_NAMES = Names(
    paragraphs=frozenset(("p", "h")),
    left_out=frozenset(
        ("annotation", "annotation-end", "note", "tracked-changes", "ruby-text", "sequence-decls", "table-of-content")
    ),
    # A number says for how many spaces <text:s> stands; nobody means more than one.
    marks={"line-break": "\n", "tab": " ", "s": " "},
)
_MANIFEST = "META-INF/manifest.xml"


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: damaged, password-protected, a bomb, or without text.
    """
    archive = Archive(content)
    if _MANIFEST in archive.names and b"encryption-data" in archive.read(_MANIFEST):
        raise UnreadableFileError("password-protected")
    refuse_definitions(archive)
    builder = TextBuilder()
    heading = add_paragraphs(builder, read_part(archive, "content.xml"), _NAMES, _level)
    if not builder.text:
        raise UnreadableFileError("there is no text in it")
    values = read_properties(archive, "meta.xml")
    yield Article(
        content.path,
        builder.text,
        content.sha256,
        facts=facts("ODT properties", title=is_title(values.get("title")), language=values.get("language")),
        # Who typed it and when is not always who wrote it and when it appeared.
        hints=facts(
            "ODT properties",
            author=values.get("initial-creator") or values.get("creator"),
            published=values.get("creation-date") or values.get("date"),
        )
        | facts("first heading", title=heading),
        anchors=builder.anchors,
    )


def _level(paragraph: "_Element") -> int:
    level = next((value for key, value in paragraph.items() if key.endswith("}outline-level")), "0")
    return int(level) if level.isdecimal() else 0
