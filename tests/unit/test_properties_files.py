"""Damaged and hostile files: articles, settings, question sets and batches are read or refused, never crashed on."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile import EFFORT, FRAGMENTS, mutated, texts, thorough, unclean
from rag.documents import UnreadableFileError, decode, read_documents
from rag.errors import SettingsError, UsageError
from rag.question_sets import read_question_set, write_corpus
from rag.records import Document, SkippedFile
from rag.settings import Settings, load_settings

Run = Callable[..., SimpleNamespace]
ROUNDS = 60 * EFFORT

ARTICLE = (
    "---\ntitle: Mir\nurl: https://example.org/mir\ndate: 2021-06-18\npublisher: CGTN\nlanguage: en\n---\n\n"
    "# The station\n\nMir flew from 1986 to 2001 – “for long”.\r\n\r\n- One item.\n> A quote.\n"
).encode()
OWN = b"""{"id": "a", "question": "When did Mir fall?", "answers": ["2001"], "document": "mir.md", "evidence": "It fell."}
{"id": "b", "question": "And who flew?", "answers": [], "history": [{"role": "user", "content": "Mir?"}], "kind": "unanswerable"}
"""
SQUAD = json.dumps(
    {
        "version": "v2.0",
        "data": [
            {
                "title": "Mir",
                "paragraphs": [
                    {
                        "context": "Mir fell in 2001.",
                        "qas": [
                            {"id": "1", "question": "When?", "answers": [{"text": "2001", "answer_start": 12}]},
                            {"id": "2", "question": "Who?", "answers": [], "is_impossible": True},
                        ],
                    }
                ],
            }
        ],
    }
).encode()
TOML = b'corpus = "articles"\nmode = "quote"\nthreads = 2\nrefuse_below = 0.3\nwriter_url = "http://127.0.0.1:1/v1"\nwriter_model = "m"\n'


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252", "cp932", "koi8-r", "utf-8-sig"])
def test_a_damaged_article_is_read_exactly_or_skipped_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, codec: str
) -> None:
    corpus = tmp_path_factory.mktemp("corpus")
    rng = seeded(len(codec))
    whole = ARTICLE.decode().encode(codec, "replace")
    for number in range(ROUNDS // 2):
        (corpus / f"{number}.md").write_bytes(mutated(rng, whole))
    found = list(read_documents(corpus, 100_000))
    assert len(found) == ROUNDS // 2
    for item in found:
        if isinstance(item, SkippedFile):
            assert item.reason
            assert "\n" not in item.reason
            continue
        assert item.text == decode((corpus / item.path).read_bytes())
        assert 0 <= item.body_start <= len(item.text)
        assert 0 < len(item.title) <= 200
        assert item.text.encode()


@thorough
@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = decode(data)
    except UnreadableFileError:
        return
    assert text.encode() is not None
    assert len(text) <= max(1, len(data))


FIELDS = st.sampled_from(["title", "date", "url", "author", "language", "licence", "publisher", "x", "? [a]", "1", "~"])
VALUES = st.one_of(
    texts(6),
    st.sampled_from(
        [
            *(
                "[" * 100,
                "{a: " * 50,
                "!!int ''",
                "!!int 0b",
                "!!float ''",
                "!!bool maybe",
                "!!timestamp x",
                "!!binary é",
            ),
            *("0x" + "f" * 5000, "9" * 5000, "0001-01-01 00:00:00 +23:00", "2021-13-45", "1:" * 900 + "1", "&a [*a]"),
            *(
                "!!python/object/apply:os.system ['true']",
                "!!set {a}",
                "!!omap [a]",
                "!!pairs [1]",
                "<<: x",
                "*none",
                "|",
                ">-",
                "@",
                "`",
            ),
        ]
    ),
)


@settings(thorough, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(FIELDS, VALUES), max_size=4))
def test_any_front_matter_is_read_or_refused(tmp_path: Path, fields: list[tuple[str, str]]) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir(exist_ok=True)
    lines = "\n".join(f"{name}: {value}" for name, value in fields)
    (corpus / "a.md").write_bytes(f"---\n{lines}\n---\n\nMir flew from 1986 to 2001.\n".encode())
    (item,) = read_documents(corpus, 1_000_000)
    if isinstance(item, SkippedFile):
        assert "front matter" in item.reason or "\0" in lines
    else:
        assert isinstance(item, Document)
        assert all(isinstance(value, str | None) for value in (item.title, item.url, item.published, item.author))


@pytest.mark.parametrize(
    "value",
    ["[" * 19_000, "{a: " * 4_900, "!!int ''", "!!bool maybe", "!!timestamp x", "0x" + "f" * 5000],
    ids=["nested lists", "nested maps", "empty int", "no bool", "no time", "too long a number"],
)
def test_a_value_that_the_yaml_reader_fails_on_is_a_reason_to_skip(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.md").write_text(f"---\ntitle: {value}\n---\n\nMir flew.\n")
    (tmp_path / "b.md").write_text("Salyut flew.\n")
    bad, good = read_documents(tmp_path, 100_000)
    assert isinstance(bad, SkippedFile)
    assert bad.reason.startswith("its front matter is not valid YAML")
    assert isinstance(good, Document)


@pytest.mark.parametrize(
    ("name", "whole"), [("own.jsonl", OWN), ("squad.json", SQUAD), ("own.txt", OWN)], ids=["own", "squad", "text"]
)
def test_a_damaged_question_set_is_read_or_refused(tmp_path: Path, name: str, whole: bytes) -> None:
    rng = seeded(len(name))
    refused = 0
    for _ in range(ROUNDS):
        (tmp_path / name).write_bytes(mutated(rng, whole))
        try:
            found = read_question_set(tmp_path / name)
        except UsageError:
            refused += 1
            continue
        assert found.questions
        assert all(question.question.strip() for question in found.questions)
    assert 0 < refused < ROUNDS


def test_a_damaged_beir_set_is_read_or_refused(tmp_path: Path) -> None:
    parts = {
        "corpus.jsonl": b'{"_id": "d1", "title": "Mir", "text": "It fell."}\n{"_id": "d2", "title": "", "text": "Zarya."}\n',
        "queries.jsonl": b'{"_id": "q1", "text": "When did it fall?"}\n',
        "qrels/test.tsv": b"query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    }
    (tmp_path / "set" / "qrels").mkdir(parents=True)
    rng = seeded(3)
    for number in range(ROUNDS):
        for name, whole in parts.items():
            damaged = rng.random() < 0.4
            (tmp_path / "set" / name).write_bytes(mutated(rng, whole) if damaged else whole)
        try:
            found = read_question_set(tmp_path / "set")
        except UsageError:
            continue
        write_corpus(found.texts, tmp_path / f"corpus-{number}")
        assert len({text.file.lower() for text in found.texts}) == len(found.texts)
        for text in found.texts:
            assert Path(text.file).name == text.file


def test_damaged_settings_are_read_or_refused(tmp_path: Path) -> None:
    rng = seeded(4)
    read = 0
    for _ in range(ROUNDS):
        (tmp_path / "rag.toml").write_bytes(mutated(rng, TOML))
        try:
            found = load_settings(tmp_path / "rag.toml")
        except SettingsError:
            continue
        read += 1
        assert isinstance(found, Settings)
    assert read


@settings(thorough, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(list(Settings.__dataclass_fields__)),
    st.one_of(
        st.integers(-(10**20), 10**20).map(str),
        st.sampled_from(
            ["inf", "-inf", "nan", "true", "[]", "{}", "1979-05-27", "07:32:00", '""', "[[]]", "-0.0", "1e400"]
        ),
        texts(4).map(json.dumps),
    ),
)
def test_any_value_of_a_setting_fits_its_type_or_is_refused(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "rag.toml").write_bytes(f"{name} = {value}\n".encode())
    try:
        found = load_settings(tmp_path / "rag.toml")
    except SettingsError:
        return
    assert type(getattr(found, name)) in (type(getattr(Settings(), name)), type(Path()))
    assert os.fspath(found.index)


LINES = (
    b'{"id": 1, "query": "Mir"}\n{"id": "b", "query": "When did Mir fly?", "filter": {"publishers": ["CGTN"], '
    b'"since": "2021", "until": "2021-06-18"}}\n'
)


def test_a_damaged_batch_is_answered_or_refused_as_a_whole(indexed: Run) -> None:
    rng = seeded(5)
    for _ in range(ROUNDS // 2):
        Path("batch.jsonl").write_bytes(mutated(rng, LINES))
        result = indexed("search", "--batch", "batch.jsonl")
        if result.status == 0:
            assert all(set(json.loads(line)) == {"id", "query", "results"} for line in result.out.splitlines())
        else:
            assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result.err


HISTORY = st.one_of(
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": unclean(6)}), max_size=3
    ),
    st.sampled_from([None, {}, [None], [{"role": "system", "content": "x"}], [{"role": "user", "content": 7}], "x"]),
)


@settings(thorough, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(unclean(8), HISTORY, st.one_of(st.none(), unclean(2), st.floats(), st.lists(st.integers(), max_size=2)))
def test_any_line_of_a_batch_is_answered_or_refused(indexed: Run, question: str, history: object, name: object) -> None:
    line = json.dumps({"id": name, "question": f"Mir {question}", "history": history})
    Path("batch.jsonl").write_text(line)
    result = indexed("ask", "--mode", "quote", "--batch", "batch.jsonl")
    if result.status:
        assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result.err
        return
    answer = json.loads(result.out)
    assert {citation["number"] for citation in answer["citations"]} == {
        number for sentence in answer["sentences"] for number in sentence["citations"]
    }


def test_the_fragments_of_the_mutations_are_used() -> None:
    rng = seeded(6)
    seen = b"".join(mutated(rng, b"") for _ in range(2000))
    assert sum(fragment.encode() in seen for fragment in FRAGMENTS) > len(FRAGMENTS) * 0.9
