"""What the writer writes is shown only where sources carry it: whole sentences, clauses, and sentences of whole passages."""

from collections.abc import Sequence

import pytest

from fakes import ScriptedWriter
from rag import writing
from rag.citations import number_citations
from rag.errors import ModelError
from rag.prompts import passage_messages
from rag.records import AnswerSentence, Document, Evidence, Passage
from rag.writing import Task, quote, write

pytestmark = pytest.mark.usefixtures("short_sources_are_worded")

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


PASSAGES = [Passage(1, DOCUMENT, 0, len(TEXT), 0.9)]
BOTH = ["When was Mir launched?", "When was Salyut 1 launched?"]


def alike(question: str, sentence: str, answer: str) -> bool:
    return answer in sentence


def written(task: Task, *pieces: str, words: int = 60) -> list[AnswerSentence]:
    return list(write(task, ScriptedWriter(pieces), alike, words, 5.0))


# One source at a time


def test_each_source_is_worded_for_its_part_of_the_question() -> None:
    writer = ScriptedWriter(turns=[["Mir was launched in February 1986 [1]."], ["Salyut 1 was launched in 1986 [1]."]])
    task = Task(" ".join(BOTH), [evidence(MIR.text, "February 1986"), SALYUT], BOTH)
    shown = list(write(task, writer, alike, 60, 5.0))
    assert [(item.text, item.verdict, item.citations) for item in shown] == [
        ("Mir was launched in February 1986.", "supported", (1,)),
        (SALYUT.text, "quoted", (2,)),
    ]
    assert (task.written, task.carried) == (2, 1)
    assert [request[1]["content"] for request in writer.requests] == [
        f"[1] {item.text}\n\nQuestion: {question}" for item, question in zip([MIR, SALYUT], BOTH, strict=True)
    ]
    assert [
        grammar.startswith(f'root ::= ("{item.text[:-1]}"')
        for grammar, item in zip(writer.grammars, [MIR, SALYUT], strict=True)
    ] == [True, True]


def test_a_source_of_which_nothing_can_be_left_out_is_quoted_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_can_be_shortened", lambda source: source is not SALYUT)
    writer = ScriptedWriter(["Mir was launched in February 1986 [1]."])
    task = Task(" ".join(BOTH), [SALYUT, MIR], BOTH[::-1])
    shown = list(write(task, writer, alike, 60, 5.0))
    assert [(item.verdict, item.citations) for item in shown] == [("quoted", (1,)), ("supported", (2,))]
    assert (task.written, task.carried, len(writer.requests)) == (1, 1, 1)


def test_sources_that_answer_no_part_are_quoted() -> None:
    writer = ScriptedWriter(["Mir was launched in February 1986 [1]."])
    task = Task(BOTH[0], [MIR, SALYUT, GUESTS], BOTH[:1])
    shown = list(write(task, writer, alike, 60, 5.0))
    assert [item.verdict for item in shown] == ["supported", "quoted", "quoted"]
    assert len(writer.requests) == 1


def test_only_the_first_sentence_is_taken_and_the_writer_stopped() -> None:
    writer = ScriptedWriter(["Mir was launched in February 1986 [1]. ", "Salyut 1 ", "was "])
    shown = list(write(Task(BOTH[0], [MIR], BOTH[:1]), writer, alike, 60, 5.0))
    assert [item.text for item in shown] == ["Mir was launched in February 1986."]
    assert writer.closed == 1


def test_a_writer_that_fails_is_not_asked_again() -> None:
    writer = ScriptedWriter(error=ModelError("It died", "Try again."))
    task = Task(" ".join(BOTH), [MIR, SALYUT], BOTH)
    assert list(write(task, writer, alike, 60, 5.0)) == list(quote(task.sources, [1, 2]))
    assert len(writer.requests) == 1
    assert task.problem == "It died. Try again."


def test_a_rewording_without_the_short_answer_is_replaced() -> None:
    task = Task("When did Mir fall?", [evidence(MIR.text, "March 2001")], ["When did Mir fall?"])
    assert written(task, "Mir was launched in February 1986.") == list(quote(task.sources, [1]))
    assert (task.written, task.carried) == (1, 0)


def test_a_source_that_is_copied_needs_no_second_reading() -> None:
    task = Task("When did Mir fall?", [evidence(MIR.text, "March 2001")], ["When did Mir fall?"])
    shown = list(write(task, ScriptedWriter([f"{MIR.text[:-1]} [1]."]), lambda *_: False, 60, 5.0))
    assert shown == list(quote(task.sources, [1]))
    assert (task.written, task.carried) == (1, 1)


# From whole passages


