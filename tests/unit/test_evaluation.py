"""Questions with known answers give the figures that can be worked out by hand, and `rag eval` shows them all."""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from fakes import ScriptedWriter
from rag import assembly, cli, evidence
from rag.assembly import Assembly
from rag.citations import number_citations, with_markers
from rag.errors import IndexMismatchError
from rag.evaluation import Evaluation, Outcome, evaluate, fit_to_index
from rag.question_sets import GoldPassage, GoldQuestion, Kind, QuestionSet
from rag.records import Answer, AnswerSentence, Document, Evidence, Passage, Turn
from rag.settings import Settings

WriteCorpus = Callable[[Mapping[str, str]], Path]
Run = Callable[..., SimpleNamespace]

FIRST, LAUNCH = "Salyut 1 was the first station of all.", "It was launched on 19 April 1971."
KIND, FELL = "Mir was a modular station.", "It fell in 2001 into the Pacific."
REWORDED = "Mir fell in 2001."
DOCUMENTS = {
    "Salyut": Document("salyut-id", "salyut.md", f"head\n{FIRST} {LAUNCH}", 5, "", "Salyut"),
    "Mir": Document("mir-id", "sub/mir.md", f"{KIND} {FELL}", 0, "", "Mir"),
}


class FakeStore:
    """The documents of an index; two of them stand under ids and paths."""

    def __init__(self, documents: Sequence[Document] = tuple(DOCUMENTS.values())) -> None:
        self.documents = {document.id: document for document in documents}

    def all_documents(self) -> list[Document]:
        return list(self.documents.values())

    def document(self, name: str) -> Document | None:
        return self.documents.get(name)


