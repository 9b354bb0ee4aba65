"""The engine behind the chat with the real models: answers, suggestions, and a library that can be changed."""

import time
from pathlib import Path

import pytest

from rag.chat.engine import Choices
from rag.chat.local import LocalEngine
from rag.errors import CorpusError, RagError
from rag.filters import Filter
from rag.records import Answer, AnswerReady
from rag.settings import Settings

QUESTION = "When was Salyut 1 launched?"


@pytest.fixture(scope="module")
def engine(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    """Ready, on a corpus of its own that may be changed."""
    folder = tmp_path_factory.mktemp("own")
    own = folder / "corpus"
    own.mkdir()
    for file in corpus.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    found = LocalEngine(Settings(corpus=own, index=folder / "index"))
    give_up = time.monotonic() + 120
    while found.status().state == "preparing":
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert found.status().state == "ready", found.status().message
    return found


def answer(engine: LocalEngine, question: str, choices: Choices) -> Answer:
    (ready,) = [event for event in engine.ask(question, (), choices) if isinstance(event, AnswerReady)]
    return ready.answer


@pytest.mark.parametrize("mode", ["quote", "write"])
def test_it_answers_in_both_modes(engine: LocalEngine, mode: str) -> None:
    found = answer(engine, QUESTION, Choices("write" if mode == "write" else "quote"))
    assert found.short_answer == "19 April 1971"
    assert "19 April 1971 [1]" in found.text
    assert found.notice == ""
    assert found.model == ("quote" if mode == "quote" else "SmolLM2-135M-Instruct")


def test_choices_and_filters_count(engine: LocalEngine) -> None:
    assert answer(engine, QUESTION, Choices("quote", refuse_below=1.0)).refused
    unsure = "What happened to the station?"
    assert len(answer(engine, unsure, Choices("quote", sources=1, refuse_below=0.0)).citations) == 1
    nothing = answer(engine, QUESTION, Choices("quote", filter=Filter(until="1950")))
    assert nothing.refused
    assert nothing.filter == "only articles until 1950"


def test_suggestions_are_questions_that_it_answers(engine: LocalEngine) -> None:
    first = answer(engine, QUESTION, Choices("quote"))
    suggested = list(engine.suggest(first, [QUESTION]))
    assert suggested
    assert QUESTION not in suggested
    for question in suggested:
        assert not answer(engine, question, Choices("quote")).refused, question


def test_the_library_can_be_changed_under_a_running_chat(engine: LocalEngine) -> None:
    before = engine.summary()
    assert (
        engine.add("voskhod.md", b"---\ntitle: Voskhod\n---\n\nVoskhod 2 landed in the taiga near Perm in 1965.\n")
        == "voskhod.md"
    )
    engine.rebuild()
    after = engine.summary()
    assert (after.documents, after.generation) == (before.documents + 1, "gen-000002")
    assert "voskhod.md" in [item.path for item in engine.listed()]
    assert "Perm" in answer(engine, "Where did Voskhod 2 land?", Choices("quote")).text
    engine.remove("voskhod.md")
    engine.rebuild()
    assert engine.summary().documents == before.documents
    with pytest.raises(CorpusError):
        engine.remove("voskhod.md")
    with pytest.raises(RagError):
        engine.document("voskhod.md")
    assert engine.status().state == "ready"


def test_the_writers_are_those_that_are_here(engine: LocalEngine) -> None:
    assert engine.writers()[0] == "SmolLM2-135M-Instruct"
    missing = answer(engine, QUESTION, Choices("write", writer="hub:nobody/nothing.gguf"))
    assert missing.sentences[0].verdict == "quoted"
    assert missing.notice.endswith("The sources are quoted instead.")
