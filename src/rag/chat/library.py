"""The library: which articles are in the index, found by words, publisher and date."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from rag import languages, models
from rag.chat.engine import IndexSummary
from rag.chat.render import day, original_link
from rag.chat.timeline import timeline
from rag.records import Listed

PAGE = 200
"""Articles on one page of the list."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the visitor looks for; empty values admit everything."""

    words: str = ""
    publisher: str = ""
    since: str = ""
    until: str = ""
    first: int = 0
    """How many articles were shown before."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wanted":
        """Read from the query of an address; what makes no sense is left out."""
        first = query.get("first", "0")
        texts = {name: query.get(name, "").strip()[:200] for name in ("words", "publisher", "since", "until")}
        return cls(**texts, first=int(first) if first.isdecimal() and len(first) < 9 else 0)

    def admits(self, item: Listed) -> bool:
        """Whether an article has all words in its title or path, and the publisher and a date in the range."""
        text = f"{item.title} {item.path} {item.publisher or ''}".casefold()
        published = item.published or ""
        return (
            all(word in text for word in self.words.casefold().split())
            and self.publisher in ("", item.publisher or "")
            and (not self.since or published >= self.since)
            and (not self.until or ("" < published[: len(self.until)] <= self.until))
        )


def page(listed: Sequence[Listed], summary: IndexSummary, wanted: Wanted, *, manage: bool) -> str:
    """The list of articles, its filters and, if ``manage``, what changes it."""
    found = [item for item in listed if wanted.admits(item)]
    shown = found[wanted.first : wanted.first + PAGE]
    rest = len(found) - wanted.first - len(shown)
    # One language in all articles is no news.
    spoken = any(not languages.known(item.language) for item in listed)
    rows = "".join(_row(item, manage, spoken) for item in shown)
    picture = timeline([item.published for item in found], {}, "When the articles were published")
    more = (
        f'<button type="button" class="library-more" data-first="{wanted.first + PAGE}">Show {min(rest, PAGE):,} more'
    )
    language = '<th scope="col">Language</th>' if spoken else ""
    table = (
        '<table class="articles"><thead><tr><th scope="col">Article</th><th scope="col">Publisher</th>'
        '<th scope="col">Date</th>'
        f'{language}<th scope="col">Chunks</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{more + '</button>' if rest > 0 else ''}"
    )
    counted = f"{len(found):,} of {len(listed):,} articles" if len(found) < len(listed) else f"{len(listed):,} articles"
    return (
        f'<div class="library"><header><h2 tabindex="-1">Library</h2><p class="meta"><span>{counted}</span>'
        f"<span>{summary.chunks:,} chunks</span><span>indexed {escape(day(summary.created[:10]))}</span></p>"
        f"{_languages(listed, summary)}</header>"
        f"{_manage() if manage else ''}{_filters(summary, wanted)}{picture}"
        f"{table if shown else '<p class=panel-note>No article is like that.</p>'}{_problems(summary)}</div>"
    )


def _languages(listed: Sequence[Listed], summary: IndexSummary) -> str:
    """What to know where articles are in languages that the models in use do not know."""
    multilingual = summary.embedding_model != models.EMBEDDING.name
    notice = languages.corpus_notice(Counter(item.language for item in listed), multilingual=multilingual)
    return f'<p class="library-note" role="note">{escape(notice)}</p>' if notice else ""


def _row(item: Listed, manage: bool, spoken: bool) -> str:
    remove = (
        f'<button type="button" class="remove" data-path="{escape(item.path)}" aria-label="Delete {escape(item.title)}">'
        "Delete</button>"
        if manage
        else ""
    )
    return (
        f'<tr><th scope="row"><button type="button" class="read-article" data-document="{escape(item.id)}" dir="auto">'
        f'{escape(item.title)}</button><p class="meta"><span class="path" dir="ltr">{escape(item.path)}</span></p>'
        f'<p class="links">{original_link(item.url, "")}{remove}</p></th>'
        f'<td dir="auto">{escape(item.publisher or "")}</td><td>{escape(day(item.published))}</td>'
        f"{f'<td>{escape(languages.name(item.language))}</td>' if spoken else ''}<td>{item.chunks:,}</td></tr>"
    )


def _filters(summary: IndexSummary, wanted: Wanted) -> str:
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == wanted.publisher else ""}>'
        f"{escape(name) or 'Every publisher'}</option>"
        for name in ("", *summary.publishers)
    )
    return (
        '<form class="library-filters" role="search">'
        f'<label>Words <input name="words" value="{escape(wanted.words)}" type="search" autocomplete="off"></label>'
        f'<label>Publisher <select name="publisher">{options}</select></label>'
        f'<label>From <input name="since" value="{escape(wanted.since)}" placeholder="2021" size="10"></label>'
        f'<label>Until <input name="until" value="{escape(wanted.until)}" placeholder="2025-09" size="10"></label>'
        "</form>"
    )


def _manage() -> str:
    return (
        '<div class="manage" role="group" aria-label="Change the library">'
        '<label class="upload">Add files<input type="file" multiple></label>'
        '<button type="button" class="rebuild">Rebuild the index</button>'
        '<span class="manage-status" role="status"></span></div>'
    )


def _problems(summary: IndexSummary) -> str:
    if not summary.problems:
        return ""
    items = "".join(f"<li><b>{escape(path)}</b>: {escape(reason)}</li>" for path, reason in summary.problems)
    return f'<section class="skipped"><h3>Not indexed</h3><ul>{items}</ul></section>'