class CannedAnswerer:
    """Gives the answers that it knows; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = {answer.question: answer for answer in answers}
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        self.asked.append((question, tuple(history)))
        return self.answers[question]


class CannedPicker:
    """Finds the same passages for every question."""

    def __init__(self, *found: Passage) -> None:
        self.found = found

    def passages(self, snapshot: object, question: str, k: int) -> tuple[Passage, ...]:
        assert k == 10
        return self.found


def place(quote: str) -> tuple[Document, int, int]:
    (document,) = (document for document in DOCUMENTS.values() if quote in document.text)
    start = document.text.index(quote)
    return document, start, start + len(quote)


def passages(*quotes: str) -> tuple[Passage, ...]:
    return tuple(Passage(number, *place(quote), 0.5) for number, quote in enumerate(quotes))


def answer(
    question: str, *quotes: str, sure: float, short: str = "", written: str = "", found: Sequence[str] = ()
) -> Answer:
    """An answer that quotes each sentence; a ``written`` one cites them all instead. A refusal quotes nothing."""
    citations = number_citations([Evidence(*place(quote), sure) for quote in quotes])
    sentences = [AnswerSentence(citation.quote, "quoted", (citation.number,)) for citation in citations]
    if written:
        sentences = [AnswerSentence(written, "supported", tuple(citation.number for citation in citations))]
    drafts = (3, 2) if written else (0, 0)
    return Answer(
        question=question,
        standalone_question=question,
        short_answer=short or None,
        refused=not quotes,
        confidence=sure,
        text=with_markers(sentences),
        sentences=tuple(sentences),
        citations=citations,
        retrieved=passages(*found),
        written=drafts[0],
        carried=drafts[1],
        seconds={"total": 100 * sure},
    )


def gold(
    id: str, kind: Kind, *answers: Sequence[str], passages: Sequence[str] = (), history: Sequence[Turn] = ()
) -> GoldQuestion:
    found = tuple(GoldPassage(place(quote)[0].path, quote) for quote in passages)
    return GoldQuestion(id, id, kind, tuple(history), tuple(map(tuple, answers)), found)


def run(
    questions: Sequence[GoldQuestion],
    *answers: Answer,
    unrefused: CannedAnswerer | None = None,
    found: Sequence[Passage] = (),
    store: FakeStore | None = None,
    **more: Any,
) -> Evaluation:
    snapshot: Any = SimpleNamespace(store=store or FakeStore())
    fitted = fit_to_index(QuestionSet("tiny", tuple(questions)), snapshot.store)
    answerer: Any = CannedAnswerer(*answers)
    return evaluate(answerer, unrefused or answerer, CannedPicker(*found), snapshot, fitted, {"mode": "quote"}, **more)  # type: ignore[arg-type]


QUESTIONS = [
    gold("right", "answerable", ["1971", "19 April 1971"], passages=[LAUNCH]),
    gold("wrong", "answerable", ["2001"], passages=[FELL]),
    gold("kept back", "answerable", ["Salyut 1"], passages=[FIRST]),
    gold("follow-up", "follow-up", ["2001"], passages=[FELL], history=[Turn("user", "What was Mir?")]),
    gold("both", "two-articles", ["1971"], ["2001"], passages=[LAUNCH, FELL]),
    gold("half", "two-articles", ["1971"], ["2001"], passages=[LAUNCH, FELL]),
    gold("refused", "unanswerable"),
    gold("believed", "unanswerable", passages=[FIRST]),
]
ANSWERS = [
    answer("right", LAUNCH, sure=0.95, short="19 April 1971", found=[LAUNCH, FELL]),
    answer("wrong", KIND, sure=0.85, short="modular", found=[KIND, FELL]),
    answer("kept back", sure=0.04, found=[KIND]),
    answer("follow-up", KIND, FELL, sure=0.75, short="in 2001", written=REWORDED, found=[FELL]),
    answer("both", LAUNCH, FELL, sure=0.65, found=[FELL, LAUNCH]),
    answer("half", LAUNCH, sure=0.55, found=[LAUNCH]),
    answer("refused", sure=0.02, found=[LAUNCH]),
    answer("believed", KIND, sure=0.35, short="modular", found=[KIND]),
]
LOG3 = math.log2(3)


@pytest.fixture
def unrefused() -> CannedAnswerer:
    """What would have been said where it refused: once right, once anything."""
    return CannedAnswerer(
        answer("kept back", FIRST, sure=0.04, short="Salyut 1"), answer("refused", KIND, sure=0.02, short="modular")
    )


@pytest.fixture
def tiny(unrefused: CannedAnswerer) -> Evaluation:
    return run(QUESTIONS, *ANSWERS, unrefused=unrefused)


def test_questions_are_counted_by_kind(tiny: Evaluation) -> None:
    assert tiny.counts == {
        "questions": 8,
        "answerable": 3,
        "follow-up": 1,
        "two-articles": 2,
        "unanswerable": 2,
        "left out": 0,
    }
    assert (tiny.name, tiny.settings, tiny.missing) == ("tiny", {"mode": "quote"}, ())


def test_retrieval_is_judged_on_the_answerable_questions(tiny: Evaluation) -> None:
    assert {name: tiny.retrieval[name] for name in ("recall@1", "recall@2", "recall@10", "mrr@10")} == pytest.approx(
        {
            "recall@1": (1 + 0 + 0 + 1 + 1 / 2 + 1 / 2) / 6,
            "recall@2": (1 + 1 + 0 + 1 + 1 + 1 / 2) / 6,
            "recall@10": (1 + 1 + 0 + 1 + 1 + 1 / 2) / 6,
            "mrr@10": (1 + 1 / 2 + 0 + 1 + 1 + 1) / 6,
        }
    )
    assert tiny.retrieval["ndcg@10"] == pytest.approx((1 + 1 / LOG3 + 0 + 1 + 1 + 1 / (1 + 1 / LOG3)) / 6)


def test_answers_are_judged_with_a_refusal_as_wrong(tiny: Evaluation) -> None:
    assert tiny.answers == {
        "contains gold": 3 / 6,
        "contains gold, threshold aside": 4 / 6,
        "contains gold, of the answered": 3 / 5,
        "contains gold, single questions": 1 / 3,
        "contains gold, follow-ups": 1,
        "contains gold, two articles": 1 / 2,
        "short answer exact match": 1 / 4,
        "short answer F1": pytest.approx((1 + 0 + 0 + 2 / 3) / 4),
        "words, median": 7,
        "words, most": 14,
        "sentences written": 3,
        "written ones carried by a source": 2 / 3,
        "sentences shown that are not quotes": 1,
    }


def test_citations_are_judged_on_what_is_shown(tiny: Evaluation) -> None:
    assert tiny.citations == {
        "right, of the right answers": 1,
        "recall (ALCE)": 1,
        "precision (ALCE)": pytest.approx((1 + 1 + 1 / 2 + 1 + 1 + 1) / 6),
        "quotes exact": 1,
    }


def test_refusals_and_confidences_are_judged_on_all_questions(tiny: Evaluation) -> None:
    risks = [0, 1 / 2, 1 / 3, 1 / 4, 2 / 5, 3 / 6, 3 / 7, 4 / 8]
    gaps = [0.05, 0.85, 0.25, 0.35, 0.55, 0.35, 2 * (0.5 - 0.03)]
    assert tiny.refusals == {
        "recall: refused, of the unanswerable": 1 / 2,
        "precision: unanswerable, of the refused": 1 / 2,
        "refused wrongly, of the answerable": 1 / 6,
        "all questions handled right": 4 / 8,
        "AURC": pytest.approx(sum(risks) / 8),
        "expected calibration error": pytest.approx(sum(gaps) / 8),
    }


def test_seconds_are_percentiles_of_each_step(tiny: Evaluation) -> None:
    # In order: 2, 4, 35, 55, 65, 75, 85, 95.
    assert tiny.seconds == {"total": pytest.approx({"p50": 60, "p95": 91.5, "p99": 94.3})}


def test_only_what_was_refused_is_asked_again_without_the_threshold(
    tiny: Evaluation, unrefused: CannedAnswerer
) -> None:
    assert [question for question, _ in unrefused.asked] == ["kept back", "refused"]
    right = {outcome.id: outcome.right for outcome in tiny.outcomes}
    assert [name for name, found in right.items() if found] == ["right", "kept back", "follow-up", "both"]
    refused = {outcome.id: outcome for outcome in tiny.outcomes}["kept back"]
    assert refused.refused
    assert refused.answer is not None
    assert refused.answer["answer"] == "", "the outcome shows what users get"


def test_history_and_progress_are_handed_on() -> None:
    answerer, done = CannedAnswerer(*ANSWERS), []
    asked: Any = answerer
    run(QUESTIONS[3:5], *ANSWERS, unrefused=asked, progress=lambda *counts: done.append(counts))
    assert done == [(0, 2), (1, 2), (2, 2)]
    assert answerer.asked == []
    questions = [QUESTIONS[3], gold("refused", "unanswerable", history=[Turn("user", "And Mir?")])]
    run(questions, *ANSWERS, unrefused=(again := CannedAnswerer(answer("refused", KIND, sure=0.0))))
    assert again.asked == [("refused", (Turn("user", "And Mir?"),))]


def judged(question: GoldQuestion, given: Answer, store: FakeStore | None = None) -> Outcome:
    (outcome,) = run([question], given, store=store).outcomes
    return outcome


def test_a_quote_that_is_not_the_stored_text_is_seen() -> None:
    question, given = QUESTIONS[4], ANSWERS[4]
    assert judged(question, given).quotes_exact
    salyut, mir = DOCUMENTS.values()
    for tampered in (
        dataclasses.replace(salyut, text=salyut.text.replace("19 April", "20 April")),
        dataclasses.replace(salyut, text=" " + salyut.text),
        dataclasses.replace(salyut, text=salyut.text[:20]),
    ):
        question = dataclasses.replace(question, passages=question.passages[1:])
        assert not judged(question, given, FakeStore([tampered, mir])).quotes_exact
    assert not judged(question, given, FakeStore([mir])).quotes_exact, "its document is gone"
    figures = run([question], given, store=FakeStore([tampered, mir])).citations
    assert figures["quotes exact"] == 0


@pytest.mark.parametrize(
    ("given", "right", "cited", "recall", "precision"),
    [
        (answer("?", LAUNCH, sure=0.9), True, True, 1, 1),
        (answer("?", FIRST, sure=0.9, written=LAUNCH), True, False, 0, 0),
        (answer("?", FIRST, LAUNCH, sure=0.9, written=LAUNCH), True, True, 1, 1 / 2),
        (answer("?", LAUNCH, sure=0.9, written="Salyut was launched in 1972."), False, True, 0, 0),
        (answer("?", KIND, sure=0.9), False, False, 1, 1),
    ],
    ids=["quoted", "the wrong quote", "one quote too many", "not carried", "beside the point"],
)
def test_answers_and_citations_are_judged_apart(
    given: Answer, right: bool, cited: bool, recall: float, precision: float
) -> None:
    outcome = judged(dataclasses.replace(QUESTIONS[0], question="?"), given)
    assert (outcome.right, outcome.citation_right) == (right, cited)
    assert (outcome.citation_recall, outcome.citation_precision) == (recall, precision)


@pytest.mark.parametrize("quotes", [(KIND, FELL), (FELL, KIND)], ids=["before", "after"])
def test_a_quote_too_many_takes_nothing_away_wherever_it_stands(quotes: tuple[str, str]) -> None:
    outcome = judged(dataclasses.replace(QUESTIONS[1], question="?"), answer("?", *quotes, sure=0.9, written=REWORDED))
    assert (outcome.citation_recall, outcome.citation_precision) == (1, 1 / 2)


def test_without_a_question_of_a_kind_its_figures_are_unknown() -> None:
    only = run(QUESTIONS[6:7], ANSWERS[6])
    assert only.retrieval == {}
    assert {value for name, value in only.answers.items() if "sentences" not in name} == {None}
    assert set(only.citations.values()) == {None}
    assert only.refusals["refused wrongly, of the answerable"] is None
    assert only.refusals["recall: refused, of the unanswerable"] == 1
    answerable = run(QUESTIONS[:1], ANSWERS[0]).refusals
    assert answerable["recall: refused, of the unanswerable"] is None
    assert answerable["precision: unanswerable, of the refused"] is None
    assert answerable["refused wrongly, of the answerable"] == 0


DIGITS = Document("digits", "digits.md", "0123456789" * 10, 0, "", "Digits")


def ranked(
    spans: Sequence[tuple[int, int]], found: Sequence[tuple[int, int]], document: Document = DIGITS
) -> list[str]:
    """Names of found ranges of a document where only retrieval is judged."""
    text = "".join(chr(0x4E00 + place) for place in range(100))  # no two ranges are equal
    store = FakeStore([dataclasses.replace(DIGITS, text=text)])
    wanted = tuple(GoldPassage("digits.md", text[start:end], 2) for start, end in spans)
    question = GoldQuestion("q", "q", "answerable", (), (), wanted, judged=False)
    passages = [Passage(number, document, start, end, 0.5) for number, (start, end) in enumerate(found)]
    (outcome,) = run([question], found=passages, store=store).outcomes
    assert outcome.relevant == {f"gold {number}": 2 for number in range(1, len(spans) + 1)}
    return list(outcome.ranked)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ((10, 20), True),
        ((0, 100), True),
        ((15, 40), True),
        ((16, 40), False),
        ((0, 15), True),
        ((0, 14), False),
        ((18, 22), True),
        ((19, 22), False),
        ((18, 21), True),
        ((20, 30), False),
        ((30, 40), False),
    ],
)
def test_a_chunk_stands_for_a_passage_if_they_share_half_of_the_smaller_one(found: tuple[int, int], same: bool) -> None:
    assert ranked([(10, 20)], [found]) == (["gold 1"] if same else ["chunk 0"])
    assert ranked([(10, 20)], [found], dataclasses.replace(DIGITS, id="other")) == ["chunk 0"]


def test_a_passage_is_found_once_and_takes_one_rank() -> None:
    spans = [(0, 10), (10, 20), (50, 60)]
    assert ranked(spans, [(0, 10), (0, 8), (60, 70), (50, 60)]) == ["gold 1", "chunk 2", "gold 3"]
    assert ranked(spans, [(0, 20), (10, 20), (60, 70)]) == ["gold 1", "gold 2", "chunk 2"]
    assert ranked(spans, [(60 + n, 61 + n) for n in range(12)]) == [f"chunk {n}" for n in range(10)]


def test_where_only_retrieval_is_judged_nothing_is_answered() -> None:
    questions = [QUESTIONS[0], dataclasses.replace(QUESTIONS[1], id="beir", judged=False)]
    done = run(questions, ANSWERS[0], found=passages(KIND, FELL))
    assert done.retrieval["mrr@10"] == (1 + 1 / 2) / 2
    assert done.answers["contains gold"] == done.refusals["all questions handled right"] == 1
    assert done.refusals["AURC"] == 0
    assert [outcome.answer is None for outcome in done.outcomes] == [False, True]
    assert done.counts["questions"] == 2


# Gold passages in the index


def fit(*questions: GoldQuestion, store: FakeStore | None = None) -> Any:
    return fit_to_index(QuestionSet("tiny", questions), store or FakeStore())  # type: ignore[arg-type]


def wanting(id: str, *passages: tuple[str, str | None], judged: bool = True, relevance: int = 1) -> GoldQuestion:
    found = tuple(GoldPassage(path, text, relevance) for path, text in passages)
    return GoldQuestion(id, "?", "answerable", (), (("x",),) if judged else (), found, judged)


@pytest.mark.parametrize(
    ("path", "text", "span"),
    [
        ("salyut.md", LAUNCH, place(LAUNCH)),
        ("sub/mir.md", KIND, place(KIND)),
        ("salyut.md", None, (DOCUMENTS["Salyut"], 5, len(DOCUMENTS["Salyut"].text))),
        ("elsewhere.md", FELL, place(FELL)),
        ("salyut.md", FELL, place(FELL)),
    ],
    ids=["at its path", "in a folder", "a whole document", "in another file", "moved to another article"],
)
def test_a_gold_passage_is_found_where_it_stands(path: str, text: str | None, span: tuple[Document, int, int]) -> None:
    ((_, (found,)),) = fit(wanting("q", (path, text), relevance=3)).questions
    assert (found.document, found.start, found.end, found.relevance) == (span[0].id, *span[1:], 3)


def test_the_named_document_comes_first_among_equal_texts() -> None:
    twin = dataclasses.replace(DOCUMENTS["Mir"], id="a-twin", path="a.md")
    store = FakeStore([twin, DOCUMENTS["Mir"]])
    ((_, (found,)),) = fit(wanting("q", ("sub/mir.md", FELL)), store=store).questions
    assert found.document == "mir-id"


def test_questions_whose_passages_are_missing_are_left_out_and_named() -> None:
    here, gone, nowhere = ("salyut.md", LAUNCH), ("salyut.md", "Gone."), ("gone.md", None)
    fitted = fit(
        wanting("a", here),
        wanting("b", gone),
        wanting("c", here, gone),
        wanting("d", nowhere, judged=False),
        wanting("e", nowhere, here, judged=False),
        gold("f", "unanswerable"),
    )
    assert fitted.missing == ("b", "c", "d")
    assert [(question.id, len(spans)) for question, spans in fitted.questions] == [("a", 1), ("e", 1), ("f", 0)]


def test_an_index_of_something_else_is_an_error() -> None:
    with pytest.raises(IndexMismatchError, match=r"none of the texts .* tiny") as caught:
        fit(wanting("b", ("salyut.md", "Gone.")), gold("f", "unanswerable"))
    assert "--index" in caught.value.remedy
    assert fit(gold("f", "unanswerable")).missing == ()


# The command


ARTICLES = {
    "salyut.md": "---\ntitle: Salyut\n---\n\nSalyut 1 was launched from Baikonur in 1971. Its crew came home in June.\n",
    "mir.md": "---\ntitle: Mir\n---\n\nGuests of twelve countries visited Mir. Mir fell into the Pacific in 2001.\n",
}
LAUNCHED, GUESTS, FALL = (
    "Salyut 1 was launched from Baikonur in 1971.",
    "Guests of twelve countries visited Mir.",
    "Mir fell into the Pacific in 2001.",
)


def line(
    id: str, question: str, answers: Any, document: Any = None, evidence: Any = None, **more: Any
) -> dict[str, Any]:
    named = {} if document is None else {"document": document, "evidence": evidence}
    return {"id": id, "question": question, "answers": answers, **named, **more}


LINES = [
    line("right", "When was Salyut 1 launched from Baikonur?", ["1971"], "salyut.md", LAUNCHED),
    line("wrong", "Guests of how many countries visited Mir?", ["thirteen"], "mir.md", GUESTS),
    line("unknown", "Who won the chess championship of Reykjavik?", []),
    line("follow-up", "When did it fall into the Pacific?", ["2001"], "mir.md", FALL)
    | {"history": [{"role": "user", "content": "How many countries visited Mir?"}]},
    line(
        "both",
        "When was Salyut 1 launched from Baikonur, and when did Mir fall into the Pacific?",
        [["1971"], ["2001"]],
        ["salyut.md", "mir.md"],
        [LAUNCHED, FALL],
    ),
]


@pytest.fixture
def asking(rag: Run, write_corpus: WriteCorpus, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``rag eval`` of lines in quote mode over two articles.

    The share of the question's words beside the fitted confidence, which moves with each training.
    """
    column = evidence.FEATURES.index("covered_by_neighbourhood")
    monkeypatch.setattr(evidence, "confidence", lambda rows, *_: float(max(rows[:, column], default=0.0)))
    write_corpus(ARTICLES)
    Path("rag.toml").write_text('mode = "quote"\nrefuse_below = 0.4\n')
    assert rag("index").status == 0

    def run(lines: Sequence[object], *arguments: str) -> SimpleNamespace:
        rows = [row if isinstance(row, str) else json.dumps(row) for row in lines]
        Path("gold.jsonl").write_text("\n".join(rows))
        return rag("eval", "--questions", "gold.jsonl", *arguments)

    return run


