"""The paragraphs of office documents, whose XML is much the same: DOCX and ODT."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.documents.archive import Archive
from rag.documents.article import UnreadableFileError
from rag.documents.canonical import TextBuilder, tidy
from rag.documents.markup import local_name, parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_LABEL = 80


@dataclass(frozen=True, slots=True)
class Names:
    """Local names of the elements of an office format."""

    paragraphs: frozenset[str]
    left_out: frozenset[str]
    """Deleted text, comments, notes: not part of the running text."""
    marks: Mapping[str, str]
    """Elements that stand for a character."""
    text: frozenset[str] = frozenset()
    """The only ones that hold text; none: all do."""


def add_paragraphs(
    builder: TextBuilder, root: "_Element", names: Names, level: Callable[["_Element"], int]
) -> str | None:
    """Append the paragraphs below ``root``; those in a frame inside another paragraph follow it.

    Gives the text of the first heading, if there is any.

    Args:
        builder: takes the paragraphs.
        root: of the document.
        names: of the format's elements.
        level: of a heading, from 1; 0 for another paragraph. Headings from level 2 begin parts of their own.
    """
    from lxml import etree

    open_paragraphs: list[list[str]] = []
    framed: list[str] = []
    first_heading = ""
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        name = local_name(element)
        if event == "start":
            if name in names.left_out:
                walker.skip_subtree()
                continue
            if name in names.paragraphs:
                open_paragraphs.append([])
            if open_paragraphs:
                open_paragraphs[-1].append(names.marks.get(name, ""))
                if element.text and (not names.text or name in names.text):
                    open_paragraphs[-1].append(element.text)
            continue
        if name in names.paragraphs and open_paragraphs:
            text = "".join(open_paragraphs.pop())
            if open_paragraphs:
                framed.append(text)
            else:
                heading = " ".join(tidy(text).split()) if level(element) else ""
                first_heading = first_heading or heading
                builder.add(text, anchor=heading[:_MAX_LABEL] if level(element) > 1 else None)
                for inner in framed:
                    builder.add(inner)
                framed.clear()
        if open_paragraphs and element.tail and not names.text:
            open_paragraphs[-1].append(element.tail)
    return first_heading or None


def read_part(archive: Archive, name: str) -> "_Element":
    """The tree of a part that every document of its format has.

    Raises:
        UnreadableFileError: missing or damaged.
    """
    try:
        return parse_xml(archive.read(name))
    except ValueError as error:
        raise UnreadableFileError(f"damaged: {name} cannot be read") from error


def read_properties(archive: Archive, name: str) -> dict[str, str]:
    """Local name → text of the elements of a part that holds metadata; empty if there is none."""
    if name not in archive.names:
        return {}
    try:
        root = parse_xml(archive.read(name))
    except ValueError:
        return {}
    return {local_name(element): (element.text or "").strip() for element in root.iter("{*}*")}
