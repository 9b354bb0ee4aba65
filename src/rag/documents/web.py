"""HTML: the main content of a page (by trafilatura), and what the page says about itself."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rag.documents.article import Article, Content, Facts, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder, tidy
from rag.documents.encodings import declared_encoding, decode
from rag.documents.markup import add_markup, parse_html

if TYPE_CHECKING:
    from lxml.etree import _Element

_NO_CONTENT = frozenset(("nav", "header", "footer", "aside", "form"))
_LEAST = 60
"""Characters; a shorter main content is taken for a failure, and the whole page is read."""
_MOST = 500_000
"""Characters of text; the main content of a longer page is not looked for, which could take minutes: books in one
page are read as a whole."""
_META = {
    "title": ("og:title", "citation_title", "dc.title", "dcterms.title", "twitter:title"),
    "author": ("author", "article:author_name", "citation_author", "dc.creator", "dcterms.creator", "parsely-author"),
    "publisher": ("og:site_name", "citation_publisher", "dc.publisher", "dcterms.publisher", "application-name"),
    "published": (
        "article:published_time",
        "og:article:published_time",
        "datepublished",
        "citation_publication_date",
        "citation_date",
        "dc.date.issued",
        "dcterms.issued",
        "dcterms.created",
        "dc.date",
        "dcterms.date",
        "parsely-pub-date",
        "sailthru.date",
        "publishdate",
        "publish-date",
        "publish_date",
        "pubdate",
        "date",
    ),
    "url": ("og:url",),
    "language": ("og:locale", "dc.language", "content-language"),
    "licence": ("dc.rights", "dcterms.license", "dcterms.rights", "copyright"),
}
"""Field → names of ``<meta>`` elements, the surest first."""
_POINTER = re.compile(
    r"(?:read|see|watch|hear|listen)\s+(?:more|also|next|now)\b|related\b|more on this\b|also read\b", re.I
)
_INLINE = frozenset(("a", "b", "em", "i", "span", "strong"))
_ARTICLE_TYPES = ("article", "posting", "report", "webpage", "creativework")


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: there is no text in it.
    """
    yield read_page(decode(content.data, declared_encoding(content.data)), content.path, content.sha256)


def read_page(source: str, path: str, sha256: str, known: Facts | None = None) -> Article:
    """The article of a page; ``known`` is what is known about it from elsewhere, which the page itself overrules.

    Raises:
        UnreadableFileError: there is no text in it.
    """
    try:
        tree = parse_html(source)
    except ValueError as error:
        raise UnreadableFileError("there is no text in it") from error
    stated = _facts(tree)
    _drop_programs(tree)
    _drop_pointers(tree)
    builder = TextBuilder()
    body, guessed = _main_content(tree) if sum(map(len, tree.itertext())) <= _MOST else (None, {})
    if body is not None:
        add_markup(builder, body)
    if len(builder) < _LEAST:
        whole = TextBuilder()
        add_markup(whole, tree, _NO_CONTENT)
        builder = whole if len(whole) else builder
    if not builder.text:
        raise UnreadableFileError("there is no text in it")
    return Article(
        path,
        builder.text,
        sha256,
        facts={**(known or {}), **stated},
        hints=guessed,
        anchors=builder.anchors,
    )


def read_fragment(source: str) -> TextBuilder:
    """All text of a piece of HTML that is content as a whole.

    Raises:
        UnreadableFileError: there is no text in it.
    """
    builder = TextBuilder()
    try:
        add_markup(builder, parse_html(source))
    except ValueError as error:
        raise UnreadableFileError("there is no text in it") from error
    return builder


def _main_content(tree: "_Element") -> tuple["_Element | None", Facts]:
    """The main part with its paragraphs and headings; metadata that trafilatura guessed."""
    import trafilatura

    found: Any = trafilatura.bare_extraction(
        tree,
        include_comments=False,
        with_metadata=True,
        date_extraction_params={"extensive_search": False, "original_date": True},
    )
    if found is None:
        return None, {}
    for heading in found.body.iter("head"):
        heading.tag = heading.get("rend", "h2")
    guessed = facts(
        "page (guessed by trafilatura)",
        title=found.title,
        author=found.author,
        publisher=found.sitename,
        published=found.date,
        url=found.url,
        licence=found.license,
    )
    return found.body, guessed


def _drop_programs(tree: "_Element") -> None:
    """Take out scripts and styles, often most of a page; linked data stays, where trafilatura looks for texts too."""
    for element in list(tree.iter("script", "style")):
        if "ld+json" not in (element.get("type") or ""):
            element.drop_tree()