def test_json_is_all_that_is_printed(asking: Run) -> None:
    result = asking(LINES, "--json")
    assert (result.status, result.err) == (0, "")
    figures = json.loads(result.out)
    assert list(figures) == "name settings counts retrieval answers citations refusals seconds missing".split()
    assert figures["name"] == "gold"
    assert figures["counts"]["questions"] == 5
    assert figures["retrieval"]["recall@1"] == (1 + 1 + 1 + 1 / 2) / 4
    assert figures["retrieval"]["recall@2"] == figures["retrieval"]["mrr@10"] == 1
    assert figures["answers"]["contains gold"] == figures["answers"]["contains gold, of the answered"] == 3 / 4
    assert figures["answers"]["contains gold, single questions"] == 1 / 2
    assert figures["answers"]["contains gold, follow-ups"] == figures["answers"]["contains gold, two articles"] == 1
    assert figures["answers"]["short answer exact match"] == 2 / 3
    assert figures["citations"] == {
        "right, of the right answers": 1,
        "recall (ALCE)": 1,
        "precision (ALCE)": 1,
        "quotes exact": 1,
    }
    assert figures["refusals"]["recall: refused, of the unanswerable"] == 1
    assert figures["refusals"]["precision: unanswerable, of the refused"] == 1
    assert figures["refusals"]["all questions handled right"] == 4 / 5
    assert set(figures["seconds"]) == {"retrieve", "evidence", "first_token", "total"}
    assert figures["settings"]["mode"] == "quote"
    assert figures["settings"]["refuse_below"] == 0.4
    assert figures["settings"]["generation"] == "gen-000001"


