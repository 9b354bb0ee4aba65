"""Records to HTML. Whatever comes from articles, models or users is escaped by the function that receives it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from urllib.parse import quote, urlsplit

from rag.citations import place
from rag.records import AnswerSentence, Citation, Document, Passage, Verdict

CONTEXT = 320
"""Characters shown around a citation that no retrieved passage contains."""
NEAR = 100
"""Characters on each side of a quote that are always shown."""
_COPIES = 5
"""Most copies of an article that are named."""
NEAREST = 3
"""Passages shown openly under a refusal."""

VERDICTS: Mapping[Verdict, tuple[str, str, str]] = {
    # name, explanation, outline of the icon in a 16 by 16 box: three different shapes, so that colour carries nothing
    "quoted": (
        "Quoted",
        "Quoted word for word from its source",
        "M3 11V7q0-3 3-3M3 8h3v3H3zM10 11V7q0-3 3-3m-3 4h3v3h-3z",
    ),
    "supported": ("Supported", "Worded anew, and carried by its source", "M2.5 8.5l3.5 3.5 7.5-8"),
    "weak": ("Weak", "Only weakly carried by its source: read the quote", "M8 2.5l6 11H2zM8 7v3M8 11.8v.2"),
}
_HEADING_MARK = re.compile(r"(?m)^[ \t]*#{1,6}(?:[ \t]+|$)")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A quote with the text around it."""

    before: str
    quote: str
    after: str
    language: str = ""


def excerpt(citation: Citation, passages: Iterable[Passage], document: Document | None = None) -> Excerpt:
    """The passage around a citation, or the quote alone where the text does not bear it out."""
    for passage in passages:
        if holds(passage, citation):
            return _cut(citation, passage.document, passage.start, passage.end)
    if document is not None:
        return _cut(citation, document, *_surroundings(citation, document))
    return Excerpt("", citation.quote, "")


def holds(passage: Passage, citation: Citation) -> bool:
    """Whether the cited span lies within the passage."""
    return passage.document.id == citation.document and passage.start <= citation.start <= citation.end <= passage.end


def _surroundings(citation: Citation, document: Document) -> tuple[int, int]:
    # Whole words only; without a space in reach, nothing is shown on that side.
    start, end = max(document.body_start, citation.start - CONTEXT), min(len(document.text), citation.end + CONTEXT)
    if start > document.body_start:
        start = document.text.find(" ", start, citation.start) + 1 or citation.start
    if end < len(document.text):
        end = max(document.text.rfind(" ", citation.end, end), citation.end)
    return min(start, citation.start), end


def _cut(citation: Citation, document: Document, start: int, end: int) -> Excerpt:
    text = document.text
    if text[citation.start : citation.end] != citation.quote:
        return Excerpt("", citation.quote, "", document.language)
    return Excerpt(text[start : citation.start], citation.quote, text[citation.end : end], document.language)


def marked(part: Excerpt) -> str:
    """The excerpt as a block quote whose ``<mark>`` holds the quote and nothing else.

    What lies further than ``NEAR`` from the quote can be folded away by the style sheet.
    """
    before, after = part.before, part.after
    # The cut is made at a space; without one in reach there is nothing to fold.
    left = max(before.rfind(" ", 0, max(len(before) - NEAR, 0)) + 1, 0)
    right = after.find(" ", NEAR) if len(after) > NEAR else -1
    right = len(after) if right < 0 else right
    inside = "".join(
        (
            _part("far before", before[:left]),
            _part("near", before[left:]),
            f"<mark>{escape(part.quote)}</mark>",
            _part("near", after[:right]),
            _part("far", after[right:]),
        )
    )
    return f'<blockquote dir="auto"{_lang(part.language)}>{inside}</blockquote>'


def _part(kind: str, text: str) -> str:
    return f'<span class="{kind}">{prose(text)}</span>' if text else ""


def prose(text: str) -> str:
    """Escaped text in which blank lines stay visible, and the marks before headings do not."""
    unmarked = _HEADING_MARK.sub("", escape(text))
    return re.sub(r"\s+", lambda found: "<br><br>" if found.group().count("\n") > 1 else found.group(), unmarked)


def sentence(item: AnswerSentence, citations: Mapping[int, Citation], language: str, strong: str) -> str:
    """A sentence with its markers, their origin and its verdict; the words of ``strong`` stand out in it."""
    cited = [citations[number] for number in item.citations if number in citations]
    marks = "".join(marker(citation) for citation in cited)
    origins = "; ".join(dict.fromkeys(filter(None, map(origin, cited))))
    origin_of = f'<span class="origin" dir="auto">{escape(origins)}</span>' if origins else ""
    return (
        f'<span class="sentence" data-verdict="{item.verdict}"{_lang(language)}>'
        f"<bdi>{emphasised(item.shown, strong)}</bdi> "
        f'<span class="evidence">{marks}{verdict(item.verdict)}{origin_of}</span></span> '
    )


