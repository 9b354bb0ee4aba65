"""The regions of the page as HTML: masthead, status, an exchange and its sources."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from html import escape

from rag.chat import render
from rag.chat.conversation import Exchange, Past
from rag.chat.engine import EngineStatus, IndexSummary
from rag.chat.export import FORMATS
from rag.chat.history import Listed
from rag.chat.timeline import timeline
from rag.prompts import unanswered
from rag.records import Answer, AnswerSentence

TITLE = "Ask the Articles"
PROMISE = "Every sentence is carried by an exact quote, or it is not shown."
_FOUND_NOTHING = "Nothing was read for this question."

PANEL = (
    '<aside class="panel" aria-label="Sources"><div class="panel-body">'
    '<div class="panel-empty"><h2>Sources</h2><p>The exact sentences behind an answer appear here, '
    "marked in their articles, before the answer itself.</p></div></div>"
    '<section class="reader" aria-label="Article" hidden><div class="reader-bar">'
    '<button type="button" class="all-sources">All sources</button><span class="reader-steps">'
    '<button type="button" class="previous" aria-label="Previous quote">‹</button>'
    '<span class="reader-place" role="status"></span>'
    '<button type="button" class="next" aria-label="Next quote">›</button></span>'
    '<button type="button" class="copy">Copy quote</button>'
    '<button type="button" class="back">Back to the answer</button></div>'
    '<div class="reader-article"></div></section></aside>'
)
"""Filled by ``script.js`` with the sources of the exchange that the reader looks at, or one whole article."""

_RATING = "<!-- rating -->"
"""Where an exchange has its thumbs: they change while the rest stays. No text of articles or visitors can be it."""
OLD = timedelta(days=2 * 365)
"""The visitor is told when the newest source of an answer is older."""

WELCOME = (
    '<div class="welcome"><h2>What would you like to know?</h2><p>Answers come from the articles alone, and each '
    "number opens the sentence behind it. When the articles do not say, neither does the answer.</p>"
    "<dl><div><dt>Write</dt><dd>a small model words the answer, and each sentence is checked</dd></div>"
    "<div><dt>Quote</dt><dd>the sentences of the articles themselves, at once</dd></div></dl></div>"
)


def masthead(summary: IndexSummary | None) -> str:
    """Title, promise and, once known, what is indexed."""
    counts = f"{_count(summary.documents, 'article')} · {_count(summary.chunks, 'chunk')}" if summary else "\u00a0"
    models = f"{summary.embedding_model} · {summary.writer_model}" if summary else ""
    return (
        f'<header class="masthead"><div><h1>{TITLE}</h1><p class="promise">{PROMISE}</p></div>'
        f'<p class="indexed" title="{escape(models)}">{counts}</p><nav class="places" aria-label="Pages">'
        '<button type="button" data-place="chat" aria-current="page">Chat</button>'
        '<button type="button" data-place="library">Library</button>'
        '<button type="button" data-place="history" aria-expanded="false">History</button></nav></header>'
    )


def banner(status: EngineStatus) -> str:
    """Progress while preparing, the remedy when failed, nothing when ready."""
    if status.state == "ready":
        return ""
    message = f"<p>{escape(status.message)}</p>"
    if status.state == "failed":
        return f'<div class="banner failed" role="alert">{message}</div>'
    known = f' value="{min(status.done, status.total)}" max="{status.total}"' if status.total > 0 else ""
    return f'<div class="banner" role="status">{message}<progress{known} aria-label="Preparing"></progress></div>'


def notice(text: str) -> str:
    """A friendly line above the question box."""
    return f'<p class="notice" role="alert">{escape(text)}</p>' if text else ""


def live_region(exchange: Exchange | None, conversation: str = "") -> str:
    """The latest exchange, announced politely as it grows."""
    busy = "true" if exchange is not None and exchange.running else "false"
    inside = _with_rating(exchange_view(exchange), exchange) if exchange is not None else WELCOME
    return f'<div class="live" aria-live="polite" aria-busy="{busy}" data-conversation="{conversation}">{inside}</div>'


def settled(past: Past) -> str:
    """An earlier exchange, as it was shown, with its rating of now."""
    return _with_rating(past.html, past.exchange)


def _with_rating(html: str, exchange: Exchange) -> str:
    return html.replace(_RATING, rating(exchange))


def exchange_view(exchange: Exchange) -> str:
    """Question, answer so far, and the sources that the panel shows, hidden beside them; thumbs are put in later."""
    return (
        f'<section class="turn" data-turn="{exchange.number}" data-exchange="{exchange.id}">'
        f'<h2 class="question" dir="auto">{escape(exchange.question)}</h2>'
        f'<div class="reply">{_searched(exchange)}{_reply(exchange)}{_footer(exchange)}{_suggestions(exchange)}</div>'
        f'<div class="sources" hidden>{sources(exchange)}</div></section>'
    )


def sources(exchange: Exchange) -> str:
    """The panel of an exchange: cited cards first, everything else that was read folded away."""
    heading, cards, rest = "Sources", list[str](), list[str]()
    if not exchange.has_sources:
        cards = ['<p class="panel-note">Searching the articles…</p>'] if exchange.running else []
    elif exchange.answer is not None and exchange.answer.refused:
        heading = "Nearest passages"
        shown = [render.passage_card(passage) for passage in exchange.passages]
        cards, rest = shown[: render.NEAREST], shown[render.NEAREST :]
    else:
        used = _used(exchange.answer)
        for citation in exchange.citations:
            part = render.excerpt(citation, exchange.passages, exchange.documents.get(citation.document))
            card = render.source_card(citation, part)
            (cards if used is None or citation.number in used else rest).append(card)
        for passage in exchange.passages:
            if not any(render.holds(passage, citation) for citation in exchange.citations):
                rest.append(render.passage_card(passage))
    if not cards:
        cards = [f'<p class="panel-note">{_FOUND_NOTHING}</p>']
    question = f'<p class="panel-for" dir="auto">{escape(exchange.question)}</p>'
    dates = {citation.number: citation.published for citation in exchange.citations}
    picture = timeline(
        [passage.document.published for passage in exchange.passages], dates, "When the sources were published"
    )
    head = f'<div class="panel-head"><h2>{heading}</h2>{question}</div>'
    return f"{head}{''.join(cards)}{picture}{render.also_read(rest)}"


def _used(answer: Answer | None) -> frozenset[int] | None:
    if answer is None:
        return None
    return frozenset(number for sentence in answer.sentences for number in sentence.citations)


def _searched(exchange: Exchange) -> str:
    asked = exchange.standalone_question
    # The lines keep their place while the answer grows: they are known before the first word.
    line = f'<p class="searched">Searched {escape(exchange.filter)}</p>' if exchange.filter else ""
    if asked and " ".join(asked.split()) != " ".join(exchange.question.split()):
        line += f'<p class="searched">Searched for: <span dir="auto">{escape(asked)}</span></p>'
    return line


def _reply(exchange: Exchange) -> str:
    answer = exchange.answer
    if answer is not None and answer.refused:
        return f'<p class="answer refusal" dir="auto">{escape(answer.text)}</p>{_notice(answer)}'
    citations = {citation.number: citation for citation in exchange.citations}
    languages = {passage.document.id: passage.document.language for passage in exchange.passages}
    strong = exchange.short_answer
    parts = []
    for item in answer.sentences if answer is not None else exchange.sentences:
        cited = [citations[number].document for number in item.citations if number in citations]
        language = languages.get(cited[0], "") if cited else ""
        parts.append(render.sentence(item, citations, language, strong))
        if "<strong>" in parts[-1]:
            strong = ""
    items = answer.sentences if answer is not None else exchange.sentences
    if any(item.as_of for item in items):
        columns = (
            f"<section><h3>{f'As of {escape(item.as_of)}' if item.as_of else 'Undated'}</h3><p>{part}</p></section>"
            for item, part in zip(items, parts, strict=True)
        )
        shown = f'<div class="answer differing" dir="auto">{"".join(columns)}</div>'
    else:
        shown = f'<p class="answer" dir="{_direction(items)}">{"".join(parts)}</p>'
    short = exchange.short_answer
    if short and len(short.split()) <= _SHORT and not any(_is_listed(short, item.text) for item in items[:1]):
        shown = f'<p class="short" dir="auto"><strong>{escape(short)}</strong></p>{shown}'
    if answer is not None:
        shown += newest(answer, date.today())
    if answer is not None and answer.unanswered:
        shown += f'<p class="answer refusal" dir="auto">{escape(unanswered(answer.unanswered))}</p>'
    return shown + (_notice(answer) if answer is not None else "")


def _notice(answer: Answer) -> str:
    return f'<p class="fallback" role="status">{escape(answer.notice)}</p>' if answer.notice else ""


def _footer(exchange: Exchange) -> str:
    if exchange.problem:
        return f'<p class="problem" role="alert">{escape(exchange.problem)}</p>'
    if exchange.stopped:
        return '<p class="status">Stopped.</p>'
    if exchange.answer is not None:
        return f'<div class="foot"><p class="status">{_facts(exchange, exchange.answer)}</p>{_RATING}</div>'
    if exchange.ahead is not None:
        place = f"{exchange.ahead} ahead of you" if exchange.ahead else "You are next"
        doing = f'<span class="waiting">{place}</span>'
    elif not exchange.has_sources:
        doing = "Searching the articles"
    else:
        doing = "Writing" if exchange.mode == "write" else "Quoting"
    return f'<p class="status working">{doing}<span class="dots" aria-hidden="true"></span></p>'


def _direction(items: Sequence[AnswerSentence]) -> str:
    """As the first letter has it. The browser's "auto" does not look into the sentences, which are set apart."""
    kinds = (unicodedata.bidirectional(char) for item in items for char in item.text)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return "ltr" if first == "L" else "rtl"


