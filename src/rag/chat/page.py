"""The page: regions, controls and what each control does. The only module that knows Gradio's components."""

import contextlib
import json
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import gradio as gr

from rag.chat import views
from rag.chat.answers import Answers, keeping
from rag.chat.conversation import QUESTION_LIMIT, Conversation, Past
from rag.chat.engine import Choices, Engine, EngineStatus
from rag.chat.history import History
from rag.chat.kept import restore
from rag.errors import RagError, UsageError
from rag.filters import Filter
from rag.records import Document
from rag.settings import Mode, Settings

EXAMPLES = (
    "When was Salyut 1 launched?",
    "Are the Artemis Accords binding in law?",
    "Why can NASA not work with China bilaterally?",
    "How long was Aidyn Aimbetov's mission?",
    "What did Dmitry Rogozin say about deep space?",
    "Who will be the first person on Mars?",
)
"""Offered before the first question; the articles do not answer the last one."""

POLL_SECONDS = 1.0
SESSIONS = 500
"""Conversations kept in memory; the oldest goes first."""

# The server may have refused the request itself, so the page speaks for it.
_NOT_TAKEN = f"() => {json.dumps(views.notice('This was not taken. Wait a moment, then send it again.'))}"
_CONTROLS = 8
_THREADS = 40
"""Gradio's own number, for what is not an answer."""
_BUSY = "Too many questions are waiting for an answer. Please retry in a minute."
_EDITING = "Send replaces your last question and its answer. Press Retry to ask it unchanged."

# Buttons and forms in our own HTML: what they carry as data goes to the server as an event.
_ACTIONS = """
element.addEventListener('click', (event) => {
    const button = event.target.closest('[data-act]');
    if (button) trigger('click', { ...button.dataset });
});
element.addEventListener('submit', (event) => {
    event.preventDefault();
    trigger('submit', { ...event.target.dataset, ...Object.fromEntries(new FormData(event.target)) });
});
"""
# Who comes, and which conversation this tab was in before it was loaded anew.
_ARRIVE = "() => [window.ragVisit(), null]"


