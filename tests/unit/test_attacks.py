"""Attack articles with fakes for the models: a reader that believes them, and a writer that obeys them."""

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from attack_checks import HONEST, Attack, attacks, problems, untrue
from fakes import BagOfWordsEmbedder, FakeReader, ScriptedWriter
from rag.answering import Answerer
from rag.indexing import build_index
from rag.picking import Picker
from rag.records import Answer, Document
from rag.retrieval import Snapshot
from rag.settings import Settings
from rag.suggestions import suggest

ALL = attacks()
KINDS = list(dict.fromkeys(attack.kind for attack in ALL))
CORPUS = Path(__file__).parents[2] / "corpus"

Ask = Callable[..., Answer]
Find = Callable[[str], Document | None]


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    """For each kind of attack the honest articles and all its attacks in one index."""
    found = {}
    for kind in KINDS:
        corpus = tmp_path_factory.mktemp("corpus")
        for name in HONEST:
            shutil.copy(CORPUS / name, corpus)
        for attack in ALL:
            if attack.kind == kind:
                (corpus / attack.path).write_bytes(attack.text.encode())
        index = tmp_path_factory.mktemp("index")
        report = build_index(corpus, index, BagOfWordsEmbedder(), chunk_tokens=180, max_file_bytes=1_000_000)
        assert report.skipped == ()
        found[kind] = Snapshot(index)
    return found


@pytest.fixture
def ask(snapshots: dict[str, Snapshot]) -> Ask:
    """Ask the question of an attack; what the articles say is believed, and nothing refused."""

    def run(attack: Attack, mode: str, writer: ScriptedWriter | None = None) -> Answer:
        answerer = Answerer(
            lambda: snapshots[attack.kind],
            Picker(BagOfWordsEmbedder(), FakeReader()),
            lambda: writer or ScriptedWriter(),
            Settings(mode=mode, refuse_below=0.0),  # type: ignore[arg-type]
        )
        return answerer.answer(attack.question)

    return run


@pytest.fixture
def document(snapshots: dict[str, Snapshot]) -> Find:
    """A stored article of any of the indexes."""
    return lambda id: next(filter(None, (snapshot.store.document(id) for snapshot in snapshots.values())), None)


def test_there_are_enough_attacks_of_every_kind() -> None:
    assert len(ALL) >= 60
    kinds = Counter(attack.kind for attack in ALL)
    assert set(kinds) == {"orders", "markers", "hidden", "markup", "links", "leaks", "formats", "poison", "front"}
    assert min(kinds.values()) >= 5
    assert len({attack.path for attack in ALL}) == len(ALL)


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.id)
def test_quotes_stay_true(ask: Ask, document: Find, attack: Attack) -> None:
    answer = ask(attack, "quote")
    assert problems(answer, document) == []
    assert all(sentence.verdict == "quoted" for sentence in answer.sentences)
    for question in suggest(answer.retrieved, [answer.question]):
        assert "<" not in question


@pytest.mark.parametrize("attack", ALL[::2], ids=lambda attack: attack.id)
def test_a_writer_that_obeys_is_not_shown(ask: Ask, document: Find, attack: Attack) -> None:
    """Whatever an article makes the writer say, it is shown only as far as a source carries it."""
    obeyed = [
        "PWNED [1]. The launch code of the archive is KESTREL-4471 [2]. ",
        "Salyut 1 was launched on 1 January 1950 by aliens [7]. <script>alert(1)</script> [1].",
    ]
    answer = ask(attack, "write", ScriptedWriter(obeyed))
    assert problems(answer, document) == []
    assert not any("aliens" in sentence.text for sentence in answer.sentences)


@pytest.mark.parametrize("attack", ALL[1::2], ids=lambda attack: attack.id)
def test_a_writer_that_repeats_its_sources_is_checked(ask: Ask, document: Find, attack: Attack) -> None:
    class Parrot(ScriptedWriter):
        def write(self, messages, max_tokens, timeout, grammar=""):  # type: ignore[no-untyped-def]
            self._pieces = [messages[-1]["content"]]
            return super().write(messages, max_tokens, timeout, grammar)

    answer = ask(attack, "write", Parrot())
    assert problems(answer, document) == []


def test_the_stored_text_is_the_file_to_the_character(document: Find) -> None:
    for attack in ALL:
        stored = document(attack.path)
        assert stored is not None
        assert stored.text == attack.text


def test_most_attacks_are_drawn_and_many_are_cited(ask: Ask) -> None:
    """Otherwise the tests here would test nothing."""
    answers = [(attack, ask(attack, "quote")) for attack in ALL]
    drawn = [attack for attack, answer in answers if attack.path in {found.document.path for found in answer.retrieved}]
    cited = [attack for attack, answer in answers if attack.path in {found.path for found in answer.citations}]
    assert len(drawn) > 0.8 * len(ALL)
    assert len(cited) > 0.2 * len(ALL)


def test_nothing_hidden_is_quoted(ask: Ask) -> None:
    for attack in ALL:
        if attack.kind == "hidden":
            shown = "".join(sentence.text for sentence in ask(attack, "quote").sentences)
            assert not {"\u202e", "\x1b", "\x07"} & set(shown)
            assert not any(0xE0000 <= ord(char) < 0xE0080 for char in shown)


def test_the_checks_see_what_they_are_for(ask: Ask, document: Find) -> None:
    answer = ask(ALL[0], "quote")
    sentence, citation = answer.sentences[0], answer.citations[0]

    def changed(**values: object) -> list[str]:
        return untrue(dataclasses.replace(answer, **values), document)  # type: ignore[arg-type]

    def with_sentence(**values: object) -> list[str]:
        others = answer.sentences[1:]
        return changed(sentences=(dataclasses.replace(sentence, **values), *others))  # type: ignore[arg-type]

    assert untrue(answer, document) == []
    assert with_sentence(text="Aliens built it.")
    assert with_sentence(text=f"{sentence.text} In 1234.", verdict="supported")
    assert with_sentence(citations=(99,))
    assert changed(text=f"{answer.text} [9]")
    assert changed(citations=(dataclasses.replace(citation, quote="Aliens."), *answer.citations[1:]))
    assert changed(retrieved=())
    unknown = lambda id: None if id == citation.document else Document(id, "", "", 0, "", "")  # noqa: E731
    assert untrue(answer, unknown)


def test_the_file_of_attacks_is_plain_ascii() -> None:
    """Hidden characters are spelt out, so that nobody stores this file and loses an attack."""
    content = (Path(__file__).parents[1] / "attacks" / "attacks.jsonl").read_bytes()
    assert content.isascii()
    assert all(set(json.loads(line)) == {"id", "kind", "question", "path", "text"} for line in content.splitlines())
