"""What a visitor sees and does, in a real browser."""

import re
from pathlib import Path

import pytest
from actions import ask, ask_to_the_end, cards, finished, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from scripted_engine import AIMBETOV, BURNED, HOSTILE, LAUNCH, MARKDOWN, ScriptedEngine
from served import served

from rag.chat.engine import EngineStatus
from rag.chat.page import EXAMPLES
from rag.records import Turn

# Gradio counts its events with pandas, in a way that pandas will drop.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]
QUESTION = EXAMPLES[0]
FOLLOW_UP = "When did it burn up?"


def test_opens_with_promise_and_index_summary(page: Page) -> None:
    expect(page).to_have_title("Ask the Articles")
    expect(page.locator("h1")).to_have_text("Ask the Articles")
    expect(page.locator(".indexed")).to_have_text("32 articles · 240 chunks")
    expect(page.locator("#rag-examples button")).to_have_text(list(EXAMPLES))
    expect(page.locator("#rag-box textarea")).to_be_focused()


def test_sources_come_before_the_first_sentence(page: Page) -> None:
    ask(page, QUESTION)
    cards(page).first.wait_for()
    assert page.locator("#rag-live .sentence").count() == 0
    expect(page.locator("#rag-stop")).to_be_visible()
    expect(cards(page)).to_have_count(3)
    page.locator("#rag-live .sentence").first.wait_for()
    assert page.locator("#rag-live .sentence").count() < 3, "the sentences did not arrive one by one"
    finished(page)
    expect(page.locator("#rag-live .sentence bdi")).to_have_text(
        [LAUNCH, "Its second crew, Soyuz 11, stayed for 23 days.", "It came down half a year later."]
    )
    expect(page.locator("#rag-live .marker")).to_have_text(["[1]", "[2]", "[1]", "[2]"])
    expect(page.locator("#rag-live .short")).to_have_text("19 April 1971")
    expect(page.locator("#rag-live .sentence strong")).to_have_text("19 April 1971")
    expect(page.locator("#rag-live .status")).to_contain_text("Write")
    expect(page.locator("#rag-live .status")).to_contain_text("SmolLM2-135M-Instruct")
    expect(page.locator("#rag-live .status")).to_contain_text("sources in 0.2")
    expect(page.locator("#rag-live .status")).to_contain_text("done in 1.4")


