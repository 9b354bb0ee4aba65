"""Words, stems, numbers and names are told apart as the comparisons need them."""

import pytest

from rag.wording import content_stems, names, numbers, stem, stems, tokens


def test_tokens_are_runs_of_letters_and_digits() -> None:
    assert tokens("U.S. crew T-11, l'équipage_1 和平") == ["U", "S", "crew", "T", "11", "l", "équipage", "1", "和平"]
    assert tokens(" … ?! ") == []


@pytest.mark.parametrize(
    "words", [["launch", "launched", "launching", "launches"], ["agency", "agencies"], ["visit", "visitation"]]
)
def test_forms_of_a_word_share_a_stem(words: list[str]) -> None:
    assert len({stem(word) for word in words[:-1]}) == 1


def test_content_words_are_all_but_function_words() -> None:
    assert content_stems("When did the crews of the U.S. dock?") == ["crew", "u", "dock"]
    assert stems("When did the crews dock?") == ["when", "did", "the", "crew", "dock"]
    assert content_stems("Who was it?") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,600 kg in 1975.", ["1600", "1975"]),
        ("$1.5 billion, 12.", ["1.5", "12"]),
        ("T-11 and ISS-2", ["11", "2"]),
        ("1,2,3", ["1,2,3"]),
        ("none", []),
    ],
    ids=["thousands", "fraction", "in names", "list", "none"],
)
def test_numbers(text: str, found: list[str]) -> None:
    assert numbers(text) == found


def test_names_are_capitalised_or_hold_a_digit() -> None:
    assert names("The crew of Salyut 1 met A. Leonov, T2 and the U.S. team.") == [
        *("Salyut", "1", "Leonov", "T2", "U"),
    ]
