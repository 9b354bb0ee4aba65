"""robots.txt as RFC 9309 has it, with the examples of its text and of common sites."""

import pytest

from rag.robots import parse

AGENT = "ask-the-articles"


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /private", "/private-notes", False),
        ("User-agent: *\nDisallow: /private/", "/private", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a/b", "/a/b", True),
        ("User-agent: *\nDisallow: /*.php$", "/x/index.php", False),
        ("User-agent: *\nDisallow: /*.php$", "/x/index.php?page=2", True),
        ("User-agent: *\nDisallow: /*?print=", "/story?print=1", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a-b", True),
        ("User-agent: *\nDisallow: /fish$", "/fish", False),
        ("User-agent: *\nDisallow: /fish$", "/fish/", True),
        ("User-agent: *\nDisallow: *", "/", False),
        ("User-agent: *\nDisallow: /ab*b$", "/ab", True),
        ("User-agent: Other\nDisallow: /\n\nUser-agent: Ask-The-Articles\nDisallow: /x", "/a", True),
        ("User-agent: *\nAllow: /\n\nUser-agent: ask-the-articles\nDisallow: /", "/a", False),
        ("User-agent: other\nUser-agent: ask-the-articles\nDisallow: /x", "/x", False),
        ("User-agent: ask-the-articles\nDisallow: /x\n\nUser-agent: ask-the-articles\nDisallow: /y", "/y", False),
        ("Disallow: /\nUser-agent: *\nDisallow: /x", "/a", True),
        ("\ufeffUSER-AGENT : *  # everyone\r\n  disallow :/x # not this\r\nSitemap: /s", "/x", False),
        ("User-agent: *\nDisallow: /caf%C3%A9", "/caf%c3%a9", False),
        ("User-agent: *\nDisallow: /café", "/caf%C3%A9", False),
        ("<html>User-agent: *</html>\nDisallow: /", "/a", True),
    ],
)
def test_paths(text: str, path: str, allowed: bool) -> None:
    assert parse(text, AGENT).allows(path) is allowed


def test_delays() -> None:
    text = "User-agent: *\nCrawl-delay: 2.5\nDisallow: /x\n\nUser-agent: other\nCrawl-delay: 9"
    assert parse(text, AGENT).delay == 2.5
    assert parse("User-agent: *\nCrawl-delay: soon", AGENT).delay == 0.0


def test_many_stars_take_no_time() -> None:
    rules = parse("User-agent: *\nDisallow: /" + "*a" * 2000 + "b$", AGENT)
    assert rules.allows("/" + "a" * 20_000)
