"""What is kept of an exchange comes back as it was, and nothing that was kept can break the page."""

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.chat import views
from rag.chat.conversation import Exchange
from rag.chat.kept import UNREADABLE, Kept, keep, restore, without_answer
from rag.chat.render import NEAREST
from rag.errors import UsageError
from rag.records import Answer, AnswerSentence, Citation, Document, Passage

TEXT = "Ғарышкер 🚀 жеті күн ұшты. Mir flew for “15” years. It fell into the sea. " + "More was said. " * 9


def make_document(id: str = "d1", text: str = TEXT) -> Document:
    return Document(
        id,
        f"{id}.md",
        text,
        0,
        hashlib.sha256(text.encode()).hexdigest(),
        f"Title of {id}",
        "CGTN",
        "A. Writer",
        "2021-06-18",
    )


def cite(number: int, document: Document, quote: str) -> Citation:
    start = document.text.index(quote)
    return Citation(
        number,
        document.id,
        document.title,
        document.path,
        "https://example.org/",
        document.publisher,
        document.published,
        start,
        start + len(quote),
        quote,
    )


def passage(document: Document, start: int, end: int) -> Passage:
    return Passage(-1, document, start, end, 0.25)


def library(*documents: Document) -> Callable[[str], Document | None]:
    return {document.id: document for document in documents}.get


def no_articles(id: str) -> Document | None:
    return None


ONE, OTHER = make_document(), make_document("d2")
CITED = cite(1, ONE, "Mir flew for “15” years.")
ELSEWHERE = cite(2, OTHER, "It fell into the sea.")


def make_exchange(**known: Any) -> Exchange:
    """Answered from two articles; the second one was not among the passages."""
    sentences = (
        AnswerSentence("Mir flew for 15 years.", "supported", (1,), "2021"),
        AnswerSentence(ELSEWHERE.quote, "quoted", (2,)),
    )
    around = (passage(ONE, 0, 60),)
    answer = Answer(
        "how long did mir fly",
        "How long did Mir fly?",
        "15 years",
        False,
        0.875,
        "Mir flew for 15 years. [1] It fell into the sea. [2]",
        sentences,
        (CITED, ELSEWHERE),
        around,
        unanswered=("why",),
        written=2,
        carried=1,
        notice="The sources are quoted instead.",
        seconds={"retrieve": 0.5, "total": 2},
        model="small",
        generation="gen-000007",
    )
    exchange = Exchange(
        4,
        "how long?",
        "write",
        waiting=False,
        standalone_question="How long did Mir fly?",
        filter="articles of CGTN",
        short_answer="15 years",
        citations=(CITED, ELSEWHERE),
        passages=around,
        documents={OTHER.id: OTHER},
        sentences=list(sentences),
        has_sources=True,
        answer=answer,
        suggestions=("What is Mir?",),
        rating=-1,
        reason="Too short",
    )
    return dataclasses.replace(exchange, **known)


def stored(exchange: Exchange) -> Kept:
    """As it comes back from a file."""
    kept = keep(exchange)
    return dataclasses.replace(kept, data=json.loads(json.dumps(kept.data)))


def test_an_answered_exchange_comes_back_as_it_was() -> None:
    exchange = make_exchange()
    assert restore(stored(exchange), 4, library(ONE, OTHER)) == exchange
    assert restore(stored(exchange), 9, library(ONE, OTHER)) == dataclasses.replace(exchange, number=9)


def test_what_is_kept_is_what_json_has() -> None:
    kept = keep(make_exchange())
    assert stored(make_exchange()).data == kept.data
    assert TEXT not in json.dumps(kept.data, ensure_ascii=False)
    citation, first = kept.data["citations"][0], kept.data["passages"][0]
    assert citation == dataclasses.asdict(CITED) | {"also_in": []}, "every field, its publisher too"
    assert first == {"document": "d1", "sha256": ONE.sha256, "start": 0, "end": 60, "score": 0.25}


