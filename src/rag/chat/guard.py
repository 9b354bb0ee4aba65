"""The outermost layer of the server: refuses what the page never asks for."""

import asyncio
import ipaddress
import logging
import math
import platform
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.chat.limits import Limiter, is_loopback
from rag.chat.login import Login, unknown
from rag.chat.logs import request_id
from rag.chat.observing import Observer
from rag.chat.routes import MAX_UPLOAD

MAX_BODY = 100_000
"""Bytes of a request; a question has at most 2,000 characters."""
BODY_SECONDS = 30.0
"""Within which a request has to arrive whole."""

# All that the page asks for. Gradio has many more routes, for files above all: it would take uploads, and
# ``/gradio_api/file=https://…`` would fetch any website and pass it on as this page's own.
_OPEN = frozenset({"/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"})
_OPEN_BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/", "/rag/")
_OPEN_API = frozenset(
    f"/gradio_api/{name}"
    for name in (
        *("run/predict", "queue/join", "queue/data", "startup-events", "theme.css", "reset", "cancel", "app_id"),
    )
)
_HEALTH = frozenset({"/healthz", "/readyz"})
_METRICS = "/metrics"
_LOGIN = frozenset({"/login", "/logout"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD"})

_log = logging.getLogger(__name__)


class Guard:
    """ASGI wrapper around the whole application.

    Args:
        local_only: whether the server listens on this machine alone.
        hosts: further names that it may be asked for.
        limiter: how often a client may ask.
        login: who must be known, if anyone must.
        observer: is told of refusals.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        local_only: bool,
        hosts: Iterable[str],
        limiter: Limiter,
        login: Login | None,
        observer: Observer,
    ) -> None:
        self._app = app
        self._local_only = local_only
        own = platform.node().lower()
        self._hosts = {*_LOCAL_NAMES, *(name.lower() for name in hosts)}
        if not local_only and own:
            self._hosts |= {own, f"{own}.local"}
        self._limiter = limiter
        self._login = login
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began = time.monotonic()
        id = secrets.token_hex(16)
        request_id.set(id)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = id
            await send(message)

        try:
            await self._serve(scope, receive, send_with_headers)
        finally:
            # Without the query: it names sessions, and quotes.
            known = {"method": scope["method"], "path": scope["path"][:200], "status": status, "request": id}
            _log.info("request", extra=known | {"seconds": round(time.monotonic() - began, 3)})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        answer = self._refusal(headers, path, method, _client(scope))
        if answer is None:
            body = await _body(receive, MAX_UPLOAD if path == "/rag/upload" else MAX_BODY, _length(headers))
            if isinstance(body, Response):
                answer = body
            else:
                answer = await self._logged_in(scope, headers, body)
                receive = _replayed(body, receive)
        await (answer or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers, path: str, method: str, client: str) -> Response | None:
        """Why a request is not even read."""
        if not self._is_ours(headers.get("host", "")):
            # A website may point its own name at this machine to read this page from a visitor's browser.
            where = "This chat is served on this machine only: open http://127.0.0.1."
            other = "Ask for this chat by its address, or add the name to the setting hosts."
            return self._refuse("host", where if self._local_only else other, 403)
        if not _is_open(path):
            return self._refuse("path", "Not served here.", 403)
        if not _is_from_here(headers, path, method):
            return self._refuse("origin", "Not from this page.", 403)
        length = _length(headers)
        most = MAX_UPLOAD if path == "/rag/upload" else MAX_BODY
        if length is None or length > most:
            return self._refuse("size", "The request is too large.", 413)
        if path == _METRICS and self._login is not None and not is_loopback(client):
            return self._refuse("login", "Figures are served to this machine only.", 403)
        if path not in _HEALTH and (method not in _SAFE or path.startswith("/rag/")):
            wait = self._limiter.wait(client)
            if wait:
                return self._refuse_for(wait)
        return None

    async def _logged_in(self, scope: Scope, headers: Headers, body: bytes) -> Response | None:
        """What is answered instead of the application, as long as somebody has to log in."""
        login, path, method = self._login, scope["path"], scope["method"]
        if login is None:
            return PlainTextResponse("Not served here.", 403) if path in _LOGIN else None
        cookie = headers.get("cookie", "")
        if path == "/login":
            if method != "POST":
                return login.page()
            return await login.log_in(body, _client(scope), secure=scope.get("scheme") == "https")
        if path == "/logout" and method == "POST":
            return login.log_out(cookie)
        if path in _HEALTH or path == _METRICS or login.knows(cookie):
            return None
        self._observer.refused("login")
        return unknown(path, method)

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        if name is None:
            return False
        return name in self._hosts or (not self._local_only and _is_address(name))

    def _refuse(self, reason: str, problem: str, status: int) -> Response:
        self._observer.refused(reason)
        return PlainTextResponse(problem, status)

    def _refuse_for(self, seconds: float) -> Response:
        self._observer.refused("rate")
        whole = math.ceil(seconds)
        problem = f"Too many requests. Wait {whole} s, then try again."
        # As Gradio's page expects it, which shows the text.
        return JSONResponse({"detail": problem, "error": problem}, 429, {"retry-after": str(whole)})


def _is_open(path: str) -> bool:
    if path in _OPEN or path in _OPEN_API or path in _HEALTH or path in _LOGIN or path == _METRICS:
        return True
    return path.startswith(_OPEN_BELOW) and ".." not in path


def _is_from_here(headers: Headers, path: str, method: str) -> bool:
    """Whether this page or the visitor asks, and not another website in the same browser."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    # A form that says no referrer, as this server asks, has the origin "null" too.
    own_form = origin == "null" and site == "same-origin"
    if origin is not None and not own_form and _place(origin) != headers.get("host", "").lower():
        return False
    # A link from elsewhere may open the page, and no more.
    opens = method == "GET" and path in ("/", "/login") and headers.get("sec-fetch-mode") == "navigate"
    return site in ("same-origin", "none") or opens


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _length(headers: Headers) -> int | None:
    """Bytes of the body as announced; ``None`` where that is not said plainly."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdecimal()) or len(length) > 12:
        return None
    return int(length)


async def _body(receive: Receive, most: int, length: int | None) -> bytes | Response:
    """The whole body, so that nobody can hold a handler by sending it slowly."""
    if not length:
        return b""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return PlainTextResponse("The request was not complete.", 400)
                body += bytes(message.get("body", b""))
                if len(body) > most:
                    return PlainTextResponse("The request is too large.", 413)
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        return PlainTextResponse("The request took too long to arrive.", 408, {"connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What was read already, then whatever comes."""
    if not body:
        return receive
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _client(scope: dict[str, Any] | Any) -> str:
    return str((scope.get("client") or ("",))[0])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
