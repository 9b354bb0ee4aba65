"""Hostile input for property tests: strategies of nasty text, seeded mutations, and shapes that make slow code hang."""

import os
import random
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EFFORT = max(1, int(os.environ.get("RAG_FUZZ", "1")))
"""How many times as many examples as by default: ``RAG_FUZZ=50`` for a long run."""

thorough = settings(max_examples=25 * EFFORT, suppress_health_check=[HealthCheck.too_slow])

FRAGMENTS = (
    *(
        "a",
        "Mir",
        "It fell.",
        "Salyut 1",
        "U.S.",
        "e.g. ",
        "No. 5",
        "1,600.5",
        "2021-06-18",
        "June 18, 2021",
        "who",
        "and when",
    ),
    *(" ", "  ", "\n", "\n\n", "\r\n", "\r", "\t", "\f", "\v", "\x1c", "\x85", "\u2028", "\u00a0", "\u3000"),
    *(
        "\ufeff",
        "\u200b",
        "\u200c",
        "\u200d",
        "\u2060",
        "\u202e",
        "\u2066",
        "\u2069",
        "\U000e0041",
        "\U000e007f",
        "\x00",
        "\x1b[31m",
    ),
    *(
        ".",
        "!",
        "?",
        "…",
        "。",
        ",",
        ";",
        ":",
        "–",
        "—",
        "...",
        "?!",
        "''",
        '"',
        "“",
        "”",
        "‘",
        "’",
        "«",
        "»",
        "(",
        ")",
    ),
    *(
        "[",
        "]",
        "[1]",
        "[7, 8]",
        "[1",
        "[^1]",
        "{",
        "}",
        "\\",
        "$",
        "%",
        "#",
        "# ",
        "###### ",
        "- ",
        "1. ",
        "> ",
        "| a |",
        "```",
        "~~~",
        "---\n",
    ),
    *(
        "<script>",
        "</script>",
        "<img src=x onerror=a>",
        "<!--",
        "-->",
        "&lt;",
        "&#13;",
        "]]>",
        "![](http://e.example/?q=",
        "](javascript:",
    ),
    *(
        "@misc{",
        "TY  - ",
        "ER  - ",
        "= 1\n",
        "title: a\n",
        "!!python/object:",
        "&a ",
        "*a",
        "'",
        "\\u0000",
        "\\ud800",
        "null",
        "1e999",
    ),
    *(
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ı",
        "ﬁ",
        "中文。",
        "हिन्दी।",
        "العربية",
        "עברית",
        "👩\u200d🚀",
        "\U0001d54f",
        "\u0300" * 5,
    ),
    *("only CGTN", "(only 2021)", "articles published before June 2024", "what about it", "he", "their", "there"),
)


_CLEAN = st.characters(exclude_categories=["Cs"])


def texts(max_size: int = 60, alphabet: st.SearchStrategy[str] = _CLEAN) -> st.SearchStrategy[str]:
    """Text without lone surrogates, made of arbitrary characters and of fragments that once broke something."""
    plain = st.text(alphabet, max_size=12)
    return st.lists(st.one_of(st.sampled_from(FRAGMENTS), plain), max_size=max_size).map("".join)


def unclean(max_size: int = 60) -> st.SearchStrategy[str]:
    """As ``texts``, also with lone surrogates, as they come out of JSON."""
    return texts(max_size, st.characters())


def mutated(rng: random.Random, data: bytes) -> bytes:
    """``data`` with up to eight bytes flipped, cut, doubled, swapped or replaced by a fragment."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(found) + 1)
        length = rng.randint(0, 12)
        kind = rng.randrange(6)
        if kind == 0 and place < len(found):
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del found[place : place + length]
        elif kind == 2:
            found[place:place] = found[place : place + length]
        elif kind == 3:
            found[place:place] = rng.choice(FRAGMENTS).encode()
        elif kind == 4:
            found[place:place] = rng.randbytes(length)
        else:
            del found[place:]
    return bytes(found)


SHAPES: dict[str, Callable[[int], str]] = {
    "one letter": lambda n: "a" * n,
    "spaces": lambda n: " " * n,
    "spaces inside": lambda n: f"a{' ' * n}b.",
    "line ends": lambda n: "\n" * n,
    "carriage returns": lambda n: "\r" * n,
    "quotes": lambda n: '"' * n,
    "opening quotes": lambda n: "“" * n,
    "quoted words": lambda n: "“a ” " * (n // 5),
    "full stops": lambda n: "." * n,
    "spaced full stops": lambda n: ". " * (n // 2),
    "reference marks": lambda n: f"a ..{'[111 111' * (n // 9)}",
    "open brackets": lambda n: "[" * n,
    "digits in brackets": lambda n: f"[{'1 ' * (n // 2)}",
    "markers": lambda n: "[1]" * (n // 3),
    "many markers and words": lambda n: "a [1], " * (n // 7),
    "parentheses": lambda n: "(" * n,
    "commas": lambda n: "a, " * (n // 3),
    "capitals": lambda n: "Ab " * (n // 3),
    "names": lambda n: "Ab of the " * (n // 10),
    "hyphens": lambda n: "A-" * (n // 2),
    "initials": lambda n: "A." * (n // 2),
    "abbreviations": lambda n: "e.g. " * (n // 5),
    "open ends": lambda n: "Eq. a " * (n // 6),
    "lower case after stops": lambda n: "b. c" * (n // 4),
    "short lines": lambda n: "a\n" * (n // 2),
    "headings": lambda n: "# a\n" * (n // 4),
    "items": lambda n: "- a\n" * (n // 4),
    "digits": lambda n: "1" * n,
    "thousands": lambda n: "1," * (n // 2),
    "years": lambda n: "2021 " * (n // 5),
    "and when": lambda n: "and when " * (n // 9),
    "only articles": lambda n: "only articles of " * (n // 17),
    "accents": lambda n: "\u0301" * n,
    "zero width": lambda n: "\u200b" * n,
    "bidi": lambda n: "\u202e" * n,
    "tags": lambda n: "\U000e0041" * n,
    "emoji": lambda n: "👩\u200d🚀" * (n // 3),
    "chinese": lambda n: "中文。" * (n // 3),
    "angle brackets": lambda n: "<" * n,
    "comments": lambda n: "<!--" * (n // 4),
    "ampersands": lambda n: "&" * n,
    "underscores": lambda n: "_" * n,
    "front matter": lambda n: f"---\n{'a: b' * (n // 4)}\n",
    "rulers": lambda n: "---\n" * (n // 4),
    "prose": lambda n: "The crew flew to the station in June 1986, and it was met by others. " * (n // 70),
}
"""Name → text of about so many characters."""
