"""The promise of the product: a sentence is shown only if its evidence carries it."""

import pytest

from rag.checking import check_sentence, is_carried

SALYUT = "The Soviet Union launched Salyut 1, the first space station, on 19 April 1971 from Baikonur."
BOTH = "Salyut 1 flew in 1971 and Mir followed in 1986."


def carried(sentence: str, source: str, question: str = "What happened?", title: str = "Stations") -> bool:
    return is_carried(sentence, source, title, question)


@pytest.mark.parametrize(
    ("sentence", "source", "question"),
    [
        ("Salyut 1 was launched on 19 April 1971.", SALYUT, "When was Salyut 1 launched?"),
        ("The Soviet Union launched Salyut 1.", SALYUT, "Who launched Salyut 1?"),
        ("Salyut 1 flew in 1971.", BOTH, "When did Salyut 1 fly?"),
        ("The crew stayed for 23 days.", "The whole crew stayed on board for 23 days.", "How long did they stay?"),
        ("NASA may not spend money on it.", "By law NASA may not spend money on it.", "May NASA pay for it?"),
    ],
    ids=["date", "agent", "first of two", "shortened", "negation kept"],
)
def test_shortenings_are_carried(sentence: str, source: str, question: str) -> None:
    assert carried(sentence, source, question)


@pytest.mark.parametrize(
    ("sentence", "source", "question"),
    [
        ("Salyut 1 was launched on 19 April 1972.", SALYUT, "When was Salyut 1 launched?"),
        ("Salyut 1 flew in 1986.", BOTH, "When did Salyut 1 fly?"),
        ("Mir flew in 1971.", BOTH, "When did Mir fly?"),
        ("NASA launched Salyut 1.", SALYUT, "Who launched Salyut 1?"),
        (
            "Russia is withdrawing from the ISS.",
            "Russia is considering withdrawing from the ISS.",
            "What will Russia do?",
        ),
        ("NASA works with China.", "NASA does not work with China.", "Does NASA work with China?"),
        ("China paid Russia.", "Russia paid China for the seats.", "Who paid for the seats?"),
        ("The flight took place in 1990.", "The flight took place.", "Did the flight take place in 1990?"),
        ("The crew had two members.", "The crew had a dozen members.", "How many members had the crew?"),
        ("Rogozin said the station stays.", "Rogozin never said the station stays.", "What did Rogozin say?"),
        ("The launch is in 2027.", "The launch was planned for 2027 until the budget was cut.", "When is the launch?"),
        ("When was Salyut 1 launched.", SALYUT, "When was Salyut 1 launched?"),
        ("", SALYUT, "When was Salyut 1 launched?"),
    ],
    ids=[
        "wrong number",
        "number of a rival",
        "rival name",
        "foreign name",
        "considering dropped",
        "negation dropped",
        "roles swapped",
        "number only in a yes-no question",
        "wrong number word",
        "never dropped",
        "planned dropped",
        "only the question again",
        "nothing",
    ],
)
def test_what_is_not_carried_is_turned_down(sentence: str, source: str, question: str) -> None:
    assert not carried(sentence, source, question)


def test_the_carrying_evidence_is_named() -> None:
    check = check_sentence("Salyut 1 flew in 1971.", ["Nothing here.", BOTH], ["A", "B"], "When did Salyut 1 fly?")
    assert check is not None
    assert (check.verdict, check.evidence) == ("supported", 1)


def test_verbatim_is_quoted_whatever_the_white_space() -> None:
    check = check_sentence(SALYUT.replace(" ", "  "), [BOTH, SALYUT], ["A", "B"], "?")
    assert check is not None
    assert (check.verdict, check.evidence) == ("quoted", 1)


def test_no_evidence_carries_nothing() -> None:
    assert check_sentence("Salyut 1 flew in 1971.", [], [], "?") is None
