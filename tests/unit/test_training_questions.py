"""The reader's own training questions are well formed, and none of them is asked by the gold set."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSAGES = sorted((ROOT / "training/reader").glob("*passages.jsonl"))
ALL = sorted((ROOT / "training/reader").glob("*.jsonl"))


def rows(path: Path) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("path", PASSAGES, ids=lambda path: path.stem)
def test_each_answer_stands_in_its_passage_as_whole_words(path: Path) -> None:
    for row in rows(path):
        text = row["text"]
        assert row["title"].strip() == row["title"] != ""
        for question, *span in row["questions"]:
            assert question.strip() == question != ""
            if span:
                start, end = span
                assert 0 <= start < end <= len(text), question
                assert text[start:end].strip() == text[start:end], question


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_question_is_asked_once_of_a_passage_and_some_have_no_answer(path: Path) -> None:
    unanswered = asked = 0
    for row in rows(path):
        questions = [question.lower() for question, *_ in row["questions"]]
        assert all(span == [] or (len(span) == 2 and 0 <= span[0] < span[1]) for _, *span in row["questions"])
        assert len(questions) == len(set(questions))
        asked += len(questions)
        unanswered += sum(len(question) == 1 for question in row["questions"])
    assert 0.3 < unanswered / asked < 0.5


def test_no_gold_question_is_trained_on() -> None:
    gold = {row["question"].lower().strip(" ?") for row in rows(ROOT / "tests/gold/questions.jsonl")}
    assert (len(ALL), len(PASSAGES)) == (8, 5)
    for path in ALL:
        asked = {question.lower().strip(" ?") for row in rows(path) for question, *_ in row["questions"]}
        assert not gold & asked