def _drop_pointers(tree: "_Element") -> None:
    """Take out paragraphs such as *Read more: another article*, which stand in the middle of the text."""
    for element in list(tree.iter("p", "div", "li")):
        if len(element) == 0 or len(element) > 3 or any(child.tag not in _INLINE for child in element):
            continue
        text = " ".join("".join(element.itertext()).split())
        linked = sum(len("".join(link.itertext())) for link in element.iter("a"))
        if _POINTER.match(text) and linked > 0.5 * len(text):
            element.drop_tree()


def _facts(tree: "_Element") -> Facts:
    """What the page states, the surest place first: JSON-LD, ``<meta>``, then elements."""
    places = (_json_ld(tree), _meta(tree), _elements(tree))
    found: dict[str, tuple[str, str]] = {}
    for place in places:
        for name, value in place.items():
            found.setdefault(name, value)
    # A first-level heading is the title without the name of the site behind it.
    headings = [tidy("".join(heading.itertext())).replace("\n", " ") for heading in tree.iter("h1")]
    headings = [heading for heading in headings if heading]
    title = found["title"][0] if "title" in found else ""
    heading = next((heading for heading in headings if _begins(title, heading)), "")
    if not title and len(headings) == 1:
        heading = headings[0]
    if heading:
        found["title"] = (heading, "h1")
    return found


def _begins(title: str, heading: str) -> bool:
    return tidy(title).casefold().startswith(heading.casefold())


def _json_ld(tree: "_Element") -> Facts:
    for script in tree.iter("script"):
        if (script.get("type") or "").strip().lower() != "application/ld+json":
            continue
        try:
            parsed = json.loads(script.text or "", strict=False)
        except (ValueError, RecursionError):
            continue
        for node in _nodes(parsed):
            types = node.get("@type")
            names = [str(name).lower() for name in (types if isinstance(types, list) else [types])]
            if any(name.endswith(_ARTICLE_TYPES) for name in names) and (
                node.get("headline") or "datePublished" in node
            ):
                return {
                    field: (html.unescape(value), f"JSON-LD {key}")
                    for field, key in (
                        ("title", "headline"),
                        ("published", "datePublished"),
                        ("author", "author"),
                        ("publisher", "publisher"),
                        ("language", "inLanguage"),
                        ("url", "url"),
                        ("licence", "license"),
                    )
                    if (value := flat(node.get(key)))
                }
    return {}


def _nodes(parsed: Any) -> Iterator[Mapping[str, Any]]:
    """Objects at the top, in a list, or in a graph of JSON-LD."""
    for node in parsed if isinstance(parsed, list) else [parsed]:
        if isinstance(node, dict):
            yield node
            graph = node.get("@graph")
            if isinstance(graph, list):
                yield from (item for item in graph if isinstance(item, dict))


def flat(value: Any) -> str:
    """A value of JSON as one line: names of persons and organisations, comma-separated."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return " ".join(str(value).split())
    if isinstance(value, list):
        return ", ".join(filter(None, (flat(item) for item in value[:10] if not isinstance(item, list))))
    if isinstance(value, dict):
        return flat(next((value[key] for key in ("name", "title", "@id") if isinstance(value.get(key), str)), None))
    return ""


def _meta(tree: "_Element") -> Facts:
    named: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or element.get("http-equiv")
        value = element.get("content")
        if name and value and value.strip():
            named.setdefault(name.strip().lower(), value.strip())
    found: dict[str, tuple[str, str]] = {}
    for field, names in _META.items():
        for name in names:
            if name in named:
                found[field] = (named[name], f"meta {name}")
                break
    return found


def _elements(tree: "_Element") -> Facts:
    found: dict[str, tuple[str, str]] = {}
    if language := tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang"):
        found["language"] = (language, "html lang")
    for element in tree.iter("title"):
        if title := tidy("".join(element.itertext())).replace("\n", " "):
            found["title"] = (_without_site(title), "title element")
        break
    for element in tree.iter("link"):
        relation = (element.get("rel") or "").lower()
        if relation == "canonical" and element.get("href"):
            found.setdefault("url", (element.get("href", ""), "link canonical"))
        elif relation == "license" and element.get("href"):
            found.setdefault("licence", (element.get("href", ""), "link license"))
    for element in tree.iter("time"):
        if element.get("datetime"):
            found["published"] = (element.get("datetime", ""), "time element")
            break
    return found


def _without_site(title: str) -> str:
    """``Mir returns | Daily News`` → ``Mir returns``: what is behind the last mark, if it is short."""
    match = re.fullmatch(r"(.{15,}?)\s+[|–—·»-]\s+([^|–—·»]{2,40})", title)
    return match.group(1) if match and len(match.group(1)) > len(match.group(2)) else title
