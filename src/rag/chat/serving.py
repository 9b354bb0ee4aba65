"""Serve the page on one address: hardened, silent towards the outside, and gone with Ctrl-C."""

import asyncio
import atexit
import contextlib
import errno
import importlib.resources
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

import fastapi
import gradio as gr
import platformdirs
import uvicorn

from rag.chat import page, views
from rag.chat.answers import Answers
from rag.chat.engine import Engine
from rag.chat.figures import PrometheusFigures
from rag.chat.guard import Guard
from rag.chat.health import Health, add_health_routes
from rag.chat.history import History
from rag.chat.limits import Limiter, is_loopback
from rag.chat.login import login_of
from rag.chat.logs import log_json
from rag.chat.observing import Observer
from rag.chat.policy import Policy
from rag.chat.routes import add_routes
from rag.chat.slots import Slots
from rag.errors import HistoryError, ServerError
from rag.settings import Settings

FINISH_SECONDS = 5.0
"""For answers that are under way when the program is told to end."""
CONNECTIONS = 2000
"""Open at once; more are answered with 503."""
LOCAL_RATE, REMOTE_RATE = 6000, 300
"""Requests a minute of a client on this machine, and elsewhere."""
_LAST_SECONDS = 0.5
"""For the page to show what was finished."""
_FILES = importlib.resources.files(__package__)
_FONTS = ("system-ui", "sans-serif")


def serve(make_engine: Callable[[], Engine], settings: Settings, *, open_browser: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM. Answers that are under way then get a few seconds to end.

    The engine is made once the address is taken: a program that ends while models load in a thread can crash.

    Raises:
        ServerError: the host or port cannot be used, or there is a login without a password.
    """
    login_of(settings)
    listener = bind(settings.host, settings.port)
    if settings.log == "json":
        log_json()
    if warning := exposure(settings):
        print(f"Warning: {warning}", file=sys.stderr)
    url = address(settings)
    print(f"{views.TITLE}: {url} (Ctrl-C stops it)", flush=True)
    if open_browser:
        # The socket already accepts, so the browser waits for the first page rather than failing.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    with listener, contextlib.suppress(KeyboardInterrupt):
        # The server ends its work first, then sends itself the signal again: without this, temporary files would stay.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        make_server(make_engine(), settings).run(sockets=[listener])


def exposure(settings: Settings) -> str:
    """What whoever makes the chat reachable from other machines should know; nothing on this one alone."""
    if is_loopback(settings.host):
        return ""
    if settings.login_user:
        return (
            f"whoever can reach {settings.host} sees the login, and the password travels as it is typed. "
            "Put a reverse proxy with TLS in front."
        )
    return (
        f"whoever can reach {settings.host} can ask questions and read the articles; there is no login. "
        "Set login_user, put a reverse proxy with a login and TLS in front, or leave out --host."
    )


def make_server(engine: Engine, settings: Settings) -> uvicorn.Server:
    """The server with the page in it, not yet running.

    Raises:
        ServerError: there is a login without a password.
    """
    # Neither API documentation nor traces of errors.
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None, debug=False)
    kept = open_history(settings)
    slots = Slots(settings.answers_at_once, settings.waiting)
    health = Health(engine, slots)
    figures = _figures(health) if settings.metrics else None
    observer = Observer(figures)
    answers = Answers(engine, kept, slots, observer, settings.answer_timeout)
    add_routes(app, engine, kept, manage=settings.manage)
    add_health_routes(app, health, figures)
    _mount(app, page.build_chat(engine, settings, kept, answers), settings)
    guard = Guard(
        app,
        local_only=is_loopback(settings.host),
        hosts=_names(settings.hosts),
        limiter=Limiter(settings.requests_per_minute or LOCAL_RATE, settings.requests_per_minute or REMOTE_RATE),
        login=login_of(settings),
        observer=observer,
    )
    config = uvicorn.Config(
        Policy(guard, _script()),
        log_level="warning",
        log_config=None if settings.log == "json" else uvicorn.config.LOGGING_CONFIG,
        server_header=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
        proxy_headers=bool(settings.trusted_proxy),
        forwarded_allow_ips=_names(settings.trusted_proxy),
        # Every open page holds a stream, which would keep the server from stopping.
        timeout_graceful_shutdown=1,
    )
    return _Server(config, health, slots, answers)


def _mount(app: fastapi.FastAPI, blocks: gr.Blocks, settings: Settings) -> None:
    """Put the page into the application, with everything of Gradio turned off that it does not need."""
    # Gradio reckons figures of all its events after each one, for a page that is not served.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Otherwise Gradio imports pyplot with the first question, if matplotlib is installed: seconds, and 40 MB.
    os.environ.setdefault("MPLBACKEND", "agg")
    blocks.queue(max_size=blocks.max_threads, api_open=False)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        allowed_paths=[],
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


def _figures(health: Health) -> PrometheusFigures:
    return PrometheusFigures(health.gauges())


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def open_history(settings: Settings) -> History:
    """The conversations of the setting ``history``; where they cannot be kept, the chat works without, and says so."""
    chosen, most = settings.history, (settings.history_visitors, settings.history_exchanges)
    if chosen != "off":
        file = platformdirs.user_data_path("ask-the-articles") / "conversations.sqlite" if chosen == "auto" else None
        try:
            return History(file or Path(chosen), *most)
        except HistoryError as error:
            print(f"Warning: {error} Until then, conversations end with this run.", file=sys.stderr)
    folder = tempfile.TemporaryDirectory(prefix="ask-the-articles-")
    atexit.register(folder.cleanup)
    return History(Path(folder.name) / "conversations.sqlite", *most)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, health: Health, slots: Slots, answers: Answers) -> None:
        super().__init__(config)
        self._health = health
        self._slots = slots
        self._answers = answers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._health.stopping = True
        self._slots.close()
        gives_up = time.monotonic() + FINISH_SECONDS
        if self._slots.answering:
            while self._slots.answering and time.monotonic() < gives_up and not self.force_exit:
                await asyncio.sleep(0.05)
            await asyncio.sleep(_LAST_SECONDS)
        # The streams of open pages are cut off now, which uvicorn would report as errors with tracebacks.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)
        await asyncio.to_thread(self._answers.flush)


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


def address(settings: Settings) -> str:
    """What to type into a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


def _head() -> str:
    style = _FILES.joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>{style}</style><script>{_script()}</script>"


def _script() -> str:
    return _FILES.joinpath("script.js").read_text(encoding="utf-8")
