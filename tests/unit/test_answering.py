"""The answering flow with fakes: sources first, every sentence checked, refusals, follow-ups, a writer that fails."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import BagOfWordsEmbedder, FakeReader, ScriptedWriter
from rag.answering import MAX_QUESTION, Answerer, choose
from rag.errors import ModelError, UsageError
from rag.filters import NO_FILTER, Filter
from rag.indexing import build_index
from rag.picking import Picked, Picker, Steps
from rag.records import Answer, AnswerReady, Document, Evidence, Passage, SentenceReady, SourcesReady, Turn
from rag.retrieval import Snapshot
from rag.settings import Settings
from rag.writer import Writer

pytestmark = pytest.mark.usefixtures("short_sources_are_worded")

ARTICLES = {
    "salyut.md": "---\ntitle: Salyut\ndate: 2021-06-18\n---\n\nSalyut 1 was launched on 19 April 1971 from Baikonur. "
    "The crew of Soyuz 11 visited the station in June 1971.\n",
    "law.md": "---\ntitle: Law\n---\n\nThe Wolf Amendment of 2011 forbids NASA to work with China without permission.\n",
}
LAUNCH = "Salyut 1 was launched on 19 April 1971 from Baikonur."
QUESTION = "When was Salyut 1 launched?"

Make = Callable[..., Answerer]

NO_COPIES = SimpleNamespace(other_copies=lambda document: ())


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


def test_a_broken_text_is_read_and_shown_mended_and_quoted_as_it_stands(
    write_corpus: Callable[[Mapping[str, str | bytes]], Path], tmp_path: Path
) -> None:
    stands = "Salyut 1 was laun-\nched on 19 Ap-\nril 1971 with a\nsuf\ufb01cient crew."
    text = f"The story of Salyut\n\nIt was launched\nin the spring.\n{stands}\nIn April it flew."
    embedder = BagOfWordsEmbedder()
    build_index(write_corpus({"a.txt": text}), tmp_path / "index", embedder, chunk_tokens=90, max_file_bytes=10_000)
    snapshot, picker = Snapshot(tmp_path / "index"), Picker(embedder, FakeReader(["19 April 1971"]))
    settings = Settings(mode="quote", refuse_below=0.0, sources=1)
    answer = Answerer(lambda: snapshot, picker, lambda: ScriptedWriter(), settings).answer(QUESTION)
    (citation,) = answer.citations
    assert (answer.sentences[0].text, answer.sentences[0].verdict) == (
        "Salyut 1 was launched on 19 April 1971 with a sufficient crew.",
        "quoted",
    )
    assert answer.short_answer == "19 April 1971"
    assert citation.quote == stands == text[citation.start : citation.end]


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


@pytest.mark.parametrize("multilingual", [False, True])
def test_a_question_in_another_language_gets_a_notice(make: Make, multilingual: bool) -> None:
    answerer = make(refuse_below=0.0, embedding_model="multilingual" if multilingual else "")
    german = answerer.answer("Wann wurde Saljut 1 gestartet?")
    assert ("seems to be in German" in german.notice) is not multilingual
    assert answerer.answer(QUESTION).notice == ""


def test_sources_in_another_language_are_quoted(write_corpus: Callable[..., Path], tmp_path: Path) -> None:
    said = "Die Station Mir ist 2001 nicht unkontrolliert in den Pazifik gestürzt."
    embedder = BagOfWordsEmbedder()
    corpus = write_corpus({"mir.md": f"---\ntitle: Mir\nlanguage: de\n---\n\n{said}\n"})
    build_index(corpus, tmp_path / "index", embedder, chunk_tokens=60, max_file_bytes=10_000)
    snapshot = Snapshot(tmp_path / "index")
    # Without its "nicht" the sentence says the opposite, which the check of English sentences would not notice.
    writer = ScriptedWriter([said.replace("nicht ", "")])
    settings = Settings(mode="write", refuse_below=0.0)
    answerer = Answerer(lambda: snapshot, Picker(embedder, FakeReader()), lambda: writer, settings)
    answer = answerer.answer("When did the station Mir fall into the sea in 2001?")
    assert [(sentence.text, sentence.verdict) for sentence in answer.sentences] == [(said, "quoted")]
    assert answer.notice == "The sources are quoted, since the check of worded sentences knows English only."
    assert writer.requests == []


def test_a_refusal_of_a_question_in_another_language_says_so_too(make: Make) -> None:
    answer = make(refuse_below=1.0).answer("Wann wurde Saljut 1 gestartet?")
    assert answer.refused
    assert "seems to be in German" in answer.notice


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
    return [item.text for item in choose([Picked("?", (), candidates, candidates[0].score, ())], settings)]


def test_alternatives_of_an_unsure_answer_must_be_likely_enough_and_fit() -> None:
    long = TEXT[TEXT.index("long") :]
    first, second, unlikely = "Mir flew in 1986.", "Salyut 1 came first.", "It flew in 1971."
    likely = [evidence(first, 0.4), evidence(long, 0.38), evidence(second, 0.2), evidence(unlikely, 0.03)]
    assert chosen(*likely) == [first, second]
    assert chosen(evidence(long, 0.4)) == ["long " * 19 + "long"], "of the best one as much as fits is shown"
    assert chosen(evidence(long, 0.4), evidence(second, 0.3)) == ["long " * 19 + "long"]


def test_a_sure_answer_stands_alone() -> None:
    assert chosen(evidence("Mir flew in 1986.", 0.9), evidence("Salyut 1 came first.", 0.6)) == ["Mir flew in 1986."]


def test_an_answer_that_several_articles_give_needs_no_alternatives() -> None:
    def answered(quote: str, score: float, answer: str, document: Document = DOCUMENT) -> Evidence:
        found = dataclasses.replace(evidence(quote, score), document=document)
        at = found.start + quote.index(answer)
        return dataclasses.replace(found, answer=(at, at + len(answer)))

    another = dataclasses.replace(DOCUMENT, id="e", path="e.md")
    first, other = answered("Mir flew in 1986.", 0.7, "flew in 1986"), evidence("Salyut 1 came first.", 0.5)
    assert chosen(first, answered("It flew in 1971.", 0.6, "flew", another), other) == ["Mir flew in 1986."]
    differing = ["Mir flew in 1986.", "It flew in 1971.", "Salyut 1 came first."]
    assert chosen(first, answered("It flew in 1971.", 0.6, "flew"), other) == differing, "the same article again"
    assert chosen(first, answered("It flew in 1971.", 0.6, "1971", another), other) == differing


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


@pytest.mark.parametrize(("words", "shown"), [(10, LAUNCH), (5, "on 19 April 1971 from"), (3, "19 April 1971")])
def test_a_sentence_longer_than_allowed_is_cut_to_an_exact_excerpt(make: Make, words: int, shown: str) -> None:
    answer = make(refuse_below=0.0, answer_words=words).answer(QUESTION)
    (sentence,) = answer.sentences
    assert sentence.text == answer.citations[0].quote == shown
    assert sentence.cut == ((False, False) if shown == LAUNCH else (True, True))
    assert answer.short_answer == "19 April 1971"
    assert_carried(answer)


def test_an_excerpt_is_what_the_writer_is_shown_and_held_to(make: Make) -> None:
    writer = ScriptedWriter(["Salyut 1 was launched on 19 April 1971 from Baikonur."])
    answer = make(writer, mode="write", refuse_below=0.0, answer_words=5).answer(QUESTION)
    assert writer.requests[0][-1]["content"].startswith("[1] on 19 April 1971 from\n")
    assert answer.text == "… on 19 April 1971 from [1] …"


@pytest.mark.parametrize("words", [1, 2])
def test_an_answer_longer_than_allowed_is_shown_whole(make: Make, words: int) -> None:
    answer = make(refuse_below=0.0, answer_words=words).answer(QUESTION)
    assert answer.sentences[0].text == "19 April 1971"
    assert_carried(answer)


FALLEN = "Salyut 6 fell in 1982 near Australia. Mir fell in 2001 into the Pacific. Skylab fell in 1979 on farms."
STATIONS = Document("s", "s.md", FALLEN, 0, "", "Stations")
SALYUT, MIR, SKYLAB = (f"{sentence.rstrip('.')}." for sentence in FALLEN.split(". "))
BOTH = "When did Salyut 6 fall, and when did Mir fall?"
ONE, OTHER = "When did Salyut 6 fall?", "when did Mir fall?"


class CannedPicker(Picker):
    """Finds what it is told to find, and for any other question nothing."""

    def __init__(self, *found: Picked) -> None:
        super().__init__(BagOfWordsEmbedder(), None, Steps(rerank=False, ranking="cosine"))
        self.found = {picked.question: picked for picked in found}
        self.asked: list[tuple[str, int, int]] = []
        """Every question with ``keep`` and ``read``."""

    def pick(self, snapshot: Any, question: str, keep: int, read: int, filter: Filter = NO_FILTER) -> Picked:
        self.asked.append((question, keep, read))
        return self.found.get(question, Picked(question, (), (), 0.0, ()))


def about(question: str, *quotes: str, sure: float = 0.9, answer: str = "", chunks: str = "") -> Picked:
    """Evidence with an answer in the first quote, and passages with the given numbers."""
    found = []
    for quote in quotes:
        start, at = FALLEN.index(quote), FALLEN.find(answer)
        span = (at, at + len(answer)) if answer and answer in quote else None
        found.append(Evidence(STATIONS, start, start + len(quote), sure, span))
    passages = tuple(Passage(int(number), STATIONS, 0, 9, 0.5) for number in chunks)
    return Picked(question, passages, tuple(found), sure, tuple(question.rstrip("?").split()[-1:]), 0.25, 0.5)


def told(*found: Picked, writer: Writer | None = None, **settings: Any) -> Answerer:
    snapshot: Any = SimpleNamespace(name="gen", store=NO_COPIES, publishers=())
    chosen = Settings(**{"mode": "write" if writer else "quote", "refuse_below": 0.5, **settings})
    assert writer or chosen.mode == "quote"
    return Answerer(lambda: snapshot, CannedPicker(*found), lambda: writer, chosen)  # type: ignore[arg-type,return-value]


def test_each_part_of_a_question_gets_its_evidence() -> None:
    answerer = told(
        about(ONE, SALYUT, SKYLAB, sure=0.6, answer="1982", chunks="123"),
        about(OTHER, MIR, SKYLAB, sure=0.8, answer="2001", chunks="245"),
    )
    answer = answerer.answer(BOTH)
    assert answer.text == "Salyut 6 fell in 1982 near Australia [1]. Mir fell in 2001 into the Pacific [2]."
    assert [citation.quote for citation in answer.citations] == [SALYUT, MIR]
    assert (answer.short_answer, answer.refused, answer.model) == (None, False, "quote")
    assert answer.question == answer.standalone_question == BOTH
    assert answer.confidence == 0.6
    assert [passage.chunk_id for passage in answer.retrieved] == [1, 2, 4, 3, 5]
    assert answer.seconds["retrieve"] >= 0.5
    assert answer.seconds["evidence"] == 1.0
    assert_carried(answer)


def test_parts_are_looked_up_one_by_one_in_a_real_index(make: Make) -> None:
    question = "When was Salyut 1 launched, and which law forbids NASA to work with China without permission?"
    answer = make(refuse_below=0.0).answer(question)
    assert [sentence.text for sentence in answer.sentences] == [
        LAUNCH,
        "The Wolf Amendment of 2011 forbids NASA to work with China without permission.",
    ]
    assert [citation.title for citation in answer.citations] == ["Salyut", "Law"]
    assert len(answer.retrieved) == 2
    assert_carried(answer)


@pytest.mark.parametrize(
    ("sure", "text", "unknown"),
    [
        ((0.9, 0.4), "Salyut 6 fell in 1982 near Australia [1].", OTHER),
        ((0.4, 0.9), "Mir fell in 2001 into the Pacific [1].", ONE),
    ],
)
def test_a_part_below_the_threshold_is_said_to_be_unanswered(
    sure: tuple[float, float], text: str, unknown: str
) -> None:
    answer = told(about(ONE, SALYUT, sure=sure[0], answer="1982"), about(OTHER, MIR, sure=sure[1])).answer(BOTH)
    assert answer.unanswered == (unknown,)
    assert answer.text == f"{text} The articles do not say: “{unknown}”"
    assert (answer.short_answer, answer.refused, answer.confidence) == (None, False, 0.9)
    assert len(answer.citations) == 1


def test_where_no_part_is_answered_it_refuses() -> None:
    writer = ScriptedWriter(["Salyut 6 fell in 1982."])
    one, other = about(ONE, SALYUT, sure=0.4, chunks="1"), about(OTHER, MIR, sure=0.3, chunks="2")
    answer = told(one, dataclasses.replace(other, missing_words=("Mir", "fall")), writer=writer).answer(BOTH)
    assert (answer.refused, answer.confidence, answer.short_answer, answer.model) == (True, 0.4, None, "")
    assert answer.text.startswith("The articles do not say. Nothing in them mentions “fall”, “Mir”;")
    assert answer.sentences == answer.citations == ()
    assert [passage.chunk_id for passage in answer.retrieved] == [1, 2]
    assert writer.requests == []


def test_one_sentence_for_both_parts_is_quoted_once() -> None:
    where = "where did Salyut 6 fall?"
    answer = told(about(ONE, SALYUT), about(where, SALYUT)).answer(f"{ONE[:-1]}, and {where}")
    assert answer.text == "Salyut 6 fell in 1982 near Australia [1]."


@pytest.mark.parametrize(
    ("asked", "history", "first", "second"),
    [
        ("When did Salyut 6 fall, and when did Mir?", [], ONE, "when did Mir? (fall)"),
        ("When did Salyut 6 fall, and who saw it?", [], ONE, "Who saw Salyut 6?"),
        (
            "When did it fall to Earth, and who saw it?",
            ["What was Mir?"],
            "When did Mir fall to Earth?",
            "Who saw Mir?",
        ),
    ],
    ids=["what the first part said", "its subject", "of an earlier question"],
)
def test_a_later_part_is_understood_from_the_first(asked: str, history: list[str], first: str, second: str) -> None:
    answerer = told(about(first, SALYUT), about(second, MIR))
    answer = answerer.answer(asked, [Turn("user", question) for question in history])
    assert answer.standalone_question == f"{first} {second}"
    assert [citation.quote for citation in answer.citations] == [SALYUT, MIR]


def test_a_later_part_is_taken_as_it_stands_where_that_is_answered_well() -> None:
    answerer = told(
        about(ONE, SALYUT), about("when did Mir go?", MIR, sure=0.6), about("when did Mir go? (fall)", SKYLAB)
    )
    answer = answerer.answer("When did Salyut 6 fall, and when did Mir go?")
    assert [citation.quote for citation in answer.citations] == [SALYUT, MIR]


def test_only_the_chosen_reading_is_looked_at_closely() -> None:
    picker = CannedPicker(about(ONE, SALYUT), about("when did Mir? (fall)", MIR))
    snapshot: Any = SimpleNamespace(name="gen", store=NO_COPIES, publishers=())
    settings = Settings(mode="quote", passages=7, candidates=11)
    answerer = Answerer(lambda: snapshot, picker, lambda: ScriptedWriter(), settings)
    answerer.answer("When did Salyut 6 fall, and when did Mir?")
    few = [("When did Mir fall?", 3, 3), ("when did Mir? (fall)", 3, 3)]
    assert picker.asked == [(ONE, 7, 11), *few, ("when did Mir? (fall)", 7, 11)]


@pytest.mark.parametrize(
    ("turns", "shown"),
    [
        ([["Salyut 6 fell in 1982. "], ["Mir fell in 2001. "]], ["Salyut 6 fell in 1982.", "Mir fell in 2001."]),
        ([["Salyut 6 fell in 1982. "], []], ["Salyut 6 fell in 1982.", MIR]),
        ([["Salyut 6 fell in 1982. "], ["Mir fell in 1999."]], ["Salyut 6 fell in 1982.", MIR]),
        ([["Salyut 6 fell in 1990. "], ["Mir fell in 2001. "]], [SALYUT, "Mir fell in 2001."]),
        ([[], []], [SALYUT, MIR]),
    ],
    ids=["both", "left out", "the other wrong", "the first wrong", "nothing"],
)
def test_a_part_that_the_writer_leaves_out_is_quoted(turns: Sequence[Sequence[str]], shown: list[str]) -> None:
    found = about(ONE, SALYUT, answer="1982"), about(OTHER, MIR, answer="2001")
    writer = ScriptedWriter(turns=turns)
    answer = told(*found, writer=writer).answer(BOTH)
    assert [sentence.text for sentence in answer.sentences] == shown
    assert [sentence.citations for sentence in answer.sentences] == [(1,), (2,)]
    verdicts = ["quoted" if text in (SALYUT, MIR) else "supported" for text in shown]
    assert [sentence.verdict for sentence in answer.sentences] == verdicts
    assert [citation.quote for citation in answer.citations] == [SALYUT, MIR]
    assert [request[1]["content"].partition("Question: ")[2] for request in writer.requests] == [ONE, OTHER]
    assert answer.carried == sum(verdict == "supported" for verdict in verdicts)


def test_a_part_is_quoted_too_when_the_writer_fails_on_the_way() -> None:
    writer = ScriptedWriter(turns=[["Salyut 6 fell in 1982. ", "The "]], error=ModelError("It died", "Try again."))
    answer = told(about(ONE, SALYUT, answer="1982"), about(OTHER, MIR), writer=writer).answer(BOTH)
    assert [sentence.text for sentence in answer.sentences] == ["Salyut 6 fell in 1982.", MIR]
    assert answer.notice == "It died. Try again. The sources are quoted instead."


def test_alternatives_of_one_question_are_quoted() -> None:
    unsure = about(ONE, SALYUT, SKYLAB, sure=0.4, answer="1982")
    answer = told(unsure, writer=ScriptedWriter(["Salyut 6 fell in 1982. "]), refuse_below=0.3).answer(ONE)
    assert answer.text == f"Salyut 6 fell in 1982 [1]. {SKYLAB[:-1]} [2]."
    assert answer.short_answer == "1982"


def parted(*quotes: str, words: int) -> list[str]:
    looked = [about("?", quote) for quote in quotes]
    return [item.text for item in choose(looked, Settings(answer_words=words))]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (14, [SALYUT, MIR]),
        (13, [SALYUT, "Mir fell in 2001 into the"]),
        (8, ["Salyut 6 fell in", "Mir fell in 2001"]),
        (2, ["Salyut", "Mir"]),
    ],
)
def test_the_parts_share_the_length_of_an_answer(words: int, expected: list[str]) -> None:
    assert parted(SALYUT, MIR, words=words) == expected


def test_what_one_part_leaves_the_next_one_may_use() -> None:
    assert parted("Mir fell", SALYUT, words=9) == ["Mir fell", SALYUT]
    assert parted("Mir fell", "Skylab", SALYUT, words=10) == ["Mir fell", "Skylab", SALYUT]


@pytest.mark.parametrize("writer", [None, ScriptedWriter()], ids=["quote", "write"])
@pytest.mark.parametrize("words", [1, 2, 3])
def test_however_short_an_answer_must_be_it_is_not_empty(words: int, writer: Writer | None) -> None:
    found = about(ONE, SALYUT, answer="1982 near"), about(OTHER, MIR, answer="2001 into the")
    answer = told(*found, writer=writer, answer_words=words).answer(BOTH)
    assert not answer.refused
    assert answer.sentences
    assert all(citation.quote for citation in answer.citations)
    assert "1982 near" in answer.text


def test_a_later_part_is_not_answered_with_what_names_something_else() -> None:
    asked = "When did Salyut 6 fall, and when did Mir?"
    answer = told(about(ONE, SALYUT), about("when did Mir? (fall)", SKYLAB, MIR)).answer(asked)
    assert [citation.quote for citation in answer.citations] == [SALYUT, MIR]
    answer = told(about(ONE, SALYUT), about("when did Mir? (fall)", SKYLAB)).answer(asked)
    assert [citation.quote for citation in answer.citations] == [SALYUT]
    assert answer.unanswered == ("when did Mir?",)


def test_without_its_writer_it_quotes_and_says_why() -> None:
    def missing() -> Writer:
        raise ModelError("The writer model m.gguf cannot be read: No such file", "Name another.")

    snapshot: Any = SimpleNamespace(name="gen", store=NO_COPIES, publishers=())
    answer = Answerer(lambda: snapshot, CannedPicker(about(ONE, SALYUT)), missing, Settings(mode="write")).answer(ONE)
    assert [sentence.verdict for sentence in answer.sentences] == ["quoted"]
    assert answer.model == "quote"
    assert answer.notice.startswith("The writer model m.gguf cannot be read: No such file")
    assert answer.notice.endswith("The sources are quoted instead.")


def test_a_writer_that_fails_is_named_and_one_that_works_is_not() -> None:
    broken = ScriptedWriter(error=ModelError("The writer fell silent", "Use another."))
    assert told(about(ONE, SALYUT), writer=broken).answer(ONE).notice.startswith("The writer fell silent")
    assert told(about(ONE, SALYUT), writer=ScriptedWriter(["Salyut 6 fell in 1982."])).answer(ONE).notice == ""


OLDER = Document("o", "o.md", "The Dorran mine has 400 people at work.", 0, "", "Mines", None, None, "2014-03-18")
NEWER = Document("n", "n.md", "Only 150 people work at the Dorran mine.", 0, "", "Mines", None, None, "2023-05-02")
STAFF = "How many people work at the Dorran mine?"


@pytest.mark.parametrize("mode", ["quote", "write"])
@pytest.mark.parametrize("sure", [0.5, 0.95])
def test_articles_that_disagree_are_shown_with_their_dates(mode: str, sure: float) -> None:
    found = [
        Evidence(NEWER, 0, len(NEWER.text), sure, (5, 8)),
        Evidence(OLDER, 0, len(OLDER.text), sure / 2, (20, 23)),
    ]
    writer = ScriptedWriter(["The Dorran mine has 400 people at work [1], and 150 work there [2]."])
    answer = told(Picked(STAFF, (), tuple(found), sure, ()), writer=writer, mode=mode).answer(STAFF)
    assert answer.text == (
        "As of 2014: The Dorran mine has 400 people at work [1]. As of 2023: Only 150 people work at the Dorran mine [2]."
    )
    assert [sentence.text for sentence in answer.sentences] == [OLDER.text, NEWER.text]
    assert (answer.short_answer, writer.requests) == (None, [])


MIR_ARTICLES = {
    "cgtn.md": "---\ntitle: Mir\npublisher: CGTN\ndate: 2021-06-18\n---\n\nMir flew with 12 crews from China.\n",
    "herald.md": "---\ntitle: Mir\npublisher: The Herald\ndate: 2019\n---\n\nMir flew with 28 crews from Russia.\n",
    "undated.md": "---\ntitle: Mir\n---\n\nMir flew with 99 crews from everywhere, and Salyut 1 fell in 1971.\n",
}
CREWS = "How many crews flew with Mir?"


@pytest.fixture
def of_three(make: Make, write_corpus: Callable[[Mapping[str, str | bytes]], Path], tmp_path: Path) -> Answerer:
    """An answerer over three articles that say different things; ``make``'s are there too."""
    embedder = BagOfWordsEmbedder()
    build_index(write_corpus(MIR_ARTICLES), tmp_path / "three", embedder, chunk_tokens=60, max_file_bytes=10_000)
    snapshot = Snapshot(tmp_path / "three")
    settings = Settings(mode="quote", refuse_below=0.0)
    return Answerer(lambda: snapshot, Picker(embedder, FakeReader()), lambda: ScriptedWriter(), settings)


