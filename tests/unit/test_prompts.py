"""What the writer is asked, and what it may write."""

import json

import pytest

from rag.prompts import answer_grammar, answer_messages, refusal, unanswered


def test_sources_are_numbered_and_each_on_its_line() -> None:
    system, user = answer_messages("Why?", ["One\nsource.", "  Another  one. "])
    assert user["content"] == "[1] One source.\n[2] Another one.\n\nQuestion: Why?"
    assert system["content"] == answer_messages("When?", ["x"])[0]["content"], "the beginning is cached"


SOURCE = 'He met Dr. U.S. "Mir" in 1986, [not] for 2,688 days.'


def words(grammar: str) -> set[str]:
    rule = dict(line.split(" ::= ", 1) for line in grammar.splitlines())["word"]
    return {json.loads(word) for word in rule.split(" | ")}


def test_only_words_of_the_source_and_a_few_that_join_them_can_be_written() -> None:
    allowed = words(answer_grammar("Whom did Gagarin meet?", "Salyut flew."))
    assert {"Salyut", "salyut", "flew", "Flew", "the", "was"} <= allowed
    assert not {"Gagarin", "meet", "Whom"} & allowed


def test_a_name_of_the_question_may_stand_for_a_pronoun() -> None:
    assert {"Gagarin", "Dr.", "U.S.", "Mir", "2,688", "1986"} <= words(answer_grammar("Whom did Gagarin meet?", SOURCE))


def test_a_refusal_cannot_be_begun() -> None:
    assert "Not" not in words(answer_grammar("Why?", "It did not fly."))


@pytest.mark.parametrize(
    ("holding", "literal"),
    [
        ("19 April\n1971", '"19 April 1971"'),
        ('"peace" and', '"\\"peace\\" and"'),
        ("a\\b", '"a\\\\b"'),
        ("[1]", None),
        (" ", None),
    ],
)
def test_the_short_answer_is_held_to(holding: str, literal: str | None) -> None:
    root = answer_grammar("Why?", SOURCE, holding).splitlines()[0]
    assert root == f'root ::= {f"text {literal} between+ text" if literal else "text"} "[1]."'


def test_refusals_name_what_is_missing() -> None:
    assert "“Mars”, “2031”" in refusal(["Mars", "2031"])
    assert "mentions" not in refusal([])


def test_parts_without_an_answer_are_named() -> None:
    assert unanswered(["when did Mir?"]) == "The articles do not say: “when did Mir?”"
    assert unanswered([]) == ""