def test_each_clause_may_rest_on_a_source_of_its_own() -> None:
    task = Task("When were Mir and Salyut 1 launched?", [MIR, SALYUT], passages=PASSAGES)
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
    shown = written(Task("When were Mir and Salyut 1 launched?", [MIR, SALYUT], passages=PASSAGES), text)
    assert [(sentence.text, sentence.verdict) for sentence in shown] == [(MIR.text, "quoted"), (SALYUT.text, "quoted")]


def test_a_sentence_of_the_passage_becomes_a_source_when_it_is_used() -> None:
    task = Task("What is known of Mir?", [MIR], others=[MIR, SALYUT, GUESTS], passages=PASSAGES)
    shown = written(task, "Mir was launched in February 1986 [1]. ", "Twelve countries sent guests to Mir [1].")
    assert [sentence.citations for sentence in shown] == [(1,), (2,)]
    assert task.sources == [MIR, GUESTS]


def test_whole_passages_are_shown_to_the_writer_only_where_given() -> None:
    for passages, seen in (([], False), (PASSAGES, True)):
        writer = ScriptedWriter(["Mir was launched in February 1986."])
        list(write(Task(BOTH[0], [MIR], BOTH[:1], passages=passages), writer, alike, 60, 5.0))
        assert (GUESTS.text in writer.requests[0][1]["content"]) is seen


def test_the_prompt_of_passages_numbers_and_dates_at_most_five() -> None:
    passages = [Passage(n, DOCUMENT, 0, len(TEXT), 0.5) for n in range(8)]
    content = passage_messages("Why?", passages)[1]["content"]
    assert "[1] Stations, Herald, 2021-06-18\n" in content
    assert "[5]" in content
    assert "[6]" not in content
    assert content.endswith("Question: Why?")


@pytest.mark.parametrize(("asked", "shown"), [(BOTH, [(1,), (2,)]), (BOTH[:1], [(1,)])])
def test_what_the_writer_leaves_out_is_quoted_where_it_is_needed(
    asked: Sequence[str], shown: Sequence[tuple[int]]
) -> None:
    task = Task(" ".join(asked), [MIR, SALYUT], asked, passages=PASSAGES)
    assert [item.citations for item in written(task, "Mir was launched in February 1986 [1].")] == shown


def test_an_answer_ends_at_its_length() -> None:
    text = (
        "Mir was launched in February 1986. Salyut 1 was launched in April 1971. Twelve countries sent guests to Mir."
    )
    for words, sentences in ((60, 3), (13, 2)):
        task = Task("What is known?", [MIR, SALYUT, GUESTS], passages=PASSAGES)
        assert len(written(task, text, words=words)) == sentences


# Text that was broken on its way here


BROKEN = "Mir fell in 2001. ⟦Photo: AFP⟧ The joint opera-\ntion of Mir, an of\ufb01ce in three cities, ended in\n2001."


def broken(quote: str, answer: str = "") -> Evidence:
    begin, end = BROKEN.index("⟦"), BROKEN.index("⟧")
    text = BROKEN.replace("⟦", "").replace("⟧", "")
    source = Document("b", "b.txt", text, 0, "", "Mir", boilerplate=((begin, end - 1),))
    start = text.index(quote)
    span = (text.index(answer), text.index(answer) + len(answer)) if answer else None
    return Evidence(source, start, start + len(quote), 0.9, span)


MENDED = "The joint operation of Mir, an office in three cities, ended in 2001."


def test_a_quote_is_shown_mended_and_cited_as_it_stands() -> None:
    item = broken("The joint opera-\ntion of Mir, an of\ufb01ce in three cities, ended in\n2001.")
    assert list(quote([item], [1])) == [AnswerSentence(MENDED, "quoted", (1,))]
    (citation,) = number_citations([item])
    assert citation.quote == item.document.text[citation.start : citation.end]
    assert "opera-\ntion" in citation.quote


def test_the_writer_reads_the_mended_sentence_and_is_checked_against_it() -> None:
    item = broken("The joint opera-\ntion of Mir, an of\ufb01ce in three cities, ended in\n2001.", "in\n2001")
    writer = ScriptedWriter(["The joint operation of Mir ended in 2001 [1]."])
    shown = list(write(Task("When did it end?", [item], ["When did it end?"]), writer, alike, 60, 5.0))
    assert [(sentence.text, sentence.verdict) for sentence in shown] == [
        ("The joint operation of Mir ended in 2001.", "supported")
    ]
    assert writer.requests[0][1]["content"].startswith(f"[1] {MENDED}\n")
    assert f'"{MENDED[:-1]}" | "The joint operation of Mir ended in 2001"' in writer.grammars[0]


def test_whole_passages_are_shown_to_the_writer_without_their_boilerplate() -> None:
    item = broken("2001.")
    content = passage_messages("Why?", [Passage(1, item.document, 0, len(item.document.text), 0.9)])[1]["content"]
    assert f"[1] Mir\nMir fell in 2001. {MENDED}\n" in content