@pytest.mark.parametrize(
    ("question", "filter", "standalone", "only", "paths"),
    [
        (CREWS, Filter(("CGTN",)), CREWS, "only articles of CGTN", {"cgtn.md"}),
        (CREWS, Filter(until="2019"), CREWS, "only articles until 2019", {"herald.md"}),
        (f"{CREWS} (only the Herald)", NO_FILTER, CREWS, "only articles of The Herald", {"herald.md"}),
        (
            f"{CREWS[:-1]} in articles since 2021?",
            NO_FILTER,
            CREWS,
            "only articles since 2021",
            {"cgtn.md", "salyut.md"},
        ),
        (
            f"{CREWS} (only since 2021)",
            Filter(("CGTN", "The Herald")),
            CREWS,
            "only articles of CGTN or The Herald, since 2021",
            {"cgtn.md"},
        ),
    ],
    ids=["given", "given date", "typed", "typed date", "both"],
)
def test_only_admitted_articles_answer(
    of_three: Answerer, question: str, filter: Filter, standalone: str, only: str, paths: set[str]
) -> None:
    first, *_, last = of_three.ask(question, filter=filter)
    assert isinstance(first, SourcesReady)
    assert isinstance(last, AnswerReady)
    answer = last.answer
    assert (answer.question, answer.standalone_question, answer.filter, answer.refused) == (
        question,
        standalone,
        only,
        False,
    )
    assert (first.filter, first.standalone_question, first.short_answer) == (only, standalone, answer.short_answer)
    assert {passage.document.path for passage in answer.retrieved} == paths
    assert_carried(answer)


