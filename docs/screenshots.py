"""Take the pictures of the documentation: ``make screenshots`` asks the running product and saves docs/*.png."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
QUESTIONS = ("When was Salyut 1 launched?", "Who were the first people to live on it?")


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port), "--no-history", "--manage"], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
            page = opened(browser, url, 1280, 820)
            for question in QUESTIONS:
                ask(page, question)
            page.locator("#rag-live .marker").first.hover()
            save(page, "chat")
            page.locator("#rag-live .marker").first.click()
            page.locator(".reader mark.active").wait_for()
            page.locator("#rag-live .question").hover()
            save(page, "article")
            page.locator('[data-place="library"]').click()
            page.locator(".articles").wait_for()
            save(page, "library")
            phone = opened(browser, url, 390, 844, dark=True)
            ask(phone, "Until when will Russia stay with the International Space Station?")
            save(phone, "phone")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)


def opened(browser: Browser, url: str, width: int, height: int, dark: bool = False) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page.goto(url)
    page.locator("#rag-banner .banner").wait_for(state="detached", timeout=240_000)
    return page


def ask(page: Page, question: str) -> None:
    page.locator("#rag-box textarea").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#rag-live .question")).to_have_text(question)
    page.locator("#rag-live .status:not(.working)").wait_for(timeout=60_000)
    page.wait_for_timeout(4000)  # what can be asked next is found after the answer


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(600)
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()