def test_verdicts_have_names(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    verdicts = page.locator("#rag-live .verdict")
    for position, name in enumerate(("Quoted", "Supported", "Weak")):
        expect(verdicts.nth(position)).to_have_attribute("aria-label", re.compile(f"^{name}: "))
        expect(verdicts.nth(position)).to_have_attribute("title", re.compile("source"))
    expect(page.locator("#rag-live .verdict-word")).to_have_text(["quoted", "supported", "weak"])
    drawn = page.locator("#rag-live .verdict path").evaluate_all("found => found.map(path => path.getAttribute('d'))")
    assert len(set(drawn)) == 3, "without colour, the shapes must differ"


def test_unused_citation_moves_to_also_read_with_its_number(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    expect(cards(page).locator(".number")).to_have_text(["1", "2"])
    also = page.locator("#rag-panel details.also")
    expect(also).not_to_have_attribute("open", "")
    expect(also.locator("summary")).to_have_text("Also read (2)")
    expect(also.locator(".number")).to_have_text(["3"])


def test_follow_up_passes_history_and_shows_what_was_searched(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    assert page.locator(".searched").count() == 0, "a standalone question needs no second line"
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator("#rag-live .searched")).to_have_text("Searched for: When did Salyut 1 burn up?")
    assert engine.asked[0].history == ()
    question, answer = engine.asked[1].history
    assert question == Turn("user", QUESTION)
    assert answer.role == "assistant"
    assert answer.content.startswith(LAUNCH + " [1]")


def test_marker_of_an_earlier_answer_shows_its_sources_again(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator("#rag-panel .panel-for")).to_have_text(FOLLOW_UP)
    expect(cards(page)).to_have_count(1)
    assert cards(page).first.locator("mark").text_content() == BURNED
    page.locator("#rag-past .marker").first.click()
    expect(page.locator("#rag-panel mark.active")).to_have_text(LAUNCH)
    page.get_by_role("button", name="All sources").click()
    expect(page.locator("#rag-panel .panel-for")).to_have_text(QUESTION)
    page.locator("#rag-live .marker").first.click()
    expect(page.locator("#rag-panel mark.active")).to_have_text(BURNED)


def test_surroundings_come_from_the_article_when_no_passage_has_the_quote(page: Page) -> None:
    ask_to_the_end(page, EXAMPLES[3])
    quote = cards(page).first.locator("blockquote")
    assert quote.locator("mark").text_content() == AIMBETOV
    expect(quote).to_have_text(re.compile("^Кіріспе сөз.*Соңғы сөз\\.$"))
    expect(quote).to_have_attribute("lang", "kk")
    expect(page.locator("#rag-live .sentence")).to_have_attribute("lang", "kk")
    assert cards(page).first.get_by_role("link").count() == 0, "an article without address has no link"


def test_refusal_is_plain_and_shows_nearest_passages(page: Page) -> None:
    page.locator("#rag-examples button", has_text="Mars").click()
    expect(page.locator("#rag-live .refusal")).to_have_text(
        "The articles do not say who will be the first person on Mars."
    )
    finished(page)
    assert page.locator("#rag-live .marker").count() == 0
    expect(page.locator("#rag-panel h2")).to_have_text("Nearest passages")
    expect(cards(page)).to_have_count(3)


def test_example_is_asked_by_a_click(page: Page, engine: ScriptedEngine) -> None:
    page.locator("#rag-examples button", has_text=EXAMPLES[1]).click()
    expect(page.locator("#rag-live .question")).to_have_text(EXAMPLES[1])
    finished(page)
    expect(page.locator("#rag-examples")).to_be_hidden()
    assert [call.question for call in engine.asked] == [EXAMPLES[1]]
    expect(page.locator("#rag-box textarea")).to_be_focused()


def test_mode_is_passed_on(page: Page, engine: ScriptedEngine) -> None:
    page.locator("#rag-mode").get_by_text("Quote").click()
    ask_to_the_end(page, FOLLOW_UP)
    assert engine.asked[0].mode == "quote"
    expect(page.locator("#rag-live .status")).to_contain_text("Quote")


def test_stop_ends_the_answer_and_closes_the_engine(page: Page, engine: ScriptedEngine) -> None:
    ask(page, "Slow")
    page.locator("#rag-live .sentence").nth(1).wait_for()
    page.locator("#rag-stop").click()
    expect(page.locator("#rag-live .status")).to_have_text("Stopped.")
    shown = page.locator("#rag-live .sentence").count()
    assert 2 <= shown < 40
    wait_until(lambda: engine.asked[0].closed)
    page.wait_for_timeout(500)
    assert page.locator("#rag-live .sentence").count() == shown, "sentences arrived after Stop"
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator("#rag-past .status")).to_have_text("Stopped.")
    assert engine.asked[1].history == (), "an unfinished answer is no history"


def test_stop_before_the_first_event_keeps_the_page_whole(page: Page, engine: ScriptedEngine) -> None:
    ask(page, "Ponder")
    # Stop pressed sooner than this would rightly leave the engine unasked.
    wait_until(lambda: len(engine.asked) == 1)
    page.locator("#rag-stop").click()
    wait_until(lambda: engine.asked[0].closed)
    page.wait_for_timeout(300)
    expect(page.locator("#rag-live .status")).to_have_text("Stopped.")
    expect(page.locator("#rag-live .sentence")).to_have_count(0)
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator("#rag-live .sentence")).to_have_count(1)


def test_stop_while_waiting_never_asks(
    page: Page, context: BrowserContext, address: str, engine: ScriptedEngine
) -> None:
    ask(page, "Slow")
    page.locator("#rag-live .sentence").first.wait_for()
    other = context.new_page()
    other.goto(address)
    ask(other, FOLLOW_UP)
    expect(other.locator("#rag-live .status")).to_have_text("You are next")
    other.locator("#rag-stop").click()
    expect(other.locator("#rag-live .status")).to_have_text("Stopped.")
    page.locator("#rag-stop").click()
    ask_to_the_end(other, EXAMPLES[5])
    assert [call.question for call in engine.asked] == ["Slow", EXAMPLES[5]]


