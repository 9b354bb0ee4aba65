"""A real Chromium in front of the real server, with a scripted engine behind it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from scripted_engine import ScriptedEngine
from served import served

from rag.chat.engine import EngineStatus

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session", autouse=True)
def no_connection_leaves() -> Iterator[None]:
    """The server runs in this process: any connection it opened to the outside would raise here."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"A connection to {address} was attempted")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(scope="session")
def shared_engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture(scope="session")
def address(shared_engine: ScriptedEngine) -> Iterator[str]:
    """Where the chat is served, on a free port."""
    with served(shared_engine) as running:
        yield running.address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing. Install it: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def engine(shared_engine: ScriptedEngine) -> ScriptedEngine:
    """The engine behind the page, ready and with no questions noted."""
    shared_engine.state = EngineStatus("ready")
    shared_engine.asked.clear()
    shared_engine.articles = ScriptedEngine().articles
    return shared_engine


@pytest.fixture
def context(browser: Browser, address: str, engine: ScriptedEngine) -> Iterator[BrowserContext]:
    """A fresh visitor; the test fails if any of its pages asks another host or raises an error."""
    visitor = browser.new_context(viewport={"width": 1280, "height": 850}, reduced_motion="reduce")
    visitor.set_default_timeout(10_000)
    requested: list[str] = []
    errors: list[str] = []
    visitor.on("request", lambda request: requested.append(request.url))
    visitor.on("weberror", lambda error: errors.append(str(error.error)))
    visitor.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield visitor
    visitor.close()
    assert requested, "no request was recorded"
    assert [url for url in requested if not url.startswith((address, "data:", "blob:"))] == []
    # What Gradio says of its own streams when a page is left in mid-answer is no fault of the page.
    left = ("signal is aborted", "Connection errored out")
    assert [error for error in errors if not any(part in error for part in left)] == []


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    """The chat, open."""
    opened = context.new_page()
    opened.goto(address)
    opened.locator("#rag-box textarea").wait_for()
    return opened
