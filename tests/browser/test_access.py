"""The page for everybody: axe-core finds no serious fault, and it works by keyboard, zoomed, from right to left."""

import pytest
from actions import ask_to_the_end, finished
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from scripted_engine import SCRIPTS, Script, ScriptedEngine, cite, document, passage

from rag.chat.page import EXAMPLES
from rag.records import AnswerSentence

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]
QUESTION = EXAMPLES[0]


def serious(page: Page) -> list[str]:
    """Faults that axe calls serious or critical, with the elements that have them."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:200]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert serious(page) == [], "welcome"
    ask_to_the_end(page, QUESTION)
    page.locator("#rag-live .suggestion").first.wait_for()
    page.locator("#rag-live").get_by_role("button", name="Good answer").click()
    page.get_by_role("textbox", name="Why?").wait_for()
    assert serious(page) == [], "answer"
    page.locator("#rag-live .marker").first.click()
    page.locator(".reader mark.active").wait_for()
    page.locator('[data-place="history"]').click()
    page.locator("#rag-settings > button").click()
    page.get_by_label("From", exact=True).wait_for()
    assert serious(page) == [], "article, history and settings"
    page.locator('[data-place="library"]').click()
    page.locator(".articles").wait_for()
    assert serious(page) == [], "library"


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    page.locator("#rag-live .suggestion").first.wait_for()
    page.locator("body").click(position={"x": 2, "y": 2})
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => { const e = document.activeElement;"
                " return e.id || e.closest('[id^=rag-]')?.id + ' ' + (e.className || e.name || e.tagName) }"
            )
        )
    words = " | ".join(sorted(map(str, reached)))
    for part in ("marker", "suggestion", "thumb", "read", "rag-box", "rag-send", "rag-retry", "rag-edit", "rag-new"):
        assert part in words.lower() or part in words, f"{part} is not reached: {words}"


def test_zoomed_to_200_percent_nothing_is_cut_off(page: Page) -> None:
    page.set_viewport_size({"width": 640, "height": 425})  # 1280 by 850 at twice the size
    ask_to_the_end(page, QUESTION)
    page.locator("#rag-live .marker").first.click()
    page.locator(".reader mark.active").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.locator('[data-place="library"]').click()
    page.locator(".articles").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


ARABIC = "أُطلقت محطة ساليوت 1 في عام 1971."
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 8


def test_right_to_left_and_long_words(page: Page, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    article = document(7, "ساليوت", f"{ARABIC} {LONG}.", language="ar")
    engine.articles.append(article)
    script = Script(
        sentences=(AnswerSentence(ARABIC, "quoted", (1,)), AnswerSentence(f"{LONG}.", "quoted", (2,))),
        citations=(cite(1, article, ARABIC), cite(2, article, f"{LONG}.")),
        passages=(passage(article),),
        short_answer="1971",
    )
    question = "متى أُطلقت ساليوت؟"
    monkeypatch.setitem(SCRIPTS, question, script)
    page.set_viewport_size({"width": 390, "height": 844})
    ask_to_the_end(page, question)
    expect(page.locator("#rag-live .answer")).to_have_css("direction", "rtl")
    expect(page.locator("#rag-live .question")).to_have_css("direction", "rtl")
    page.locator("#rag-live .marker").first.click()
    expect(page.locator(".article-text")).to_have_css("direction", "rtl")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_is_light_and_soon_there(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#rag-box textarea").wait_for()
    weight = page.evaluate(
        "performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
    )
    assert 0 < weight < 6_000_000, f"{weight:,} bytes"
    finished(page)
