"""The library: what is indexed, found and read; changed only where that is allowed."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from actions import ask_to_the_end
from playwright.sync_api import Browser, Page, expect
from scripted_engine import ScriptedEngine
from served import served

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


@pytest.fixture
def library(page: Page) -> Page:
    page.locator('[data-place="library"]').click()
    page.locator(".articles").wait_for()
    return page


def titles(page: Page) -> list[str]:
    return page.locator("#rag-library .read-article").all_text_contents()


def test_articles_are_listed_newest_first(library: Page) -> None:
    expect(library.locator("#rag-library .meta").first).to_contain_text("6 articles")
    assert titles(library)[0] == "The mine in 2023"
    assert titles(library).index("From Salyut to Mir: how docking became routine") == 3
    assert titles(library)[4] == "The mine in 2014"
    expect(library.locator(".skipped")).to_contain_text("scan.pdf: no reader for .pdf")
    expect(library.locator("#rag-library .timeline")).to_be_visible()
    assert library.locator(".manage").count() == 0


def test_words_publishers_and_dates_narrow_the_list(library: Page) -> None:
    library.get_by_label("Words").fill("mine 20")
    expect(library.locator(".read-article")).to_have_text(["The mine in 2023", "The mine in 2014"])
    expect(library.get_by_label("Words")).to_be_focused()
    library.locator(".library-filters [name=until]").fill("2014")
    expect(library.locator(".read-article")).to_have_text(["The mine in 2014"])
    library.get_by_label("Words").fill("nothing like that")
    expect(library.locator("#rag-library .panel-note")).to_have_text("No article is like that.")
    library.get_by_label("Words").fill("")
    library.locator(".library-filters [name=until]").fill("")
    library.get_by_label("Publisher").select_option("The Spaceflight Quarterly")
    expect(library.locator(".read-article")).to_have_text(["From Salyut to Mir: how docking became routine"])


def test_an_article_is_read_beside_the_list(library: Page) -> None:
    library.locator(".read-article", has_text="From Salyut to Mir").click()
    expect(library.locator(".reader h2")).to_have_text("From Salyut to Mir: how docking became routine")
    expect(library.locator(".reader .copy")).to_be_hidden()
    library.locator('[data-place="chat"]').click()
    expect(library.locator("#rag-box textarea")).to_be_focused()


def test_the_chat_goes_on_behind_the_library(library: Page) -> None:
    library.locator('[data-place="chat"]').click()
    ask_to_the_end(library, "When did it burn up?")
    library.locator('[data-place="library"]').click()
    library.locator('[data-place="chat"]').click()
    expect(library.locator("#rag-live .sentence")).to_have_count(1)


@pytest.fixture
def managed(browser: Browser, engine: ScriptedEngine) -> Iterator[Page]:
    with served(engine, manage=True) as running:
        page = browser.new_page()
        page.goto(running.address)
        page.locator("#rag-box textarea").wait_for()
        page.locator('[data-place="library"]').click()
        page.locator(".articles").wait_for()
        yield page
        page.close()


def test_articles_are_added_and_indexed(managed: Page, engine: ScriptedEngine, tmp_path: Path) -> None:
    file = tmp_path / "new.md"
    file.write_text("Voskhod flew in 1964.")
    managed.locator(".upload input").set_input_files(file)
    expect(managed.locator(".manage-status")).to_have_text("The index is up to date.")
    assert "new.md" in titles(managed)
    assert engine.generation == 2 or engine.generation > 1
    managed.locator(".read-article", has_text="new.md").click()
    expect(managed.locator(".article-text")).to_have_text("Voskhod flew in 1964.")


def test_what_cannot_be_added_is_told(managed: Page, tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(b"%PDF")
    managed.locator(".upload input").set_input_files(file)
    expect(managed.locator(".manage-status")).to_have_text(re.compile("'scan.pdf' has a format that is not read"))


def test_an_article_is_deleted(managed: Page) -> None:
    count = len(titles(managed))
    managed.once("dialog", lambda dialog: dialog.accept())
    managed.get_by_role("button", name="Delete The mine in 2014").click()
    expect(managed.locator(".manage-status")).to_have_text("The index is up to date.")
    assert len(titles(managed)) == count - 1


@pytest.mark.parametrize("path", ["upload?name=a.md", "delete", "rebuild"])
def test_without_the_flag_nothing_can_be_changed(address: str, engine: ScriptedEngine, path: str) -> None:
    reply = httpx.post(f"{address}/rag/{path}", content=b"{}", headers={"x-rag": "1"})
    assert reply.status_code in (404, 405)
    assert engine.waiting == []


def test_other_websites_cannot_change_it(engine: ScriptedEngine) -> None:
    with served(engine, manage=True) as running:
        for path in ("upload?name=a.md", "delete", "rebuild", "export"):
            reply = httpx.post(
                f"{running.address}/rag/{path}", content=b"{}", headers={"origin": "http://evil.example"}
            )
            assert reply.status_code == 403, path
        assert engine.waiting == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"format": "exe"}', b'{"format": "md", "visitor": "x", "conversation": "y"}']
)
def test_nonsense_is_answered_in_one_line(address: str, body: bytes) -> None:
    reply = httpx.post(f"{address}/rag/export", content=body, headers={"x-rag": "1"})
    assert reply.status_code in (400, 409)
    assert "\n" not in reply.text.strip()
    assert "Traceback" not in reply.text