def every(record: type, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records with any values by their types, also in fields that have a default."""
    return st.builds(record, **{field.name: ... for field in dataclasses.fields(record)} | known)


numbers, few = st.floats(-1e9, 1e9), st.integers(1, 4)
sentences = st.lists(every(AnswerSentence, citations=st.lists(few).map(tuple)), max_size=3)
answers = every(
    Answer,
    confidence=numbers,
    seconds=st.dictionaries(st.text(), numbers),
    sentences=sentences.map(tuple),
    retrieved=st.just(()),
)
exchanges = every(
    Exchange,
    citations=st.lists(every(Citation, number=few), max_size=3).map(tuple),
    sentences=sentences,
    passages=st.just(()),
    documents=st.just({}),
    answer=st.none() | answers,
)


@given(exchanges)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_field_comes_back(exchange: Exchange) -> None:
    """Every field that a record has, by its type: one that is added and forgotten here fails this test."""
    answer, restored = exchange.answer, restore(stored(exchange), exchange.number, no_articles)
    expected = dataclasses.replace(exchange, waiting=False, stopped=exchange.stopped or exchange.running)
    if answer is not None:
        used = {number for sentence in answer.sentences for number in sentence.citations}
        cited = tuple(citation for citation in exchange.citations if citation.number in used)
        expected.answer = dataclasses.replace(answer, citations=cited)
        expected.sentences = list(answer.sentences)
    assert restored == expected


def test_what_a_restored_exchange_keeps_is_the_same() -> None:
    exchange = make_exchange()
    again = keep(restore(stored(exchange), 1, library(ONE, OTHER)))
    assert again == keep(exchange)


def test_the_page_shows_a_restored_exchange_as_it_was() -> None:
    exchange = make_exchange()
    restored = restore(stored(exchange), 4, library(ONE, OTHER))
    assert views.exchange_view(restored) == views.exchange_view(exchange)
    alone = views.exchange_view(restore(stored(exchange), 4, no_articles))
    assert "It fell into the sea." in alone
    assert "More was said" not in alone


@pytest.mark.parametrize("has_sources", [True, False])
def test_an_answer_that_was_still_growing_is_stopped(has_sources: bool) -> None:
    growing = make_exchange(answer=None, has_sources=has_sources, waiting=not has_sources)
    assert growing.running
    restored = restore(stored(growing), 4, library(ONE, OTHER))
    assert restored == dataclasses.replace(growing, stopped=True, waiting=False)
    assert not restored.running


def test_a_problem_is_not_a_stop() -> None:
    restored = restore(stored(make_exchange(answer=None, problem="The model failed.")), 4, library(ONE, OTHER))
    assert (restored.problem, restored.stopped) == ("The model failed.", False)


def test_only_passages_that_hold_a_citation_are_kept() -> None:
    before = CITED.start
    around, within, beside = passage(ONE, 0, 60), passage(ONE, before + 1, 99), passage(ONE, 60, 99)
    exchange = make_exchange(passages=(beside, around, within, passage(OTHER, 0, 30)))
    restored = restore(stored(exchange), 4, library(ONE, OTHER))
    assert restored.passages == (around,)
    assert restored.answer is not None
    assert restored.answer.retrieved == (around,)


def test_of_a_refusal_the_nearest_passages_are_kept() -> None:
    passages = tuple(passage(ONE, number, number + 9) for number in range(NEAREST + 2))
    refusal = dataclasses.replace(make_exchange().answer, refused=True, sentences=(), citations=())  # type: ignore[type-var]
    exchange = make_exchange(passages=passages, citations=(), documents={}, answer=refusal)
    assert restore(stored(exchange), 4, library(ONE)).passages == passages[:NEAREST]
    assert NEAREST == 3


def test_each_article_is_asked_for_once() -> None:
    asked: list[str] = []

    def document(id: str) -> Document | None:
        asked.append(id)
        return None

    citations = (CITED, ELSEWHERE, cite(3, ONE, "It fell"), cite(4, OTHER, "It fell"))
    passages = (passage(ONE, 0, 60), passage(ONE, 0, 99), passage(ONE, 5, 99))
    restored = restore(stored(make_exchange(citations=citations, passages=passages)), 4, document)
    assert sorted(asked) == ["d1", "d2"]
    assert (restored.passages, restored.documents) == ((), {})
    assert restored.citations == citations


def test_an_article_that_cannot_be_read_is_one_that_is_gone() -> None:
    def document(id: str) -> Document | None:
        if id == "d1":
            raise UsageError("There is no document", "Look again.")
        return OTHER

    restored = restore(stored(make_exchange()), 4, document)
    assert (restored.passages, restored.documents) == ((), {"d2": OTHER})
    assert not restored.problem


def test_a_changed_article_surrounds_only_what_it_still_says_at_its_place() -> None:
    longer, moved = make_document(text=TEXT + "New."), make_document("d2", "New. " + TEXT)
    restored = restore(stored(make_exchange()), 4, library(longer, moved))
    assert restored.passages == (), "its hash is another one"
    assert restored.documents == {"d1": longer}
    assert restored.citations == (CITED, ELSEWHERE)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON value with every key of it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def damaged(change: Callable[[Any, Any], object]) -> Iterator[tuple[str, Any]]:
    """The data of an exchange with one place after another changed."""
    for number in range(len(list(places(stored(make_exchange()).data)))):
        data = copy.deepcopy(stored(make_exchange()).data)
        container, key = list(places(data))[number]
        change(container, key)
        yield f"{key} of {container}", data


def read(data: Any) -> Exchange:
    kept = Kept("1" * 32, "2026-01-01T00:00:00+00:00", "how long?", data, 1, "Good")
    return restore(kept, 4, library(ONE, OTHER))


@pytest.mark.parametrize("wrong", [b"bytes", {"a": {}}, [[[]]], float("nan"), float("-inf"), 1e300], ids=repr)
def test_a_value_of_another_type_is_unreadable_anywhere(wrong: object) -> None:
    def replace(container: Any, key: Any) -> None:
        container[key] = wrong

    for place, data in damaged(replace):
        exchange = read(data)
        assert exchange.problem == UNREADABLE, place
        assert (exchange.question, exchange.rating, exchange.reason) == ("how long?", 1, "Good")
        assert not exchange.running
        assert not exchange.waiting


def test_a_field_of_a_later_version_is_unreadable_anywhere() -> None:
    def add(container: Any, key: Any) -> None:
        if isinstance(container[key], dict):
            container[key]["later"] = "x"
        else:
            container[key] = {"later": 1}

    assert all(read(data).problem == UNREADABLE for _, data in damaged(add))
    data = stored(make_exchange()).data
    assert read(data).problem == ""
    assert read({**data, "format": 2}).problem == UNREADABLE
    assert read({**data, "later": ""}).problem == UNREADABLE


def test_a_missing_field_is_unreadable_unless_it_has_a_default() -> None:
    data = stored(make_exchange()).data
    for name in data:
        assert read({key: value for key, value in data.items() if key != name}).problem == UNREADABLE
    earlier = {key: value for key, value in data["answer"].items() if key != "notice"}
    restored = read({**data, "answer": earlier})
    assert restored.problem == ""
    assert restored.answer is not None
    assert restored.answer.notice == ""


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "guess"},
        {"sentences": [{"text": "x", "verdict": "true", "citations": [1], "as_of": None}]},
        {"stopped": 1},
        {"suggestions": "What?"},
        {"problem": None},
        {"passages": [{"document": "d1", "sha256": "x", "start": 0.5, "end": 1, "score": 1}]},
        {"passages": [{"document": "d1", "sha256": "x", "start": True, "end": 1, "score": 1}]},
        {"passages": [{"document": "d1", "sha256": "x", "start": 0, "end": 1, "score": True}]},
    ],
    ids=str,
)
def test_values_that_the_page_could_not_show_are_unreadable(change: dict[str, Any]) -> None:
    assert read({**stored(make_exchange()).data, **change}).problem == UNREADABLE


@pytest.mark.parametrize("data", [{}, [], None, "text", 5], ids=repr)
def test_what_is_no_object_is_unreadable(data: Any) -> None:
    exchange = read(data)
    assert exchange.problem == UNREADABLE
    assert UNREADABLE in views.exchange_view(exchange)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
)


@given(st.data(), values)
def test_no_edit_breaks_the_page(data: st.DataObject, value: Any) -> None:
    changed = stored(make_exchange()).data
    container, key = data.draw(st.sampled_from(list(places(changed))))
    container[key] = value
    assert "how long?" in views.exchange_view(read(changed))


def test_without_its_answer_an_exchange_keeps_its_question_and_says_why() -> None:
    bare = without_answer(keep(make_exchange()), "Too long.")
    restored = restore(bare, 4, no_articles)
    assert (restored.question, restored.problem, restored.mode) == ("how long?", "Too long.", "write")
    assert (restored.answer, restored.sentences, restored.citations) == (None, [], ())
    assert (bare.rating, bare.reason) == (-1, "Too short")
