"""A conversation as a file to keep: Markdown, a web page that prints well, or its articles for a reference manager.

Pure functions from exchanges, oldest first, to text that is to be saved as UTF-8. Words of articles, models and
visitors are escaped for the format that they go into: they come out as text, never as markup, as a link, as a
footnote or as an entry of their own.
"""

import base64
import dataclasses
import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from rag.chat import render
from rag.chat.conversation import Exchange
from rag.prompts import unanswered
from rag.records import AnswerSentence, Citation

NAME_LIMIT = 60
"""Characters of a file name, its ending included."""

_UNTITLED = "Conversation"
_EMPTY = "Nothing has been asked."
# Answer.text goes on to name the nearest passages, which an export does not hold.
_REFUSED = "The articles do not say."
_STOPPED = "Stopped before the answer was complete."
# The problem itself is for who runs the program: it may name folders of this machine.
_FAILED = "An error kept this question from being answered."
_RUNNING = "The answer was not complete yet."


def markdown(exchanges: Sequence[Exchange], title: str) -> str:
    """CommonMark with the footnotes that GitHub and Pandoc know, numbered through the whole document."""
    notes = _footnotes(exchanges)
    parts = [f"# {_markdown_line(title) or _UNTITLED}"]
    for exchange in exchanges:
        parts.append(f"## {_markdown_line(exchange.question)}")
        if asked := _asked(exchange):
            parts.append(f"*{asked}*")
        if only := _line(exchange.filter):
            parts.append(f"Searched {_escaped(only)}")
        if searched := _searched(exchange):
            parts.append(f"Searched for: {_escaped(searched)}")
        if sentences := _sentences(exchange):
            parts.append(" ".join(_markdown_sentence(item, exchange, notes) for item in sentences))
        if remark := _remark(exchange):
            parts.append(f"*{_markdown_line(remark)}*")
    if not exchanges:
        parts.append(_EMPTY)
    parts += [_markdown_note(citation) for citation in notes.values()]
    return "\n\n".join(parts) + "\n"


def html(exchanges: Sequence[Exchange], title: str) -> str:
    """One document that needs nothing else and runs nothing; the browser's own "print" makes a PDF of it."""
    notes = _footnotes(exchanges)
    marks: defaultdict[int, list[str]] = defaultdict(list)
    turns = "".join(_html_turn(exchange, notes, marks) for exchange in exchanges) or f"<p>{_EMPTY}</p>\n"
    items = "".join(_html_note(citation, marks[citation.number]) for citation in notes.values())
    sources = f'<section role="doc-endnotes">\n<h2>Sources</h2>\n<ol>\n{items}</ol>\n</section>\n' if items else ""
    heading = _html_line(title) or _UNTITLED
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1 dir="auto">{heading}</h1>\n{turns}{sources}</body>\n</html>\n'
    )


def bibtex(citations: Iterable[Citation], accessed: Mapping[str, str] | None = None) -> str:
    """One ``@misc`` entry for each cited article, for classic BibTeX and biblatex alike.

    Args:
        citations: several of one article make one entry.
        accessed: the ISO day on which an article was consulted, by its id.
    """
    return "\n".join(
        _bibtex_entry(article, pages, (accessed or {}).get(article.document, ""))
        for article, pages in _articles(citations)
    )


def ris(citations: Iterable[Citation], accessed: Mapping[str, str] | None = None) -> str:
    """As ``bibtex``, in the format that every reference manager reads.

    Lines end in CR LF, as the format has it: save the text without translating them.
    """
    return "\r\n".join(
        _ris_entry(article, pages, (accessed or {}).get(article.document, ""))
        for article, pages in _articles(citations)
    )


