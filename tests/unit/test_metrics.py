"""The measures are SQuAD's: equal strings count as equal whatever their case, articles and punctuation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.metrics import contains_gold, exact_match, normalised, token_f1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Apollo–Soyuz Test", "apollo–soyuz test"),
        ("  a  U.S.\tcrew\n", "us crew"),
        ("an answer, the answer", "answer answer"),
        ("1,600 kg.", "1600 kg"),
        ("theatre anthem", "theatre anthem"),
        ("The", ""),
        ("", ""),
    ],
    ids=["article", "dots and space", "articles inside", "number", "no articles", "only an article", "empty"],
)
def test_normalising(text: str, expected: str) -> None:
    assert normalised(text) == expected


@pytest.mark.parametrize(
    ("answer", "gold", "equal"),
    [
        ("the Salyut 1", ["Salyut 1."], True),
        ("1971", ["April 1971", "1971"], True),
        ("in 1971", ["1971"], False),
        ("1971", [], False),
    ],
    ids=["normalised", "any gold answer", "more words", "no gold answer"],
)
def test_exact_match(answer: str, gold: list[str], equal: bool) -> None:
    assert exact_match(answer, gold) is equal


@pytest.mark.parametrize(
    ("answer", "gold", "score"),
    [
        ("April 19, 1971", ["april 19 1971"], 1.0),
        ("April 1971", ["1971"], 2 * (1 / 2 * 1) / (1 / 2 + 1)),
        ("in April of 1971", ["1971 April"], 2 * (2 / 4 * 1) / (2 / 4 + 1)),
        ("May 1971", ["June 1972", "in May"], 0.5),
        ("one one", ["one"], 2 * (1 / 2 * 1) / (1 / 2 + 1)),
        ("1986", ["1971"], 0.0),
        ("", ["1971"], 0.0),
        ("1971", [], 0.0),
    ],
    ids=["equal", "one more", "two more", "best gold", "repeated", "different", "empty", "no gold"],
)
def test_f1(answer: str, gold: list[str], score: float) -> None:
    assert token_f1(answer, gold) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "gold", "found"),
    [
        ("It was launched in 1971.", ["1971"], True),
        ("It was launched in 19710.", ["1971"], False),
        ("The U.S. crew came.", ["the US crew"], True),
        ("Thirteen crews came.", ["thirteen", "13"], True),
        ("Thirteen crews came.", ["13"], False),
        ("crews Thirteen", ["thirteen crews"], False),
        ("Anything.", [], False),
    ],
    ids=["last word", "part of a word", "normalised", "any gold", "none", "order", "no gold"],
)
def test_gold_in_a_text(text: str, gold: list[str], found: bool) -> None:
    assert contains_gold(text, gold) is found


@given(st.text(max_size=30), st.text(max_size=30))
def test_measures_agree_with_each_other(answer: str, gold: str) -> None:
    score = token_f1(answer, [gold])
    assert 0 <= score <= 1
    assert score == pytest.approx(token_f1(gold, [answer]))
    if normalised(answer) and exact_match(answer, [gold]):
        assert score == 1
        assert contains_gold(answer, [gold])
