"""From files to cited answers with the real models, through the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from process import rag

Ask = Callable[..., dict[str, Any]]


def assert_exact(answer: dict[str, Any], corpus: Path) -> None:
    """Each quote stands in the file at its offsets, and each sentence has a citation."""
    numbers = {citation["number"] for citation in answer["citations"]}
    for citation in answer["citations"]:
        text = (corpus / citation["path"]).read_bytes().decode()
        assert text[citation["start"] : citation["end"]] == citation["quote"] != ""
    for sentence in answer["sentences"]:
        assert sentence["citations"]
        assert set(sentence["citations"]) <= numbers


@pytest.mark.parametrize("mode", ["quote", "write"])
@pytest.mark.parametrize(
    ("question", "gold"),
    [
        ("When was Salyut 1 launched?", "19 April 1971"),
        ("who is the wolf amendment named after", "Frank Wolf"),
        ("When did Alouette 1 go into orbit?", "29 September 1962"),
    ],
)
def test_the_answer_is_right_and_cited_exactly(ask: Ask, corpus: Path, question: str, gold: str, mode: str) -> None:
    answer = ask(question, mode)
    assert not answer["refused"]
    assert gold in answer["answer"]
    assert any(gold in citation["quote"] for citation in answer["citations"])
    assert_exact(answer, corpus)
    assert len(answer["answer"].split()) <= 80


def test_what_the_articles_do_not_say_is_refused(ask: Ask) -> None:
    answer = ask("How do I boil an egg so that the yolk stays soft?")
    assert answer["refused"]
    assert answer["answer"].startswith("The articles do not say.")
    assert answer["sentences"] == answer["citations"] == []
    assert answer["retrieved"]


def test_a_batch_answers_in_order_and_understands_follow_ups(index: Path, corpus: Path, tmp_path: Path) -> None:
    history = [
        {"role": "user", "content": "Who is the first official cosmonaut of Kazakhstan?"},
        {"role": "assistant", "content": "It is Aidyn Aimbetov [1]."},
    ]
    lines = [
        {"id": "b", "question": "How long was his mission?", "history": history},
        {"id": 7, "question": "When was Salyut 1 launched?"},
    ]
    batch = tmp_path / "batch.jsonl"
    batch.write_text("\n".join(map(json.dumps, lines)) + "\n")
    done = rag("ask", "--batch", batch, "--index", index)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["b", 7]
    assert not answers[1]["refused"]
    assert answers[0]["standalone_question"] == "How long was Aidyn Aimbetov’s mission?"
    for answer in answers:
        assert_exact(answer, corpus)


def test_answering_never_imports_torch(index: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from rag.assembly import Assembly; from rag.settings import load_settings\n"
        f"assembly = Assembly(load_settings(index=Path({str(index)!r}), mode='write'))\n"
        "assert assembly.answerer.answer('When was Salyut 1 launched?').sentences\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'gradio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_search_and_show_point_into_the_same_text(index: Path, corpus: Path) -> None:
    found = json.loads(rag("search", "first space station", "-k", "3", "--json", "--index", index).stdout)["results"]
    assert len(found) == 3
    shown = rag("show", found[0]["document"], "--index", index).stdout
    assert shown == (corpus / found[0]["path"]).read_bytes().decode()
    assert shown[found[0]["start"] : found[0]["end"]] == found[0]["text"]


def test_info_names_what_is_in_use(index: Path) -> None:
    facts = json.loads(rag("info", "--json", "--index", index).stdout)
    assert facts["index"]["documents"] == 5
    assert facts["embedding"]["model"] == "all-MiniLM-L6-v2"
    assert facts["writer"]["sha256"].startswith("b179c952")
