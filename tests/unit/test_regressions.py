"""Faults that were once met, each in the smallest form that shows it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder
from rag import generations
from rag.chunking import pack_chunks
from rag.documents import read_documents
from rag.errors import IndexingError, IndexUnusableError, SettingsError
from rag.generations import Generation
from rag.indexing import IndexReport
from rag.metrics import contains_gold
from rag.records import Document, SkippedFile
from rag.retrieval import Snapshot
from rag.sentences import split_sentences
from rag.settings import load_settings
from rag.wording import content_stems

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Publish = Callable[[Path, str], Generation]
Build = Callable[..., IndexReport]
Run = Callable[..., SimpleNamespace]


@pytest.mark.parametrize("step", ["_write", "verify"])
def test_a_failed_build_leaves_nothing(
    index: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write = generations._write

    def fail(*arguments: object, **_: object) -> None:
        if step == "_write" and "CURRENT" not in str(arguments[0]):
            return write(*arguments)  # type: ignore[arg-type]
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(generations, step, fail)
        with pytest.raises(IndexingError):
            publish(index, "new")
    assert sorted(path.name for path in index.iterdir()) == ["CURRENT", "LOCK", "gen-000001"]


def test_unpublished_generations_do_not_push_out_the_previous_one(index: Path, publish: Publish) -> None:
    for name in ("gen-000002", "gen-000003"):  # as runs leave them that are killed before CURRENT is replaced
        (index / name).mkdir()
    publish(index, "new")
    generations.remove_old(index)
    assert sorted(path.name for path in index.glob("gen-*")) == ["gen-000001", "gen-000004"]


def test_a_disk_at_fault_is_a_clear_error_and_no_damage(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(IndexUnusableError, match=r"manifest\.json cannot be read: Input/output error") as caught:
        generations.current(index)
    assert type(caught.value) is IndexUnusableError


@pytest.mark.parametrize("name", INDEX_FILES)
def test_a_flipped_bit_is_found_before_the_file_is_read(
    articles: dict[str, str], write_corpus: WriteCorpus, build: Build, tmp_path: Path, name: str
) -> None:
    write_corpus(articles)
    file = build().generation.folder / name
    content = bytearray(file.read_bytes())
    content[41] ^= 1  # in a .faiss file: the length of the vectors; faiss would ask for gigabytes
    file.write_bytes(content)
    with pytest.raises(IndexUnusableError, match=name):
        Snapshot(tmp_path / "index")


def test_headings_alone_are_cut_into_chunks_too() -> None:
    text = "# Heading\n" * 5000
    sentences = split_sentences(text)
    chunks = pack_chunks(text, sentences, [3] * len(sentences), 30)
    assert {len(chunk.sentences) for chunk in chunks} == {10}


def test_vectors_are_not_taken_over_when_chunks_are_cut_differently(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path
) -> None:
    corpus = write_corpus({"a.md": "One sentence of some words stands here. " * 40, "b.md": "Another article."})
    build(chunk_tokens=180)
    (corpus / "a.md").rename(corpus / "c.md")
    report = build(chunk_tokens=180, embedder=BagOfWordsEmbedder(max_tokens=64))
    assert (report.embedded_documents, report.reused_documents) == (1, 1)
    assert len(Snapshot(tmp_path / "index").chunks) == report.generation.manifest.chunks


@pytest.mark.parametrize("word", ["technology", "assembly", "Lemaître", "Gürragchaa", "MS", "U.S.", "S"])
def test_a_word_of_a_chunk_is_known_by_its_stem(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path, word: str
) -> None:
    write_corpus({"a.md": f"The article mentions {word} here once."})
    build()
    for stem in content_stems(word):
        assert Snapshot(tmp_path / "index").store.chunks_with([stem]) == {stem: 1}


def test_accents_need_not_be_typed(write_corpus: WriteCorpus, build: Build, tmp_path: Path) -> None:
    write_corpus({"a.md": "Gürragchaa flew.", "b.md": "Somebody else flew."})
    build()
    store = Snapshot(tmp_path / "index").store
    assert [row for row, _ in store.bm25("Gurragchaa?", 5)] == [row for row, _ in store.bm25("Gürragchaa?", 5)] == [0]


@pytest.mark.parametrize("text", ["\u200b", "\u00a0\n", "\x0c", "\ufeff \u200b\n"])
def test_a_file_of_invisible_characters_is_empty(write_corpus: WriteCorpus, text: str) -> None:
    assert list(read_documents(write_corpus({"a.md": text}), 1000)) == [SkippedFile("a.md", "empty")]


def test_a_title_of_front_matter_is_cut_like_a_guessed_one(write_corpus: WriteCorpus) -> None:
    (document,) = read_documents(write_corpus({"a.md": f"---\ntitle: {'word ' * 999}\n---\nText."}), 10_000)
    assert isinstance(document, Document)
    assert len(document.title) <= 200


@pytest.mark.parametrize(
    "setting",
    ["writer_timeout = inf", "writer_timeout = -1.0", "threads = 99999999999999999999", 'index = "a\\u0000b"'],
)
def test_a_setting_that_would_fail_later_is_refused(tmp_path: Path, setting: str) -> None:
    (tmp_path / "rag.toml").write_text(setting)
    with pytest.raises(SettingsError):
        load_settings(tmp_path / "rag.toml")


def test_models_are_relative_to_the_settings_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    (tmp_path / "rag.toml").write_text('writer_model = "a.gguf"\nembedding_model = "/models/b"')
    settings = load_settings(tmp_path / "rag.toml")
    assert (Path(settings.writer_model), settings.embedding_model) == (tmp_path / "a.gguf", "/models/b")


@pytest.mark.parametrize("name", ["llama3.2:3b", "hub:owner/name", "hub:owner/name/file.gguf", "owner/name"])
def test_a_model_that_is_no_file_keeps_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "hub:owner").mkdir()
    (tmp_path / "hub:owner/name").touch()
    (tmp_path / "rag.toml").write_text(f'writer_model = "{name}"')
    assert load_settings(tmp_path / "rag.toml").writer_model == name


@pytest.mark.parametrize("gold", ["the", "?", ""])
def test_a_gold_answer_of_no_words_is_nowhere(gold: str) -> None:
    assert not contains_gold("", [gold])


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", ""],
        ["search", " ?"],
        ["search", "x" * 2001],
        ["show", "\udcff"],
        ["info", "b\nc"],
        ["search", "Mir", "-k", "many"],
    ],
    ids=["empty", "no words", "long", "undecodable", "line end", "no number"],
)
def test_wrong_usage_is_two_and_one_line(indexed: Run, arguments: list[str]) -> None:
    result = indexed(*arguments)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "_positive" not in result.err


@pytest.mark.parametrize(
    "line", ['{"id": "\\udc00", "query": "Mir"}', '{"id": 1e400, "query": "Mir"}'], ids=["surrogate", "infinity"]
)
def test_what_json_cannot_give_back_is_refused(indexed: Run, line: str) -> None:
    Path("batch.jsonl").write_text(line)
    result = indexed("search", "--batch", "batch.jsonl")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)


def test_a_lone_surrogate_in_a_query_is_left_out(indexed: Run) -> None:
    Path("batch.jsonl").write_text('{"query": "Mir \\ud800 flew"}')
    result = indexed("search", "--batch", "batch.jsonl")
    assert (result.status, json.loads(result.out)["query"]) == (0, "Mir flew")
