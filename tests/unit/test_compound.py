"""A question that asks several things is taken apart; one that asks one thing stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.compound import MAX_PARTS, parts, readings

SALYUT = "When did Salyut 6 fall?"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did Salyut 6 fall, and when did Mir?", [SALYUT, "when did Mir?"]),
        ("When did Salyut 6 fall and who saw it?", [SALYUT, "who saw it?"]),
        ("When did Salyut 6 fall; who saw it?", [SALYUT, "who saw it?"]),
        ("When did Salyut 6 fall? Who saw it?", [SALYUT, "Who saw it?"]),
        ("when did salyut 6 fall AND WHERE", ["when did salyut 6 fall?", "WHERE?"]),
        (
            "When did Mir fly, and who built the station, and what did the station cost?",
            ["When did Mir fly?", "who built the station?", "what did the station cost?"],
        ),
        (
            "When did Salyut 6 fall, and when did Mir, and when did Skylab?",
            [SALYUT, "when did Mir?", "when did Skylab?"],
        ),
    ],
)
def test_a_question_of_several_parts_is_split(question: str, expected: list[str]) -> None:
    assert list(parts(question)) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("In which year did Mir fly", "in which year did it fall"),
        ("By how many years did Mir outlive Salyut 7", "by how much"),
        ("Did Mir carry guests", "from which countries"),
        ("And who flew to Mir", "how long did they stay"),
        ("Up to how many guests did Mir carry", "up to what age"),
        ("Salyut 7 had how many crews", "which one repaired the station"),
    ],
)
def test_a_preposition_goes_with_what_it_asks_for(first: str, second: str) -> None:
    assert parts(f"{first}, and {second}?") == (f"{first}?", f"{second}?")


@pytest.mark.parametrize(
    "question",
    [
        "When did Salyut 6 fall?",
        "When and where was he born?",
        "Who and what was on board of Mir?",
        "How tall and how heavy is it?",
        "When did Mir fly and Salyut fall?",
        "Name the man who flew, and who paid",
        "Tell me when Mir fell and who saw it",
        "Russia and who else built Mir?",
        "Which two countries signed the treaty, and when did each?",
        "Who flew to Mir, which was launched in 1986?",
        "What is the brand who made it called?",
        "Which rand-whose value fell is meant?",
        "",
        "?",
        "and who",
    ],
)
def test_a_question_of_one_part_stays_as_it_is(question: str) -> None:
    assert parts(question) == (question,)


def test_the_last_part_keeps_what_is_beyond_the_limit() -> None:
    question = "When did Mir fly, and who built Mir first, and what did Mir cost, and why did Mir fall?"
    assert parts(question)[2:] == ("what did Mir cost, and why did Mir fall?",)


@pytest.mark.parametrize(
    ("part", "first", "expected"),
    [
        (
            "when did India?",
            "When did Canada launch its first satellite?",
            [
                "When did India launch its first satellite?",
                "when did India? (launch first satellite)",
            ],
        ),
        ("when did Mir?", SALYUT, ["When did Mir fall?", "when did Mir? (fall)"]),
        (
            "when will the Salyut 7?",
            SALYUT,
            ["When did the Salyut 7 fall?", "when will the Salyut 7? (fall)"],
        ),
        (
            "how many by June 2025?",
            "Who had visited the ISS by 2016?",
            ["how many by June 2025?", "how many by June 2025? (visited ISS 2016)"],
        ),
        ("when did Mir fall?", SALYUT, ["when did Mir fall?"]),
        ("who paid?", "When was the Launch of Mir?", ["who paid?", "who paid? (Launch Mir)"]),
        ("who was Titov?", "Who was Gagarin?", ["Who was Titov?"]),
        ("where was Titov?", "Who was Gagarin?", ["where was Titov?"]),
    ],
    ids=[
        "what the first one said",
        "without its names",
        "with an article",
        "about what it named",
        "nothing new",
        "named, not naming",
        "only names",
        "only names, asked otherwise",
    ],
)
def test_a_later_part_may_mean_what_the_first_one_said(part: str, first: str, expected: list[str]) -> None:
    assert readings(part, first) == expected


PIECES = [*"and who where did Mir flew each , ; ? ß 1 \n how".split(" "), "how many", "and when", " "]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join)))
def test_parts_are_never_empty_and_never_too_many(question: str) -> None:
    found = parts(question)
    assert 1 <= len(found) <= MAX_PARTS == 3
    if len(found) == 1:
        assert found == (question,)
        return
    for part in found:
        assert part.endswith("?")
        assert any(char.isalnum() for char in part)
        assert part.rstrip("?") in question
        assert 1 <= len(readings(part, found[0])) <= 2


@pytest.mark.parametrize("unit", ["and who ", "who and ", ", ", " ", "; who ", "how many ", "? what flew ", "in "])
def test_a_long_question_of_little_words_is_no_trouble(unit: str) -> None:
    for beginning in ("", "When did Mir fly ", "?"):
        question = (beginning + unit * 2_000)[:2_000]
        assert 1 <= len(parts(question)) <= MAX_PARTS
