"""An article that came in several files is answered from one of them, and the others are named."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fakes import BagOfWordsEmbedder
from rag import indexing
from rag.citations import number_citations
from rag.indexing import IndexReport
from rag.records import Evidence
from rag.retrieval import Snapshot, search

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]

BODY = (
    "The harbour museum opened a hall about lighthouses on Monday. Visitors climb a staircase of iron and look over "
    "the bay from the lamp room. The keepers of old wrote letters that hang beside the lenses they polished. A school "
    "class from the island sang at the opening and planted a pine tree at the gate. The curator said that storms had "
    "shaped the coast more than any war, and that the hall tells of both. Entry stays free for children."
)
QUESTION = "Who sang at the opening of the hall?"


@pytest.fixture
def copied(write_corpus: WriteCorpus, build: Build, tmp_path: Path) -> Snapshot:
    write_corpus(
        {
            "b.md": f"---\ntitle: Lighthouses\npublisher: Bay News\ndate: 2021-06-18\n---\n\n{BODY}",
            "a.txt": f"A hall full of lamps\n\n{BODY}",
            "c.txt": f"Light over the bay\n\n{BODY} The ferry runs an hour longer in summer for those who stay.",
            "other.txt": "The school class sang at the opening of the new bridge, and the mayor cut a ribbon of silk.",
        }
    )
    build()
    return Snapshot(tmp_path / "index")


def paths(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> list[str]:
    by_id = {document.id: document.path for document in snapshot.store.all_documents()}
    found = search(snapshot, QUESTION, embedder.embed([QUESTION])[0], 10)
    return [by_id[scored.chunk.document] for scored in found]


def test_the_one_that_most_is_known_about_is_answered_from(copied: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    assert {copied.store.document(id).path for id in copied.store.copies.values()} == {"b.md"}  # type: ignore[union-attr]
    found = paths(copied, embedder)
    assert "b.md" in found
    assert "other.txt" in found
    assert "a.txt" not in found


def test_what_only_a_copy_says_can_still_be_found(copied: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    question = "How long does the ferry run in summer?"
    found = search(copied, question, embedder.embed([question])[0], 3)
    texts = []
    for scored in found:
        document = copied.store.document(scored.chunk.document)
        assert document is not None
        texts.append(document.text[scored.chunk.start : scored.chunk.end])
    assert any("ferry" in text for text in texts)


def test_the_other_copies_that_hold_the_quote_are_named(copied: Snapshot) -> None:
    document = copied.store.document("b.md")
    assert document is not None
    quote = "Entry stays free for children."
    start = document.text.index(quote)
    evidence = Evidence(document, start, start + len(quote), 1.0)
    (citation,) = number_citations([evidence], copied.store.other_copies)
    assert citation.also_in == ("a.txt", "c.txt")
    (alone,) = number_citations([evidence])
    assert alone.also_in == ()


@pytest.mark.parametrize("small", [5_000, 0], ids=["laid out anew", "beside what there is"])
def test_a_copy_that_goes_leaves_the_others(
    copied: Snapshot, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(indexing, "_SMALL", small)
    monkeypatch.setattr(indexing, "_MOST_MOVED", 1.0)
    (tmp_path / "corpus" / "b.md").unlink()
    build()
    store = Snapshot(tmp_path / "index").store
    assert {store.document(id).path for id in store.copies} == {"a.txt", "c.txt"}  # type: ignore[union-attr]
    (tmp_path / "corpus" / "a.txt").unlink()
    build()
    assert Snapshot(tmp_path / "index").store.copies == {}
