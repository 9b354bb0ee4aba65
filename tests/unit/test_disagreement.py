"""Articles of different dates that answer differently are shown with their dates; others are left as they are."""

import pytest

from rag.disagreement import dated, disagree
from rag.records import Document, Evidence

QUESTION = "How many people work at the Dorran mine?"


def evidence(text: str, answer: str, published: str | None) -> Evidence:
    document = Document(f"{published} {text}", "d.md", text, 0, "", "Mines", None, None, published)
    at = text.find(answer)
    return Evidence(document, 0, len(text), 0.9, (at, at + len(answer)) if answer else None)


OLD = evidence("The Dorran mine has 400 people at work.", "400", "2014-03-18")
NEW = evidence("Only 150 people work at the Dorran mine.", "150", "2023-05-02")


def test_other_numbers_of_another_year_disagree() -> None:
    assert disagree(QUESTION, OLD, NEW)
    assert disagree(QUESTION, NEW, OLD)
    assert dated(QUESTION, [NEW, OLD]) == ([OLD, NEW], ["2014", "2023"])


def test_other_names_of_another_year_disagree() -> None:
    one = evidence("The Coastal Party is led by Henrik Aas.", "Henrik Aas", "2015-06-15")
    other = evidence("The Coastal Party, led by Solveig Moen, would lose.", "Solveig Moen", "2022-02-08")
    assert disagree("Who leads the Coastal Party?", one, other)


def test_within_a_year_the_month_is_shown() -> None:
    later = evidence("Only 150 people work at the Dorran mine.", "150", "2014-11-02")
    assert dated(QUESTION, [OLD, later])[1] == ["2014-03", "2014-11"]


def test_a_third_source_keeps_out_of_it() -> None:
    other = evidence("Sheep graze at the mine.", "Sheep", "2020-01-01")
    assert dated(QUESTION, [NEW, other, OLD]) == ([OLD, NEW, other], ["2014", "2023", None])


@pytest.mark.parametrize(
    "other",
    [
        evidence("In all 400 people work at the Dorran mine.", "400", "2023-05-02"),
        evidence("Of 400 people at work at the Dorran mine, 150 are left.", "150", "2023-05-02"),
        evidence("Only 150 people work at the Dorran mine.", "150", "2014-03-30"),
        evidence("Only 150 people work at the Dorran mine.", "150", None),
        evidence("Only 150 people work at the Dorran mine.", "150", "2023"),
        evidence("Only 150 people work at the Dorran mine.", "", "2023-05-02"),
        evidence("Brede forest has 31 wolves.", "31", "2023-05-02"),
        evidence("Few people work at the Dorran mine.", "Few people", "2023-05-02"),
    ],
    ids=["same", "has both", "same month", "no date", "only a year", "no answer", "something else", "no number"],
)
def test_what_does_not_disagree(other: Evidence) -> None:
    assert not disagree(QUESTION, OLD, other)
    assert dated(QUESTION, [OLD, other]) == ([OLD, other], [None, None])