_SHORT = 12
"""Words of a short answer that is shown by itself above the sentences."""


def _is_listed(short: str, text: str) -> bool:
    """Whether a short answer is one of several in its sentence; alone above it, it would claim to be the only one."""
    before, found, after = text.partition(short)
    joined = re.search(r"[A-Z0-9]\w*(?:,| and| or|, and|, or) $", before) or re.match(r"(?:,| and| or) [A-Z0-9]", after)
    return bool(found and joined)


def newest(answer: Answer, today: date) -> str:
    """A line on the age of the sources, where even the newest one is old; nothing without dates."""
    found = max((citation.published or "" for citation in answer.citations), default="")
    try:
        old = bool(found) and today - date.fromisoformat(found) > OLD
    except ValueError:
        return ""
    return f'<p class="age">The newest of these sources is from {render.day(found)}.</p>' if old else ""


def _suggestions(exchange: Exchange) -> str:
    if not exchange.suggestions or exchange.running:
        return ""
    chips = "".join(
        f'<button type="button" class="suggestion" data-act="ask" data-question="{escape(text)}">{escape(text)}</button>'
        for text in exchange.suggestions
    )
    title = "Ask instead" if exchange.answer and exchange.answer.refused else "Ask next"
    return f'<div class="suggestions" role="group" aria-label="{title}"><span>{title}</span>{chips}</div>'


