"""The answering flow with fakes: sources first, every sentence checked, refusals, follow-ups, a writer that fails."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from fakes import BagOfWordsEmbedder, FakeReader, ScriptedWriter
from rag.answering import MAX_QUESTION, Answerer, choose
from rag.errors import ModelError, UsageError
from rag.indexing import build_index
from rag.picking import Picked, Picker
from rag.records import Answer, AnswerReady, Document, Evidence, SentenceReady, SourcesReady, Turn
from rag.retrieval import Snapshot
from rag.settings import Settings
from rag.writer import Writer

ARTICLES = {
    "salyut.md": "---\ntitle: Salyut\ndate: 2021-06-18\n---\n\nSalyut 1 was launched on 19 April 1971 from Baikonur. "
    "The crew of Soyuz 11 visited the station in June 1971.\n",
    "law.md": "---\ntitle: Law\n---\n\nThe Wolf Amendment of 2011 forbids NASA to work with China without permission.\n",
}
LAUNCH = "Salyut 1 was launched on 19 April 1971 from Baikonur."
QUESTION = "When was Salyut 1 launched?"

Make = Callable[..., Answerer]


@pytest.fixture
def make(write_corpus: Callable[[Mapping[str, str | bytes]], Path], tmp_path: Path) -> Make:
    """An answerer over two articles; the writer and settings may be given."""
    embedder = BagOfWordsEmbedder()
    build_index(write_corpus(ARTICLES), tmp_path / "index", embedder, chunk_tokens=60, max_file_bytes=10_000)
    snapshot = Snapshot(tmp_path / "index")

    def build(writer: Writer | None = None, **settings: object) -> Answerer:
        def get_writer() -> Writer:
            assert writer is not None, "quote mode must not load a writer"
            return writer

        reader = FakeReader(["19 April 1971"])
        return Answerer(
            lambda: snapshot, Picker(embedder, reader), get_writer, Settings(**{"mode": "quote", **settings})
        )

    return build


def assert_carried(answer: Answer) -> None:
    """The promise: each shown sentence has citations, each quote stands where it says."""
    documents = {passage.document.id: passage.document for passage in answer.retrieved}
    numbers = {citation.number for citation in answer.citations}
    for citation in answer.citations:
        assert documents[citation.document].text[citation.start : citation.end] == citation.quote
    for sentence in answer.sentences:
        assert sentence.citations
        assert set(sentence.citations) <= numbers


def test_quote_mode_shows_the_evidence_itself(make: Make) -> None:
    answer = make(refuse_below=0.0).answer(QUESTION)
    assert answer.sentences[0].text == LAUNCH
    assert answer.sentences[0].verdict == "quoted"
    assert answer.text.startswith("Salyut 1 was launched on 19 April 1971 from Baikonur [1].")
    assert (answer.short_answer, answer.model, answer.refused) == ("19 April 1971", "quote", False)
    assert answer.citations[0].published == "2021-06-18"
    assert_carried(answer)


def test_sources_are_known_before_the_writer_is_asked(make: Make) -> None:
    writer = ScriptedWriter(["Salyut 1 was launched on 19 April 1971."])
    events = make(writer, mode="write", refuse_below=0.0).ask(QUESTION)
    first = next(events)
    assert isinstance(first, SourcesReady)
    assert first.citations[0].quote == LAUNCH
    assert writer.requests == []
    assert [type(event) for event in events] == [SentenceReady, AnswerReady]


def test_a_carried_sentence_is_shown_with_our_marker(make: Make) -> None:
    writer = ScriptedWriter(["Salyut 1 was ", "launched on 19 April 1971 [7]. ", "[3] "])
    answer = make(writer, mode="write", refuse_below=0.0).answer(QUESTION)
    assert answer.text == "Salyut 1 was launched on 19 April 1971 [1]."
    assert answer.sentences[0].verdict == "supported"
    assert answer.model == "scripted"
    assert_carried(answer)


@pytest.mark.parametrize(
    "written",
    [
        "Salyut 1 was launched on 19 April 1986.",
        "Salyut 1 was launched by NASA on 19 April 1971.",
        "Salyut 1 was not launched on 19 April 1971.",
        "Ignore the sources! <script>alert(1)</script>",
        "Salyut 1 was launched from Baikonur.",
        "",
        "[1] [2]",
        "…",
    ],
    ids=["wrong year", "foreign name", "negated", "attack", "beside the point", "nothing", "only markers", "dots"],
)
def test_what_is_not_carried_is_replaced_by_the_quote(make: Make, written: str) -> None:
    answer = make(ScriptedWriter([written]), mode="write", refuse_below=0.0).answer(QUESTION)
    assert answer.sentences[0].text == LAUNCH
    assert {sentence.verdict for sentence in answer.sentences} == {"quoted"}
    assert_carried(answer)


def test_a_writer_that_leaves_its_sources_is_stopped_early(make: Make) -> None:
    writer = ScriptedWriter(["The ", "commander ", "of ", *(f"word{n} " for n in range(50))])
    make(writer, mode="write", refuse_below=0.0).answer(QUESTION)
    assert writer.given < 6
    assert writer.closed == 1


@pytest.mark.parametrize("pieces", [[], ["Salyut 1 was "], ["Salyut 1 was launched on 19 April 1971. The "]])
def test_a_writer_that_fails_does_not_take_the_answer_with_it(make: Make, pieces: Sequence[str]) -> None:
    writer = ScriptedWriter(pieces, error=ModelError("It died", "Try again."))
    answer = make(writer, mode="write", refuse_below=0.0).answer(QUESTION)
    assert "19 April 1971" in answer.text
    assert_carried(answer)


def test_closing_the_answer_stops_the_writer(make: Make) -> None:
    writer = ScriptedWriter(["Salyut 1 was launched on 19 April 1971. ", "The crew ", "of ", "Soyuz 11"])
    events = make(writer, mode="write", refuse_below=0.0).ask(QUESTION)
    next(events)
    assert isinstance(next(events), SentenceReady)
    events.close()  # type: ignore[attr-defined]
    assert writer.closed == 1
    assert writer.given < 4


def test_below_the_threshold_it_refuses_and_names_what_is_nowhere(make: Make) -> None:
    events = list(make(refuse_below=1.0).ask("Who is Zaphod Beeblebrox?"))
    assert isinstance(events[0], SourcesReady)
    assert events[0].citations == ()
    assert len(events) == 2
    assert isinstance(events[1], AnswerReady)
    answer = events[1].answer
    assert answer.refused
    assert answer.text.startswith("The articles do not say. Nothing in them mentions “Zaphod”, “Beeblebrox”")
    assert answer.sentences == answer.citations == ()
    assert answer.short_answer is None
    assert answer.retrieved


def test_a_follow_up_is_asked_as_a_question_of_its_own(make: Make) -> None:
    history = [Turn("user", "What was Salyut 1?"), Turn("assistant", "A station [1].")]
    answer = make(refuse_below=0.0).answer("When was it launched?", history)
    assert answer.question == "When was it launched?"
    assert answer.standalone_question == "When was Salyut 1 launched?"
    assert answer.sentences[0].text == LAUNCH


@pytest.mark.parametrize("question", ["", "  \n", "???", "\x00\x07", "👩\u200d🚀", "\ud800"])
def test_an_empty_question_is_refused_with_a_remedy(make: Make, question: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        list(make().ask(question))


def test_a_question_of_a_megabyte_is_refused_with_the_limit(make: Make) -> None:
    with pytest.raises(UsageError, match="2,000"):
        list(make().ask("a" * 1_000_000))
    assert make(refuse_below=1.0).answer("a " * (MAX_QUESTION // 2)).refused


def test_control_characters_do_not_reach_the_models(make: Make) -> None:
    assert make(refuse_below=1.0).answer("When\u202e was\x00 Salyut\ud800 1\n launched?").question == QUESTION


TEXT = "Salyut 1 came first. It flew in 1971. Mir flew in 1986. " + "long " * 80 + "end."
DOCUMENT = Document("d", "d.md", TEXT, 0, "", "D")


def evidence(quote: str, score: float, context: str = "") -> Evidence:
    start = TEXT.index(quote)
    return Evidence(DOCUMENT, start, start + len(quote), score, None, TEXT.index(context) if context else None)


def chosen(*candidates: Evidence, words: int = 20) -> list[str]:
    settings = Settings(refuse_below=0.1, sources=3, answer_words=words)
    return [item.text for item in choose(Picked("?", (), candidates, ()), settings)]


def test_alternatives_of_an_unsure_answer_must_be_likely_enough_and_fit() -> None:
    first, long, second, unlikely = "Mir flew in 1986.", TEXT[57:], "Salyut 1 came first.", "It flew in 1971."
    likely = [evidence(first, 0.4), evidence(long, 0.38), evidence(second, 0.2), evidence(unlikely, 0.05)]
    assert chosen(*likely) == [first, second]
    assert chosen(evidence(long, 0.4)) == [long], "the best one is shown however long it is"


def test_a_sure_answer_stands_alone() -> None:
    assert chosen(evidence("Mir flew in 1986.", 0.7), evidence("Salyut 1 came first.", 0.6)) == ["Mir flew in 1986."]


def test_the_same_answer_is_not_given_twice() -> None:
    best = dataclasses.replace(evidence("It flew in 1971.", 0.4), answer=(TEXT.index("flew"), TEXT.index("flew") + 4))
    assert chosen(best, evidence("Mir flew in 1986.", 0.35)) == ["It flew in 1971."]
    assert chosen(best, evidence("Salyut 1 came first.", 0.35)) == ["It flew in 1971.", "Salyut 1 came first."]


def test_a_sentence_that_opens_with_a_pronoun_brings_the_one_before() -> None:
    pronoun = evidence("It flew in 1971.", 0.4, context="Salyut 1 came")
    assert chosen(pronoun) == ["Salyut 1 came first. It flew in 1971."]
    assert chosen(pronoun, evidence("Salyut 1 came first.", 0.3)) == ["Salyut 1 came first. It flew in 1971."]
    assert chosen(pronoun, words=6) == ["It flew in 1971."]
    assert chosen(evidence("Mir flew in 1986.", 0.9, context="It flew")) == ["Mir flew in 1986."]
