"""Boilerplate is found where it stands, and a true sentence is never taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from news import NewsText, line_counts, news_texts

from rag.boilerplate import boilerplate
from rag.datelines import read_header
from rag.sentences import split_sentences


def marked(text: str, start: int = 0) -> list[str]:
    return [text[a:b] for a, b in boilerplate(text, start)]


@pytest.mark.parametrize("item", news_texts(), ids=lambda item: item.name)
def test_labelled_texts(item: NewsText) -> None:
    right, wrong, missed = line_counts(item, boilerplate(item.text))
    assert wrong <= 0.1 * right
    assert missed <= 0.1 * (right + missed)


BODY = (
    "The crew of the second ship waited for nine days until the storm was over.",
    "Then they left the harbour, and nobody on the pier had slept.",
)


@pytest.mark.parametrize(
    "sentence",
    [
        "Share prices of the builder rose by a third after the launch.",
        "Follow the money, an old diplomat once said of such treaties.",
        "Subscribers to the service were told of the delay on Monday.",
        "Download speeds from the moon doubled between 2013 and 2023.",
        "Support for the accord grew in all of the eleven countries.",
        "Advertisement revenue paid for the first of the two telescopes.",
        "Print the recipe for the paint on the lid, the engineer advised.",
        "Read from left to right, the table tells the order of assembly.",
        "Copyright law was never written for photographs taken by rovers.",
        "By Monday the two crews had learned each other's recipes.",
        "By land and by sea, its parts came from fifteen countries.",
        "Photography on the pad is forbidden, and cameras are taken away.",
        "The photo that went around the world was taken by a boy of twelve.",
        "The image shows a crater that is two hundred kilometres wide.",
        "Home for the astronauts was a tin can of nine cubic metres.",
        "The views of the two ministers on the rent could not be reconciled.",
        "This report was read by all members of the commission before May.",
        "The article of the treaty was amended in 1979 and again in 1984.",
        "Comments by the minister were not welcome among the engineers.",
        "Editors of law journals have lived well on that silence.",
        "Sign-ups for the second course closed within a single hour.",
        "Donations from readers paid for the first of the pictures.",
        "Source of the leak was a valve that had been closed twice.",
        "Updated models of the storm put its centre farther to the north.",
        "Published in 1962, the book foresaw most of what was built later.",
        "First published by a small press, the diary sold a million copies.",
        "Reporting by hand took the observers two hours each evening.",
        "Cookies float in weightlessness, as the seventh child was shown.",
        "Click beetles were the first insects to be born on the station.",
        "Trending downwards since March, the price of helium fell again.",
        "Related treaties of 1967 and 1972 name no weapons in orbit.",
        "Get the samples home first, the director told the crew of the ship.",
        "Join the two halves and the station is as long as a football field.",
        "Visit a launch site in winter and you will not forget the cold.",
        "Watch out for the third stage, the controller told the pilot twice.",
        "Editor: a word that the crew used for the machine that cut the film.",
        "NASA: a name that the report uses forty times in all.",
        "Salyut 1 (USSR) - launched in 1971 and visited by a single crew.",
        "Bochkov contributed to the report on the future of the lunar base.",
        "The author is said to have written the treaty in a single night.",
        "More from the second sample will be known when the furnace cools.",
        "Images from the probe were printed by hand and coloured with chalk.",
        "Tags on the suits of the crew were yellow, those on the food green.",
        "Page 3 of the treaty was missing when the delegates came to sign.",
        "Views over the steppe are best from the hill in the east.",
        "The material may not be used before a court has decided on the rent.",
        "Copies may not be published before the two ministers have signed.",
    ],
)
def test_true_sentences_are_not_marked(sentence: str) -> None:
    assert marked(sentence) == []
    assert marked("\n\n".join([*BODY, sentence, *BODY])) == []
    assert marked("\n".join([sentence, *BODY])) == []


def test_a_dateline_is_marked_and_its_sentence_is_not() -> None:
    text = f"OSLO, May 3 (AP) — {BODY[0]}\n\n{BODY[1]}"
    assert marked(text) == ["OSLO, May 3 (AP) —"]


def test_only_the_label_of_a_note_that_tells_something_is_marked() -> None:
    assert marked(f"Editor's note: {BODY[0]}\n\n{BODY[1]}") == ["Editor's note:"]
    about = "Editor's note: This story has been updated to correct the name of the ship."
    assert marked(f"{BODY[0]}\n\n{about}") == [about]


def test_a_caption_of_one_sentence_is_marked_and_of_a_paragraph_only_its_credit() -> None:
    caption = "The second ship in the harbour. (Photo: Ana Kolm)"
    assert marked(f"{BODY[0]}\n\n{caption}\n\n{BODY[1]}") == [caption]
    assert marked(f"{' '.join(BODY)} Credit: NASA") == ["Credit: NASA"]


def test_headlines_below_a_list_head_end_with_the_next_sentence() -> None:
    text = f"{BODY[0]}\n\nRelated stories\nHarbour wall mended\nWho owns the pier?\n\nThe second day\n\n{BODY[1]}"
    assert marked(text) == ["Related stories", "Harbour wall mended", "Who owns the pier?"]


def test_a_menu_needs_several_known_entries() -> None:
    assert marked(f"Home\nNews\nCulture & Co\nSport\n\n{BODY[0]}") == ["Home", "News", "Culture & Co", "Sport"]
    assert marked(f"Science\n\n{BODY[0]}\n\nPolitics\n\n{BODY[1]}") == []


def test_days_of_a_timeline_stay() -> None:
    days = [f"{day} May 1971\n\n{BODY[0]}" for day in range(1, 7)]
    assert marked("\n\n".join(["Six days in May at the harbour", *days])) == []


PAGE = "\n".join(
    "A line of the long report which ends where the next word would not fit any" for _ in range(8)
)  # fmt: skip


def test_running_heads_and_page_numbers_of_wrapped_pages() -> None:
    pages = [f"Report of the harbour, part {n}\n{PAGE}\n{n + 10}" for n in range(5)]
    heads = [piece for n in range(5) for piece in (f"Report of the harbour, part {n}", str(n + 10))]
    assert marked("\n".join(pages)) == heads
    assert marked("\f".join(pages)) == heads


def test_numbers_and_lines_that_do_not_count_pages_stay() -> None:
    pages = [f"{PAGE}\n\n{number}\n\nTotal:" for number in (7, 1971, 3, 40)]
    assert marked("\n\n".join(pages)) == []


def test_signs_that_stand_for_a_number_are_no_page_numbers() -> None:
    assert marked("\n\n".join([PAGE, "#", PAGE, "#", PAGE, "#"])) == ["#", "#", "#"]  # no words, but no page numbers


def test_front_matter_is_not_looked_at() -> None:
    text = f"---\nDownload\n---\nDownload\n{BODY[0]}"
    start = text.index("---\nDown", 4) + 4
    assert boilerplate(text, start) == ((start, start + 8),)


@given(
    st.lists(
        st.sampled_from(["Share", "\n", "\n\n", "By Jane Roe", "OSLO (AP) - ", BODY[0], " (AFP)", "12", "\f", "```", "May 3, 2021", "# A", " "]),
        max_size=30,
    ),
    st.integers(0, 30),
)  # fmt: skip
def test_ranges_are_sorted_disjoint_and_without_edges(parts: list[str], start: int) -> None:
    text = "".join(parts)
    at = start
    for begin, end in boilerplate(text, start):
        assert at <= begin < end <= len(text)
        assert text[begin:end] == text[begin:end].strip()
        at = end


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for begin, end in boilerplate(text):
        assert text[begin:end].strip()
    read_header(text)
    split_sentences(text, boilerplate=boilerplate(text))


@pytest.mark.parametrize(
    "piece",
    [
        "a\n",
        "\n",
        "(",
        "© ",
        "By A B, ",
        "A, May 1 (",
        "Get our news a b c\n",
        "[a](b) ",
        "a | ",
        "photo: ",
        "x. (AFP",
        "12:00 ",
    ],
)
def test_hostile_repetition_ends(piece: str) -> None:
    # Quadratic rules need minutes for this; the suite would stop being usable, which is the alarm.
    assert isinstance(boilerplate(piece * (300_000 // len(piece))), tuple)
