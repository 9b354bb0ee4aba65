"""No text is embedded twice, and a vector from the cache is the right one or none."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from fakes import BagOfWordsEmbedder
from index_view import view
from rag import generation_writer
from rag.embedding import Vectors
from rag.errors import ModelError
from rag.indexing import IndexReport
from rag.vector_cache import FILE, VectorCache
from rag.vectors import Halves

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]

DIMENSION = 8
BYTES = 2 * DIMENSION


def some(count: int, seed: int = 0) -> Halves:
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float16)


@contextlib.contextmanager
def opened(path: Path, model: str = "model", most: int = 10**6, anew: bool = False) -> Iterator[VectorCache]:
    with contextlib.closing(VectorCache(path, model, DIMENSION, most, anew)) as cache:
        yield cache


def names(count: int, first: int = 0) -> list[str]:
    return [f"text {number} – «ё»" for number in range(first, first + count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a cache with four texts."""
    with opened(tmp_path / FILE) as cache:
        cache.put(names(4), some(4))
    return tmp_path / FILE


def test_vectors_come_back_as_they_were_for_each_place_of_a_text(path: Path) -> None:
    with opened(path) as cache:
        found = cache.get(["new", *names(4), "text 2 – «ё»", "\udc80 surrogate", ""])
    assert sorted(found) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(np.stack([found[place] for place in (1, 2, 3, 4, 5)]), some(4)[[0, 1, 2, 3, 2]])


def test_many_texts_are_found_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / FILE) as cache:
        cache.put(names(1300), some(1300))
        found = cache.get(names(1400))
    np.testing.assert_array_equal(np.stack([found[place] for place in range(1300)]), some(1300))
    assert len(found) == 1300


def test_vectors_of_another_model_are_not_found(path: Path) -> None:
    with opened(path, model="another") as cache:
        assert cache.get(names(4)) == {}
        cache.put(names(1), some(1, seed=1))
    with opened(path) as cache:
        np.testing.assert_array_equal(cache.get(names(1))[0], some(1)[0])


def test_what_was_put_survives_a_process_that_ends_there(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / FILE, "model", DIMENSION, 10**6)
    cache.put(names(3), some(3))
    with opened(tmp_path / FILE) as other:  # the first is still open, as the file of a killed process
        assert len(other.get(names(3))) == 3
    cache.close()


def test_it_can_be_begun_anew(path: Path) -> None:
    with opened(path, anew=True) as cache:
        assert cache.get(names(4)) == {}


@pytest.mark.parametrize("content", [b"", b"no database at all, but a text\n" * 99, None], ids=["empty", "text", "cut"])
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes | None) -> None:
    path.write_bytes(path.read_bytes()[:4500] if content is None else content)
    with opened(path) as cache:
        assert cache.get(names(4)) == {}
        cache.put(names(4), some(4))
        assert len(cache.get(names(4))) == 4


@pytest.mark.parametrize("page", range(5))
def test_a_damaged_page_is_met_as_a_miss(tmp_path: Path, page: int) -> None:
    path = tmp_path / FILE
    with opened(path) as cache:
        cache.put(names(300), some(300))
    content = bytearray(path.read_bytes())
    content[page * 4096 : page * 4096 + 4096] = bytes(4096)
    path.write_bytes(content)
    with opened(path) as cache:
        for place, vector in cache.get(names(300)).items():
            np.testing.assert_array_equal(vector, some(300)[place])
        cache.put(names(300), some(300))
        assert len(cache.get(names(300))) == 300


