"""Whatever was changed in whatever order: a reader sees what a fresh build of the same corpus would show."""

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fakes import BagOfWordsEmbedder
from index_view import answers, view
from rag import indexing
from rag.filters import NO_FILTER, Filter
from rag.indexing import IndexReport, build_index
from rag.retrieval import Snapshot

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]

WORDS = [f"{start}{end}" for start in ("mir", "sal", "zar", "soy", "apo") for end in ("ta", "do", "ven", "lu")]
QUESTIONS = ("mirta salven", "zardo soylu apota mirlu", "the salta", "absent")
FILTERS = (NO_FILTER, Filter(("CGTN",)), Filter(since="2021"), Filter(("RT",), until="2020-12"))
BROKEN = (b"", b"---\ntitle: [\n---\nHidden text.", b"\x00\x01")


def article(chance: random.Random) -> bytes:
    head = [f"title: {chance.choice(WORDS).title()}"]
    if chance.random() < 0.7:
        head.append(f"publisher: {chance.choice(('CGTN', 'RT'))}")
    if chance.random() < 0.7:
        head.append(f"date: {chance.choice(('2020', '2020-07-15', '2021-06-18'))}")
    sections = [
        " ".join(f"{' '.join(chance.choices(WORDS, k=chance.randint(3, 14))).capitalize()}." for _ in range(4))
        for _ in range(chance.randint(1, 3))
    ]
    return "\n".join(["---", *head, "---", "", "\n\n# More\n\n".join(sections), ""]).encode()


def edit(corpus: Path, chance: random.Random) -> str:
    """Change something; gives what."""
    files = sorted(corpus.rglob("*.*"))
    file = chance.choice(files)
    fresh = (
        corpus / chance.choice(("", "sub", "sub/deep")) / f"{chance.randrange(10**6)}.{chance.choice(('md', 'txt'))}"
    )
    fresh.parent.mkdir(parents=True, exist_ok=True)
    kind = chance.choice(("add", "change", "remove", "rename", "duplicate", "break", "mend", "swap", "retitle"))
    if kind == "add":
        fresh.write_bytes(article(chance))
    elif kind in ("change", "mend"):
        broken = [file for file in files if file.read_bytes() in BROKEN]
        (chance.choice(broken) if broken and kind == "mend" else file).write_bytes(article(chance))
    elif kind == "remove" and len(files) > 4:
        file.unlink()
    elif kind == "rename":
        file.rename(fresh)
    elif kind == "duplicate":
        shutil.copyfile(file, fresh)
    elif kind == "break":
        file.write_bytes(chance.choice(BROKEN))
    elif kind == "swap":
        other = chance.choice(files)
        one, two = file.read_bytes(), other.read_bytes()
        file.write_bytes(two)
        other.write_bytes(one)
    else:
        file.write_bytes(file.read_bytes().replace(b"title: ", b"title: Re", 1))
    return kind


def assert_equal(index: Path, fresh: Path, embedder: BagOfWordsEmbedder) -> None:
    seen, expected = view(index), view(fresh)
    for name, value in expected.items():
        assert seen[name] == value, name
    assert answers(index, embedder, QUESTIONS, FILTERS) == answers(fresh, embedder, QUESTIONS, FILTERS)