def file_name(title: str, format: str) -> str:
    """A name that every system takes: letters of ASCII, digits and hyphens, and the format as its ending.

    Raises:
        ValueError: there is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"no format {format!r}")
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: NAME_LIMIT - len(format) - 1].rstrip("-")
    # Windows keeps these names for devices, whatever their ending.
    if not slug or re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", slug):
        slug = "-".join(filter(None, ("conversation", slug)))
    return f"{slug}.{format}"


# What all formats share


def _sentences(exchange: Exchange) -> Sequence[AnswerSentence]:
    """Those of the answer, or as many as had come when it was stopped."""
    return exchange.answer.sentences if exchange.answer is not None else exchange.sentences


def _carriers(sentence: AnswerSentence, exchange: Exchange) -> list[Citation]:
    known = {citation.number: citation for citation in exchange.citations}
    return [known[number] for number in dict.fromkeys(sentence.citations) if number in known]


def _carried(exchanges: Iterable[Exchange]) -> Iterator[tuple[Exchange, Citation]]:
    for exchange in exchanges:
        for sentence in _sentences(exchange):
            for citation in _carriers(sentence, exchange):
                yield exchange, citation


_Span = tuple[str, int, int, str]


def _span(citation: Citation) -> _Span:
    # With the quote, since an article may have been edited between two questions.
    return citation.document, citation.start, citation.end, citation.quote


def _footnotes(exchanges: Iterable[Exchange]) -> dict[_Span, Citation]:
    """Every cited span once, numbered through all exchanges in the order of first mention."""
    notes: dict[_Span, Citation] = {}
    for _, citation in _carried(exchanges):
        notes.setdefault(_span(citation), dataclasses.replace(citation, number=len(notes) + 1))
    return notes


def _searched(exchange: Exchange) -> str:
    """What was searched for, where that is not what was typed."""
    searched = _line(exchange.standalone_question)
    return searched if searched != _line(exchange.question) else ""


def _remark(exchange: Exchange) -> str:
    """What is to be said beside the sentences, or instead of them."""
    answer = exchange.answer
    if answer is not None:
        return _REFUSED if answer.refused else unanswered(answer.unanswered)
    if exchange.problem:
        return _FAILED
    return _STOPPED if exchange.stopped else _RUNNING


def _asked(exchange: Exchange) -> str:
    moment = _moment(exchange)
    return f"Asked on {render.day(moment.date().isoformat())} at {moment:%H:%M} UTC" if moment else ""


def _moment(exchange: Exchange) -> datetime | None:
    try:
        return datetime.fromisoformat(exchange.asked).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _about(citation: Citation) -> list[str]:
    parts = (citation.publisher or "", render.day(citation.published), citation.place or "")
    return [part for part in map(_line, parts) if part]


def _place(citation: Citation) -> str:
    return f"{_line(citation.path)}:{citation.start}-{citation.end}"


def _address(citation: Citation) -> str:
    """The article's address if it is a plain one of the web, as the page judges it; else nothing."""
    url = citation.url or ""
    return url if url == _line(url) and render.original_link(url, "") else ""


_GAPS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def _line(text: str) -> str:
    """Text as one line, without what cannot be seen or saved and without the marks that turn the words behind them."""
    return _GAPS.sub(" ", _TURNS.sub("", text)).strip()


def _exact(text: str) -> str:
    """A quote as it stands; a control character, which no format can hold, becomes visible."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


# Markdown

# A final "!" would make an image of the footnote behind it.
_SPECIAL = re.compile(r"[\\`*_{}\[\]~^$|@#]|:(?=//|[\w+-]+:)|(?<=www)\.|!\Z", re.IGNORECASE)
_OPENS_ITEM = re.compile(r"\A(\(?(?:\d+|[a-z]|[ivxlcdm]+))([.)])(?=\s|\Z)", re.IGNORECASE)


def _escaped(line: str) -> str:
    """One line as text for Markdown, wherever it stands.

    ``&``, ``<`` and ``>`` become entities because older dialects know no backslash before them. The rest is what
    CommonMark, GitHub or Pandoc would take for markup, addresses included; other punctuation stays readable.
    """
    safe = _SPECIAL.sub(r"\\\g<0>", escape(line, quote=False))
    if safe.startswith(("-", "+", "=", ":", "%")):
        return f"\\{safe}"
    return _OPENS_ITEM.sub(r"\1\\\2", safe)  # 1., (a) or iv) would open a list


def _markdown_line(text: str) -> str:
    return _escaped(_line(text))


def _markdown_sentence(item: AnswerSentence, exchange: Exchange, notes: Mapping[_Span, Citation]) -> str:
    as_of = f"As of {_markdown_line(item.as_of)}: " if item.as_of else ""
    marks = "".join(f"[^{notes[_span(citation)].number}]" for citation in _carriers(item, exchange))
    verdict = "" if item.verdict == "quoted" else f" *({render.VERDICTS[item.verdict][1]})*"
    return f"{as_of}{_markdown_line(item.shown)}{marks}{verdict}"


def _markdown_note(citation: Citation) -> str:
    url = _address(citation)
    about = ", ".join([*map(_escaped, _about(citation)), *([f"<{url}>"] if url else []), _escaped(_place(citation))])
    lines = [_escaped(line.strip()) for line in re.split(r"\r\n?|\n", _exact(citation.quote).strip())]
    quoted = "\n".join(f"    > {line}".rstrip() for line in lines)
    return f"[^{citation.number}]: {_markdown_line(citation.title)} — {about}\n\n{quoted}"


# HTML

_STYLE = """
body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 Georgia, serif; color: #111;
  background: #fff; overflow-wrap: anywhere; }