def origin(citation: Citation) -> str:
    """Outlet and month, for beside a marker."""
    when = day(citation.published)
    month = re.sub(r"^\d{1,2} ", "", when)
    return ", ".join(filter(None, (citation.publisher, month)))


def emphasised(text: str, words: str) -> str:
    """Escaped text in which the first occurrence of whole words stands out."""
    found = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) if words else None
    if found is None:
        return escape(text)
    start, end = found.span()
    return f"{escape(text[:start])}<strong>{escape(text[start:end])}</strong>{escape(text[end:])}"


def marker(citation: Citation) -> str:
    """The button that shows the quote when pointed at, and opens the article at it when pressed."""
    where = f", {citation.place}" if citation.place else ""
    label = escape(f"Source {citation.number}: {citation.title}{where}")
    return (
        f'<button type="button" class="marker" data-cite="{citation.number}" aria-label="{label}">'
        f"[{citation.number}]</button>"
    )


def verdict(value: Verdict) -> str:
    """An icon and a word."""
    name, explanation, outline = VERDICTS[value]
    words = f'<span class="verdict-word" aria-hidden="true">{name.lower()}</span>'
    return (
        f'<span class="verdict" role="img" aria-label="{name}: {explanation}" title="{explanation}">'
        f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{outline}"></path></svg>{words}</span>'
    )


def source_card(citation: Citation, part: Excerpt) -> str:
    """A citation with its number, origin and surroundings, and the paths of other copies of its article."""
    about = [citation.publisher, day(citation.published), citation.place]
    link = original_link(citation.url, citation.quote)
    return (
        f'<article class="card" tabindex="-1" data-number="{citation.number}" data-document="{escape(citation.document)}"'
        f' data-start="{citation.start}" data-end="{citation.end}" data-reference="{escape(reference(citation))}"'
        f' aria-label="Source {citation.number}">'
        f'<header><span class="number" aria-hidden="true">{citation.number}</span>'
        f"<div>{_heading(citation.title, about, citation.path)}</div></header>{marked(part)}"
        f'{_also_in(citation.also_in)}<p class="links"><button type="button" class="read">Read in the article</button>{link}</p></article>'
    )


def reference(citation: Citation) -> str:
    """What is copied with a quote: title, publisher, date, and where it stands."""
    where = citation.url or f"{citation.path}:{citation.start}-{citation.end}"
    parts = (citation.title, citation.publisher, day(citation.published), citation.place, where)
    return ", ".join(filter(None, parts))


def passage_card(passage: Passage) -> str:
    """A retrieved passage that no sentence cites."""
    article = passage.document
    about = [article.publisher, day(article.published), place(article, passage.start)]
    return (
        f'<article class="card passage"><header><div>{_heading(article.title, about, article.path)}</div></header>'
        f'<blockquote dir="auto"{_lang(article.language)}>{prose(passage.text.strip())}</blockquote>'
        f'<p class="links">{original_link(article.url, "")}</p></article>'
    )


def _also_in(paths: Sequence[str]) -> str:
    """A line that names other files with the same article; nothing without any."""
    if not paths:
        return ""
    named = ", ".join(f'<span class="path" dir="ltr">{escape(path)}</span>' for path in paths[:_COPIES])
    more = f" and {len(paths) - _COPIES:,} more" if len(paths) > _COPIES else ""
    return f'<p class="also-in">Also in: {named}{more}</p>'


def _heading(title: str, about: Sequence[str | None], path: str) -> str:
    parts = "".join(f"<span>{escape(part)}</span>" for part in about if part)
    return (
        f'<h3 dir="auto">{escape(title)}</h3>'
        f'<p class="meta">{parts}<span class="path" dir="ltr">{escape(path)}</span></p>'
    )


def also_read(cards: Sequence[str]) -> str:
    """What was read but is not cited, folded away."""
    if not cards:
        return ""
    return f'<details class="also"><summary>Also read ({len(cards)})</summary>{"".join(cards)}</details>'


def original_link(url: str | None, words: str) -> str:
    """A link to the article on the web that points at the words; nothing unless the address is plain http(s)."""
    if not url or not re.fullmatch(r"https?://[^\s\\\"'<>`]+", url, re.IGNORECASE):
        return ""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.username is not None:
            return ""
    except ValueError:
        return ""
    if words:
        url += (":~:" if parts.fragment else "#:~:") + _text_directive(words)
    return (
        f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">Open the original'
        '<span class="visually-hidden"> (new tab)</span></a>'
    )


def _text_directive(words: str) -> str:
    # https://wicg.github.io/scroll-to-text-fragment: long texts are given by their first and last words.
    found = words.split()
    ends = [found[:6], found[-6:]] if len(found) > 12 else [found]
    return "text=" + ",".join(quote(" ".join(end), safe="").replace("-", "%2D") for end in ends)


def day(published: str | None) -> str:
    """An ISO date in words; any other text as it is."""
    try:
        found = date.fromisoformat(published or "")
    except ValueError:
        return published or ""
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def _lang(language: str) -> str:
    return f' lang="{escape(language)}"' if language else ""