def test_closing_the_page_closes_the_engine(page: Page, engine: ScriptedEngine) -> None:
    ask(page, "Slow")
    page.locator("#rag-live .sentence").first.wait_for()
    page.close()
    wait_until(lambda: engine.asked[0].closed)
    assert [call.question for call in engine.asked] == ["Slow"]


def test_retry_asks_again_in_place(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    ask_to_the_end(page, FOLLOW_UP)
    page.locator("#rag-retry").click()
    wait_until(lambda: len(engine.asked) == 3)
    finished(page)
    assert engine.asked[2] == engine.asked[1]
    expect(page.locator(".turn")).to_have_count(2)


def test_new_chat_clears_everything(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    ask(page, "Slow")
    expect(page.locator("#rag-live .question")).to_have_text("Slow")
    page.locator("#rag-live .sentence").first.wait_for()
    page.locator("#rag-new").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#rag-examples button")).to_have_count(len(EXAMPLES))
    expect(page.locator("#rag-panel .card")).to_have_count(0)
    wait_until(lambda: engine.asked[1].closed)
    ask_to_the_end(page, FOLLOW_UP)
    assert engine.asked[2].history == ()
    expect(page.locator(".turn")).to_have_count(1)


def test_visitors_do_not_mix(page: Page, context: BrowserContext, address: str, engine: ScriptedEngine) -> None:
    other = context.new_page()
    other.goto(address)
    other.locator("#rag-box textarea").wait_for()
    ask(page, QUESTION)
    ask(other, EXAMPLES[5])
    expect(other.locator("#rag-live .question"), "a waiting question is shown at once").to_have_text(EXAMPLES[5])
    finished(page)
    finished(other)
    expect(page.locator(".question")).to_have_text([QUESTION])
    expect(other.locator(".question")).to_have_text([EXAMPLES[5]])
    assert all(call.history == () for call in engine.asked)


def test_preparing_shows_progress_and_becomes_ready(
    context: BrowserContext, address: str, engine: ScriptedEngine
) -> None:
    engine.state = EngineStatus("preparing", "Reading the articles: 12 of 32", 12, 32)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".banner")).to_have_text("Reading the articles: 12 of 32")
    assert page.locator(".banner progress").evaluate("bar => [bar.value, bar.max]") == [12, 32]
    ask(page, QUESTION)
    expect(page.locator(".notice")).to_have_text("Not ready yet: Reading the articles: 12 of 32")
    page.wait_for_timeout(1500)
    expect(page.locator(".notice"), "a notice stays until the next question").to_have_count(1)
    expect(page.locator("#rag-box textarea")).to_have_value(QUESTION)
    engine.state = EngineStatus("ready")
    expect(page.locator(".banner")).to_have_count(0)
    expect(page.locator(".indexed")).to_have_text("32 articles · 240 chunks")
    page.locator("#rag-send").click()
    expect(page.locator("#rag-live .question")).to_have_text(QUESTION)
    finished(page)


def test_failure_shows_message_and_remedy(context: BrowserContext, address: str, engine: ScriptedEngine) -> None:
    engine.state = EngineStatus("failed", "There is no index in index/. Run: rag index")
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("alert")).to_have_text("There is no index in index/. Run: rag index")


def test_known_error_is_one_line_and_unknown_error_tells_no_secret(page: Page) -> None:
    ask_to_the_end(page, "Break")
    expect(page.locator("#rag-live .problem")).to_have_text("The writer has stopped. Run rag serve again.")
    ask_to_the_end(page, "Crash")
    expect(page.locator("#rag-live .problem")).to_contain_text("Something went wrong")
    assert "secret" not in page.content()
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator("#rag-live .sentence")).to_have_count(1)