def test_people_get_a_table(asking: Run) -> None:
    result = asking(LINES)
    assert (result.status, result.err) == (0, "")
    lines = [" ".join(shown.split()) for shown in result.out.splitlines()]
    assert lines[0] == "gold: 5 questions, 2 answerable, 1 follow-up, 1 two-articles, 1 unanswerable"
    assert "mode=quote" in lines[1]
    for shown in ("recall@1 87.5 %", "contains gold 75.0 %", "quotes exact 100.0 %", "milliseconds p50 p95 p99"):
        assert shown in lines
    assert "Left out" not in result.out


def test_a_missing_gold_passage_leaves_its_question_out_and_names_it(asking: Run) -> None:
    gone = line("gone", "When was Salyut 1 launched from Baikonur?", ["1971"], "salyut.md", "It is gone.")
    figures = json.loads(asking([*LINES, gone], "--json").out)
    whole = json.loads(asking(LINES, "--json").out)
    assert figures["missing"] == ["gone"]
    assert figures["counts"] == whole["counts"] | {"left out": 1}
    assert {name: figures[name] for name in ("retrieval", "answers", "refusals")} == {
        name: whole[name] for name in ("retrieval", "answers", "refusals")
    }
    shown = asking([*LINES, *(gone | {"id": f"gone {n}"} for n in range(7))]).out
    assert "Left out, since the index does not hold their gold passages: gone 0, gone 1, gone 2" in shown
    assert "7 left out" in shown
    assert "gone 6" not in shown


