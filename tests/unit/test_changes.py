"""What has changed in a corpus is found by content; sizes and times only spare reading."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes import BagOfWordsEmbedder
from rag import changes
from rag.changes import Changes, find_changes
from rag.errors import CorpusError
from rag.indexing import IndexReport, plan_index
from rag.retrieval import Snapshot

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]
Look = Callable[..., Changes]

FILES = {"a.md": "Mir flew.", "b.txt": "Salyut flew too.", "sub/c.md": "Zarya flew."}
OLD = 1_600_000_000


@pytest.fixture
def corpus(write_corpus: WriteCorpus) -> Path:
    """Three files that were written long ago."""
    folder = write_corpus(FILES)
    for name in FILES:
        os.utime(folder / name, (OLD, OLD))
    return folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    names: list[str] = []
    really = changes.hashlib.file_digest

    def digest(file: Any, name: str) -> Any:
        names.append(Path(file.name).name)
        return really(file, name)

    monkeypatch.setattr(changes.hashlib, "file_digest", digest)
    return names


@pytest.fixture
def look(corpus: Path, tmp_path: Path) -> Look:
    """Compare with what the last look found, or with ``known``."""
    (tmp_path / "index").mkdir()
    last: dict[str, str] = {}

    def run(known: Mapping[str, str] | None = None, max_bytes: int = 1000, trust_times: bool = True) -> Changes:
        found = find_changes(corpus, tmp_path / "index", last if known is None else known, max_bytes, trust_times)
        last.clear()
        last.update(found.files)
        return found

    return run


def test_everything_is_added_at_first_and_unchanged_afterwards(look: Look, corpus: Path) -> None:
    first = look()
    assert (first.added, first.any) == (tuple(sorted(FILES)), True)
    assert first.places == {name: corpus / name for name in FILES}
    assert all(len(sha256) == 64 for sha256 in first.files.values())
    again = look()
    assert (again.unchanged, again.any) == (tuple(sorted(FILES)), False)
    assert again.files == first.files


def test_changes_are_told_apart(look: Look, corpus: Path) -> None:
    look()
    (corpus / "a.md").write_text("Mir fell.")
    (corpus / "b.txt").unlink()
    (corpus / "sub/c.md").rename(corpus / "sub/moved.md")
    (corpus / "new.md").write_text("Something else.")
    found = look()
    assert (found.added, found.changed, found.removed) == (("new.md",), ("a.md",), ("b.txt",))
    assert found.renamed == (("sub/c.md", "sub/moved.md"),)
    assert found.unchanged == ()


def test_a_file_that_is_as_it_was_is_not_read_again(look: Look, hashed: list[str]) -> None:
    look()
    assert sorted(hashed) == ["a.md", "b.txt", "c.md"]
    hashed.clear()
    look()
    assert hashed == []


@pytest.mark.parametrize("known", [True, False], ids=["as indexed", "as never indexed"])
def test_not_reading_a_file_is_not_taking_it_for_indexed(look: Look, hashed: list[str], known: bool) -> None:
    files = look().files
    hashed.clear()
    found = look(known=files if known else {})
    assert hashed == []
    assert (found.added if not known else found.unchanged) == tuple(sorted(FILES))


def test_times_need_not_be_trusted(look: Look, hashed: list[str]) -> None:
    look()
    hashed.clear()
    assert not look(trust_times=False).any
    assert sorted(hashed) == ["a.md", "b.txt", "c.md"]


def test_a_change_right_after_the_last_look_is_seen_even_if_size_and_time_stay(look: Look, corpus: Path) -> None:
    file = corpus / "a.md"
    file.write_text("Mir flew.")
    status = file.stat()
    look()
    file.write_text("Mir fell.")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # within one tick of the clock of the file system
    assert look().changed == ("a.md",)


@pytest.mark.parametrize("ahead", [-1, 0, 3600], ids=["a second ago", "now", "in the future"])
def test_a_time_that_may_come_again_is_not_trusted(look: Look, corpus: Path, hashed: list[str], ahead: int) -> None:
    then = time.time() + ahead
    os.utime(corpus / "a.md", (then, then))
    look()
    hashed.clear()
    look()
    assert hashed == ["a.md"]


def test_a_file_that_took_the_time_and_size_of_another_is_read(look: Look, corpus: Path) -> None:
    os.utime(corpus / "a.md", (OLD - 99, OLD - 99))
    look()
    (corpus / "a.md").write_text("Mir fell.")  # as an old copy is put back with its time
    os.utime(corpus / "a.md", (OLD, OLD))
    assert look().changed == ("a.md",)


def test_a_touched_file_is_read_and_found_to_be_the_same(look: Look, corpus: Path, hashed: list[str]) -> None:
    look()
    hashed.clear()
    os.utime(corpus / "a.md", (OLD + 5, OLD + 5))
    assert not look().any
    assert hashed == ["a.md"]


def test_rebuilding_sees_what_times_hide(build: Build, corpus: Path, tmp_path: Path) -> None:
    build()
    (corpus / "a.md").write_text("Mir fell.")
    os.utime(corpus / "a.md", (OLD, OLD))
    build(rebuild=True)
    document = Snapshot(tmp_path / "index").store.document("a.md")
    assert document is not None
    assert document.text == "Mir fell."


def test_of_files_with_one_content_each_is_renamed_once(look: Look, corpus: Path) -> None:
    for name in ("x1.md", "x2.md"):
        (corpus / name).write_text("The same words.")
    look()
    for name in ("x1.md", "x2.md"):
        (corpus / name).unlink()
    for name in ("y1.md", "y2.md", "y3.md"):
        (corpus / name).write_text("The same words.")
    found = look()
    assert found.renamed == (("x1.md", "y1.md"), ("x2.md", "y2.md"))
    assert (found.added, found.removed) == (("y3.md",), ())


def test_a_copy_is_added_and_no_rename(look: Look, corpus: Path) -> None:
    look()
    (corpus / "copy.md").write_text(FILES["a.md"])
    found = look()
    assert (found.added, found.renamed, found.removed) == (("copy.md",), (), ())


def test_files_that_swap_their_content_have_both_changed(look: Look, corpus: Path) -> None:
    look()
    (corpus / "a.md").write_text(FILES["b.txt"])
    (corpus / "b.txt").write_text(FILES["a.md"])
    found = look()
    assert (found.changed, found.renamed) == (("a.md", "b.txt"), ())


def test_a_file_beyond_the_limit_is_not_read(look: Look, corpus: Path, hashed: list[str]) -> None:
    (corpus / "big.md").write_text("x" * 2000)
    first = look()
    assert first.files["big.md"] == "2000 bytes"
    assert "big.md" not in hashed
    assert not look().any
    assert look(max_bytes=5000).changed == ("big.md",)
    assert look(max_bytes=1000).changed == ("big.md",)
    assert look(max_bytes=10).changed == ("b.txt", "sub/c.md"), "a.md has nine bytes"


def test_what_is_no_file_is_not_opened(look: Look, corpus: Path) -> None:
    os.mkfifo(corpus / "pipe.md")  # opening it would wait for a writer for ever
    assert "pipe.md" not in look().files
    assert not look().any


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permissions_that_are_missing_are_a_change_of_their_own(look: Look, corpus: Path) -> None:
    look()
    (corpus / "a.md").chmod(0)
    assert look(trust_times=False).changed == ("a.md",)


def test_an_unreadable_file_is_told_and_read_once_it_can_be(
    build: Build, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    (corpus / "a.md").write_text("Mir flew again.")
    really = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "a.md":
            raise PermissionError(13, "Permission denied")
        return really(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        report = build()
    assert report.changes.changed == ("a.md",)
    assert [(item.path, item.reason) for item in report.skipped] == [("a.md", "cannot be read: Permission denied")]
    assert Snapshot(tmp_path / "index").store.files()["a.md"] == "cannot be read: Permission denied"
    mended = build()
    assert (mended.changes.changed, mended.skipped) == (("a.md",), ())


@pytest.mark.parametrize("name", [b"caf\xe9.md", b"tab\there.md", "naïve – статья.md".encode()], ids=repr)
def test_names_of_any_bytes_are_indexed_once(build: Build, corpus: Path, tmp_path: Path, name: bytes) -> None:
    file = Path(os.fsdecode(os.fsencode(corpus) + b"/" + name))
    try:
        file.write_text("A file with such a name.")
    except OSError:
        pytest.skip("this file system takes no such name")
    report = build()
    stored = Snapshot(tmp_path / "index").store
    assert len(stored.files()) == 4
    assert stored.documents + len(report.skipped) == 4
    assert not build().changed
    file.unlink()
    assert len(build().changes.removed) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 50,
        b"[]",
        b"null",
        b'{"looked": "x", "files": {}}',
        b'{"looked": 9e99, "files": []}',
        b'{"looked": 9e99}',
        b'{"looked": 9e99, "files": {"a.md": 3}}',
        b'{"looked": 9e99, "files": {"a.md": "abc"}}',
        b'{"looked": 9e99, "files": {"a.md": [null, null, null]}}',
        b'{"looked": 9e99, "files": {"a.md": [9, "x", []]}}',
        b'{"looked": 9e99, "files": {"a.md": {"a": 1, "b": 2, "c": 3}}}',
        b'{"looked": 17',
        b"\xff\xfe{}",
    ],
    ids=repr,
)
def test_damaged_stamps_cost_time_only(look: Look, hashed: list[str], tmp_path: Path, content: bytes) -> None:
    look()
    hashed.clear()
    (tmp_path / "index" / "stamps.json").write_bytes(content)
    assert not look().any
    assert sorted(hashed) == ["a.md", "b.txt", "c.md"]
    hashed.clear()
    assert not look().any
    assert hashed == [], "they are written anew"


def test_stamps_hold_what_was_looked_at(look: Look, corpus: Path, tmp_path: Path) -> None:
    found = look()
    stamps = json.loads((tmp_path / "index" / "stamps.json").read_text())
    status = (corpus / "a.md").stat()
    assert stamps["files"]["a.md"] == [status.st_size, status.st_mtime_ns, status.st_ctime_ns, found.files["a.md"]]
    assert not (tmp_path / "index" / "stamps.json.tmp").exists()


def test_stamps_that_cannot_be_written_cost_time_only(corpus: Path, tmp_path: Path) -> None:
    assert find_changes(corpus, tmp_path / "nowhere", {}, 1000).added == tuple(sorted(FILES))
    assert not (tmp_path / "nowhere").exists()


def test_progress_is_told_for_each_file(corpus: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    find_changes(corpus, tmp_path, {}, 1000, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_missing_corpus_is_an_error_and_not_an_emptied_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        find_changes(tmp_path / "gone", tmp_path, {"a.md": "0"}, 1000)


def test_a_plan_is_what_is_done_and_writes_nothing(build: Build, corpus: Path, tmp_path: Path) -> None:
    embedder = BagOfWordsEmbedder()
    index = tmp_path / "index"

    def plan(**options: Any) -> Changes:
        return plan_index(corpus, index, embedder, chunk_tokens=60, max_file_bytes=50_000, **options)

    assert plan().added == tuple(sorted(FILES))
    assert not index.exists()
    build()
    assert not plan().any
    before = (index / "CURRENT").read_bytes(), sorted(path.name for path in index.iterdir())
    (corpus / "a.md").write_text("Mir fell into the sea.")
    (corpus / "b.txt").rename(corpus / "z.txt")
    planned = plan()
    assert (planned.changed, planned.renamed) == (("a.md",), (("b.txt", "z.txt"),))
    assert plan(rebuild=True).added == ("a.md", "sub/c.md", "z.txt")
    assert embedder.embedded == []
    assert ((index / "CURRENT").read_bytes(), sorted(path.name for path in index.iterdir())) == before
    report = build()
    assert (report.changes.changed, report.changes.renamed) == (planned.changed, planned.renamed)
