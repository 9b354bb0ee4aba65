"""What the writer is asked, and what it may write."""

import pytest

from rag.prompts import answer_grammar, answer_messages, refusal, unanswered


def test_sources_are_numbered_and_each_on_its_line() -> None:
    system, user = answer_messages("Why?", ["One\nsource.", "  Another  one. "])
    assert user["content"] == "[1] One source.\n[2] Another one.\n\nQuestion: Why?"
    assert system["content"] == answer_messages("When?", ["x"])[0]["content"], "the beginning is cached"


@pytest.mark.parametrize(
    ("choices", "root"),
    [
        (["Mir fell"], '("Mir fell")'),
        (["Mir fell\nin 2001", "Mir fell"], '("Mir fell in 2001" | "Mir fell")'),
        (['Mir "fell"', "a\\b"], '("Mir \\"fell\\"" | "a\\\\b")'),
    ],
)
def test_one_of_the_choices_can_be_written_and_nothing_else(choices: list[str], root: str) -> None:
    assert answer_grammar(choices) == f'root ::= {root} " [1]."'


def test_refusals_name_what_is_missing() -> None:
    assert "“Mars”, “2031”" in refusal(["Mars", "2031"])
    assert "mentions" not in refusal([])


def test_parts_without_an_answer_are_named() -> None:
    assert unanswered(["when did Mir?"]) == "The articles do not say: “when did Mir?”"
    assert unanswered([]) == ""