def test_an_index_that_holds_none_of_it_is_told(asking: Run) -> None:
    result = asking([line("gone", "When?", ["1971"], "gone.md", "It is gone.")])
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("rag: The index holds none of the texts that the questions of gold are about.")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("{", "not JSON"),
        ({"id": "x", "answers": []}, "question"),
        ({"id": "right", "question": "When?", "answers": []}, "'right' was already used in line 1"),
        ({"id": "x", "question": "When?", "answers": "1971"}, "answers"),
    ],
    ids=["cut", "no question", "id again", "no list"],
)
def test_a_malformed_line_is_named_before_anything_is_asked(asking: Run, bad: object, problem: str) -> None:
    result = asking([LINES[0], bad])
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("rag: gold.jsonl, line 2: ")
    assert problem in result.err
    assert result.err.count("\n") == 1


def test_a_sample_is_always_the_same_one(asking: Run) -> None:
    lines = [LINES[0] | {"id": f"q{n}"} for n in range(20)]

    def ids() -> list[str]:
        assert json.loads(asking(lines, "--sample", "5", "--json", "--out", "out").out)["counts"]["questions"] == 5
        return [json.loads(row)["id"] for row in Path("out/outcomes.jsonl").read_text().splitlines()]

    first = ids()
    assert ids() == first == sorted(first, key=lambda name: int(name[1:]))
    assert first != [f"q{n}" for n in range(5)]
    assert json.loads(asking(lines[:3], "--sample", "5", "--json").out)["counts"]["questions"] == 3


