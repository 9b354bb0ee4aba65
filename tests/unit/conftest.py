"""What the unit tests of generations, of indexing and of the command line share."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder, FakeReader
from rag import cli, generations
from rag.assembly import Assembly
from rag.generations import Generation, Manifest
from rag.indexing import IndexReport, build_index

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]

_PARTS = [{"name": "000001", "chunks": 2, "sentences": 3}]
_MANIFEST = Manifest("model", "ab", 64, 180, "rules", 1, 2, 3, 0, "cd", _PARTS, {"numpy": "2"}, "2026-01-01T00:00:00")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Threads of faiss that wait for each other on a busy machine would take most of the time of these tests."""
    import faiss

    faiss.omp_set_num_threads(1)


@pytest.fixture
def publish() -> Callable[[Path, str], Generation]:
    """Publish a generation whose files hold the name of its model and no real index."""

    def run(index: Path, model: str) -> Generation:
        with generations.building(index) as folder:
            for name in INDEX_FILES:
                (folder / name).write_text(model + name * 9)
            return generations.publish(folder, dataclasses.replace(_MANIFEST, embedding_model=model))

    return run


@pytest.fixture
def index(tmp_path: Path, publish: Callable[[Path, str], Generation]) -> Path:
    """An index folder with one generation, whose model is called "old"."""
    return publish(tmp_path / "index", "old").folder.parent


@pytest.fixture
def embedder() -> BagOfWordsEmbedder:
    return BagOfWordsEmbedder()


@pytest.fixture
def build(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Callable[..., IndexReport]:
    """Index the corpus; the embedder's ``embedded`` then holds only what this run embedded."""

    def run(**options: Any) -> IndexReport:
        used = options.pop("embedder", embedder)
        used.embedded.clear()
        options = {"chunk_tokens": 60, "max_file_bytes": 50_000} | options
        return build_index(tmp_path / "corpus", options.pop("index", tmp_path / "index"), used, **options)

    return run


@pytest.fixture
def articles() -> dict[str, str]:
    """Three articles: with front matter, with line ends of Windows, with many sentences."""
    return {
        "mir.md": "---\ntitle: Mir\n---\n\n# The station\n\nMir flew from 1986 to 2001. Crews of many countries came.",
        "salyut.txt": "Salyut 1 was the first station of all.\r\n\r\nIt was launched on April 19, 1971.\r\n",
        "sub/zarya.md": "# Zarya\n\n" + "Zarya was built in Moscow. “It was paid for by NASA,” an engineer said. " * 12,
    }


@pytest.fixture
def rag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., SimpleNamespace]:
    """Run a command in a folder of its own, with stand-ins for the models; gives status, out and err."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Assembly, "embedder", BagOfWordsEmbedder())
    monkeypatch.setattr(Assembly, "reader", FakeReader())

    def run(*arguments: str) -> SimpleNamespace:
        try:
            status = cli.main(arguments)
        except SystemExit as ended:
            status = ended.code
        out, err = (stream.decode() for stream in capfdbinary.readouterr())
        return SimpleNamespace(status=status, out=out, err=err)

    return run


@pytest.fixture
def indexed(rag: Callable[..., SimpleNamespace], write_corpus: WriteCorpus) -> Callable[..., SimpleNamespace]:
    """As ``rag``, with an index of ``sub/mir.md`` and ``salyut.txt``."""
    mir = "---\ntitle: Mir\npublisher: CGTN\ndate: 2021-06-18\n---\r\n\r\nMir flew from 1986 to 2001 – “for long”.\r\n"
    write_corpus({"sub/mir.md": mir, "salyut.txt": "Salyut 1 was the first station. It was launched in 1971."})
    assert rag("index").status == 0
    return rag