h1, h2 { line-height: 1.25; }
h2 { margin-top: 2rem; font-size: 1.2rem; }
a { color: #0645ad; }
blockquote { margin: .3rem 0 1rem; padding-inline-start: .8rem; border-inline-start: 3px solid #bbb; }
sup { line-height: 0; }
.about, .verdict, .remark { color: #555; }
.about, .verdict { font-size: .9em; }
.remark { font-style: italic; }
:target { background: #fff3c4; }
@page { margin: 2cm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 11pt; }
  a { color: inherit; text-decoration: none; }
  h1, h2 { break-after: avoid; }
  blockquote, li { break-inside: avoid; }
  .back { display: none; }
}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def _html_line(text: str) -> str:
    return escape(_line(text))


def _html_turn(exchange: Exchange, notes: Mapping[_Span, Citation], marks: defaultdict[int, list[str]]) -> str:
    lines = [f'<h2 dir="auto">{_html_line(exchange.question)}</h2>']
    if asked := _asked(exchange):
        lines.append(f'<p class="about">{asked}</p>')
    if only := _line(exchange.filter):
        lines.append(f'<p class="about">Searched <bdi>{escape(only)}</bdi></p>')
    if searched := _searched(exchange):
        lines.append(f'<p class="about">Searched for: <bdi>{escape(searched)}</bdi></p>')
    if sentences := _sentences(exchange):
        # dir="auto" looks past <bdi>: the first sentence sets the direction, and the others keep theirs.
        shown = [
            _html_sentence(item, exchange, notes, marks, "bdi" if place else "span")
            for place, item in enumerate(sentences)
        ]
        lines.append(f'<p dir="auto">{" ".join(shown)}</p>')
    if remark := _remark(exchange):
        lines.append(f'<p class="remark">{_html_line(remark)}</p>')
    return "<section>\n" + "\n".join(lines) + "\n</section>\n"


def _html_sentence(
    item: AnswerSentence,
    exchange: Exchange,
    notes: Mapping[_Span, Citation],
    marks: defaultdict[int, list[str]],
    tag: str,
) -> str:
    links = ""
    for citation in _carriers(item, exchange):
        number = notes[_span(citation)].number
        marks[number].append(f"mark-{number}-{len(marks[number]) + 1}")
        links += f'<a id="{marks[number][-1]}" href="#note-{number}" role="doc-noteref">[{number}]</a>'
    as_of = f"<bdi>As of {_html_line(item.as_of)}:</bdi> " if item.as_of else ""
    known = "" if item.verdict == "quoted" else f' <bdi class="verdict">({render.VERDICTS[item.verdict][1]})</bdi>'
    sources = f'<sup dir="ltr">{links}</sup>' if links else ""
    return f"{as_of}<{tag}>{_html_line(item.shown)}</{tag}>{sources}{known}"


def _html_note(citation: Citation, marks: Sequence[str]) -> str:
    url = escape(_address(citation))
    about = [f"<bdi>{escape(part)}</bdi>" for part in _about(citation)]
    if url:
        about.append(f'<a href="{url}" rel="noopener noreferrer" dir="ltr">{url}</a>')
    about.append(f'<span dir="ltr">{escape(_place(citation))}</span>')
    back = "".join(
        f' <a class="back" href="#{mark}" role="doc-backlink" aria-label="Back to mention {place}">↩\ufe0e</a>'
        for place, mark in enumerate(marks, 1)
    )
    return (
        f'<li id="note-{citation.number}">\n<cite dir="auto">{_html_line(citation.title)}</cite> — '
        f'{", ".join(about)}{back}\n<blockquote dir="auto">{render.prose(_exact(citation.quote))}</blockquote>\n</li>\n'
    )


# Reference managers

_PAGE = re.compile(r"p\. ?([0-9A-Za-z]+)")
_ISO = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_LATEX = {
    "\\": r"\textbackslash{}",
    # BibTeX counts braces without heeding backslashes.
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "%&$#_"},
}


def _articles(citations: Iterable[Citation]) -> list[tuple[Citation, list[str]]]:
    """One citation of each article with all its cited pages, in the order of first mention."""
    articles: dict[str, tuple[Citation, list[str]]] = {}
    for citation in citations:
        _, pages = articles.setdefault(citation.document, (citation, []))
        page = _PAGE.fullmatch(_line(citation.place or ""))
        if page and page[1] not in pages:
            pages.append(page[1])
    return list(articles.values())


def _key(citation: Citation) -> str:
    """The article's id; with a hash where it holds what a key may not, so that two ids never share one."""
    plain = re.sub(r"[^a-z0-9-]+", "-", citation.document.lower()).strip("-")
    if plain and plain == citation.document:
        return plain
    digest = hashlib.sha256(citation.document.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{plain or 'article'}-{digest}"


def _bibtex_entry(article: Citation, pages: Sequence[str], accessed: str) -> str:
    published = _line(article.published or "")
    dated = _ISO.fullmatch(published)
    # Doubled braces keep capitals, and an "and" from being read as two publishers.
    name = f"{{{_latex(article.publisher or '')}}}" if _line(article.publisher or "") else ""
    fields = {
        "title": f"{{{_latex(article.title)}}}",
        "publisher": name,
        "howpublished": name,  # what styles print of an entry of this kind
        "date": published if dated else "",
        "year": dated[1] if dated else "",
        "pages": ", ".join(pages),
        "note": f"Dated {_latex(published)}" if published and not dated else "",
        "url": re.sub(r"[{}^]", lambda found: quote(found[0]), _address(article)),  # read verbatim, but for braces
        "urldate": accessed if _ISO.fullmatch(accessed) else "",
    }
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items() if value)
    return f"@misc{{{_key(article)},\n{lines}}}\n"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in _line(text))


def _ris_entry(article: Citation, pages: Sequence[str], accessed: str) -> str:
    url, published = _address(article), _line(article.published or "")
    dated = _ISO.fullmatch(published)
    fields = {
        "TY": "ELEC" if url else "GEN",
        "ID": _key(article),
        "TI": _line(article.title),
        "PB": _line(article.publisher or ""),
        "PY": dated[1] if dated else "",
        "DA": _ris_date(published),
        "SP": ", ".join(pages),
        "N1": f"Dated {published}" if published and not dated else "",
        "UR": url,
        "Y2": _ris_date(accessed),
    }
    lines = [f"{tag}  - {value}" for tag, value in fields.items() if value]
    return "\r\n".join([*lines, "ER  - ", ""])


def _ris_date(day: str) -> str:
    """Year, month, day and a free part, the last three of which may be empty."""
    found = _ISO.fullmatch(day)
    return "/".join([*(part or "" for part in found.groups()), ""]) if found else ""


def _bibtex_of(exchanges: Sequence[Exchange], title: str) -> str:
    return bibtex((citation for _, citation in _carried(exchanges)), _accessed(exchanges))


def _ris_of(exchanges: Sequence[Exchange], title: str) -> str:
    return ris((citation for _, citation in _carried(exchanges)), _accessed(exchanges))


def _accessed(exchanges: Iterable[Exchange]) -> dict[str, str]:
    """The day of the latest question that an article answered, by the article's id."""
    days = ((citation.document, _moment(exchange)) for exchange, citation in _carried(exchanges))
    return {document: moment.date().isoformat() for document, moment in days if moment}


class Format(NamedTuple):
    """A kind of file that a conversation can be saved as."""

    label: str
    media_type: str
    write: Callable[[Sequence[Exchange], str], str]
    """From the exchanges, oldest first, and a title."""


FORMATS: Mapping[str, Format] = {
    "md": Format("Markdown", "text/markdown", markdown),
    "html": Format("Web page, to read or print", "text/html", html),
    "bib": Format("Cited articles for BibTeX", "application/x-bibtex", _bibtex_of),
    "ris": Format("Cited articles for reference managers (RIS)", "application/x-research-info-systems", _ris_of),
}
"""By the ending of the file."""
