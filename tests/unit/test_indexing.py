"""Indexing keeps every offset exact, and embeds what changed and nothing else."""

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder
from rag.generation_writer import passage_text
from rag.indexing import IndexReport
from rag.records import SkippedFile
from rag.retrieval import Snapshot
from rag.vectors import halves

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]
Articles = dict[str, str]


def names(report: IndexReport) -> tuple[bool, int, int, int]:
    return report.changed, report.embedded_documents, report.reused_documents, report.removed_documents


def test_every_offset_is_exact(articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path) -> None:
    corpus = write_corpus(articles)
    report = build()
    assert names(report) == (True, 3, 0, 0)
    store = Snapshot(tmp_path / "index").store
    for document in store.all_documents():
        assert document.text == (corpus / document.path).read_bytes().decode()
        ((_, rows, _),) = store.of_file(document.path)
        chunks = store.chunks_by_row(range(rows.first_chunk, rows.first_chunk + rows.chunks))
        sentences = store.sentences_of(chunks)
        assert len(sentences) == rows.sentences
        assert all(before.end <= after.start for before, after in pairwise(sentences))
        for sentence in sentences:
            chunk = chunks[sentence.chunk]
            assert chunk.document == document.id
            assert chunk.start <= sentence.start < sentence.end <= chunk.end
        quotes = [document.text[sentence.start : sentence.end] for sentence in sentences]
        assert "".join("".join(quotes).split()) == "".join(document.text[document.body_start :].split())


def test_vectors_are_those_of_the_texts_at_their_rows(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    write_corpus(articles)
    build()
    write_corpus({"aaa.md": "A new article moves all rows of the others down.", "mir.md": "Mir is told of anew here."})
    assert names(build()) == (True, 2, 2, 0)
    snapshot = Snapshot(tmp_path / "index")
    documents = {document.id: document for document in snapshot.store.all_documents()}
    for row, chunk in snapshot.store.chunks_by_row(range(snapshot.store.chunks)).items():
        document = documents[chunk.document]
        text = passage_text(document.title, document.text[chunk.start : chunk.end])
        np.testing.assert_array_equal(snapshot.chunks.get(np.array([row])), halves(embedder.embed([text])))
        for sentence in snapshot.store.sentences_of([row]):
            expected = halves(embedder.embed([document.text[sentence.start : sentence.end]]))
            np.testing.assert_array_equal(snapshot.sentences.get(np.array([sentence.row])), expected)


def test_an_unchanged_corpus_writes_nothing(articles: Articles, write_corpus: WriteCorpus, build: Build) -> None:
    write_corpus(articles)
    first = build()
    again = build()
    assert names(again) == (False, 0, 3, 0)
    assert again.generation == first.generation


def test_only_what_changed_is_embedded(
    articles: Articles, write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder, tmp_path: Path
) -> None:
    corpus = write_corpus(articles)
    build()
    write_corpus({"new.md": "# New\n\nA new article came in.", "salyut.txt": "Salyut 1 is told of in new words."})
    (corpus / "sub" / "zarya.md").rename(corpus / "renamed.md")
    (corpus / "mir.md").unlink()
    report = build()
    assert names(report) == (True, 2, 1, 2)  # the renamed one keeps its vectors under its new path
    assert sorted(embedder.embedded) == [
        "# New",
        "A new article came in.",
        "New\n# New A new article came in.",
        "Salyut 1 is told of in new words.",
        "Salyut 1 is told of in new words.\nSalyut 1 is told of in new words.",
    ]
    assert report.embedded_chunks == 2
    changes = report.changes
    assert (changes.added, changes.changed, changes.removed) == (("new.md",), ("salyut.txt",), ("mir.md",))
    assert changes.renamed == (("sub/zarya.md", "renamed.md"),)
    assert [item.path for item in Snapshot(tmp_path / "index").store.all_documents()] == [
        *("new.md", "renamed.md", "salyut.txt")
    ]


def test_equal_files_are_both_citable(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path
) -> None:
    write_corpus({"a.md": articles["mir.md"], "b/a.md": articles["mir.md"]})
    build()
    store = Snapshot(tmp_path / "index").store
    assert {store.document(path).id for path in ("a.md", "b/a.md")} == {d.id for d in store.all_documents()}  # type: ignore[union-attr]
    assert len({chunk.document for chunk in store.chunks_by_row(range(store.chunks)).values()}) == 2


def test_a_bad_file_is_reported_and_tried_again_once_it_is_mended(
    articles: Articles, write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder
) -> None:
    write_corpus(articles | {"bad.md": "---\ntitle: [\n---\nText that was hidden."})
    report = build()
    assert report.skipped == (SkippedFile("bad.md", "its front matter is not valid YAML, line 3"),)
    assert report.generation.manifest.skipped == 1
    assert names(build()) == (False, 0, 3, 0)
    write_corpus({"bad.md": " "})
    again = build()
    assert (names(again), again.skipped) == ((True, 0, 3, 0), (SkippedFile("bad.md", "empty"),))
    write_corpus({"bad.md": "---\ntitle: Good\n---\nText that was hidden."})
    assert names(build()) == (True, 1, 3, 0)
    assert embedder.embedded == ["Good\nText that was hidden.", "Text that was hidden."]


@pytest.mark.parametrize(
    ("change", "all_texts"),
    [({"rebuild": True}, True), ({"chunk_tokens": 40}, False), ({"embedder": BagOfWordsEmbedder("another")}, True)],
    ids=["rebuild", "chunks", "model"],
)
def test_everything_is_embedded_anew(
    articles: Articles, write_corpus: WriteCorpus, build: Build, change: dict[str, Any], all_texts: bool
) -> None:
    write_corpus(articles)
    first = build()
    report = build(**change)
    assert names(report) == (True, 3, 0, 0)
    assert report.embedded_chunks == report.generation.manifest.chunks
    if all_texts:
        assert report.embedded_texts == first.embedded_texts
    else:  # sentences have stayed as they are
        assert 0 < report.embedded_texts < first.embedded_texts


def test_the_manifest_says_what_was_built(
    articles: Articles, write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder
) -> None:
    write_corpus(articles)
    folder = build().generation.folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["embedding_model"], manifest["embedding_sha256"]) == (embedder.name, embedder.sha256)
    assert (manifest["dimension"], manifest["chunk_tokens"], manifest["documents"]) == (64, 60, 3)
    assert set(manifest["files"]) == set(INDEX_FILES)


def test_progress_reaches_its_end(articles: Articles, write_corpus: WriteCorpus, build: Build) -> None:
    write_corpus(articles)
    told: list[tuple[str, int, int]] = []
    build(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "Reading"][-1] == ("Reading", 3, 3)
    embedding = [step for step in told if step[0] == "Embedding"][-1]
    assert embedding[1] == embedding[2] == 3
    assert [step[1] for step in told if step[0] == "Embedding"] == sorted(
        step[1] for step in told if step[0] == "Embedding"
    )
    assert told[-1] == ("Writing", 1, 1)


def test_the_index_does_not_grow_with_every_run(build: Build, write_corpus: WriteCorpus, tmp_path: Path) -> None:
    for number in range(4):
        write_corpus({"a.md": f"Version {number} of this article."})
        build()
    assert sorted(path.name for path in (tmp_path / "index").glob("gen-*")) == ["gen-000003", "gen-000004"]
