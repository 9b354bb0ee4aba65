"""Whatever a text is made of, splitting, chunking, checking and reading questions never crash, and offsets are exact."""

import re
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from hostile import texts, thorough, unclean
from rag.answering import check_question
from rag.checking import check_clauses, is_carried, may_be_carried, without_markers
from rag.chunking import pack_chunks
from rag.citations import number_citations, with_markers
from rag.compound import parts
from rag.errors import UsageError
from rag.excerpts import excerpt
from rag.filters import NO_FILTER, Filter, combine, describe, parse
from rag.followups import MAX_CANDIDATES, candidates, topics
from rag.prompts import answer_grammar
from rag.records import AnswerSentence, Document, Evidence, Passage, Turn
from rag.sentences import MAX_SENTENCE, is_heading, split_sentences
from rag.shortening import shortenings
from rag.suggestions import MAX_WORDS, questions, suggest
from rag.wording import content_stems, names, numbers, stems, tokens

PUBLISHERS = ("CGTN", "The Astana Times", "[only]", "(a|b)*", "Ünïted", "?")

BLANK = "".join(chr(code) for code in range(0x10000) if chr(code).isspace()) + "\ufeff\u200b"


def document(text: str, start: int = 0) -> Document:
    return Document("a-1", "a.md", text, start, "ab", "A")


@thorough
@given(texts(), st.integers(0, 5))
def test_sentences_lie_in_order_and_leave_out_only_white_space(text: str, start: int) -> None:
    start = min(start, len(text))
    end = start
    for sentence in split_sentences(text, start):
        assert end <= sentence.start < sentence.end <= len(text)
        assert not text[end : sentence.start].strip(BLANK)
        assert sentence.end - sentence.start <= MAX_SENTENCE
        end = sentence.end
    assert not text[end:].strip(BLANK)


@thorough
@given(texts(200), st.integers(1, 80), st.randoms(use_true_random=False))
def test_chunks_hold_every_sentence_once_and_in_order(text: str, limit: int, rng: object) -> None:
    sentences = split_sentences(text)
    lengths = [rng.randint(0, 90) for _ in sentences]  # type: ignore[attr-defined]
    chunks = pack_chunks(text, sentences, lengths, limit)
    assert [sentence for chunk in chunks for sentence in chunk.sentences] == sentences
    of = dict(zip(sentences, lengths, strict=True))
    for chunk in chunks:
        assert (chunk.start, chunk.end) == (chunk.sentences[0].start, chunk.sentences[-1].end)
        # Headings stay with the sentence below them, even where it then does not fit.
        above = all(is_heading(text[sentence.start : sentence.end]) for sentence in chunk.sentences[:-1])
        counted = chunk.sentences[:-1] if above else chunk.sentences
        assert sum(of[sentence] for sentence in counted) <= limit


@thorough
@given(texts(), st.integers(1, 12), st.data())
def test_an_excerpt_lies_in_its_sentence_and_keeps_the_answer(text: str, words: int, data: st.DataObject) -> None:
    for sentence in split_sentences(text)[:3]:
        a = data.draw(st.integers(sentence.start, sentence.end - 1))
        b = data.draw(st.integers(a + 1, sentence.end))
        start, end = excerpt(text, sentence.start, sentence.end, words, (a, b))
        assert sentence.start <= start < end <= sentence.end
        assert start <= a + len(text[a:b]) - len(text[a:b].lstrip())
        assert end >= a + len(text[a:b].rstrip())


@thorough
@given(texts(), st.data())
def test_quotes_are_cut_exactly(text: str, data: st.DataObject) -> None:
    spans = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=4))
    evidence = [Evidence(document(text), min(span), max(span), 0.5) for span in spans]
    citations = number_citations(evidence)
    assert [citation.number for citation in citations] == list(range(1, len(spans) + 1))
    for citation in citations:
        assert text[citation.start : citation.end] == citation.quote


@thorough
@given(st.lists(st.tuples(texts(8), st.lists(st.integers(1, 9), max_size=3)), max_size=4))
def test_the_markers_of_an_answer_are_those_of_its_sentences_and_of_its_quotes(
    shown: list[tuple[str, list[int]]],
) -> None:
    text = with_markers(AnswerSentence(words, "quoted", tuple(numbers)) for words, numbers in shown)
    own = [f"[{number}]" for _, numbers in shown for number in numbers]
    assert re.findall(r"\[\d[\d\s,;–-]*\]", text) == own


