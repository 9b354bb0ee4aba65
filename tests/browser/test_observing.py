"""Whether the running chat says how it is: ready, figures, log lines, traces; and to nobody who was not named."""

import dataclasses
import io
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from scripted_engine import ScriptedEngine
from served import served
from test_serving import request
from visiting import ask

from rag.chat import health, logs
from rag.chat.engine import EngineStatus
from rag.chat.observing import Observer
from rag.errors import IndexCorruptError, ModelError

pytestmark = pytest.mark.browser
QUESTION = "When did it burn up?"
SECRET = "a question that nobody else should read"


def ready(address: str) -> tuple[int, dict[str, Any]]:
    reply = request(address, "/readyz")
    return reply.status, json.loads(reply.body)


def test_alive_and_ready_are_two_things() -> None:
    engine = ScriptedEngine(state=EngineStatus("preparing", "Loading /home/anna/models"))
    with served(engine) as running:
        assert request(running.address, "/healthz").status == 200
        assert ready(running.address) == (503, {"ready": False, "reason": health.PREPARING})
        engine.state = EngineStatus("failed", "There is no index in /home/anna/index. Run: rag index")
        assert ready(running.address) == (503, {"ready": False, "reason": health.FAILED})
        engine.state = EngineStatus("ready")
        assert ready(running.address) == (200, {"ready": True})
        assert request(running.address, "/healthz").status == 200


def test_an_index_that_cannot_be_read_is_not_ready() -> None:
    class Broken(ScriptedEngine):
        def summary(self) -> Any:
            raise IndexCorruptError("/home/anna/index is damaged", "Run rag index.")

    with served(Broken()) as running:
        assert ready(running.address) == (503, {"ready": False, "reason": health.UNREADABLE})


def test_hanging_answers_are_not_ready() -> None:
    with served(ScriptedEngine()) as running:
        slots = running.server._slots
        for _ in range(8):
            ticket = slots.enter(lambda: None)
            assert ticket is not None
            slots.lose(ticket)
        assert ready(running.address) == (503, {"ready": False, "reason": health.HANGING})


def test_figures_are_served_only_where_they_are_wanted() -> None:
    with served(ScriptedEngine()) as running:
        assert request(running.address, "/metrics").status == 404


def test_figures_count_what_happened() -> None:
    with served(ScriptedEngine(), metrics=True) as running:
        assert ask(running.address, QUESTION).error == ""
        assert "Nobody" not in ask(running.address, "Who will be the first person on Mars?").html
        assert "stopped" in ask(running.address, "Break").error
        request(running.address, "/gradio_api/file=/etc/passwd")
        reply = request(running.address, "/metrics")
    text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/plain")
    lines = set(text.splitlines())
    assert {
        'rag_answers_total{outcome="answered"} 1.0',
        'rag_answers_total{outcome="refused"} 1.0',
        'rag_answers_total{outcome="problem"} 1.0',
        'rag_refused_requests_total{reason="path"} 1.0',
        "rag_sources_seconds_count 2.0",
        "rag_end_seconds_count 3.0",
        "rag_waiting 0.0",
        "rag_answering 0.0",
        "rag_ready 1.0",
        "rag_index_generation 1.0",
    } <= lines
    assert "rag_first_sentence_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text
    assert QUESTION not in text


@contextmanager
def json_lines() -> Iterator[io.StringIO]:
    """What is logged as JSON within."""
    text, handler = io.StringIO(), None
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("rag")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield text
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_every_line_has_the_id_that_the_visitor_sees_and_no_question() -> None:
    with json_lines() as text, served(ScriptedEngine()) as running:
        reply = ask(running.address, SECRET)
        shown = reply.html.split('data-exchange="', 1)[1][:32]
        crashed = ask(running.address, "Crash")
        found = request(running.address, "/rag/article?id=doc-1&quote=secret+words")
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert all(line["time"] and line["level"] and line["request"] for line in lines)
    (answer,) = [line for line in lines if line["request"] == shown and line["message"] == "answer"]
    assert answer["outcome"] == "answered"
    assert answer["generation"] == "gen-000001"
    assert set(answer["seconds"]) == {"wait", "sources", "first_sentence", "end"}
    (served_line,) = [line for line in lines if line["request"] == found.headers["x-request-id"]]
    assert (served_line["path"], served_line["status"]) == ("/rag/article", 200)
    (failed,) = [line for line in lines if line["level"] == "error"]
    assert failed["error"] == "ZeroDivisionError"
    assert failed["request"] == crashed.html.split('data-exchange="', 1)[1][:32]
    assert SECRET not in text.getvalue()
    assert "secret words" not in text.getvalue()
    assert "secret+words" not in text.getvalue()