def test_figures_outcomes_and_pictures_are_written(asking: Run) -> None:
    result = asking(LINES, "--out", "runs/today", "--json")
    assert (result.status, result.err) == (0, "")
    folder = Path("runs/today")
    assert sorted(path.name for path in folder.iterdir()) == [
        "answers.md",
        "figures.json",
        "outcomes.jsonl",
        "plots.png",
    ]
    assert json.loads((folder / "figures.json").read_text()) == json.loads(result.out)
    outcomes = [json.loads(row) for row in (folder / "outcomes.jsonl").read_text().splitlines()]
    assert [outcome["id"] for outcome in outcomes] == [row["id"] for row in LINES]
    assert list(outcomes[0]) == [field.name for field in dataclasses.fields(Outcome)]
    assert [outcome["right"] for outcome in outcomes] == [True, False, False, True, True]
    assert [outcome["refused"] for outcome in outcomes] == [False, False, True, False, False]
    assert outcomes[0]["answer"]["citations"][0]["quote"] == LAUNCHED
    assert outcomes[0]["answer"]["id"] == "right"
    assert outcomes[4]["relevant"] == {"gold 1": 1, "gold 2": 1}
    assert set(outcomes[4]["ranked"]) == {"gold 1", "gold 2"}
    assert_picture(folder / "plots.png")
    shown = (folder / "answers.md").read_text()
    assert shown.count("**") == 2 * len(LINES)
    assert f"**{LINES[0]['question']}** (answerable, right: right)\n\n> " in shown
    assert f"“{LAUNCHED}”" in shown


