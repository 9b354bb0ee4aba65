"""Serve the page on one address: hardened, silent towards the outside, and gone with Ctrl-C."""

import atexit
import contextlib
import errno
import importlib.resources
import ipaddress
import logging
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import fastapi
import gradio as gr
import platformdirs
import uvicorn

from rag.chat import page, views
from rag.chat.engine import Engine
from rag.chat.guard import Guard
from rag.chat.history import History
from rag.chat.routes import add_routes
from rag.errors import HistoryError, ServerError
from rag.settings import Settings

QUEUE_SIZE = 32
_FILES = importlib.resources.files(__package__)
_FONTS = ("system-ui", "sans-serif")


def serve(make_engine: Callable[[], Engine], settings: Settings, *, open_browser: bool = False) -> None:
    """Serve until Ctrl-C.

    The engine is made once the address is taken: a program that ends while models load in a thread can crash.

    Raises:
        ServerError: the host or port cannot be used.
    """
    listener = bind(settings.host, settings.port)
    if not is_loopback(settings.host):
        print(
            f"Warning: whoever can reach {settings.host} can ask questions and read the articles; there is no login. "
            "Put a reverse proxy with a login and TLS in front, or leave out --host.",
            file=sys.stderr,
        )
    url = address(settings)
    print(f"{views.TITLE}: {url} (Ctrl-C stops it)", flush=True)
    if open_browser:
        # The socket already accepts, so the browser waits for the first page rather than failing.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    with listener, contextlib.suppress(KeyboardInterrupt):
        make_server(make_engine(), settings).run(sockets=[listener])


def make_server(engine: Engine, settings: Settings) -> uvicorn.Server:
    """The server with the page in it, not yet running."""
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    kept = open_history(settings.history)
    add_routes(app, engine, kept, manage=settings.manage)
    blocks = page.build_chat(engine, settings, kept)
    blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=1, api_open=False)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size="1kb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        # Gradio's own fonts are left out: the page uses those of the system.
        favicon_path=str(_FILES.joinpath("favicon.svg")),
        theme=gr.themes.Base(font=_FONTS, font_mono=("monospace",)),
        head=_head(),
    )
    config = uvicorn.Config(
        Guard(app, local_only=is_loopback(settings.host)),
        log_level="warning",
        server_header=False,
        # Every open page holds a stream, which would keep the server from stopping.
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def open_history(chosen: str) -> History:
    """The conversations of the setting ``history``; where they cannot be kept, the chat works without, and says so."""
    if chosen != "off":
        file = platformdirs.user_data_path("ask-the-articles") / "conversations.sqlite" if chosen == "auto" else None
        try:
            return History(file or Path(chosen))
        except HistoryError as error:
            print(f"Warning: {error} Until then, conversations end with this run.", file=sys.stderr)
    folder = tempfile.TemporaryDirectory(prefix="ask-the-articles-")
    atexit.register(folder.cleanup)
    return History(Path(folder.name) / "conversations.sqlite")


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The streams of open pages are cut off now, which uvicorn would report as errors with tracebacks.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything is built, so that a taken port is known at once."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"Cannot serve on host {host!r}: {error.strerror}", "Use --host 127.0.0.1.") from error
    try:
        if os.name == "posix":
            # Elsewhere this option would let two programs share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 7860
            raise ServerError(
                f"Port {port} on {host} is in use by another program", f"Stop it or run: rag serve --port {other}"
            ) from error
        raise ServerError(
            f"Cannot serve on {host}, port {port}: {error.strerror}",
            "Choose another address, e.g.: rag serve --host 127.0.0.1 --port 7860",
        ) from error
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def address(settings: Settings) -> str:
    """What to type into a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


def _head() -> str:
    style, script = (_FILES.joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    return f"<style>{style}</style><script>{script}</script>"
