"""Each measure is the published one: worked out by hand on small cases, and within its bounds on any."""

import math
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import UsageError
from rag.metrics import (
    area_under_risk_coverage,
    calibration_bins,
    citation_precision,
    citation_recall,
    contains_gold,
    exact_match,
    expected_calibration_error,
    normalised,
    percentile,
    ranking_figures,
    risk_coverage,
    share,
    token_f1,
)


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


LOG3 = math.log2(3)


@pytest.mark.parametrize(
    ("relevant", "ranked", "expected"),
    [
        ({"a": 1}, ["a", "x"], {"recall@1": 1, "recall@10": 1, "mrr@10": 1, "ndcg@10": 1}),
        ({"a": 1}, ["x", "a"], {"recall@1": 0, "recall@2": 1, "mrr@10": 1 / 2, "ndcg@10": 1 / LOG3}),
        ({"a": 1}, [*"uvwxyz", "a"], {"recall@5": 0, "recall@10": 1, "mrr@10": 1 / 7, "ndcg@10": 1 / 3}),
        ({"a": 1}, [*"0123456789", "a"], {"recall@10": 0, "mrr@10": 0, "ndcg@10": 0}),
        (
            {"a": 1, "b": 1, "c": 1},
            ["a", "x", "b"],
            {"recall@1": 1 / 3, "recall@2": 1 / 3, "recall@3": 2 / 3, "recall@10": 2 / 3, "mrr@10": 1}
            | {"ndcg@10": (1 + 1 / 2) / (1 + 1 / LOG3 + 1 / 2)},
        ),
        ({"a": 3, "b": 1}, ["b", "x", "a"], {"recall@3": 1, "mrr@10": 1, "ndcg@10": (1 + 3 / 2) / (3 + 1 / LOG3)}),
        ({"a": 1}, [], dict.fromkeys(("recall@1", "recall@2", "recall@3", "recall@5", "recall@10", "mrr@10"), 0)),
    ],
    ids=["first", "second", "seventh", "too late", "several", "graded", "nothing found"],
)
def test_figures_of_one_ranking(relevant: dict[str, int], ranked: list[str], expected: dict[str, float]) -> None:
    found = ranking_figures([relevant], [ranked])
    assert list(found) == ["recall@1", "recall@2", "recall@3", "recall@5", "recall@10", "mrr@10", "ndcg@10"]
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_figures_of_several_questions_are_means_over_all_of_them() -> None:
    relevant, ranked = [{"a": 1}, {"a": 1}, {"b": 1}, {"a": 1}], [["a"], ["x", "a"], [], ["b"]]
    assert ranking_figures(relevant, ranked, (1, 4)) == pytest.approx(
        {"recall@1": 1 / 4, "recall@4": 2 / 4, "mrr@10": (1 + 1 / 2) / 4, "ndcg@10": (1 + 1 / LOG3) / 4}
    )


@pytest.mark.parametrize("names", ["abcde", "edcba", "01234"])
def test_the_order_given_is_the_ranking_whatever_the_names(names: str) -> None:
    figures = [ranking_figures([{name: 1}], [list(names)])["mrr@10"] for name in names]
    assert figures == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


def test_without_its_library_ranking_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(UsageError, match="ir-measures") as caught:
        ranking_figures([{"a": 1}], [["a"]])
    assert "ask-the-articles[eval]" in caught.value.remedy


def by_words(sentence: str, quotes: Sequence[str]) -> bool:
    """Carried if every word stands in one of the quotes."""
    return set(sentence.split()) <= set(" ".join(quotes).split())


@pytest.mark.parametrize(
    ("sentences", "recall", "precision"),
    [
        ([("a b", ["a b c"])], 1, 1),
        ([("a b", ["a b", "x y"])], 1, 1 / 2),
        ([("a b", ["x", "a b", "y"])], 1, 1 / 3),
        ([("a b", ["a", "b"])], 1, 1),
        ([("a b", ["a", "b", "x"])], 1, 2 / 3),
        ([("a b", ["a b", "b a"])], 1, 1),
        ([("a b", ["a"])], 0, 0),
        ([("a b", ["a", "x"]), ("c", ["c"])], 1 / 2, 1 / 3),
        ([("a", []), ("b", ["b"])], 1 / 2, 1),
        ([("a", [])], 0, 0),
    ],
    ids=[
        "one",
        "one more",
        "two more",
        "a needed pair",
        "a pair and one more",
        "each enough",
        "not carried",
        "one of two not carried",
        "one without citation",
        "no citation",
    ],
)
def test_citations_are_judged_as_in_alce(
    sentences: list[tuple[str, list[str]]], recall: float, precision: float
) -> None:
    assert citation_recall(sentences, by_words) == pytest.approx(recall)
    assert citation_precision(sentences, by_words) == pytest.approx(precision)


def test_a_sentence_without_citations_is_never_carried() -> None:
    assert citation_recall([("a", [])], lambda sentence, quotes: True) == 0
    assert citation_precision([("a", [])], lambda sentence, quotes: True) == 0


