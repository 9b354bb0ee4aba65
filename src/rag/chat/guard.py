"""The outermost layer of the server: refuses what the page never asks for and tells the browser to stay here."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.chat.routes import MAX_UPLOAD

MAX_BODY = 100_000
"""Bytes of a request; a question has at most 2,000 characters."""

# All that the page asks for. Gradio has many more routes, for files above all: it would take uploads, and
# ``/gradio_api/file=https://…`` would fetch any website and pass it on as this page's own.
_OPEN = frozenset({"/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"})
_OPEN_BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/queue/", "/gradio_api/heartbeat/", "/rag/")
_OPEN_API = frozenset(
    f"/gradio_api/{name}" for name in ("run/predict", "startup-events", "theme.css", "reset", "cancel", "app_id")
)
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

# Gradio starts from an inline script and compiles its HTML templates, hence 'unsafe-inline' and 'unsafe-eval'.
# What counts is that nothing can be loaded from, or sent to, another host.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """ASGI wrapper around the whole application."""

    def __init__(self, app: ASGIApp, *, local_only: bool) -> None:
        self._app = app
        self._local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = self._refusal(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: MutableMapping[str, Any]) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if self._local_only and _name(headers.get("host", "")) not in _LOCAL_NAMES:
            # A website may point its own name at 127.0.0.1 to read this page from a visitor's browser.
            return PlainTextResponse("This chat is served on this machine only: open http://127.0.0.1.", 403)
        path = scope["path"]
        if path not in _OPEN and path not in _OPEN_API and not path.startswith(_OPEN_BELOW):
            return PlainTextResponse("Not served here.", 403)
        length = headers.get("content-length", "0")
        most = MAX_UPLOAD if path == "/rag/upload" else MAX_BODY
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > most:
            return PlainTextResponse("The request is too large.", 413)
        return None


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