@thorough
@given(texts(30), st.lists(texts(20), min_size=1, max_size=4), texts(10))
@example("[1]", ["A."], "")
@example("It flew [1], and it fell [2].", ["It flew.", "It fell."], "When?")
@example("[1] It flew [2].", ["It flew."], "When?")
def test_what_is_carried_says_no_word_of_its_own(written: str, evidence: Sequence[str], question: str) -> None:
    titles = ["A"] * len(evidence)
    may_be_carried(written, evidence, titles, question)
    checks = check_clauses(written, evidence, titles, question)
    if checks is None:
        return
    assert all(0 <= check.evidence < len(evidence) for check in checks)
    known = set(stems(" ".join([*evidence, "A", question])))
    assert set(content_stems(without_markers(written))) <= known
    assert set(numbers(without_markers(written))) <= set(numbers(" ".join([*evidence, question]))) or any(
        check.verdict == "quoted" for check in checks
    )


@thorough
@given(texts(20), texts(20), texts(8), texts(8))
def test_the_checker_never_crashes_and_never_carries_nothing(a: str, b: str, title: str, question: str) -> None:
    assert not (is_carried(a, b, title, question) and not content_stems(a))
    assert not re.search(r"\[\d[\d, ]*\]", without_markers(a)) or re.search(r"\[[^\]]*\[", a)


@thorough
@given(unclean(40))
def test_a_question_is_cleaned_or_refused(text: str) -> None:
    try:
        cleaned = check_question(text)
    except UsageError:
        return
    assert cleaned.isprintable()
    assert cleaned.encode()
    assert check_question(cleaned) == cleaned


@thorough
@given(texts(40))
def test_a_typed_filter_leaves_a_question_and_nothing_new(question: str) -> None:
    rest, found = parse(question, PUBLISHERS)
    assert set(found.publishers) <= set(PUBLISHERS)
    assert found or rest == question
    assert any(char.isalnum() for char in rest) or rest == question
    assert len(rest) <= len(question)
    Filter(found.publishers, found.since, found.until).admits(document(question))


DATES = st.one_of(st.none(), st.sampled_from(["2021", "2021-06", "2021-06-18", "0001", "9999", "9999-12-31"]))


@thorough
@given(st.lists(st.sampled_from(PUBLISHERS[:2]), max_size=2, unique=True), DATES, DATES)
def test_a_filter_described_in_brackets_is_read_back(names: list[str], since: str | None, until: str | None) -> None:
    wanted = Filter(tuple(names), since, until)
    combine(wanted, Filter(("CGTN",), until, since))
    if not wanted or {since, until} & {"0001", "9999", "9999-12-31"}:
        return
    rest, found = parse(f"Who flew? ({describe(wanted)})", PUBLISHERS)
    assert rest == "Who flew?"
    assert set(found.publishers) == set(names)
    assert found != NO_FILTER


@thorough
@given(st.text("0123456789-TZ: \u0660\u00b2", max_size=12))
def test_any_date_of_an_article_can_be_filtered_by(published: str) -> None:
    item = Document("a", "a", "", 0, "", "A", published=published)
    assert Filter(since="0001", until="9999").admits(item) in (True, False)


@thorough
@given(unclean(40), st.lists(st.tuples(st.sampled_from(["user", "assistant"]), unclean(40)), max_size=7))
def test_readings_of_a_follow_up_are_few_and_not_empty(question: str, turns: list[tuple[str, str]]) -> None:
    history = [Turn(role, content) for role, content in turns]  # type: ignore[arg-type]
    found = candidates(question, history)
    assert 1 <= len(found) <= MAX_CANDIDATES
    assert found[0] == question or history
    for _, content in turns:
        topics(content)


@thorough
@given(texts(40))
def test_a_question_has_one_to_three_parts(question: str) -> None:
    found = parts(question)
    assert 1 <= len(found) <= 3
    assert len(found) > 1 or found == (question,)


@thorough
@given(texts(40), texts(10))
def test_suggestions_are_questions(text: str, title: str) -> None:
    for found in questions(text, title):
        assert found.endswith("?")
        assert len(found.split()) <= MAX_WORDS
    passage = Passage(0, Document("a", "a.md", text, 0, "", title), 0, len(text), 0.5)
    assert all(found.endswith("?") for found in suggest([passage], ["When did Mir fall?"]))


@thorough
@given(unclean(40))
def test_words_are_words(text: str) -> None:
    assert set(names(text)) <= set(tokens(text))
    assert all(found and not found.isspace() for found in stems(text))
    assert all(number[0].isdigit() and number[-1].isdigit() for number in numbers(text))


@thorough
@given(texts(30), texts(5))
def test_no_word_of_a_source_leaves_its_string_in_the_grammar(source: str, holding: str) -> None:
    """A source that could close its string would write rules of its own."""
    literal = r'"(?:[^"\\\n]|\\["\\])*"'
    assert re.fullmatch(
        rf'root ::= \({literal}(?: \| {literal})*\) " \[1\]\."', answer_grammar(shortenings(source, holding))
    )


@thorough
@given(texts(30))
def test_what_a_sentence_may_be_shortened_to_is_carried_by_it(source: str) -> None:
    first, *shorter = shortenings(source)
    assert first == source.rstrip(".!?…")
    assert all(is_carried(text, source, "", "") or not content_stems(text) for text in shorter)
