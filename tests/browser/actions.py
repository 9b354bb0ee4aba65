"""What visitors do on the page, for all tests."""

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect


def ask(page: Page, question: str) -> None:
    page.locator("#rag-box textarea").fill(question)
    page.keyboard.press("Enter")


def ask_to_the_end(page: Page, question: str) -> None:
    ask(page, question)
    expect(page.locator("#rag-live .question")).to_have_text(question)
    finished(page)


def finished(page: Page) -> None:
    expect(page.locator("#rag-live .live")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#rag-send")).to_be_visible()


def cards(page: Page) -> Locator:
    return page.locator("#rag-panel .panel-body > .card")


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)
