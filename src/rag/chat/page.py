"""The page: regions, controls and what each control does. The only module that knows Gradio's components."""

import contextlib
import logging
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import gradio as gr

from rag.chat import views
from rag.chat.conversation import QUESTION_LIMIT, Conversation, Exchange
from rag.chat.engine import Engine, EngineStatus
from rag.chat.render import holds
from rag.errors import RagError
from rag.records import AnswerEvent, AnswerReady, Citation, Passage, SentenceReady, SourcesReady, Turn
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

_UNEXPECTED = "Something went wrong while answering. The log of the server has the details; you can retry."
_BUSY = "Too many questions are waiting for an answer. Please retry in a minute."
_UNFINISHED = "The answer ended before it was complete. You can retry."
_log = logging.getLogger(__name__)


def build_chat(engine: Engine, settings: Settings) -> gr.Blocks:
    """Lay out the page and wire it to the engine; nothing is served yet."""
    page: gr.Blocks = gr.Blocks(title=views.TITLE, analytics_enabled=False, fill_width=True)
    page.state_session_capacity = SESSIONS
    with page:
        conversation = gr.State(Conversation())
        masthead = _html(views.masthead(None), "rag-masthead")
        with gr.Row(elem_id="rag-main"):
            with gr.Column(elem_id="rag-chat", scale=3, min_width=0):
                with gr.Column(elem_id="rag-scroll"):
                    banner = _html("", "rag-banner")
                    past = _html("", "rag-past")
                    live = _html(views.live_region(None), "rag-live")
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
                        retry = gr.Button("Retry", visible=False, size="sm", elem_id="rag-retry", min_width=0)
                        new_chat = gr.Button("New chat", visible=False, size="sm", elem_id="rag-new", min_width=0)
            _html(views.PANEL, "rag-panel")
        timer = gr.Timer(POLL_SECONDS)

        view = [past, live, notice, examples, send, stop, retry, new_chat]
        chat = _Chat(engine)
        at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

        asking = [
            gr.on([box.submit, send.click], chat.begin, [box, mode, conversation], [*view, box], **at_once),
            *(
                button.click(chat.begin_example, [button, mode, conversation], view, **at_once)
                for button in example_buttons
            ),
            retry.click(chat.retry, [mode, conversation], view, **at_once),
        ]
        for asked in asking:
            answered = asked.then(
                chat.answer,
                [conversation],
                view,
                # One answer at a time, whoever asks: the models share the cores.
                concurrency_id="answer",
                concurrency_limit=1,
                # "multiple", because a stopped answer may still be closing when the next question comes.
                trigger_mode="multiple",
                show_progress="hidden",
                api_visibility="private",
            )
            answered.failure(chat.give_up, [conversation], view, **at_once)
        stop.click(chat.stop, [conversation], view, **at_once)
        new_chat.click(chat.clear, [conversation], view, **at_once)
        gr.on([page.load, timer.tick], chat.refresh, None, [masthead, banner, timer], **at_once)
    return page


