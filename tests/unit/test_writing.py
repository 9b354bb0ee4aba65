"""What the writer writes is shown only where sources carry it: whole sentences, clauses, and sentences of whole passages."""

from collections.abc import Sequence

import pytest

from fakes import ScriptedWriter
from rag.prompts import passage_messages
from rag.records import AnswerSentence, Document, Evidence, Passage
from rag.writing import Task, quote, write

TEXT = (
    "Mir was launched in February 1986 and fell into the Pacific in March 2001. Salyut 1 was launched in April 1971. "
    "Twelve countries sent guests to Mir."
)
DOCUMENT = Document("d", "d.md", TEXT, 0, "", "Stations", "Herald", None, "2021-06-18")


def evidence(quote: str, answer: str = "") -> Evidence:
    start = TEXT.index(quote)
    span = (TEXT.index(answer), TEXT.index(answer) + len(answer)) if answer else None
    return Evidence(DOCUMENT, start, start + len(quote), 0.9, span)


MIR = evidence("Mir was launched in February 1986 and fell into the Pacific in March 2001.")
SALYUT = evidence("Salyut 1 was launched in April 1971.")
GUESTS = evidence("Twelve countries sent guests to Mir.")


def written(task: Task, *pieces: str, words: int = 60) -> list[AnswerSentence]:
    return list(write(task, ScriptedWriter(pieces), lambda question, sentence, answer: answer in sentence, words, 5.0))


def test_each_clause_may_rest_on_a_source_of_its_own() -> None:
    task = Task("When were Mir and Salyut 1 launched?", [MIR, SALYUT])
    (sentence,) = written(task, "Mir was launched in February 1986 [1], and Salyut 1 was launched in April 1971 [2].")
    assert sentence.text == "Mir was launched in February 1986, and Salyut 1 was launched in April 1971."
    assert (sentence.verdict, sentence.citations) == ("supported", (1, 2))


@pytest.mark.parametrize(
    "text",
    [
        "Mir was launched in February 1986 [1], and Salyut 1 was launched in March 2001 [2].",
        "Mir was launched in April 1971 [1], and Salyut 1 was launched in April 1971 [2].",
        "Salyut 1 fell into the Pacific [1], and Mir was launched in February 1986 [2].",
    ],
    ids=["second clause", "first clause", "subject"],
)
def test_one_wrong_clause_takes_the_sentence_with_it(text: str) -> None:
    shown = written(Task("When were Mir and Salyut 1 launched?", [MIR, SALYUT]), text)
    assert [(sentence.text, sentence.verdict) for sentence in shown] == [(MIR.text, "quoted"), (SALYUT.text, "quoted")]


def test_a_sentence_of_the_passage_becomes_a_source_when_it_is_used() -> None:
    passage = Passage(1, DOCUMENT, 0, len(TEXT), 0.9)
    task = Task("What is known of Mir?", [MIR], [MIR, SALYUT, GUESTS], [passage])
    shown = written(task, "Mir was launched in February 1986 [1]. ", "Twelve countries sent guests to Mir [1].")
    assert [sentence.citations for sentence in shown] == [(1,), (2,)]
    assert task.sources == [MIR, GUESTS]
    alone = Task("What is known of Mir?", [MIR])
    assert (
        len(written(alone, "Mir was launched in February 1986 [1]. ", "Twelve countries sent guests to Mir [1].")) == 1
    )
    assert alone.sources == [MIR]


def test_whole_passages_are_shown_to_the_writer_only_where_given() -> None:
    passage = Passage(1, DOCUMENT, 0, len(TEXT), 0.9)
    for passages, seen in (((), False), ((passage,), True)):
        writer = ScriptedWriter(["Mir was launched in February 1986."])
        list(write(Task("When was Mir launched?", [MIR], (), passages), writer, lambda *_: True, 60, 5.0))
        assert (GUESTS.text in writer.requests[0][1]["content"]) is seen


def test_the_prompt_of_passages_numbers_and_dates_at_most_five() -> None:
    passages = [Passage(n, DOCUMENT, 0, len(TEXT), 0.5) for n in range(8)]
    content = passage_messages("Why?", passages)[1]["content"]
    assert "[1] Stations, Herald, 2021-06-18\n" in content
    assert "[5]" in content
    assert "[6]" not in content
    assert content.endswith("Question: Why?")


@pytest.mark.parametrize(("rest", "shown"), [(True, [(1,), (2,)]), (False, [(1,)])])
def test_what_the_writer_leaves_out_is_quoted_where_it_is_needed(rest: bool, shown: Sequence[tuple[int]]) -> None:
    task = Task("When was Mir launched? When was Salyut 1?", [MIR, SALYUT], quote_the_rest=rest)
    assert [item.citations for item in written(task, "Mir was launched in February 1986 [1].")] == shown


def test_a_rewording_without_the_short_answer_is_replaced() -> None:
    task = Task("When did Mir fall?", [evidence(MIR.text, "March 2001")])
    assert written(task, "Mir was launched in February 1986.") == list(quote(task.sources, [1]))


def test_an_answer_ends_at_its_length() -> None:
    task = Task("What is known?", [MIR, SALYUT, GUESTS])
    text = (
        "Mir was launched in February 1986. Salyut 1 was launched in April 1971. Twelve countries sent guests to Mir."
    )
    assert len(written(task, text)) == 3
    assert len(written(task, text, words=13)) == 2
