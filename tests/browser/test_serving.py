"""What the server answers, refuses and says, asked without a browser."""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

import pytest

from rag.chat import serving
from rag.errors import ServerError
from rag.settings import Settings

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes


def request(address: str, path: str, method: str = "GET", **headers: str) -> Reply:
    """One request, sent as it is: no client in between mends the path."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)) as connection:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())


def test_page_forbids_outside_hosts(address: str) -> None:
    answer = request(address, "/")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "*" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/x.png",
        "/gradio_api/file=http%3A%2F%2Fexample.org",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api//file=/etc/passwd",
        "/assets/../gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=https://example.org",
        "/gradio_api/upload",
        "/gradio_api/component_server",
        "/gradio_api/info",
        "/gradio_api/run/answer",
        "/monitoring",
        "/docs",
        "/openapi.json",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unused_routes_are_closed(address: str, path: str, method: str) -> None:
    assert request(address, path, method, content_length="0").status in (403, 404, 405)


def test_files_and_proxies_are_refused_outright(address: str) -> None:
    for path in ("/gradio_api/file=https://example.org/x.png", "/gradio_api/proxy=https://example.org"):
        assert request(address, path).status == 403


def test_handlers_are_private(address: str) -> None:
    config = json.loads(request(address, "/config").body)
    assert {dependency["api_visibility"] for dependency in config["dependencies"]} == {"private"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_foreign_names_for_this_machine_are_refused(address: str, host: str) -> None:
    assert request(address, "/", host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7860", "127.0.0.1:1", "[::1]:7860"])
def test_local_names_are_served(address: str, host: str) -> None:
    assert request(address, "/", host=host).status == 200


def test_large_requests_are_refused_unread(address: str) -> None:
    assert request(address, "/gradio_api/run/predict", "POST", content_length="100001").status == 413
    assert request(address, "/gradio_api/run/predict", "POST", transfer_encoding="chunked").status == 413


def test_taken_port_is_a_clear_error() -> None:
    with serving.bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServerError, match=rf"Port {port} on 127\.0\.0\.1 is in use.*rag serve --port {port + 1}"):
            serving.bind("127.0.0.1", port)


def test_unusable_host_is_a_clear_error() -> None:
    with pytest.raises(ServerError, match=r"203\.0\.113\.1"):
        serving.bind("203.0.113.1", 7860)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback(host: str) -> None:
    assert serving.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_not_loopback(host: str) -> None:
    assert not serving.is_loopback(host)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:7860"),
        ("0.0.0.0", "http://127.0.0.1:7860"),
        ("::", "http://[::1]:7860"),
        ("::1", "http://[::1]:7860"),
    ],
)
def test_address_to_open(host: str, url: str) -> None:
    assert serving.address(Settings(host=host)) == url


def test_listener_takes_connections() -> None:
    with serving.bind("127.0.0.1", 0) as listener:
        where = listener.getsockname()
        connection = socket.create_connection(where, timeout=5)
        assert connection.getpeername() == where
        connection.close()