def test_without_a_filter_all_articles_answer(of_three: Answerer) -> None:
    answer = of_three.answer(CREWS)
    assert answer.filter == ""
    assert len({passage.document.path for passage in answer.retrieved}) == 5


@pytest.mark.parametrize(
    ("question", "filter", "only"),
    [
        (CREWS, Filter(since="2022"), "only articles since 2022"),
        (f"{CREWS} (only CGTN)", Filter(until="2020"), "only articles of CGTN, until 2020"),
        (f"{CREWS} (only CGTN)", Filter(("The Herald",)), "only articles of both The Herald and CGTN"),
    ],
)
def test_where_no_article_is_admitted_the_refusal_says_so(
    of_three: Answerer, question: str, filter: Filter, only: str
) -> None:
    events = list(of_three.ask(question, filter=filter))
    assert [type(event) for event in events] == [SourcesReady, AnswerReady]
    answer = of_three.answer(question, filter=filter)
    assert answer.refused
    assert answer.text.startswith("No article is ")
    assert only in answer.text
    assert answer.filter == only
    assert (answer.retrieved, answer.citations, answer.confidence, answer.short_answer) == ((), (), 0.0, None)


def test_admitted_articles_that_do_not_say_refuse_as_ever(make: Make) -> None:
    answer = make(refuse_below=1.0).answer(QUESTION, filter=Filter(since="2021"))
    assert answer.refused
    assert answer.text.startswith("The articles do not say.")
    assert {passage.document.path for passage in answer.retrieved} == {"salyut.md"}