CONFIDENCES = [0.8, 0.1, 0.9, 0.8]
RIGHT = [False, False, True, True]


def test_risk_and_coverage_with_answers_of_equal_confidence() -> None:
    assert risk_coverage(CONFIDENCES, RIGHT) == [(1 / 4, 0), (3 / 4, 1 / 3), (1, 1 / 2)]
    assert area_under_risk_coverage(CONFIDENCES, RIGHT) == pytest.approx(2 / 4 * 1 / 3 + 1 / 4 * 1 / 2)


@pytest.mark.parametrize(
    ("confidences", "right", "points", "area"),
    [
        ([0.5, 0.5, 0.5], [True, False, True], [(1, 1 / 3)], 1 / 3),
        ([0.9, 0.4], [True, False], [(1 / 2, 0), (1, 1 / 2)], 1 / 4),
        ([0.4, 0.9], [True, False], [(1 / 2, 1), (1, 1 / 2)], 3 / 4),
        ([0.7], [True], [(1, 0)], 0),
        ([], [], [], None),
    ],
    ids=["all equal", "sure and right", "sure and wrong", "one", "none"],
)
def test_the_area_under_risk_and_coverage(
    confidences: list[float], right: list[bool], points: list[tuple[float, float]], area: float | None
) -> None:
    assert risk_coverage(confidences, right) == points
    assert area_under_risk_coverage(confidences, right) == (None if area is None else pytest.approx(area))


def test_calibration_by_bins_of_equal_width() -> None:
    confidences = [1.0, 0.92, 0.5, 0.58, 0.0, 0.59]
    right = [True, False, True, False, False, False]
    assert calibration_bins(confidences, right) == [
        (0.0, 0, 1),
        (pytest.approx(1.67 / 3), pytest.approx(1 / 3), 3),
        (pytest.approx(0.96), 0.5, 2),
    ]
    gaps = 1 * 0.0 + 3 * (1.67 - 1) / 3 + 2 * (0.96 - 0.5)
    assert expected_calibration_error(confidences, right) == pytest.approx(gaps / 6)
    assert calibration_bins(confidences, right, bins=1) == [(pytest.approx(3.59 / 6), pytest.approx(2 / 6), 6)]
    assert expected_calibration_error(confidences, right, bins=1) == pytest.approx((3.59 - 2) / 6)


def test_what_is_always_right_and_fully_sure_is_calibrated() -> None:
    assert calibration_bins([1.0, 1.0], [True, True]) == [(1, 1, 2)]
    assert expected_calibration_error([1.0, 1.0, 0.0], [True, True, False]) == 0
    assert expected_calibration_error([1.0], [False]) == 1
    assert calibration_bins([], []) == []
    assert expected_calibration_error([], []) is None


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([4, 1, 3, 2], 50, 2.5),
        ([4, 1, 3, 2], 0, 1),
        ([4, 1, 3, 2], 100, 4),
        ([10, 20], 95, 19.5),
        (list(range(101)), 99, 99),
        ([7], 50, 7),
    ],
)
def test_percentiles_lie_between_their_neighbours(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"), [([True, False, False, True], 0.5), ([True], 1), ([False], 0), ([], None)]
)
def test_the_share_of_true_values(values: list[bool], expected: float | None) -> None:
    assert share(values) == expected


JUDGED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@given(JUDGED)
def test_selective_figures_stay_within_their_bounds(judged: list[tuple[float, bool]]) -> None:
    confidences, right = [sure for sure, _ in judged], [hit for _, hit in judged]
    points = risk_coverage(confidences, right)
    coverages = [coverage for coverage, _ in points]
    assert coverages == sorted(set(coverages))
    assert len(points) == len(set(confidences))
    assert points[-1] == pytest.approx((1, 1 - sum(right) / len(right)))
    assert all(0 <= risk <= 1 for _, risk in points)
    bins = calibration_bins(confidences, right)
    assert sum(count for _, _, count in bins) == len(judged)
    assert sum(count * hit for _, hit, count in bins) == pytest.approx(sum(right))
    for figure in (area_under_risk_coverage(confidences, right), expected_calibration_error(confidences, right)):
        assert figure is not None
        assert -1e-9 <= figure <= 1 + 1e-9


@given(st.lists(st.tuples(st.text("abc ", max_size=5), st.lists(st.text("abc ", max_size=5), max_size=4)), min_size=1))
def test_citation_figures_stay_within_their_bounds(sentences: list[tuple[str, list[str]]]) -> None:
    recall, precision = citation_recall(sentences, by_words), citation_precision(sentences, by_words)
    assert 0 <= recall <= 1
    assert 0 <= precision <= 1
    assert (precision > 0) <= (recall > 0), "a citation of use needs a carried sentence"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_rise_from_the_least_to_the_most(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    slack = 1e-6
    assert min(values) - slack <= percentile(values, low) <= percentile(values, high) + slack <= max(values) + 2 * slack
