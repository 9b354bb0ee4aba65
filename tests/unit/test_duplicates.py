"""Copies are recognised as outlets make them; texts that say something else are not, however alike they are."""

import hashlib
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.duplicates import (
    SAME,
    SHORT,
    VERSION,
    article_text,
    band_keys,
    groups,
    representative,
    signature,
    similarity,
)

PARAGRAPHS = (
    "Divers have raised the bow of a merchant ship that sank off the coast of Gotland in 1627. The oak timbers are in "
    "good condition, the museum of Visby said on Monday, because no shipworm lives in the cold and brackish water.",
    "The ship was 32 metres long and carried copper, tar and 400 barrels of iron. Its captain had ignored a warning of "
    "the harbour pilot, according to a letter that historians found in the archives of Lübeck two years ago.",
    "Conservators will spray the wood with polyethylene glycol for the next twelve years. The method was developed for "
    "the warship Vasa, which stands in Stockholm and attracts more than a million visitors a year.",
    "“Nobody has seen these carvings since the ship went down,” said Karin Holm, who leads the excavation. She hopes to "
    "find the figurehead, which probably lies below the sand, before the storms of autumn begin.",
    "The government pays half of the costs. A foundation of shipowners covers the rest, and wants to show the ship in a "
    "hall of its own by the harbour. Fishermen from the island had protested against the closing of the bay.",
)
TEXT = "A ship returns\n\n" + "\n\n".join(PARAGRAPHS)


def alike(text: str, other: str = TEXT) -> float:
    one, two = signature(other), signature(text)
    assert similarity(one, two) == similarity(two, one)
    if (found := similarity(one, two)) >= SAME:
        assert set(band_keys(one)) & set(band_keys(two)), "would not be found"
    return found


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(["Gotland's treasure", "By Erik Lund, our correspondent in Visby, at 14:05 on 3 May", *PARAGRAPHS]),
        TEXT.replace("Divers have", "VISBY, May 3 (Agency) -- Divers have"),
        TEXT + "\n\nThe hall is to be built of larch wood, and schools of the island may visit it without a ticket.",
        "\n\n".join(PARAGRAPHS[:-1]),
        TEXT.replace("“", '"').replace("”", '"').replace("’", "'").replace("twelve", "12").replace("two", "2"),
        TEXT.replace(", ", ",\n"),
    ],
    ids=["headline and byline", "dateline", "paragraph added", "shortened", "house style", "wrapped"],
)
def test_copies_as_outlets_make_them(text: str) -> None:
    assert SAME <= alike(text) < 1.0 or text.replace("\n", " ") == TEXT.replace("\n", " ")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("1627", "1628"),
        TEXT.replace("400 barrels", "600 barrels"),
        TEXT.replace("two years ago", "three years ago"),
        TEXT.replace("off the coast of Gotland in 1627", "off the coast of Gotland in 1627, with 17 men"),
        TEXT.replace("32 metres", "400 metres"),
    ],
    ids=["lead", "further down", "in words", "added to the lead", "one that stands elsewhere too"],
)
def test_other_figures_are_no_copy(text: str) -> None:
    assert alike(text) == 0.0


def test_another_article_on_the_same_event_is_no_copy() -> None:
    other = (
        "Part of a wreck has come to light near Visby. Its front was lifted from the sea bed on Monday in front of "
        "hundreds of spectators, almost four centuries after it was lost on its way to Lübeck. Karin Holm, the head of "
        "the excavation, now wants to look for the figurehead. The cold water of the Baltic Sea preserves wood that "
        "would be eaten elsewhere; the museum will treat the timbers as it was done with the Vasa in Stockholm."
    )
    assert alike(other) < 0.1


@pytest.mark.parametrize("text", ["Fourteen people were rescued from the ferry.", TEXT], ids=["short", "long"])
def test_the_same_words_are_the_same_text(text: str) -> None:
    shouted = text.upper().replace(" ", "\u00a0 \n").replace(".", " !")
    assert alike(shouted, text) == 1.0


def test_short_texts_are_only_exact_copies() -> None:
    words = " ".join(f"word{number}" for number in range(SHORT - 1))
    assert alike(words + ".", words) == 1.0
    assert alike(words.replace("word3 ", "other "), words) == 0.0
    assert alike(f"{words} end", words) == 0.0


def test_a_text_without_words_is_like_no_other() -> None:
    assert band_keys(signature(" \n…")) == []


def test_texts_without_spaces_are_compared_by_character() -> None:
    text = (
        "探测器于周二在预定时间进入环月轨道地面控制中心表示所有仪器工作正常科学家希望在未来几周内获得第一批高分辨率图像"
    )
    assert len(text) > SHORT
    assert SAME <= alike(text + "并将其公布", text) < 1.0
    assert alike(text[::-1], text) < 0.1


def test_signatures_are_the_same_in_every_version_of_the_libraries() -> None:
    # If this fails after an update, stored signatures are no longer comparable: raise VERSION.
    assert VERSION == 1
    assert (
        hashlib.sha256(signature(TEXT)).hexdigest()
        == "3e3551c4f582b74571670532cc37747de784519ebfa6ebc54334c14dcdf9aec6"
    )
    assert len(signature(TEXT)) < 600
    assert all(-(2**63) <= key < 2**63 for key in band_keys(signature(TEXT)))


@pytest.mark.parametrize("damaged", [b"", b"\x01abc", bytes([VERSION + 1]), signature(TEXT)[:-2], signature(TEXT)[:-1]])
def test_damaged_signatures_are_refused(damaged: bytes) -> None:
    if damaged == bytes([VERSION + 1]):
        damaged += signature(TEXT)[1:]
    with pytest.raises(ValueError, match="signature"):
        band_keys(damaged)


def test_boilerplate_is_not_compared() -> None:
    text = "---\ntitle: x\n---\nRead more in our shop.\nThe ship sank.\nFollow us everywhere."
    start = text.index("Read")
    shop, follow = (start, start + len("Read more in our shop.")), (text.index("Follow"), len(text))
    assert article_text(text, start, [shop, follow]).split("\n") == ["", "", "The ship sank.", "", ""]


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_has_a_signature(one: str, other: str) -> None:
    a, b = signature(one), signature(other)
    assert 0.0 <= similarity(a, b) == similarity(b, a) <= 1.0
    assert similarity(a, a) == 1.0


def test_groups_are_joined_through_others() -> None:
    pairs = [("c", "d"), ("x", "y"), ("a", "b"), ("b", "c")]
    for seed in range(5):
        random.Random(seed).shuffle(pairs)
        assert groups(pairs) == [frozenset("abcd"), frozenset("xy")]
    assert groups([("a", "a")]) == []


@dataclass(frozen=True)
class Article:
    path: str
    published: str | None = None
    publisher: str | None = None
    url: str | None = None


@pytest.mark.parametrize(
    ("expected", "others"),
    [
        (Article("z", "2021-06-20", "Herald", "https://a"), [Article("a", "2021-06-18"), Article("b")]),
        (Article("z", "2021-06-18", "Herald"), [Article("a", "2021-06-19", "Times"), Article("b", None, "A", "u")]),
        (Article("a", "2021-06"), [Article("b", "2021-06"), Article("c", "2021-07")]),
        (Article("a"), [Article("b"), Article("c")]),
    ],
    ids=["most is known", "oldest", "path", "nothing is known"],
)
def test_who_is_answered_from(expected: Article, others: list[Article]) -> None:
    assert representative([expected, *others]) == expected.path
    assert representative([*others, expected]) == expected.path