def test_markup_from_articles_models_and_visitors_stays_text(page: Page) -> None:
    hostile = HOSTILE + MARKDOWN
    ask_to_the_end(page, hostile)
    expect(page.locator("#rag-live .searched")).to_have_text(f"Searched for: {hostile} standalone")
    assert page.locator("#rag-live .sentence bdi").text_content() == f"The station said: {MARKDOWN} {HOSTILE}."
    assert page.locator("#rag-live .sentence strong").text_content() == "bold"
    card = cards(page).first
    assert card.locator("h3").text_content() == hostile
    assert card.locator("mark").text_content() == f"The station said: {MARKDOWN} {HOSTILE}."
    assert card.get_by_role("link").count() == 0, "javascript: is no address"
    page.locator("#rag-live .marker").first.hover()
    expect(page.locator(".peek h3")).to_have_text(hostile)
    page.locator("#rag-live .marker").first.click()
    reader = page.locator(".reader")
    expect(reader.locator("h2")).to_have_text(hostile)
    assert reader.locator("mark").text_content() == f"The station said: {MARKDOWN} {HOSTILE}."
    assert reader.get_by_role("link").count() == 0
    page.locator('[data-place="library"]').click()
    expect(page.locator("#rag-library .read-article", has_text="onerror")).to_have_text(hostile)
    page.locator('[data-place="chat"]').click()
    ask_to_the_end(page, EXAMPLES[5])
    assert page.locator(".gradio-container img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_full_queue_is_told(browser: Browser, engine: ScriptedEngine) -> None:
    with served(engine, waiting=2) as crowded:
        visitors = [browser.new_page() for _ in range(4)]
        for page in visitors:
            page.goto(crowded.address)
            page.locator("#rag-box textarea").wait_for()
        for page in visitors[:3]:
            ask(page, "Slow")
            page.locator("#rag-live .turn").wait_for()
        expect(visitors[1].locator("#rag-live .status")).to_have_text("You are next")
        expect(visitors[2].locator("#rag-live .status")).to_have_text("1 ahead of you")
        ask(visitors[3], "Slow")
        expect(visitors[3].locator(".notice")).to_contain_text("2 questions are waiting for an answer already")
        expect(visitors[3].locator("#rag-box textarea")).to_have_value("Slow")
        visitors[0].locator("#rag-stop").click()
        visitors[1].locator("#rag-live .sentence").first.wait_for()
        expect(visitors[2].locator("#rag-live .status")).to_have_text("You are next")
        visitors[3].locator("#rag-send").click()
        expect(visitors[3].locator("#rag-live .status")).to_have_text("1 ahead of you")
        for page in visitors:
            page.close()


def test_lost_server_is_told(browser: Browser, engine: ScriptedEngine) -> None:
    with served(engine) as first:
        # A context of its own: here, a failed request is expected.
        page = browser.new_page()
        page.goto(first.address)
        ask(page, "Slow")
        page.locator("#rag-live .sentence").first.wait_for()
        first.stop()
        expect(page.locator(".lost")).to_contain_text("lost its server")
        with served(engine, first.port):
            # Either the page says so or Gradio has loaded it anew; it never keeps waiting for the old server.
            expect(page.locator(".lost", has_text="lost its server")).to_have_count(0)
            page.reload()
            ask_to_the_end(page, FOLLOW_UP)
    page.close()


def test_long_question_is_refused_kindly_and_kept(page: Page, engine: ScriptedEngine) -> None:
    question = "why " * 501
    page.locator("#rag-box textarea").fill(question)
    page.locator("#rag-send").click()
    expect(page.locator(".notice")).to_have_text("This question has 2,003 characters. Please keep it within 2,000.")
    expect(page.locator("#rag-box textarea")).to_have_value(question)
    assert engine.asked == []


def test_what_is_said_to_a_quick_visitor_stays(context: BrowserContext, address: str, engine: ScriptedEngine) -> None:
    page = context.new_page()
    held = []

    def hold_the_arrival(route: Route) -> None:
        if "conversation" in (route.request.post_data or "") and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/gradio_api/run/predict*", hold_the_arrival)
    page.goto(address)
    page.locator("#rag-box textarea").wait_for()
    # Playwright calls the handler only while one of its own calls runs.
    wait_until(lambda: page.evaluate("1") == 1 and len(held) == 1)
    page.locator("#rag-send").click()
    expect(page.locator(".notice")).to_have_text("Please type a question.")
    with page.expect_response("**/gradio_api/run/predict*"):
        held[0][0].fulfill(response=held[0][1])
    page.wait_for_timeout(300)
    expect(page.locator(".notice")).to_have_text("Please type a question.")


def test_shift_enter_makes_a_new_line(page: Page, engine: ScriptedEngine) -> None:
    page.locator("#rag-box textarea").fill("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    assert engine.asked == []
    page.keyboard.press("Enter")
    finished(page)
    wait_until(lambda: len(engine.asked) == 1)
    assert engine.asked[0].question == "one\ntwo"
    expect(page.locator("#rag-box textarea")).to_have_value("")


def test_second_question_waits_for_the_first(page: Page, engine: ScriptedEngine) -> None:
    ask(page, "Slow")
    page.locator("#rag-live .sentence").first.wait_for()
    ask(page, FOLLOW_UP)
    expect(page.locator(".notice")).to_contain_text("still being answered")
    shown = page.locator("#rag-live .sentence").count()
    page.locator("#rag-live .sentence").nth(shown + 1).wait_for()
    expect(page.locator(".notice")).to_have_count(1)
    expect(page.locator("#rag-box textarea")).to_have_value(FOLLOW_UP)
    page.locator("#rag-stop").click()
    expect(page.locator(".notice")).to_have_count(0)
    assert len(engine.asked) == 1


def test_nothing_moves_while_the_answer_streams(page: Page) -> None:
    ask(page, QUESTION)
    page.locator("#rag-live .sentence").first.wait_for()
    places = "['.question', '.sentence', '#rag-ask'].map(s => document.querySelector(s).getBoundingClientRect().top)"
    before = page.evaluate(places)
    finished(page)
    assert page.evaluate(places) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_readable_and_never_wider_than_the_screen(
    browser: Browser, context: BrowserContext, page: Page, tmp_path: Path, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    ask_to_the_end(page, QUESTION)
    page.locator("#rag-live .marker").nth(1).click()
    page.locator(".reader mark.active").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (
        ".article-text p",
        "mark.active",
        "mark:not(.active)",
        ".article-head .meta",
        ".reader-bar button",
    ):
        ratio = page.locator(f".reader {selector}").first.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{selector} has a contrast of {ratio:.1f}"
    page.get_by_role("button", name="All sources").click()
    page.locator("#rag-panel summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (
        ".question",
        ".answer",
        ".marker",
        ".origin",
        ".status",
        ".card .meta",
        "blockquote",
        ".card mark",
    ):
        ratio = page.locator(selector).last.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{selector} has a contrast of {ratio:.1f}"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert dark == (scheme == "dark")
    shot = tmp_path / "shot.png"
    page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 10_000


CONTRAST = """element => {
    const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const solid = color => !/^rgba\\(.*, 0\\)$|transparent/.test(color);
    let behind = element;
    while (!solid(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
"""WCAG contrast of an element's text with what lies behind it."""


def test_a_question_asked_before_the_page_is_complete_leaves_nothing_in_the_way(page: Page, address: str) -> None:
    """Gradio waits for the parts it began with, behind a cover; one that an answer took out would never come."""
    held: list[Route] = []
    scripts = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    late = [url for url in scripts if "/assets/Index-" in url and "link_target" in page.request.get(url).text()]
    assert late, "the script of the buttons was not found"
    for url in late:
        page.route(url, lambda route: held.append(route))
    page.goto(address)
    ask(page, QUESTION)
    expect(page.locator("#rag-live .live")).to_have_attribute("aria-busy", "false")
    assert held, "the buttons were there already"
    for route in held:
        route.continue_()
    page.unroute_all()
    expect(page.locator("#rag-send")).to_be_visible()
    page.locator("#rag-live .marker").first.click()
    expect(page.locator(".reader mark.active")).to_have_text(LAUNCH)