class _Chat:
    """What the controls do. Holds the engine only: each visitor's conversation is passed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def refresh(self) -> list[Any]:
        """Status and summary, until the engine is ready."""
        status = self._engine.status()
        summary = None
        if status.state == "ready":
            try:
                summary = self._engine.summary()
            except RagError as error:
                status = EngineStatus("failed", str(error))
        return [views.masthead(summary), views.banner(status), gr.Timer(active=status.state != "ready")]

    def begin(self, typed: str, mode: Mode, state: Conversation) -> list[Any]:
        """Take the question in the box; a refused one stays there."""
        refusal = self._begin(typed.strip(), mode, state)
        return [*_view(state, refusal), gr.skip() if refusal else ""]

    def begin_example(self, question: str, mode: Mode, state: Conversation) -> list[Any]:
        """Take an example; what is in the box stays there."""
        return _view(state, self._begin(question, mode, state))

    def _begin(self, question: str, mode: Mode, state: Conversation) -> str:
        status = self._engine.status()
        if state.running:
            return "The last question is still being answered. Stop it first, or wait a moment."
        if status.state != "ready":
            return f"Not ready yet: {status.message}" if status.message else "Not ready yet."
        if not question:
            return "Please type a question."
        if len(question) > QUESTION_LIMIT:
            return f"This question has {len(question):,} characters. Please keep it within {QUESTION_LIMIT:,}."
        state.begin(question, mode, views.exchange_view(state.live) if state.live else "")
        return ""

    def retry(self, mode: Mode, state: Conversation) -> list[Any]:
        """Ask the latest question again."""
        if not state.running:
            state.retry(mode)
        return _view(state)

    def answer(self, state: Conversation) -> Iterator[list[Any]]:
        """Stream the answer to the exchange that waits for one."""
        exchange = state.live
        if exchange is None or exchange.stopped or not exchange.waiting:
            # Nothing to do, e.g. after a refused question; a listener that yields nothing would empty its regions.
            yield [gr.skip() for _ in _view(state)]
            return
        exchange.waiting = False
        with contextlib.closing(self._work(exchange, state.history())) as steps:
            for _ in steps:
                yield _growing_view(state)
        yield _view(state)

    def _work(self, exchange: Exchange, history: Sequence[Turn]) -> Generator[None, None, None]:
        """Take in one event of the engine at a time, until the answer is complete, stopped or lost."""
        events: Iterator[AnswerEvent] = iter(())
        try:
            events = self._engine.ask(exchange.question, history, exchange.mode)
            for event in events:
                if exchange.stopped:
                    return
                self._take(exchange, event)
                yield
            if exchange.running:
                exchange.problem = _UNFINISHED
        except GeneratorExit:
            # The visitor has left, or lost the connection.
            exchange.stopped = True
            raise
        except RagError as error:
            exchange.problem = str(error)
        except Exception:
            _log.exception("Answering failed")
            exchange.problem = _UNEXPECTED
        finally:
            # Closing is how the writer learns that nobody waits for it any more.
            if callable(close := getattr(events, "close", None)):
                close()

    def stop(self, state: Conversation) -> list[Any]:
        """Show the answer as it is; the engine is closed at its next event."""
        state.stop()
        return _view(state)

    def give_up(self, state: Conversation) -> list[Any]:
        """Say so when the queue did not take the question."""
        if state.live is not None and state.live.waiting:
            state.live.problem = _BUSY
        return _view(state)

    def clear(self, state: Conversation) -> list[Any]:
        """Start over."""
        state.clear()
        return _view(state)

    def _take(self, exchange: Exchange, event: AnswerEvent) -> None:
        match event:
            case SourcesReady():
                exchange.standalone_question = event.standalone_question
                self._take_sources(exchange, event.citations, event.passages)
            case SentenceReady():
                exchange.sentences.append(event.sentence)
            case AnswerReady():
                answer = event.answer
                known = {citation.number: citation for citation in (*exchange.citations, *answer.citations)}
                exchange.standalone_question = answer.standalone_question
                self._take_sources(exchange, [known[number] for number in sorted(known)], answer.retrieved)
                exchange.answer = answer

    def _take_sources(self, exchange: Exchange, citations: Sequence[Citation], passages: Sequence[Passage]) -> None:
        exchange.citations, exchange.passages, exchange.has_sources = tuple(citations), tuple(passages), True
        for citation in citations:
            if citation.document in exchange.documents or any(holds(passage, citation) for passage in passages):
                continue
            try:
                exchange.documents[citation.document] = self._engine.document(citation.document)
            except RagError:
                # The quote stands on its own; only its surroundings are missing.
                _log.warning("No surroundings for citation %d", citation.number, exc_info=True)


def _view(state: Conversation, notice: str = "") -> list[Any]:
    """The whole page as a function of the conversation, in the order of ``view``."""
    running, empty = state.running, state.live is None
    return [
        "".join(past.html for past in state.past),
        views.live_region(state.live),
        views.notice(notice),
        gr.Column(visible=empty),
        gr.Button(visible=not running),
        gr.Button(visible=running),
        gr.Button(visible=not running and not empty),
        gr.Button(visible=not empty),
    ]


def _growing_view(state: Conversation) -> list[Any]:
    # While an answer streams, the past cannot change, and a notice is still being read.
    _, live, _, *controls = _view(state)
    return [gr.skip(), live, gr.skip(), *controls]


def _html(value: str, elem_id: str) -> gr.HTML:
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=None)
