"""An article of several pages with menus around it: all of it is there, and what is no article can be told apart."""

import dataclasses

import pytest
from actions import ask_to_the_end
from playwright.sync_api import Page, expect
from scripted_engine import SCRIPTS, Script, ScriptedEngine, cite, document, passage
from test_access import serious

from rag.records import AnswerSentence

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

TEXT = (
    "Home News Sport\n\n# The last days of Mir\n\nMOSCOW, March 24 (Agency) -- Mir fell into the South Pacific on "
    "23 March 2001. Its parts sank within\n\nminutes, far from any ship. Fishermen had been warned.\n\n"
    "Share this article with your friends\n\nFollow us on all channels"
)
FELL = "Mir fell into the South Pacific on 23 March 2001."
QUESTION = "When did Mir fall?"


@pytest.fixture
def paged(page: Page, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> Page:
    def span(words: str) -> tuple[int, int]:
        return TEXT.index(words), TEXT.index(words) + len(words)

    article = dataclasses.replace(
        document(9, "The last days of Mir", TEXT),
        path="mir.pdf",
        boilerplate=(span("Home News Sport"), span("MOSCOW, March 24 (Agency) --"), (TEXT.index("Share"), len(TEXT))),
        anchors=((0, "p. 1"), (TEXT.index("minutes"), "p. 2")),
    )
    engine.articles.append(article)
    citation = dataclasses.replace(cite(1, article, FELL), place="p. 1")
    script = Script((AnswerSentence(FELL, "quoted", (1,)),), (citation,), (passage(article),))
    monkeypatch.setitem(SCRIPTS, QUESTION, script)
    ask_to_the_end(page, QUESTION)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_article_is_whole_and_what_is_dimmed_has_a_name(paged: Page, scheme: str) -> None:
    paged.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    paged.locator("#rag-live .marker").first.click()
    expect(paged.locator(".reader mark.active")).to_have_text(FELL)
    assert "".join(paged.locator(".article-text").all_text_contents()) == TEXT
    notes = paged.get_by_role("note", name="Not part of the article")
    expect(notes).to_have_count(4)
    expect(notes.first).to_have_text("Home News Sport")
    labels = paged.locator(".page-start")
    shown = labels.evaluate_all("all => all.map(one => getComputedStyle(one, '::before').content)")
    assert shown == ['"p. 1"', '"p. 2"']
    expect(paged.locator(".legend")).to_contain_text("neither searched nor quoted")
    assert serious(paged) == []


def test_the_page_stands_beside_the_quote(paged: Page) -> None:
    expect(paged.locator(".card .meta").first).to_contain_text("p. 1")
    marker = paged.locator("#rag-live .marker").first
    expect(marker).to_have_accessible_name("Source 1: The last days of Mir, p. 1")
    marker.hover()
    expect(paged.get_by_role("tooltip")).to_contain_text("p. 1")
