"""The evidence model sees what matters, and its probabilities move the right way."""

import math

import numpy as np
import pytest

from rag.evidence import (
    FEATURES,
    PassageScores,
    QuestionWords,
    SentenceReading,
    features,
    inverse_document_frequency,
    kind_found,
    kind_of,
    probability,
    question_features,
    same_answer,
    with_witnesses,
)

SENTENCE = "Salyut 1 was launched from Baikonur on 19 April 1971."
PASSAGE = f"The Salyut stations\n{SENTENCE} Its crew came later."
KNOWN = {"salyut": 3, "launch": 40, "baikonur": 10}


def row(
    question: str, sentence: str = SENTENCE, passage: str = PASSAGE, margin: float = 4.0, mass: float = 0.9
) -> dict[str, float]:
    words = QuestionWords.of(question, KNOWN, 100)
    values = features(
        words,
        sentence,
        "",
        passage,
        0.7,
        PassageScores(0.6, 0.7, 8.0, 0.0),
        SentenceReading(mass, margin, 0.0, mass / (1 + math.exp(-margin))),
    )
    return dict(zip(FEATURES, values, strict=True))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When was it?", "date"),
        ("In which year did they fly?", "date"),
        ("How many crews came?", "number"),
        ("Who went?", "person"),
        ("which country paid", "place"),
        ("Where did it land?", "place"),
        ("Why did it fail?", "reason"),
        ("What is Mir?", ""),
    ],
)
def test_the_kind_of_thing_asked_for(question: str, kind: str) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    ("question", "sentence", "found"),
    [
        ("When did it fly?", "It flew in April.", True),
        ("When did it fly?", "It flew.", False),
        ("What happened in 1971 and in which year did it end?", "It began in 1971.", False),
        ("How many crews came?", "Sixteen crews came.", True),
        ("How many crews came in 1971?", "Crews came in 1971.", False),
        ("Who commanded Mir?", "Mir was commanded well.", False),
        ("Who commanded Mir?", "The commander was Anatoly Solovyev.", True),
        ("What is Mir?", "Mir is a station.", None),
    ],
)
def test_whether_such_a_thing_is_new_in_the_sentence(question: str, sentence: str, found: bool | None) -> None:
    assert kind_found(QuestionWords.of(question, {}, 10), sentence) is found


def test_words_names_and_numbers_are_compared_by_stem() -> None:
    right = row("When was Salyut 1 launched?")
    assert right["covered_by_sentence"] == pytest.approx(1.0)
    assert right["kind_found"] == 1.0
    assert right["names_missing"] == right["numbers_missing"] == 0.0
    other = row("When was Salyut 7 visited by Savitskaya?")
    assert other["covered_by_sentence"] < 0.5
    assert other["numbers_missing"] == 1.0
    assert other["names_missing"] > 0.0


def test_rare_words_weigh_more() -> None:
    assert (
        inverse_document_frequency(0, 100)
        > inverse_document_frequency(3, 100)
        > inverse_document_frequency(90, 100)
        >= 0
    )


def test_better_evidence_is_likelier() -> None:
    question = "When was Salyut 1 launched?"
    rows = [
        row(question),
        row(question, margin=-6.0, mass=0.01),
        row("When was the treaty on Antarctica signed?", margin=-9.0, mass=0.0),
    ]
    strong, unread, foreign = probability(np.array([list(values.values()) for values in rows]), "reader")
    assert 0.0 < foreign < unread < strong < 1.0


def test_a_question_without_content_is_no_error() -> None:
    assert np.isfinite(list(row("What is it?").values())).all()
    assert np.isfinite(list(row("", sentence="", passage="").values())).all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("19 April 1971", "April 1971", True),
        ("the Soviet Union", "Soviet Union", True),
        ("by Georgi Grechko and Yuri Romanenko", "Yuri Romanenko and Georgi Grechko", True),
        ("19 April 1971", "20 April 1971", False),
        ("three crews", "Salyut 7", False),
        ("", "", False),
        ("", "1971", False),
    ],
)
def test_whether_two_short_answers_are_the_same(one: str, other: str, same: bool) -> None:
    assert same_answer(one, other) is same_answer(other, one) is same


def test_another_sentence_with_the_same_answer_is_a_witness_and_no_rival() -> None:
    candidates = np.array([list(row("When was Salyut 1 launched?").values())] * 3)
    chances = np.array([0.2, 0.7, 0.5])

    def compared(*answers: str) -> list[float]:
        odds = question_features(candidates, chances, answers, "reader")[:3]
        return [round(float(1 / (1 + math.exp(-value))), 2) for value in odds]

    least = round(1 / (1 + math.exp(5 - math.log(0.7 / 0.3))), 2)
    assert compared("1986", "April 1971", "19 April 1971") == [0.7, 0.2, 0.5]
    assert compared("1971", "1986", "2001") == [0.7, 0.5, least], "without a witness"
    assert compared("1971", "1971", "in 1971") == [0.7, least, 0.5], "without a rival"


def test_articles_that_give_the_same_answer_add_up() -> None:
    shares = (0.5, 0.3, 0.15, 0.0001, 0.04)
    answers = ("19 April 1971", "1986", "April 1971", "1986", "1971")
    candidates = np.array([list((row("?") | {"answer_share": share}).values()) for share in shares])
    seen = with_witnesses(candidates, answers, "abbba")
    column, log = FEATURES.index("answer_share"), FEATURES.index("answer_share_log")
    assert seen[:, column] == pytest.approx([0.65, 0.3, 0.69, 0.0001, 0.19]), "no article adds to itself"
    changed = [0, 2, 4]
    assert seen[changed, log] == pytest.approx(np.log(seen[changed, column] + 1e-6) / 10)
    assert candidates[:, column] == pytest.approx(shares), "given ones stay as they are"
    others = [number for number in range(len(FEATURES)) if number not in (column, log)]
    assert (seen[:, others] == candidates[:, others]).all()
    assert (with_witnesses(candidates, answers, "aaaaa") == candidates).all()
    assert with_witnesses(candidates[:0], (), ()).shape == (0, len(FEATURES))