def test_a_flipped_or_cut_vector_is_not_used(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((one,), (two,), *_) = database.execute("SELECT vector FROM vectors ORDER BY rowid").fetchall()
        flipped = bytes([one[0] ^ 1, *one[1:]])
        database.execute("UPDATE vectors SET vector = ? WHERE vector = ?", (flipped, one))
        database.execute("UPDATE vectors SET vector = ? WHERE vector = ?", (two[:-2], two))
        database.commit()
    with opened(path) as cache:
        assert sorted(cache.get(names(4))) == [2, 3]
        cache.put(names(2), some(2))
        assert len(cache.get(names(4))) == 4


def test_another_version_is_begun_anew(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("DROP TABLE vectors; CREATE TABLE vectors (other TEXT); PRAGMA user_version = 99;")
    with opened(path) as cache:
        assert cache.get(names(4)) == {}


def test_what_no_build_has_used_for_longest_is_dropped_first(tmp_path: Path) -> None:
    path = tmp_path / FILE
    for build in range(4):
        with opened(path) as cache:
            cache.put(names(10, 10 * build), some(10))
    with opened(path, most=25 * BYTES) as cache:
        assert len(cache.get(names(10))) == 10, "those of the first build are used again"
    with opened(path) as cache:
        kept = cache.get(names(40))
    assert 20 <= len(kept) <= 25
    assert set(range(10)) <= kept.keys()
    assert set(range(30, 40)) <= kept.keys()


@pytest.mark.parametrize("most", [0, BYTES - 1, BYTES, 7 * BYTES + 3, 10 * BYTES])
def test_the_bound_is_kept(tmp_path: Path, most: int) -> None:
    with opened(tmp_path / FILE, most=most) as cache:
        cache.put(names(10), some(10))
        assert len(cache.get(names(10))) == 10, "a run has all of its own"
    with opened(tmp_path / FILE) as cache:
        assert len(cache.get(names(10))) * BYTES <= most
        assert len(cache.get(names(10))) == 10 or most < 10 * BYTES


def test_a_bounded_file_gets_smaller(tmp_path: Path) -> None:
    with opened(tmp_path / FILE) as cache:
        cache.put(names(3000), some(3000))
    large = (tmp_path / FILE).stat().st_size
    with opened(tmp_path / FILE, most=100 * BYTES):
        pass
    assert (tmp_path / FILE).stat().st_size < large / 4


ARTICLES = {
    f"{n}.md": f"# Subject {n}\n\nArticle {n} begins. The same everywhere. It ends as number {n}." for n in range(9)
}


class DyingEmbedder(BagOfWordsEmbedder):
    """Ends with an error after some texts."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        if len(self.embedded) + len(texts) > self.after:
            raise ModelError("The embedding model failed", "Try again.")
        return super().embed(texts, progress)


def test_equal_texts_are_embedded_once(write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder) -> None:
    write_corpus(ARTICLES)
    report = build()
    assert len(embedder.embedded) == len(set(embedder.embedded)) == report.embedded_texts
    assert embedder.embedded.count("The same everywhere.") == 1
    assert report.generation.manifest.sentences > report.embedded_texts - report.embedded_chunks


@pytest.mark.parametrize("after", [0, 8, 20, 36])
def test_a_run_goes_on_where_one_was_ended(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(generation_writer, "_SLICE", 4)
    monkeypatch.setattr(generation_writer, "_GROUP", 12)
    write_corpus(ARTICLES)
    dying = DyingEmbedder(after)
    with pytest.raises(ModelError):
        build(embedder=dying)
    done = list(dying.embedded)
    rest = BagOfWordsEmbedder()
    report = build(embedder=rest)
    assert after - 4 < len(done) <= after
    assert not set(rest.embedded) & set(done)
    assert len(rest.embedded) == report.embedded_texts
    whole = BagOfWordsEmbedder()
    build(embedder=whole, index=tmp_path / "fresh")
    assert sorted(rest.embedded + done) == sorted(whole.embedded)
    assert view(tmp_path / "index") == view(tmp_path / "fresh")


def test_other_chunks_keep_the_vectors_of_sentences(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder, tmp_path: Path
) -> None:
    write_corpus({"a.md": " ".join(f"Sentence number {n} stands here." for n in range(40))})
    build(chunk_tokens=60)
    report = build(chunk_tokens=30)
    assert report.generation.manifest.chunks > 2
    assert {text.count(" stands here.") > 1 for text in embedder.embedded} == {True}, "only chunks were embedded"
    build(chunk_tokens=60)
    assert embedder.embedded == [], "the chunks of before are known too"
    build(index=tmp_path / "fresh")
    assert view(tmp_path / "index") == view(tmp_path / "fresh")


def test_a_text_that_comes_back_is_not_embedded(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder
) -> None:
    corpus = write_corpus(ARTICLES)
    build()
    (corpus / "3.md").unlink()
    build()
    build()
    write_corpus({"sub/back.md": ARTICLES["3.md"]})
    assert build().changes.added == ("sub/back.md",)
    assert embedder.embedded == []


def test_rebuilding_embeds_all_and_trusts_no_vector(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder, tmp_path: Path
) -> None:
    write_corpus(ARTICLES)
    first = build().embedded_texts
    with contextlib.closing(VectorCache(tmp_path / "index" / FILE, embedder.sha256, 64, 10**6)) as cache:
        cache.put(["The same everywhere."], np.ones((1, 64), np.float16))  # a wrong vector that looks right
    assert build(rebuild=True).embedded_texts == first == len(embedder.embedded)
    build(index=tmp_path / "fresh")
    assert view(tmp_path / "index") == view(tmp_path / "fresh")


def test_without_a_cache_nothing_stays_known(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder
) -> None:
    corpus = write_corpus(ARTICLES)
    build(cache_bytes=0)
    (corpus / "3.md").unlink()
    build(cache_bytes=0)
    write_corpus({"3.md": ARTICLES["3.md"]})
    build(cache_bytes=0)
    assert len(embedder.embedded) == 5