def test_a_filter_typed_earlier_is_not_carried_on(of_three: Answerer) -> None:
    history = [Turn("user", f"{CREWS} (only CGTN)"), Turn("assistant", "Mir flew with 12 crews [1].")]
    answer = of_three.answer("And how many people flew with it?", history)
    assert answer.filter == ""
    assert "Mir" in answer.standalone_question
    assert "CGTN" not in answer.standalone_question
    assert len({passage.document.path for passage in answer.retrieved}) == 5
    picker = CannedPicker()
    snapshot: Any = SimpleNamespace(name="gen", store=NO_COPIES, publishers=("CGTN",))
    answerer = Answerer(lambda: snapshot, picker, lambda: ScriptedWriter(), Settings(mode="quote"))
    for question in ("What about Salyut 1?", "Why?", "When was that?"):
        answerer.answer(question, history)
    assert "How many crews flew with Salyut 1?" in [question for question, _, _ in picker.asked]
    assert not any("CGTN" in question or "only" in question for question, _, _ in picker.asked)
    again = of_three.answer("And how many people flew with it? (only the Herald)", history)
    assert again.filter == "only articles of The Herald"
    assert again.standalone_question == answer.standalone_question


def test_every_part_of_a_question_is_asked_of_the_admitted_articles() -> None:
    class Filtered(CannedPicker):
        filters: list[Filter] = []  # noqa: RUF012

        def pick(self, snapshot: Any, question: str, keep: int, read: int, filter: Filter = NO_FILTER) -> Picked:
            self.filters.append(filter)
            return super().pick(snapshot, question, keep, read)

    picker = Filtered(about(ONE, SALYUT))
    snapshot: Any = SimpleNamespace(
        name="gen", store=NO_COPIES, publishers=("CGTN",), admitted=lambda _: SimpleNamespace(documents=1)
    )
    answer = Answerer(lambda: snapshot, picker, lambda: ScriptedWriter(), Settings(mode="quote")).answer(
        "When did Salyut 6 fall, and when did Mir? (only CGTN)"
    )
    assert answer.unanswered == ("when did Mir?",)
    assert [citation.quote for citation in answer.citations] == [SALYUT]
    assert picker.filters == [Filter(("CGTN",))] * 4
