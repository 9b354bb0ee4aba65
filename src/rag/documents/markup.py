"""A tree of markup → paragraphs. For what is content as a whole; pages of the web are in ``web``."""

import html.entities
import re
from typing import TYPE_CHECKING

from rag.documents.canonical import TextBuilder, tidy

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = _HEADINGS | frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "header hr html item li list main nav ol p pre quote row section summary table tbody td tfoot th thead tr ul".split()
)
_LEFT_OUT = frozenset(
    "applet audio button canvas embed head iframe input link map math meta noscript object script select style svg "
    "template textarea title video".split()
)
_BREAKS = frozenset(("br", "lb"))
_MAX_LABEL = 80
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")
_DOCUMENT_TYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[[^\]]*\]\s*)?>", re.IGNORECASE)
_DEFINITIONS = re.compile(r"<!DOCTYPE[^\[>]*\[[^\]]*\]\s*>", re.IGNORECASE)
"""A document type with entities of its own, which browsers show as text."""
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z][A-Za-z0-9]{1,31};")


def add_markup(builder: TextBuilder, root: "_Element", left_out: frozenset[str] = frozenset()) -> None:
    """Append the paragraphs below ``root``; headings but the first level begin parts of their own.

    Args:
        builder: takes the paragraphs.
        root: of HTML, XHTML, or what trafilatura makes of them. Comments must not be in it.
        left_out: names of more elements that hold no content here.
    """
    from lxml import etree

    gathered: list[str] = []

    def flush(name: str = "") -> None:
        if text := tidy("".join(gathered)):
            is_part = name in _HEADINGS and name != "h1"
            label = " ".join(text[:_MAX_LABEL].split())
            builder.append(text, anchors=((0, label),) if is_part else ())
        gathered.clear()

    def gather(text: str | None) -> None:
        # Line ends of the source are spaces; only <br> makes a line, and what stands in <pre>.
        if text:
            gathered.append(text if preformatted else text.replace("\n", " "))

    preformatted = 0
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        name = local_name(element)
        if event == "start":
            if name in _LEFT_OUT or name in left_out:
                walker.skip_subtree()
                continue
            if name in _BREAKS:
                gathered.append("\n")
            elif name in _BLOCKS:
                flush()
            preformatted += name == "pre"
            gather(element.text)
        else:
            preformatted -= name == "pre"
            if name in _BLOCKS:
                flush(name)
            if element is not root:
                gather(element.tail)
    flush()


def parse_html(source: str) -> "_Element":
    """The tree of an HTML file, without comments; nothing is loaded from elsewhere.

    Raises:
        ValueError: there is no element in it.
    """
    import lxml.html
    from lxml import etree

    source = _DEFINITIONS.sub("", source, count=1)
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        return lxml.html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError as error:
        raise ValueError(str(error)) from error


def parse_xml(data: bytes) -> "_Element":
    """The tree of an XML file, without comments; entities are not resolved, nothing is loaded from elsewhere.

    Raises:
        ValueError: it is no XML.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
    if root is None:
        raise ValueError("no element")
    return root


def parse_xhtml(source: str) -> "_Element":
    """The tree of an XHTML file. The HTML parser would take ``<title/>`` for an opening tag.

    Raises:
        ValueError: it is no XML.
    """
    source = _DOCUMENT_TYPE.sub("", _DECLARATION.sub("", source), count=1)
    # The parser would end the text at an entity that it does not know.
    resolved = _ENTITY.sub(lambda match: html.entities.html5.get(match.group()[1:], ""), source)
    return parse_xml(resolved.encode("utf-8", "replace"))


def local_name(element: "_Element") -> str:
    """Name of an element without its namespace, in lower case; empty for what is no element."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1].lower() if isinstance(tag, str) else ""
