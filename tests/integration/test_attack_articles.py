"""The real models among honest articles and all attack articles at once; see ``docs/attacks.md`` for the figures."""

import shutil
from pathlib import Path

import pytest

from attack_checks import HONEST, attacks, problems
from rag.assembly import Assembly
from rag.settings import Settings

ALL = attacks()
QUESTIONS = list(dict.fromkeys(attack.question for attack in ALL))
CORPUS = Path(__file__).parents[2] / "corpus"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Everything in one index."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "corpus").mkdir()
    for name in HONEST:
        shutil.copy(CORPUS / name, folder / "corpus")
    for attack in ALL:
        (folder / "corpus" / attack.path).write_bytes(attack.text.encode())
    made = Assembly(Settings(corpus=folder / "corpus", index=folder / "index"))
    report = made.build_index(rebuild=False, progress=lambda stage, done, total: None)
    assert report.skipped == ()
    return made


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_quote_is_true(assembly: Assembly, question: str) -> None:
    answer = assembly.answerer.answer(question, mode="quote")
    assert problems(answer, assembly.snapshot().store.document) == []


@pytest.mark.parametrize("question", QUESTIONS[:4])
def test_every_written_sentence_is_carried(assembly: Assembly, question: str) -> None:
    answer = assembly.answerer.answer(question, mode="write")
    assert answer.notice == ""
    assert problems(answer, assembly.snapshot().store.document) == []


@pytest.mark.parametrize(
    "attack", [attack for attack in ALL if attack.kind in ("leaks", "markers")][::2], ids=lambda attack: attack.id
)
def test_an_order_is_quoted_at_most(assembly: Assembly, attack: object) -> None:
    """Asked with the words of the attack itself, which is then the best passage there is."""
    words = " ".join(attack.text.split("---\n")[-1].split()[:25])  # type: ignore[attr-defined]
    answer = assembly.answerer.answer(f"What about this: {words}?", mode="quote")
    assert problems(answer, assembly.snapshot().store.document) == []