def build_chat(engine: Engine, settings: Settings, kept: History, answers: Answers) -> gr.Blocks:
    """Lay out the page and wire it to the engine; nothing is served yet."""
    page: gr.Blocks = gr.Blocks(title=views.TITLE, analytics_enabled=False, fill_width=True)
    page.state_session_capacity = SESSIONS
    # Gradio runs no more events at once than this; those that wait in our own line are among them.
    page.max_threads = answers.slots.at_once + answers.slots.most_waiting + _THREADS
    with page:
        conversation = gr.State(Conversation())
        visit = gr.Textbox(visible="hidden", label="Visit")
        masthead = _html(views.masthead(None), "rag-masthead")
        with gr.Row(elem_id="rag-main"):
            history = _html("", "rag-history", _ACTIONS)
            with gr.Column(elem_id="rag-chat", scale=3, min_width=0):
                with gr.Column(elem_id="rag-scroll"):
                    banner = _html("", "rag-banner")
                    past = _html("", "rag-past", _ACTIONS)
                    live = _html(views.live_region(None), "rag-live", _ACTIONS)
                    with gr.Column(elem_id="rag-examples") as examples:
                        example_buttons = [gr.Button(text, size="sm") for text in EXAMPLES]
                with gr.Column(elem_id="rag-composer"):
                    notice = _html("", "rag-notice")
                    with gr.Row(elem_id="rag-ask"):
                        box = gr.Textbox(
                            placeholder="Ask a question",
                            label="Question",
                            show_label=False,
                            container=False,
                            max_lines=6,
                            elem_id="rag-box",
                        )
                        send = gr.Button("Send", variant="primary", elem_id="rag-send", min_width=0)
                        stop = gr.Button("Stop", visible=False, elem_id="rag-stop", min_width=0)
                    with gr.Row(elem_id="rag-tools"):
                        mode = gr.Radio(
                            [("Write", "write"), ("Quote", "quote")],
                            value=settings.mode,
                            label="How to answer",
                            container=False,
                            elem_id="rag-mode",
                        )
                        edit = gr.Button("Edit", visible=False, size="sm", elem_id="rag-edit", min_width=0)
                        retry = gr.Button("Retry", visible=False, size="sm", elem_id="rag-retry", min_width=0)
                        export = _html(views.export(False), "rag-export")
                        new_chat = gr.Button("New chat", visible=False, size="sm", elem_id="rag-new", min_width=0)
                    with gr.Accordion("Settings and filters", open=False, elem_id="rag-settings"), gr.Row():
                        writers = list(engine.writers())
                        writer = gr.Dropdown(writers, value=writers[0] if writers else None, label="Model that writes")
                        sources = gr.Slider(1, 6, settings.sources, step=1, label="Most quotes")
                        threshold = gr.Slider(0, 0.9, settings.refuse_below, step=0.01, label="Refuse below")
                        publishers = gr.Dropdown([], multiselect=True, label="Only articles of")
                        since = gr.Textbox(label="From", placeholder="2021 or 2021-06-18", max_lines=1)
                        until = gr.Textbox(label="Until", placeholder="2025 or 2025-09", max_lines=1)
            _html("", "rag-library")
            _html(views.PANEL, "rag-panel")
        timer = gr.Timer(POLL_SECONDS)

        controls = [notice, send, stop, edit, retry, export, new_chat, history]
        view = [past, live, examples, *controls]
        choices = [mode, writer, sources, threshold, publishers, since, until]
        chat = _Chat(engine, kept, answers)
        at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        in_line: dict[str, Any] = {
            # ``slots`` holds the line: Gradio's would not say how long it is.
            "concurrency_limit": None,
            # "multiple", because a stopped answer may still be closing when the next question comes.
            "trigger_mode": "multiple",
            "show_progress": "hidden",
            "api_visibility": "private",
        }

        asking = [
            gr.on([box.submit, send.click], chat.begin, [box, conversation, *choices], [*view, box], **at_once),
            *(
                button.click(chat.begin_example, [button, conversation, *choices], view, **at_once)
                for button in example_buttons
            ),
            retry.click(chat.retry, [conversation, *choices], view, **at_once),
            gr.on([past.click, live.click, history.click], chat.act, [conversation, *choices], [*view, box], **at_once),
        ]
        for asked in asking:
            # What streams changes one region: Gradio makes each other one anew, even one that stays as it is.
            answered = asked.then(chat.answer, [conversation, *choices], live, **in_line)
            asked.failure(None, None, notice, js=_NOT_TAKEN, show_progress="hidden", api_visibility="private")
            answered.failure(chat.give_up, [conversation], None, **at_once)
            settled = answered.then(chat.settle, [conversation], controls, **at_once)
            settled.then(chat.suggest, [conversation], live, **in_line)
        gr.on([past.submit, live.submit], chat.explain, [conversation], view, **at_once)
        stop.click(chat.stop, [conversation], view, **at_once)
        edit.click(chat.edit, [conversation], [box, notice], **at_once)
        new_chat.click(chat.clear, [conversation], view, **at_once)
        page.load(chat.arrive, [visit, conversation], view, js=_ARRIVE, **at_once)
        gr.on([page.load, timer.tick], chat.refresh, None, [masthead, banner, publishers, timer], **at_once)
    return page