def assert_picture(path: Path) -> None:
    header = path.read_bytes()[:24]
    assert header[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    width, height = (int.from_bytes(header[place : place + 4], "big") for place in (16, 20))
    assert width > height > 500


def test_where_nothing_can_be_written_it_says_so(asking: Run) -> None:
    Path("taken").write_text("a file")
    result = asking(LINES[:1], "--out", "taken")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert result.err.startswith("rag: Cannot write to taken: ")
    assert "--out" in result.err


@pytest.mark.usefixtures("short_sources_are_worded")
def test_an_ablation_has_a_column_for_each_row(asking: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ScriptedWriter(["Salyut 1 was launched in 1971."])
    monkeypatch.setattr(Assembly, "writer", writer)
    result = asking(LINES, "--ablation", "--out", "out")
    assert (result.status, result.err) == (0, "")
    names = list(cli.ABLATION)
    rows = [[cell.strip() for cell in shown.strip("|").split("|")] for shown in result.out.splitlines()]
    assert rows[0] == ["", *names]
    assert set(rows[1][1:]) == {"---:"}
    assert {len(row) for row in rows} == {len(names) + 1}
    cells = {row[0]: row[1:] for row in rows[2:]}
    assert len(cells) == len(rows) - 2
    assert cells["recall@5"] == ["100.0 %"] * len(names)
    assert cells["contains gold"][-1] == "75.0 %"
    assert cells["short answer exact match"][:4] == ["0.0 %"] * 4, "without the reader there is no short answer"
    assert "milliseconds, total p95" in cells
    assert len(writer.requests) == 2 * 6, (
        "once to warm up; only the last rows write, a part at a time, and not where they refuse"
    )
    figures = json.loads(Path("out/figures.json").read_text())
    assert list(figures) == names
    assert json.loads(asking(LINES[:1], "--ablation", "--json").out).keys() == figures.keys()
    written = [json.loads(row) for row in Path("out/outcomes.jsonl").read_text().splitlines()]
    assert [(row["row"], row["id"]) for row in written] == [(name, row["id"]) for name in names for row in LINES]
    assert_picture(Path("out/plots.png"))
    steps = [figures[name]["settings"] for name in names]
    for before, after in itertools.pairwise(steps):
        assert sum(before[name] != after[name] for name in before) == 1, "each row adds one step"


def test_every_row_of_the_ablation_is_a_choice_that_users_have() -> None:
    hints = get_type_hints(Settings)
    for changes in cli.ABLATION.values():
        for name, value in changes.items():
            assert name == "writer_adapter" or value in (get_args(hints[name]) or (True, False))
    rows = [dataclasses.replace(Settings(), **changes) for changes in cli.ABLATION.values()]
    assert len(set(rows)) == len(rows) == 8
    assert rows[-1] == Settings(mode="write"), "the last row is what users get"


# Sets that bring their texts


def squad(context: str = f"{LAUNCHED} Its crew came home in June.") -> dict[str, Any]:
    answers = [{"text": "1971", "answer_start": context.index("1971")}]
    asked = [
        {"id": "one", "question": "When was Salyut 1 launched from Baikonur?", "answers": answers},
        {"id": "two", "question": "Who won the chess championship of Reykjavik?", "answers": []},
    ]
    return {"data": [{"title": "Salyut", "paragraphs": [{"context": context, "qas": asked}]}]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where indexes of question sets are kept."""
    monkeypatch.setattr(assembly, "cache_folder", lambda: tmp_path / "cache" / "models")
    return tmp_path / "cache" / "question-sets"


def embedded() -> list[str]:
    """What was embedded since the last call."""
    embedder: Any = Assembly.embedder
    texts = list(embedder.embedded)
    embedder.embedded.clear()
    return texts


def test_texts_of_a_set_are_indexed_once(rag: Run, cache: Path) -> None:
    Path("squad.json").write_text(json.dumps(squad()))
    arguments = ("eval", "--questions", "squad.json", "--mode", "quote", "--json")
    first = rag(*arguments)
    assert (first.status, first.err) == (0, "")
    figures = json.loads(first.out)
    assert figures["counts"] == {"questions": 2, "answerable": 1, "unanswerable": 1, "left out": 0}
    assert figures["retrieval"]["recall@1"] == 1
    assert figures["answers"]["contains gold, threshold aside"] == 1
    (folder,) = cache.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["corpus", "index"]
    assert LAUNCHED in embedded()
    again = rag(*arguments)
    assert LAUNCHED not in embedded(), "the second run uses the index of the first one"
    assert json.loads(again.out) | {"seconds": 0} == figures | {"seconds": 0}
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["cache", "squad.json"]


def test_other_texts_get_another_index(rag: Run, cache: Path) -> None:
    for context in (LAUNCHED, f"Indeed: {LAUNCHED}"):
        Path("squad.json").write_text(json.dumps(squad(context)))
        assert rag("eval", "--questions", "squad.json", "--mode", "quote").status == 0
        assert context in embedded()
    assert len(list(cache.iterdir())) == 2
    assert rag("eval", "--questions", "squad.json", "--mode", "quote", "--sample", "1").status == 0
    assert len(list(cache.iterdir())) == 2


def test_an_index_that_is_named_is_used_instead(rag: Run, cache: Path, write_corpus: WriteCorpus) -> None:
    article = f"# Mine\n\nBefore it stands this.\n\n{LAUNCHED} Its crew came home in June.\n"
    write_corpus({"mine.md": article})
    assert rag("index", "--index", "mine").status == 0
    Path("squad.json").write_text(json.dumps(squad()))
    result = rag("eval", "--questions", "squad.json", "--mode", "quote", "--index", "mine", "--out", "out")
    assert (result.status, result.err) == (0, "")
    assert not cache.exists()
    outcome = json.loads(Path("out/outcomes.jsonl").read_text().splitlines()[0])
    assert outcome["answer"]["retrieved"][0]["document"].startswith("mine-")
    assert outcome["ranked"][0] == "gold 1"
    write_corpus({"mine.md": "# Another\n\nIt is about Mir alone, and nothing else."})
    assert rag("index", "--index", "mine").status == 0
    result = rag("eval", "--questions", "squad.json", "--index", "mine")
    assert (result.status, result.out) == (1, "")
    assert "none of the texts" in result.err


def test_a_set_without_answers_is_judged_by_what_is_found(rag: Run, cache: Path) -> None:
    files = {
        "corpus.jsonl": [
            {"_id": "1", "title": "Salyut", "text": LAUNCHED},
            {"_id": "2", "title": "Mir", "text": FALL},
        ],
        "queries.jsonl": [{"_id": "q", "text": "When did Mir fall into the Pacific?"}],
    }
    Path("beir/qrels").mkdir(parents=True)
    for name, rows in files.items():
        Path("beir", name).write_text("\n".join(map(json.dumps, rows)))
    Path("beir/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t2\t2\nq\t1\t1\n")
    result = rag("eval", "--questions", "beir", "--out", "out")
    assert (result.status, result.err) == (0, "")
    (outcome,) = map(json.loads, Path("out/outcomes.jsonl").read_text().splitlines())
    assert outcome["ranked"] == ["gold 1", "gold 2"]
    assert outcome["relevant"] == {"gold 1": 2, "gold 2": 1}
    assert outcome["answer"] is None
    figures = json.loads(Path("out/figures.json").read_text())
    assert figures["retrieval"]["ndcg@10"] == figures["retrieval"]["recall@2"] == 1
    assert figures["answers"]["contains gold"] is None
    assert figures["seconds"] == {}
    assert_picture(Path("out/plots.png"))
