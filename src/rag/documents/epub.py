"""Books (EPUB): the chapters in reading order, each a part that citations can name."""

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rag.documents.archive import Archive
from rag.documents.article import Article, Content, Facts, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder, tidy
from rag.documents.encodings import declared_encoding, decode
from rag.documents.markup import add_markup, local_name, parse_html, parse_xhtml, parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINER = "META-INF/container.xml"
_MAX_LABEL = 80


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: damaged, encrypted, or without text.
    """
    archive = Archive(content)
    # Fonts alone may be obfuscated; then the text can be read.
    if b"html" in _optional(archive, "META-INF/encryption.xml").replace(b"http", b""):
        raise UnreadableFileError("protected against copying")
    package_path, package = _package(archive)
    folder = posixpath.dirname(package_path)
    builder = TextBuilder()
    number = 0
    for name in _spine(package):
        path = posixpath.normpath(posixpath.join(folder, unquote(name.split("#")[0])))
        tree = _chapter(archive.read(path))
        chapter = TextBuilder()
        if tree is not None:
            add_markup(chapter, tree)
        if not chapter.text:
            continue
        number += 1
        label = _heading(tree) or f"part {number}"
        builder.append(chapter.text.rstrip("\n"), anchors=((0, label),))
    if not builder.text:
        raise UnreadableFileError("there is no text in it")
    yield Article(content.path, builder.text, content.sha256, facts=_facts(package), anchors=builder.anchors)


def _optional(archive: Archive, name: str) -> bytes:
    return archive.read(name) if name in archive.names else b""


def _package(archive: Archive) -> tuple[str, "_Element"]:
    try:
        container = parse_xml(archive.read(_CONTAINER))
        for element in container.iter("{*}rootfile"):
            path = element.get("full-path") or ""
            return path, parse_xml(archive.read(path))
    except ValueError as error:
        raise UnreadableFileError("damaged: its table of contents cannot be read") from error
    raise UnreadableFileError("damaged: it names no table of contents")


def _spine(package: "_Element") -> Iterator[str]:
    """Files of the chapters in reading order, without the navigation."""
    files: dict[str, str] = {}
    for item in package.iter("{*}item"):
        is_markup = "html" in (item.get("media-type") or "")
        if is_markup and "nav" not in (item.get("properties") or "").split():
            files[item.get("id") or ""] = item.get("href") or ""
    for reference in package.iter("{*}itemref"):
        if reference.get("linear") != "no" and files.get(reference.get("idref") or ""):
            yield files.pop(reference.get("idref") or "")


def _chapter(data: bytes) -> "_Element | None":
    source = decode(data, declared_encoding(data))
    for parse in (parse_xhtml, parse_html):
        try:
            return parse(source)
        except ValueError:
            continue
    return None


def _heading(tree: "_Element | None") -> str:
    for element in tree.iter("{*}h1", "{*}h2", "{*}h3") if tree is not None else ():
        if label := tidy("".join(element.itertext())).replace("\n", " "):
            return label[:_MAX_LABEL]
    return ""


def _facts(package: "_Element") -> Facts:
    values: dict[str, str] = {}
    for metadata in package.iter("{*}metadata"):
        for element in metadata.iter("{*}*"):
            values.setdefault(local_name(element), (element.text or "").strip())
        break
    return facts(
        "EPUB package",
        title=values.get("title"),
        author=values.get("creator"),
        publisher=values.get("publisher"),
        published=values.get("date"),
        language=values.get("language"),
        licence=values.get("rights"),
        url=values.get("source"),
    )
