"""Conversations: kept, restored, corrected, rated, gone on with, and taken along."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from actions import ask, ask_to_the_end, cards, finished, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, expect
from scripted_engine import BURNED, CREW, LAUNCH, ScriptedEngine
from served import served

from rag.chat.history import History
from rag.chat.page import EXAMPLES
from rag.filters import Filter

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]
QUESTION = EXAMPLES[0]
FOLLOW_UP = "When did it burn up?"


def test_a_reload_shows_the_conversation_again(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    ask_to_the_end(page, FOLLOW_UP)
    page.reload()
    expect(page.locator(".question")).to_have_text([QUESTION, FOLLOW_UP])
    expect(page.locator("#rag-past .sentence bdi").first).to_have_text(LAUNCH)
    page.locator("#rag-live .marker").first.click()
    expect(page.locator(".reader mark.active")).to_have_text(BURNED)
    page.locator('#rag-past .marker[data-cite="2"]').first.click()
    expect(page.locator(".reader mark.active")).to_have_text(CREW)
    assert len(engine.asked) == 2, "nothing is asked again"
    ask_to_the_end(page, EXAMPLES[5])
    assert [turn.content for turn in engine.asked[2].history if turn.role == "user"] == [QUESTION, FOLLOW_UP]


def test_a_reload_in_mid_answer_loses_nothing_shown(page: Page, engine: ScriptedEngine) -> None:
    ask(page, "Slow")
    page.locator("#rag-live .sentence").nth(3).wait_for()
    shown = page.locator("#rag-live .sentence bdi").all_text_contents()
    page.reload()
    expect(page.locator("#rag-live .status")).to_have_text("Stopped.")
    assert page.locator("#rag-live .sentence bdi").all_text_contents()[: len(shown)] == shown
    wait_until(lambda: engine.asked[0].closed)
    expect(page.locator("#rag-retry")).to_be_visible()


def test_conversations_outlive_the_server(browser: Browser, engine: ScriptedEngine, tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    visitor = browser.new_context()
    with served(engine, history=str(file)) as first:
        page = visitor.new_page()
        page.goto(first.address)
        ask_to_the_end(page, QUESTION)
        page.locator("#rag-new").click()
        ask_to_the_end(page, FOLLOW_UP)
        page.close()
    with served(engine, first.port, history=str(file)) as second:
        page = visitor.new_page()
        page.goto(second.address)
        page.locator("#rag-box textarea").wait_for()
        expect(page.locator(".turn")).to_have_count(0)
        page.locator('[data-place="history"]').click()
        expect(page.locator(".conversations .open")).to_have_text([re.compile("burn up"), re.compile("launched")])
        page.locator(".conversations .open", has_text="launched").click()
        expect(page.locator("#rag-live .question")).to_have_text(QUESTION)
        page.locator("#rag-live .marker").first.click()
        expect(page.locator(".reader mark.active")).to_have_text(LAUNCH)
        other = browser.new_context().new_page()
        other.goto(second.address)
        other.locator('[data-place="history"]').click()
        expect(other.locator("#rag-history .panel-note")).to_be_visible()
        other.context.close()
    visitor.close()


def test_a_conversation_is_deleted(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    page.locator('[data-place="history"]').click()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name=f"Delete: {QUESTION}").click()
    expect(page.locator(".conversations li")).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"Delete: {QUESTION}").click()
    expect(page.locator(".conversations li")).to_have_count(0)
    expect(page.locator(".turn")).to_have_count(0)
    page.reload()
    page.locator("#rag-box textarea").wait_for()
    expect(page.locator(".turn")).to_have_count(0)


def test_an_edited_question_takes_the_place_of_the_last_one(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    ask_to_the_end(page, "Who burned up?")
    page.locator("#rag-edit").click()
    box = page.locator("#rag-box textarea")
    expect(box).to_have_value("Who burned up?")
    expect(page.locator(".notice")).to_contain_text("replaces your last question")
    ask_to_the_end(page, FOLLOW_UP)
    expect(page.locator(".question")).to_have_text([QUESTION, FOLLOW_UP])
    assert [turn.content for turn in engine.asked[2].history if turn.role == "user"] == [QUESTION]
    ask_to_the_end(page, EXAMPLES[5])
    expect(page.locator(".question")).to_have_count(3)
    page.reload()
    expect(page.locator(".question")).to_have_text([QUESTION, FOLLOW_UP, EXAMPLES[5]])


def test_a_suggestion_is_asked_by_a_click(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    chips = page.locator("#rag-live .suggestion")
    expect(chips).to_have_text([FOLLOW_UP, EXAMPLES[5]])
    chips.first.click()
    expect(page.locator("#rag-live .question")).to_have_text(FOLLOW_UP)
    finished(page)
    assert [call.question for call in engine.asked] == [QUESTION, FOLLOW_UP]


def test_thumbs_and_a_reason_are_kept(page: Page, context: BrowserContext, address: str) -> None:
    ask_to_the_end(page, QUESTION)
    down = page.locator("#rag-live").get_by_role("button", name="Bad answer")
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    page.get_by_role("textbox", name="Why?").fill("the year is <wrong>")
    page.keyboard.press("Enter")
    expect(page.locator("#rag-live .rating")).to_contain_text("Thank you: “the year is <wrong>”")
    ask_to_the_end(page, FOLLOW_UP)
    past = page.locator("#rag-past").get_by_role("button", name="Bad answer")
    expect(past).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("#rag-past .rating")).to_contain_text("the year is <wrong>")
    past.click()
    expect(past).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#rag-past .rating")).to_have_text("")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("md", "that of Soyuz 11, lived on board for 23 days in June"),
        ("html", CREW),
        ("bib", "@misc{doc-1"),
        ("ris", "TI  - Half a century of space stations"),
    ],
)
def test_a_conversation_is_saved(page: Page, name: str, part: str) -> None:
    ask_to_the_end(page, QUESTION)
    page.locator(".export summary").click()
    with page.expect_download() as download:
        page.locator(f'[data-export="{name}"]').click()
    assert download.value.suggested_filename == f"when-was-salyut-1-launched.{name}"
    assert part in Path(download.value.path()).read_text("utf-8")


def test_settings_and_filters_reach_the_engine(page: Page, engine: ScriptedEngine) -> None:
    page.locator("#rag-settings > button").click()
    page.get_by_label("Model that writes").click()
    page.get_by_role("option", name="hub:owner/big.gguf").click()
    page.get_by_label("number input for Most quotes").fill("5")
    page.get_by_label("number input for Refuse below").fill("0.5")
    page.get_by_label("Only articles of").click()
    page.get_by_role("option", name="Orbit Review").click()
    page.keyboard.press("Escape")
    page.get_by_label("From", exact=True).fill("2021")
    ask_to_the_end(page, QUESTION)
    choices = engine.asked[0].choices
    assert (choices.writer, choices.sources, choices.refuse_below) == ("hub:owner/big.gguf", 5, 0.5)
    assert choices.filter == Filter(("Orbit Review",), since="2021")


def test_a_date_that_is_none_is_told(page: Page, engine: ScriptedEngine) -> None:
    page.locator("#rag-settings > button").click()
    page.get_by_label("From", exact=True).fill("yesterday")
    ask(page, QUESTION)
    expect(page.locator(".notice")).to_contain_text("'yesterday' is not a date")
    expect(page.locator("#rag-box textarea")).to_have_value(QUESTION)
    assert engine.asked == []


def test_what_cannot_be_kept_is_told_and_the_answer_stays(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.errors import HistoryError

    def full(*_: Any) -> None:
        raise HistoryError("Conversations cannot be kept: the disk is full", "Make room.")

    monkeypatch.setattr(History, "save", full)
    ask_to_the_end(page, QUESTION)
    expect(page.locator("#rag-live .sentence")).to_have_count(3)
    expect(page.locator(".notice")).to_have_text("Conversations cannot be kept: the disk is full. Make room.")


@pytest.mark.parametrize(
    "visit", ["", "{", "null", "[]", '{"visitor": 5}', json.dumps({"visitor": "x", "conversation": ""})]
)
def test_a_browser_that_says_nonsense_gets_an_empty_chat(page: Page, visit: str) -> None:
    page.add_init_script(f"window.addEventListener('load', () => {{ window.ragVisit = () => {json.dumps(visit)} }})")
    page.reload()
    ask_to_the_end(page, QUESTION)
    expect(cards(page)).to_have_count(2)