@pytest.mark.parametrize("seed", range(4))
def test_a_history_of_changes_shows_nowhere(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, embedder: BagOfWordsEmbedder
) -> None:
    monkeypatch.setattr(indexing, "_SMALL", 0)
    monkeypatch.setattr(indexing, "_MOST_MOVED", (0.25, 5.0)[seed % 2])
    monkeypatch.setattr(indexing, "_MOST_PARTS", (32, 5)[seed // 2])
    chance = random.Random(seed)
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    corpus.mkdir()
    for number in range(14):
        (corpus / f"{number}.md").write_bytes(article(chance))
    limits = {"chunk_tokens": 30, "max_file_bytes": 10_000}
    build_index(corpus, index, embedder, **limits)
    parts = set()
    for step in range(7):
        edits = [edit(corpus, chance) for _ in range(chance.choice((1, 1, 2)))]
        report = build_index(corpus, index, embedder, **limits)
        assert report.changed is report.changes.any, edits
        snapshot = Snapshot(index)
        parts.add(len(snapshot.manifest.parts))
        snapshot.store.check()
        snapshot.store.close()
        fresh = tmp_path / f"fresh-{step}"
        build_index(corpus, fresh, BagOfWordsEmbedder(), **limits)
        assert_equal(index, fresh, embedder)
    assert max(parts) > 1, "parts have been written"
    assert max(parts) <= indexing._MOST_PARTS


def numbered(count: int, edition: int = 0) -> dict[str, str]:
    return {f"{n}.md": f"Article {n} of edition {edition}. It tells of {WORDS[n % 20]}." for n in range(count)}


def layout(report: IndexReport) -> tuple[int, int]:
    """Parts, and rows that are empty."""
    parts = report.generation.manifest.all_parts()
    return len(parts), sum(part.chunks for part in parts) - report.generation.manifest.chunks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_SMALL", 0)


def test_a_small_index_is_always_laid_out_anew(write_corpus: WriteCorpus, build: Build) -> None:
    write_corpus(numbered(12))
    build()
    write_corpus({"0.md": "It has changed."})
    assert layout(build()) == (1, 0)


@pytest.mark.usefixtures("small")
def test_a_small_change_is_written_beside_what_there_is(write_corpus: WriteCorpus, build: Build) -> None:
    corpus = write_corpus(numbered(20))
    first = build()
    write_corpus({"0.md": "It has changed."})
    (corpus / "1.md").unlink()
    second = build()
    assert layout(second) == (2, 2)
    assert [part["name"] for part in second.generation.manifest.parts] == ["000001", "000002"]
    names = {path.name for path in second.generation.folder.iterdir()}
    assert names == {*second.generation.manifest.files, "manifest.json"}
    for name in ("chunks-000001.faiss", "sentences-000001.f16"):
        assert (second.generation.folder / name).samefile(first.generation.folder / name), "linked, not copied"
        assert second.generation.manifest.files[name] == first.generation.manifest.files[name]
    assert not (second.generation.folder / "store.sqlite").samefile(first.generation.folder / "store.sqlite")


@pytest.mark.usefixtures("small")
def test_a_change_that_only_removes_adds_no_part(write_corpus: WriteCorpus, build: Build) -> None:
    corpus = write_corpus(numbered(20))
    build()
    (corpus / "1.md").unlink()
    report = build()
    assert layout(report) == (1, 1)
    assert sorted(report.generation.manifest.files) == ["chunks-000001.faiss", "sentences-000001.f16", "store.sqlite"]
    assert (report.removed_documents, report.embedded_documents, report.generation.manifest.documents) == (1, 0, 19)


@pytest.mark.usefixtures("small")
def test_files_are_copied_where_they_cannot_be_linked(
    write_corpus: WriteCorpus, build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    write_corpus(numbered(20))
    first = build()
    write_corpus({"0.md": "It has changed."})
    second = build()
    assert layout(second) == (2, 1)
    name = "chunks-000001.faiss"
    assert not (second.generation.folder / name).samefile(first.generation.folder / name)
    build(index=tmp_path / "fresh")
    assert_equal(tmp_path / "index", tmp_path / "fresh", BagOfWordsEmbedder())


@pytest.mark.usefixtures("small")
def test_parts_outlive_the_generation_that_wrote_them(write_corpus: WriteCorpus, build: Build, tmp_path: Path) -> None:
    write_corpus(numbered(40))
    build()
    for number in range(4):
        write_corpus({f"{number}.md": f"Changed {number}."})
        report = build()
    assert layout(report)[0] == 5
    assert not (tmp_path / "index" / "gen-000001").exists()
    build(index=tmp_path / "fresh")
    assert_equal(tmp_path / "index", tmp_path / "fresh", BagOfWordsEmbedder())


@pytest.mark.usefixtures("small")
def test_the_layout_is_renewed_when_there_are_many_parts(
    write_corpus: WriteCorpus, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_MOST_PARTS", 4)
    write_corpus(numbered(100))
    found = [layout(build())]
    for number in range(4):
        write_corpus({f"{number}.md": f"Changed {number}."})
        found.append(layout(build()))
    assert found == [(1, 0), (2, 1), (3, 2), (4, 3), (1, 0)]


@pytest.mark.usefixtures("small")
def test_the_layout_is_renewed_when_many_rows_have_moved(write_corpus: WriteCorpus, build: Build) -> None:
    write_corpus(numbered(40))
    build()
    found = []
    for number in range(0, 10, 2):
        write_corpus({f"{number}.md": f"Changed {number}.", f"{number + 1}.md": f"Changed {number + 1}."})
        found.append(layout(build()))
    # Each changed article moves a row and leaves one empty: a quarter of all is reached soon.
    assert found == [(2, 2), (3, 4), (4, 6), (1, 0), (2, 2)]


@pytest.mark.usefixtures("small")
def test_a_large_change_lays_the_index_out_anew(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder
) -> None:
    write_corpus(numbered(20))
    build()
    write_corpus(dict(list(numbered(20, 1).items())[:6]))
    report = build()
    assert layout(report) == (1, 0)
    assert (report.embedded_documents, report.reused_documents) == (6, 14)
    assert len(embedder.embedded) == report.embedded_texts == 6 * 2, "the second sentence of each was known"


@pytest.mark.usefixtures("small")
def test_a_renamed_file_is_not_embedded_even_without_the_cache(
    write_corpus: WriteCorpus, build: Build, embedder: BagOfWordsEmbedder, tmp_path: Path
) -> None:
    corpus = write_corpus(numbered(20))
    build()
    (corpus / "3.md").rename(corpus / "x.md")
    (tmp_path / "index" / "vectors.cache").unlink()
    report = build()
    assert (layout(report), embedder.embedded) == ((2, 1), [])
    build(index=tmp_path / "fresh")
    assert_equal(tmp_path / "index", tmp_path / "fresh", BagOfWordsEmbedder())


@pytest.mark.usefixtures("small")
def test_an_emptied_and_filled_corpus_starts_again(write_corpus: WriteCorpus, build: Build, tmp_path: Path) -> None:
    corpus = write_corpus(numbered(6))
    build()
    for file in corpus.iterdir():
        file.unlink()
    write_corpus({"new.md": "All is new here."})
    assert layout(build()) == (1, 0)
    build(index=tmp_path / "fresh")
    assert_equal(tmp_path / "index", tmp_path / "fresh", BagOfWordsEmbedder())