class _Chat:
    """What the controls do. Each visitor's conversation is passed in."""

    def __init__(self, engine: Engine, kept: History, answers: Answers) -> None:
        self._engine = engine
        self._kept = kept
        self._answers = answers

    def refresh(self) -> list[Any]:
        """Status and summary, until the engine is ready."""
        status = self._engine.status()
        summary = None
        if status.state == "ready":
            try:
                summary = self._engine.summary()
            except RagError as error:
                status = EngineStatus("failed", str(error))
        known = gr.Dropdown(choices=list(summary.publishers)) if summary else gr.skip()
        return [views.masthead(summary), views.banner(status), known, gr.Timer(active=status.state != "ready")]

    def arrive(self, visit: str, state: Conversation) -> list[Any]:
        """Know the visitor again, and go on with the conversation that the tab was in.

        With none to go on with, only the list of conversations changes: a visitor who was quick may have asked already.
        """
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            said = json.loads(visit)
            for name in ("visitor", "conversation"):
                if not re.fullmatch(r"[0-9a-f]{32}", said[name]):
                    raise ValueError(name)
            state.visitor = said["visitor"]
            if state.live is None:
                problem = self._open(said["conversation"], state)
                if problem or state.live is not None:
                    return self._view(state, problem)
        view = self._view(state)
        return [*(gr.skip() for _ in view[:-1]), view[-1]]

    def begin(self, typed: str, state: Conversation, *chosen: Any) -> list[Any]:
        """Take the question in the box; a refused one stays there."""
        refusal = self._begin(typed.strip(), state, chosen)
        return [*self._view(state, refusal), gr.skip() if refusal else ""]

    def begin_example(self, question: str, state: Conversation, *chosen: Any) -> list[Any]:
        """Take an example; what is in the box stays there."""
        return self._view(state, self._begin(question, state, chosen))

    def _begin(self, question: str, state: Conversation, chosen: Sequence[Any]) -> str:
        """Start answering, or say why not."""
        status = self._engine.status()
        if state.running:
            return "The last question is still being answered. Stop it first, or wait a moment."
        if status.state != "ready":
            return f"Not ready yet: {status.message}" if status.message else "Not ready yet."
        if refusal := self._answers.refusal():
            return refusal
        if not question:
            return "Please type a question."
        if len(question) > QUESTION_LIMIT:
            return f"This question has {len(question):,} characters. Please keep it within {QUESTION_LIMIT:,}."
        try:
            choices = _choices(chosen)
        except UsageError as error:
            return str(error)
        if state.editing and state.live is not None:
            self._replace(question, choices.mode, state)
        else:
            state.begin(question, choices.mode, views.exchange_view(state.live) if state.live else "")
        state.editing = False
        return ""

    def retry(self, state: Conversation, *chosen: Any) -> list[Any]:
        """Ask the latest question again."""
        problem = ""
        if state.live is not None and not state.running:
            try:
                self._replace(state.live.question, _choices(chosen).mode, state)
            except UsageError as error:
                problem = str(error)
        return self._view(state, problem)

    def _replace(self, question: str, mode: Mode, state: Conversation) -> None:
        if state.live is not None:
            keeping(self._kept.remove, state.visitor, state.live.id)
        state.retry(question, mode)

    def edit(self, state: Conversation) -> list[Any]:
        """Put the latest question into the box; what is sent next takes its place."""
        if state.live is None or state.running:
            return [gr.skip(), gr.skip()]
        state.editing = True
        return [state.live.question, views.notice(_EDITING)]

    async def answer(self, state: Conversation, *chosen: Any) -> AsyncGenerator[Any]:
        """Stream the answer to the exchange that waits for one."""
        exchange = state.live
        if exchange is None or exchange.stopped or not exchange.waiting:
            yield gr.skip()  # nothing to do, e.g. after a refused question
            return
        exchange.waiting = False
        steps = self._answers.answer(state, exchange, _choices(chosen, exchange.mode))
        async with contextlib.aclosing(steps):
            async for _ in steps:
                yield views.live_region(state.live, state.id)
        state.ended = True

    def settle(self, state: Conversation) -> list[Any]:
        """What goes with a complete answer; nothing where there was none, so that a notice stays."""
        if not state.ended:
            return [gr.skip() for _ in range(_CONTROLS)]
        notice, state.notice, state.ended = state.notice, "", False
        return self._controls(state, notice)

    async def suggest(self, state: Conversation) -> AsyncGenerator[Any]:
        """Offer what could be asked next."""
        yield gr.skip()
        exchange = state.live
        if exchange is None:
            return
        async with contextlib.aclosing(self._answers.suggest(state, exchange)) as steps:
            async for _ in steps:
                yield views.live_region(state.live, state.id)

    def act(
        self,
        state: Conversation,
        mode: Any,
        writer: Any,
        sources: Any,
        threshold: Any,
        publishers: Any,
        since: Any,
        until: Any,
        event: gr.EventData,  # Gradio fills it in, which it cannot do behind a variable number of arguments
    ) -> list[Any]:
        """A button in our own HTML was pressed."""
        chosen = (mode, writer, sources, threshold, publishers, since, until)
        said = event._data if isinstance(event._data, dict) else {}
        problem: str = ""
        match said.get("act"):
            case "ask":
                problem = self._begin(str(said.get("question", "")).strip(), state, chosen)
            case "rate":
                problem = self._rate(state, str(said.get("exchange")), str(said.get("value")), "")
            case "open":
                problem = self._open(str(said.get("conversation")), state)
            case "forget":
                forgotten = str(said.get("conversation"))
                problem = keeping(self._kept.delete, state.visitor, forgotten)
                if forgotten == state.id:
                    state.clear()
            case "forget-all":
                problem = keeping(self._kept.delete_all, state.visitor)
                state.clear()
        return [*self._view(state, problem), gr.skip()]

    def explain(self, state: Conversation, event: gr.EventData) -> list[Any]:
        """Keep the reason of a rating."""
        said = event._data if isinstance(event._data, dict) else {}
        problem = self._rate(state, str(said.get("exchange")), "", str(said.get("reason", "")))
        return self._view(state, problem)

    def _rate(self, state: Conversation, id: str, value: str, reason: str) -> str:
        for exchange in state.exchanges:
            if exchange.id == id:
                if value in {"-1", "0", "1"}:
                    exchange.rating, exchange.reason = int(value), ""
                else:
                    exchange.reason = reason.strip()[:1000]
                return keeping(self._kept.rate, state.visitor, id, exchange.rating, exchange.reason)
        return ""

    def stop(self, state: Conversation) -> list[Any]:
        """Show the answer as it is, and let its slot go to the next."""
        state.stop()
        return self._view(state)

    def give_up(self, state: Conversation) -> None:
        """Say so when the queue did not take the question."""
        if state.live is not None and state.live.waiting:
            state.live.problem = _BUSY

    def clear(self, state: Conversation) -> list[Any]:
        """Start over."""
        state.clear()
        return self._view(state)

    def _open(self, id: str, state: Conversation) -> str:
        """Show an earlier conversation, its answers as they were and their citations as they are, or say why not."""
        documents: dict[str, Document | None] = {}

        def document(name: str) -> Document | None:
            if name not in documents:
                try:
                    documents[name] = self._engine.document(name)
                except RagError:
                    documents[name] = None
            return documents[name]

        try:
            exchanges = [restore(item, state.number(), document) for item in self._kept.load(state.visitor, id)]
        except RagError as error:
            return str(error)
        if exchanges:
            past = [Past(item.without_articles(), views.exchange_view(item)) for item in exchanges[:-1]]
            state.restore(id, past, exchanges[-1])
        return ""

    def _view(self, state: Conversation, notice: str = "") -> list[Any]:
        """The whole page as a function of the conversation, in the order of ``view``."""
        return [
            "".join(views.settled(past) for past in state.past),
            views.live_region(state.live, state.id),
            # Hidden, not taken out: Gradio never gets ready if a part that it waits for is gone before it was drawn.
            gr.update(visible=True if state.live is None else "hidden"),
            *self._controls(state, notice),
        ]

    def _controls(self, state: Conversation, notice: str) -> list[Any]:
        """What is around the answers, in the order of ``controls``."""
        running, empty = state.running, state.live is None
        listed = []
        with contextlib.suppress(RagError):
            listed = self._kept.conversations(state.visitor)
        return [
            views.notice(notice),
            gr.update(visible="hidden" if running else True),
            gr.update(visible=running),
            gr.update(visible=not running and not empty),
            gr.update(visible=not running and not empty),
            views.export(not empty),
            gr.update(visible=not empty),
            views.history(listed, state.id),
        ]


def _choices(chosen: Sequence[Any], mode: Mode | None = None) -> Choices:
    """The controls' values, in the order of ``choices``.

    Raises:
        UsageError: a date is none.
    """
    chosen_mode, writer, sources, threshold, publishers, since, until = chosen
    return Choices(
        mode or ("quote" if chosen_mode == "quote" else "write"),
        str(writer or ""),
        int(sources),
        float(threshold),
        Filter(tuple(map(str, publishers or ())), str(since or "").strip() or None, str(until or "").strip() or None),
    )


def _html(value: str, elem_id: str, js_on_load: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=js_on_load)