def rating(exchange: Exchange) -> str:
    """Thumbs and, once one is pressed, a line for the reason."""
    buttons = "".join(
        f'<button type="button" class="thumb" data-act="rate" data-value="{0 if exchange.rating == value else value}" '
        f'data-exchange="{exchange.id}" aria-pressed="{str(exchange.rating == value).lower()}" aria-label="{name}" '
        f'title="{name}"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="{_THUMB}"{turned}></path></svg></button>'
        for value, name, turned in (
            (1, "Good answer", ""),
            (-1, "Bad answer", ' transform="rotate(180 8 8)"'),
        )
    )
    if not exchange.rating:
        return f'<div class="rating">{buttons}</div>'
    said = (
        f"<span>Thank you: “{escape(exchange.reason)}”</span>"
        if exchange.reason
        else f'<form data-exchange="{exchange.id}"><input name="reason" maxlength="1000" aria-label="Why?" '
        'placeholder="Why? (kept on this machine)" autocomplete="off"><button type="submit">Keep</button></form>'
    )
    return f'<div class="rating">{buttons}{said}</div>'


_THUMB = "M5 7l3-5c1.4 0 2 1 1.7 2.4L9.2 6.5h3.6c1 0 1.6.8 1.4 1.8l-.8 4c-.1.8-.7 1.2-1.4 1.2H5zM2 7h3v6.500H2z"


def history(conversations: Sequence[Listed], current: str) -> str:
    """Earlier conversations, newest first."""
    if not conversations:
        return '<p class="panel-note">Conversations are kept here, on this machine.</p>'
    rows = "".join(
        f"<li{' class=current' if item.id == current else ''}>"
        f'<button type="button" class="open" data-act="open" data-conversation="{item.id}" dir="auto">'
        f"{escape(item.title)}<small>{render.day(item.updated[:10])} · {_count(item.exchanges, 'question')}</small></button>"
        f'<button type="button" class="forget" data-act="forget" data-conversation="{item.id}" '
        f'data-confirm="Delete this conversation?" aria-label="Delete: {escape(item.title)}">×</button></li>'
        for item in conversations
    )
    everything = (
        '<button type="button" class="forget-all" data-act="forget-all" '
        'data-confirm="Delete all conversations?">Delete all</button>'
    )
    return f'<ul class="conversations">{rows}</ul>{everything}'


def export(possible: bool) -> str:
    """The menu of what a conversation can be saved as."""
    if not possible:
        return ""
    buttons = "".join(
        f'<button type="button" data-export="{name}">{escape(label)}</button>' for name, (label, *_) in FORMATS.items()
    )
    return f'<details class="export"><summary>Export</summary><div>{buttons}</div></details>'


def _facts(exchange: Exchange, answer: Answer) -> str:
    seconds = answer.seconds
    facts = [exchange.mode.capitalize(), answer.model]
    if "retrieve" in seconds or "evidence" in seconds:
        facts.append(f"sources in {seconds.get('retrieve', 0.0) + seconds.get('evidence', 0.0):.1f}\u00a0s")
    if "total" in seconds:
        facts.append(f"done in {seconds['total']:.1f}\u00a0s")
    shown = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    if not answer.refused:
        shown += f'<span title="{_CALIBRATED}">{100 * answer.confidence:.0f}\u00a0% sure</span>'
    return shown


_CALIBRATED = "Calibrated: of a hundred such answers to other articles, about so many were right."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
