"""The writer behind a server: llama.cpp's own one, and one that fails in every way that we know of."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rag import models
from rag.errors import ModelError
from rag.openai_writer import OpenAiWriter
from rag.prompts import answer_messages

pytestmark = pytest.mark.loopback

MESSAGES = answer_messages("When was Mir launched?", ["Mir was launched on 20 February 1986."])
KEY = "sk-a-secret-that-nobody-sees"

LLAMA_SERVER = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.api_keys = [sys.argv[2]]
parameters.n_ctx = 1024
parameters.n_parallel = 1
parameters.cpuparams.n_threads = 1
parameters.warmup = False
parameters.verbosity = -1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """Address of llama.cpp's server with the packaged model, in a process of its own."""
    command = [sys.executable, "-c", LLAMA_SERVER, str(models.WRITER.path), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_real_server_streams_the_same_twice(llama: str) -> None:
    writer = OpenAiWriter(f"{llama}/v1", "smollm2", api_key=KEY)
    once = list(writer.write(MESSAGES, 30, 60))
    assert len(once) > 1
    assert "1986" in "".join(once)
    assert list(writer.write(MESSAGES, 30, 60)) == once


def test_closing_stops_a_real_server(llama: str) -> None:
    writer = OpenAiWriter(f"{llama}/v1", "smollm2", api_key=KEY)
    stream = writer.write(MESSAGES, 900, 60)
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1
    assert not writing()
    # There is one slot: had the server gone on with 900 tokens, this would wait for it.
    assert list(writer.write(MESSAGES, 3, 10))


@pytest.mark.parametrize(("key", "problem"), [("sk-wrong", "did not accept the key"), (None, "asks for a key")])
def test_a_real_server_refuses_another_key(llama: str, key: str | None, problem: str) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        list(OpenAiWriter(llama, "smollm2", api_key=key).write(MESSAGES, 3, 10))
    assert "RAG_API_KEY" in caught.value.remedy


# The faulty server


class Answer(BaseHTTPRequestHandler):
    """One request. ``server.script`` says how it is answered."""

    server: "FaultyServer"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((dict(self.headers), request))
        self.server.paths.append(self.path)
        with contextlib.suppress(OSError):  # the writer went away
            self.server.script(self, len(self.server.requests))
        self.close_connection = True
        self.server.finished.set()

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int = 200, kind: str = "text/event-stream", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()

    def pieces(self, *pieces: str, done: bool = True) -> None:
        self.head()
        for piece in pieces:
            self.send(event({"choices": [{"index": 0, "delta": {"content": piece}}]}))
        if done:
            self.send("data: [DONE]\n\n")

    def fail(self, status: int, message: str = "", **headers: str) -> None:
        self.head(status, "application/json", **headers)
        self.send(json.dumps({"error": {"message": message}}))


Script = Callable[[Answer, int], None]


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.script: Script = lambda answer, number: answer.pieces("Mir ", "flew.")
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.paths: list[str] = []
        self.finished = threading.Event()
        """Set when an answer has ended, one way or the other."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


def event(data: object) -> str:
    return f"data: {json.dumps(data)}\n\n"


def writing() -> bool:
    return any(thread.name == "writer" for thread in threading.enumerate())


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    assert not writing()


def read(server: FaultyServer, timeout: float = 10, retries: int = 2) -> tuple[str, str]:
    """What came, and the error at its end."""
    text, message = "", ""
    try:
        for piece in OpenAiWriter(server.url, "m", api_key=KEY, retries=retries).write(MESSAGES, 30, timeout):
            text += piece
    except ModelError as error:
        message = str(error)
    assert KEY not in message
    assert "\n" not in message
    assert len(message) < 500
    return text, message


def test_the_request_is_what_servers_expect(faulty: FaultyServer) -> None:
    assert read(faulty) == ("Mir flew.", "")
    ((headers, request),) = faulty.requests
    assert faulty.paths == ["/v1/chat/completions"]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert request == {"model": "m", "messages": MESSAGES, "max_tokens": 30, "temperature": 0, "stream": True}


def test_pieces_come_as_they_are_written(faulty: FaultyServer) -> None:
    given = threading.Event()

    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        assert given.wait(10)
        answer.send(": still here\r\n\r\n")
        answer.send(
            'event: x\r\ndata: {"choices":\r\ndata: [{"delta": {"content": "flög \\ud83d\\ude80\\ud83d."}}]}\r\n\r\n'
        )
        answer.send(event({"choices": [{"delta": {"role": "assistant", "content": None}}]}) + event({"choices": []}))
        answer.send("data:[DONE]\n\nwhat comes later is not read")

    faulty.script = script
    stream = OpenAiWriter(faulty.url, "m", api_key=None).write(MESSAGES, 30, 10)
    assert next(stream) == "Mir "
    given.set()
    assert list(stream) == ["flög 🚀?."]


def test_a_slow_first_byte_is_given_up(faulty: FaultyServer) -> None:
    release = threading.Event()
    faulty.script = lambda answer, number: (release.wait(10), None)[1]
    began = time.monotonic()
    text, error = read(faulty, timeout=0.3)
    assert time.monotonic() - began < 2
    assert not writing()
    release.set()
    assert text == ""
    assert "did not answer within 0.3 s" in error
    assert "writer_timeout" in error
    assert len(faulty.requests) == 1


@pytest.mark.parametrize("drip", [": wait\n", "d", event({"choices": [{"delta": {"content": "x"}}]})])
def test_a_slow_drip_is_given_up(faulty: FaultyServer, drip: str) -> None:
    """Each byte comes in time, the whole does not."""

    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        while True:
            answer.send(drip)
            time.sleep(0.05)

    faulty.script = script
    began = time.monotonic()
    text, error = read(faulty, timeout=0.5)
    assert time.monotonic() - began < 2
    assert text.startswith("Mir ")
    assert "did not answer within" in error
    assert faulty.finished.wait(5), "the server was not told to stop"


def test_slow_headers_are_given_up(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.send("HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            answer.send("x")
            time.sleep(0.05)

    faulty.script = script
    began = time.monotonic()
    assert "did not answer within" in read(faulty, timeout=0.4)[1]
    assert time.monotonic() - began < 2


def test_closing_stops_the_server_and_the_thread(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        while True:
            answer.send(": wait\n")
            time.sleep(0.01)

    faulty.script = script
    stream = OpenAiWriter(faulty.url, "m", api_key=None).write(MESSAGES, 30, 60)
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1
    assert not writing()
    assert faulty.finished.wait(5)


@pytest.mark.parametrize("piece", ["", "Mir "])
def test_a_cut_stream_is_tried_again_only_before_its_first_piece(faulty: FaultyServer, piece: str) -> None:
    faulty.script = lambda answer, number: answer.pieces(*filter(None, [piece]), done=False)
    text, error = read(faulty, retries=1)
    assert text == piece
    assert "without [DONE]" in error
    assert len(faulty.requests) == (1 if piece else 2)


def test_a_broken_connection_is_named(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.head(Content_Length="1000")
        answer.send(event({"choices": [{"delta": {"content": "Mir "}}]}))

    faulty.script = script
    text, error = read(faulty)
    assert text == "Mir "
    assert "closed the connection" in error


def test_500_twice_and_then_an_answer(faulty: FaultyServer) -> None:
    faulty.script = lambda answer, number: answer.fail(500) if number < 3 else answer.pieces("Mir flew.")
    assert read(faulty) == ("Mir flew.", "")
    faulty.requests.clear()
    text, error = read(faulty, retries=1)
    assert (text, len(faulty.requests)) == ("", 2)
    assert "answered 500" in error


@pytest.mark.parametrize("wait", ["1", "date"])
def test_429_is_waited_for(faulty: FaultyServer, wait: str) -> None:
    times: list[float] = []

    def script(answer: Answer, number: int) -> None:
        times.append(time.monotonic())
        until = answer.date_time_string(int(time.time()) + 2) if wait == "date" else wait
        answer.fail(429, Retry_After=until) if number == 1 else answer.pieces("Mir flew.")

    faulty.script = script
    assert read(faulty) == ("Mir flew.", "")
    assert times[1] - times[0] > 0.9


def test_429_is_not_waited_for_beyond_the_time_limit(faulty: FaultyServer) -> None:
    faulty.script = lambda answer, number: answer.fail(429, Retry_After="60")
    began = time.monotonic()
    error = read(faulty, timeout=5)[1]
    assert time.monotonic() - began < 2
    assert "asks to wait 60 s" in error
    assert len(faulty.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "[1]",
        '"text"',
        "null",
        '{"choices": 1}',
        '{"choices": [{}]}',
        '{"choices": [{"delta": {"content": 1}}]}',
        "[",
        "[" * 100_000,
    ],
    ids=lambda data: data[:40],
)
def test_wrong_json_is_named(faulty: FaultyServer, data: str) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        answer.send(f"data: {data}\n\n")

    faulty.script = script
    text, error = read(faulty)
    assert text == "Mir "
    assert "no chat completion" in error


def test_an_error_within_the_stream_is_passed_on(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        answer.send(event({"error": {"message": f"out of memory\nkey {KEY} " + "x" * 999, "code": 500}}))

    faulty.script = script
    text, error = read(faulty)
    assert text == "Mir "
    assert "failed: out of memory key *** x" in error


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_page_is_no_stream(faulty: FaultyServer, kind: str) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.head(kind=kind)
        answer.send("<!DOCTYPE html><title>Log in</title>")

    faulty.script = script
    text, error = read(faulty)
    assert text == ""
    assert f"answered {kind} instead of a stream" in error
    assert "/v1" in error


@pytest.mark.parametrize(
    ("status", "problem", "remedy"),
    [
        (401, "did not accept the key", "RAG_API_KEY"),
        (403, "did not accept the key", "RAG_API_KEY"),
        (404, "answered 404: model 'm' not found", "the model's name"),
        (400, "answered 400: model 'm' not found", "log"),
    ],
)
def test_refusals_are_final(faulty: FaultyServer, status: int, problem: str, remedy: str) -> None:
    faulty.script = lambda answer, number: answer.fail(status, f"model 'm' not found {KEY}")
    error = read(faulty)[1]
    assert problem in error
    assert remedy in error
    assert len(faulty.requests) == 1


def test_settings_that_a_server_refuses_are_left_out(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        request = faulty.requests[-1][1]
        refused = [name for name in ("max_tokens", "temperature") if name in request]
        if refused:
            answer.head(400, "application/json")
            answer.send(json.dumps({"error": {"message": "Unsupported", "param": refused[0]}}))
        else:
            answer.pieces("Mir flew.")

    faulty.script = script
    writer = OpenAiWriter(faulty.url, "m", api_key=KEY, retries=0)
    assert "".join(writer.write(MESSAGES, 30, 10)) == "Mir flew."
    assert faulty.requests[-1][1]["max_completion_tokens"] == 30
    faulty.requests.clear()
    assert "".join(writer.write(MESSAGES, 30, 10)) == "Mir flew."
    assert len(faulty.requests) == 1


def test_a_redirect_is_not_followed(faulty: FaultyServer) -> None:
    with FaultyServer() as elsewhere:
        faulty.script = lambda answer, number: answer.fail(307, Location=f"{elsewhere.url}/chat/completions")
        error = read(faulty)[1]
        assert f"points to {elsewhere.url}/chat/completions, which is not followed" in error
        assert elsewhere.requests == []


def test_an_endless_line_is_cut(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.pieces("Mir ", done=False)
        answer.send("data: ")
        while True:
            answer.send("x" * 65536)

    faulty.script = script
    text, error = read(faulty)
    assert text == "Mir "
    assert "longer than 256 KiB" in error
    assert faulty.finished.wait(5)


def test_an_endless_answer_is_cut(faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.openai_writer._MAX_REPLY_BYTES", 2 * 1024**2)

    def script(answer: Answer, number: int) -> None:
        answer.head()
        while True:
            answer.send(event({"choices": [], "x": "y" * 65536}))

    faulty.script = script
    assert "more than 2 MiB" in read(faulty)[1]
    assert faulty.finished.wait(5)


def test_an_endless_refusal_is_not_read_to_its_end(faulty: FaultyServer) -> None:
    def script(answer: Answer, number: int) -> None:
        answer.head(400, "application/json")
        while True:
            answer.send("x" * 65536)

    faulty.script = script
    assert "answered 400" in read(faulty)[1]
    assert faulty.finished.wait(5)


def test_a_compressed_answer_is_refused(faulty: FaultyServer) -> None:
    faulty.script = lambda answer, number: answer.head(Content_Encoding="gzip")
    assert "compressed its answer" in read(faulty)[1]


def test_a_server_that_is_gone_is_tried_again_and_named(faulty: FaultyServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ModelError, match=f"{address} cannot be reached: .*refused") as caught:
            list(OpenAiWriter(f"{address}/v1", "m", api_key=KEY).write(MESSAGES, 30, 10))
        assert 0.7 < time.monotonic() - began < 5
        assert "Start it" in caught.value.remedy


def test_a_server_that_never_accepts_is_given_up() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with contextlib.ExitStack() as stack:
            for _ in range(3):  # fills the queue of connections to be accepted
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    waiting.connect(("127.0.0.1", port))
            with pytest.raises(ModelError, match="cannot be reached: timed out"):
                list(OpenAiWriter(f"http://127.0.0.1:{port}/v1", "m", api_key=None).write(MESSAGES, 30, 0.5))


def test_proxies_are_not_asked_for_the_own_machine(faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert read(faulty) == ("Mir flew.", "")
    with pytest.raises(ModelError, match="cannot be reached"):
        list(OpenAiWriter("http://writer.example/v1", "m", api_key=KEY, retries=0).write(MESSAGES, 30, 5))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8080",
        "file:///etc/passwd",
        "ftp://host/v1",
        "http://",
        f"http://user:{KEY}@host/v1",
        f"user:{KEY}@host",
        f"https://host/v1?key={KEY}",
        f"http://host:{KEY}/v1",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ModelError, match="address") as caught:
        OpenAiWriter(address, "m", api_key=None)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-a\nHost: x", "sk a", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ModelError, match="characters that no key has") as caught:
        OpenAiWriter("http://host", "m", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/", "/chat/completions"])
def test_the_address_may_be_the_whole_one(end: str) -> None:
    writer = OpenAiWriter(f"https://host.example/api/v1{end}", "m", api_key=f" {KEY}\n")
    assert repr(writer) == "OpenAiWriter('https://host.example/api/v1/chat/completions', 'm')"
    assert writer.address == "https://host.example"
