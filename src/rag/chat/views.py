"""The regions of the page as HTML: masthead, status, an exchange and its sources."""

from html import escape

from rag.chat import render
from rag.chat.conversation import Exchange
from rag.chat.engine import EngineStatus, IndexSummary
from rag.records import Answer

TITLE = "Ask the Articles"
PROMISE = "Every sentence is carried by an exact quote, or it is not shown."
_FOUND_NOTHING = "Nothing was read for this question."

PANEL = (
    '<aside class="panel" aria-label="Sources"><div class="panel-body">'
    '<div class="panel-empty"><h2>Sources</h2><p>The exact sentences behind an answer appear here, '
    "marked in their articles, before the answer itself.</p></div></div></aside>"
)
"""Filled by ``script.js`` with the sources of the exchange that the reader looks at."""

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
        f'<p class="indexed" title="{escape(models)}">{counts}</p></header>'
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


def live_region(exchange: Exchange | None) -> str:
    """The latest exchange, announced politely as it grows."""
    busy = "true" if exchange is not None and exchange.running else "false"
    inside = exchange_view(exchange) if exchange is not None else WELCOME
    return f'<div class="live" aria-live="polite" aria-busy="{busy}">{inside}</div>'


def exchange_view(exchange: Exchange) -> str:
    """Question, answer so far, and the sources that the panel shows, hidden beside them."""
    return (
        f'<section class="turn" data-turn="{exchange.number}">'
        f'<h2 class="question" dir="auto">{escape(exchange.question)}</h2>'
        f'<div class="reply">{_searched(exchange)}{_reply(exchange)}{_footer(exchange)}</div>'
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
    return f'<div class="panel-head"><h2>{heading}</h2>{question}</div>{"".join(cards)}{render.also_read(rest)}'


def _used(answer: Answer | None) -> frozenset[int] | None:
    if answer is None:
        return None
    return frozenset(number for sentence in answer.sentences for number in sentence.citations)


def _searched(exchange: Exchange) -> str:
    asked = exchange.standalone_question
    # The line keeps its place while the answer grows: it is known before the first word.
    if not asked or " ".join(asked.split()) == " ".join(exchange.question.split()):
        return ""
    return f'<p class="searched">Searched for: <span dir="auto">{escape(asked)}</span></p>'


def _reply(exchange: Exchange) -> str:
    answer = exchange.answer
    if answer is not None and answer.refused:
        return f'<p class="answer refusal" dir="auto">{escape(answer.text)}</p>'
    citations = {citation.number: citation for citation in exchange.citations}
    languages = {passage.document.id: passage.document.language for passage in exchange.passages}
    strong = (answer.short_answer or "") if answer is not None else ""
    parts = []
    for item in answer.sentences if answer is not None else exchange.sentences:
        cited = [citations[number].document for number in item.citations if number in citations]
        language = languages.get(cited[0], "") if cited else ""
        parts.append(render.sentence(item, citations, language, strong))
        if "<strong>" in parts[-1]:
            strong = ""
    return f'<p class="answer" dir="auto">{"".join(parts)}</p>'


def _footer(exchange: Exchange) -> str:
    if exchange.problem:
        return f'<p class="problem" role="alert">{escape(exchange.problem)}</p>'
    if exchange.stopped:
        return '<p class="status">Stopped.</p>'
    if exchange.answer is not None:
        return f'<p class="status">{_facts(exchange, exchange.answer)}</p>'
    if not exchange.has_sources:
        doing = "Searching the articles"
    else:
        doing = "Writing" if exchange.mode == "write" else "Quoting"
    return f'<p class="status working">{doing}<span class="dots" aria-hidden="true"></span></p>'


def _facts(exchange: Exchange, answer: Answer) -> str:
    seconds = answer.seconds
    facts = [exchange.mode.capitalize(), answer.model]
    if "retrieve" in seconds or "evidence" in seconds:
        facts.append(f"sources in {seconds.get('retrieve', 0.0) + seconds.get('evidence', 0.0):.1f}\u00a0s")
    if "total" in seconds:
        facts.append(f"done in {seconds['total']:.1f}\u00a0s")
    shown = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    if answer.refused:
        return shown
    return f'{shown}<span title="{_CALIBRATED}">{100 * answer.confidence:.0f}\u00a0% sure</span>'


_CALIBRATED = "Calibrated: of a hundred such answers to other articles, about so many were right."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