def test_each_request_has_its_own_id(address: str) -> None:
    ids = {
        request(address, path).headers["x-request-id"] for path in ("/", "/config", "/nothing", "/gradio_api/file=x")
    }
    assert len(ids) == 4


def test_the_program_logs_json_when_asked() -> None:
    program = (
        "import logging; from rag.chat.logs import log_json; log_json(); "
        "logging.getLogger('rag.chat').info('told', extra={'request': 'r1'}); "
        "logging.getLogger('uvicorn.error').warning('of the server'); logging.getLogger('other').info('silent')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["message"], line["request"]) for line in lines] == [("told", "r1"), ("of the server", "")]


class Span(trace.NonRecordingSpan):
    """Notes what is done with it."""

    def __init__(self, name: str) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.attributes, self.status, self.ended = name, dict[str, Any](), None, False

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.status = (status, description)

    def end(self, end_time: int | None = None) -> None:
        self.ended = True


class Tracer(trace.NoOpTracer):
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def start_span(self, name: str, *rest: Any, attributes: Any = None, **more: Any) -> Span:  # type: ignore[override]
        self.spans.append(Span(name))
        self.spans[-1].attributes |= dict(attributes or {})
        return self.spans[-1]


def test_an_answer_is_traced_step_by_step() -> None:
    tracer = Tracer()
    engine = ScriptedEngine()
    from rag.chat.engine import Choices

    for _ in Observer(tracer=tracer).traced(engine.ask(QUESTION, (), Choices("write")), "id1"):
        pass
    assert [span.name for span in tracer.spans] == ["rag.ask", "rag.retrieve", "rag.read", "rag.write"]
    assert all(span.ended for span in tracer.spans)
    assert tracer.spans[0].attributes == {"rag.request": "id1", "rag.refused": False, "rag.generation": "gen-000001"}


def test_a_failure_and_a_stop_end_the_trace() -> None:
    from rag.chat.engine import Choices

    tracer = Tracer()
    observer = Observer(tracer=tracer)
    engine = ScriptedEngine()
    with pytest.raises(ModelError):
        list(observer.traced(engine.ask("Break", (), Choices("write")), "id1"))
    assert tracer.spans[0].status == (trace.StatusCode.ERROR, "ModelError")
    events = observer.traced(engine.ask(QUESTION, (), Choices("write")), "id2")
    next(events)
    events.close()
    assert engine.asked[-1].closed, "closing the trace closes the engine's work"
    assert all(span.ended for span in tracer.spans)


def test_nothing_is_exported_unless_somebody_sets_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    connect = socket.socket.connect

    def noting(self: socket.socket, where: Any) -> None:
        tried.append(where)
        connect(self, where)

    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider", "no SDK is set up by this program"
    with served(ScriptedEngine(), metrics=True) as running:
        monkeypatch.setattr(socket.socket, "connect", noting)
        assert ask(running.address, QUESTION).error == ""
        request(running.address, "/metrics")
        assert {where[1] for where in tried} == {running.port}


def test_summaries_of_the_engine_are_not_changed_by_asking_for_health() -> None:
    engine = ScriptedEngine()
    before = dataclasses.asdict(engine.summary())
    with served(engine, metrics=True) as running:
        request(running.address, "/metrics")
    assert dataclasses.asdict(engine.summary()) == before
    assert engine.asked == []
