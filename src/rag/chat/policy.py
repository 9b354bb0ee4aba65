"""What the browser is told that this page may do, and may have done to it."""

import base64
import hashlib
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio compiles its HTML templates, hence 'unsafe-eval', and sets styles on elements. Of inline scripts only
# those run that have the nonce of their page, and the one that Gradio puts in later, known by its hash: none that came
# with an answer or an article. Nothing can be loaded from, or sent to, another host.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'{own}",
        "script-src-attr 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "media-src 'none'",
        "worker-src 'none'",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SCRIPT = re.compile(rb"<script(?=[\s>])")


class Policy:
    """ASGI wrapper that gives every answer its headers, and the page's own scripts their nonce.

    Args:
        script: the one inline script that the page puts in by itself.
    """

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app = app
        self._hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = b""
        nonce = secrets.token_urlsafe(16)

        async def send_with_policy(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start":
                own = scope["path"] == "/" and Headers(raw=message["headers"]).get("content-type", "").startswith(
                    "text/html"
                )
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["content-security-policy"] = _POLICY.format(
                    own=f" 'nonce-{nonce}' 'sha256-{self._hash}'" if own else ""
                )
                if own:
                    held = message
                    return
            if held is None:
                await send(message)
                return
            body += bytes(message.get("body", b""))
            if not message.get("more_body"):
                body = _SCRIPT.sub(b'<script nonce="%s"' % nonce.encode(), body)
                headers = MutableHeaders(scope=held)
                headers["content-length"] = str(len(body))
                headers["cache-control"] = "no-store"
                await send(held)
                await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, send_with_policy)
