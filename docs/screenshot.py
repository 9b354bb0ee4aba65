"""Take the picture of the README: ``python docs/screenshot.py`` asks the running product and saves docs/chat.png."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 820})
            page.goto(url)
            page.locator("#rag-banner .banner").wait_for(state="detached", timeout=240_000)
            for question in ("When was Salyut 1 launched?", "Who were the first people to live on it?"):
                page.locator("#rag-box textarea").fill(question)
                page.keyboard.press("Enter")
                page.locator("#rag-live .status:not(.working)").wait_for(timeout=60_000)
                page.locator("#rag-live h2.question", has_text=question).wait_for()
                page.wait_for_timeout(600)
            page.locator("#rag-live .marker").first.click()
            page.wait_for_timeout(900)
            page.screenshot(path=ROOT / "docs" / "chat.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
