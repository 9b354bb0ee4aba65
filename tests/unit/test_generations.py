"""Whatever happens while an index is written, the old one or the new one is there, whole."""

import contextlib
import dataclasses
import hashlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import INDEX_FILES
from rag import generations
from rag.errors import IndexCorruptError, IndexingError, IndexLockedError, IndexMissingError
from rag.generations import Generation

Publish = Callable[[Path, str], Generation]


def folders(index: Path) -> list[str]:
    return sorted(path.name for path in index.iterdir() if path.is_dir())


def test_publishing_makes_current(publish: Publish, tmp_path: Path) -> None:
    index = tmp_path / "deep" / "index"
    generation = publish(index, "first")
    assert generations.current(index) == generation
    assert (generation.name, generation.folder) == ("gen-000001", index / "gen-000001")
    assert sorted(path.name for path in generation.folder.iterdir()) == sorted([*INDEX_FILES, "manifest.json"])
    for name in INDEX_FILES:
        content = (generation.folder / name).read_bytes()
        assert generation.manifest.files[name] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert publish(index, "next").name == "gen-000002"
    assert generations.current(index).manifest.embedding_model == "next"


def test_nothing_is_left_of_a_build_that_does_not_publish(publish: Publish, index: Path) -> None:
    def give_up() -> None:
        with generations.building(index) as folder:
            (folder / "half").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert folders(index) == ["gen-000001"]
    assert publish(index, "next").name == "gen-000002"


class Killed(BaseException):
    """Stands for the end of the process."""


Fail = Callable[[], None]


@contextlib.contextmanager
def failing_at(number: int, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Call ``fail`` instead of the n-th fsync, rename or replace; gives the names of the calls made."""
    calls: list[str] = []

    def guard(name: str) -> None:
        real = getattr(os, name)

        def guarded(*arguments: Any) -> None:
            calls.append(name)
            if len(calls) == number:
                fail()
            real(*arguments)

        patch.setattr(os, name, guarded)

    with monkeypatch.context() as patch:
        for name in ("fsync", "rename", "replace"):
            guard(name)
        yield calls


def test_a_kill_at_any_step_leaves_the_old_or_the_new(
    publish: Publish, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for number in itertools.count(1):
        work, left = tmp_path / f"work-{number}", tmp_path / f"left-{number}"
        shutil.copytree(index, work)

        def kill(work: Path = work, left: Path = left) -> None:
            shutil.copytree(work, left)  # what a killed process leaves: its cleaning up does not happen
            raise Killed

        with failing_at(number, kill, monkeypatch) as calls, contextlib.suppress(Killed):
            publish(work, "new")
        if len(calls) < number:
            break
        generation = generations.current(left)
        generations.verify(generation)
        found.append(generation.manifest.embedding_model)
        assert publish(left, "later").manifest == generations.current(left).manifest
        assert not list(left.glob("gen-*.tmp")), f"leftovers of step {number} stay"
    assert found == ["old"] * 9 + ["new"], "only the last step comes after the replacement of CURRENT"


@pytest.mark.parametrize("number", range(1, 11))
def test_a_failing_disk_leaves_the_old_or_the_new(
    publish: Publish, index: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    with failing_at(number, fail, monkeypatch) as calls:
        with pytest.raises(IndexingError, match="No space left on device"):
            publish(index, "new")
        assert len(calls) == number, "a failed fsync must not be tried again"
    generation = generations.current(index)
    generations.verify(generation)
    assert generation.manifest.embedding_model == ("new" if number == 10 else "old")
    assert not list(index.glob("gen-*.tmp"))
    assert publish(index, "later") == generations.current(index)


def test_a_second_builder_is_refused_and_the_lock_is_freed(publish: Publish, index: Path) -> None:
    with generations.building(index), pytest.raises(IndexLockedError, match="Another run"), generations.building(index):
        pass
    assert publish(index, "next").name == "gen-000002"


def test_an_index_folder_that_is_a_file_is_an_error(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "index").write_text("x")
    with pytest.raises(IndexingError, match="--index"):
        publish(tmp_path / "index", "new")


def test_the_previous_generation_stays_for_its_readers(publish: Publish, index: Path) -> None:
    for number in range(4):
        publish(index, f"build {number}")
        generations.remove_old(index)
    assert folders(index) == ["gen-000004", "gen-000005"]
    assert generations.current(index).name == "gen-000005"


def test_the_live_generation_is_never_removed(index: Path) -> None:
    for number in range(2, 6):
        (index / f"gen-{number:06d}").mkdir()
    generations.remove_old(index)
    assert generations.current(index).name == "gen-000001"


def test_a_reader_follows_a_pointer_that_moves_under_it(
    publish: Publish, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(index, "new")
    pointers = [("gen-000000", "gone"), generations._pointer(index)]
    monkeypatch.setattr(generations, "_pointer", lambda _: pointers.pop(0))
    assert generations.current(index).manifest.embedding_model == "new"


def test_leftovers_of_a_killed_run_are_removed(index: Path) -> None:
    (index / "gen-000002.tmp").mkdir()
    (index / "gen-000002.tmp" / "chunks.faiss").write_bytes(b"half")
    with generations.building(index) as folder:
        assert folders(index) == ["gen-000001", folder.name]
        assert list(folder.iterdir()) == []
    assert folders(index) == ["gen-000001"]


def test_rolling_back_makes_the_generation_before_current(publish: Publish, index: Path) -> None:
    old = generations.current(index)
    publish(index, "new")
    assert generations.rollback(index) == generations.current(index) == old
    with pytest.raises(IndexMissingError, match="no whole generation before gen-000001"):
        generations.rollback(index)
    assert generations.current(index) == old


def test_a_build_after_rolling_back_takes_a_new_name(publish: Publish, index: Path) -> None:
    publish(index, "bad")
    generations.rollback(index)
    # A reader that still holds gen-000002 would take another of that name for its own.
    assert publish(index, "good").name == "gen-000003"
    assert generations.current(index).manifest.embedding_model == "good"


def test_rolling_back_passes_over_what_is_damaged(publish: Publish, index: Path) -> None:
    for name in ("second", "third", "fourth"):
        publish(index, name)
    (index / "gen-000003" / "store.sqlite").write_bytes(b"")
    content = bytearray((index / "gen-000002" / "store.sqlite").read_bytes())
    content[3] ^= 1
    (index / "gen-000002" / "store.sqlite").write_bytes(content)
    assert generations.rollback(index).manifest.embedding_model == "old"
    assert generations.current_name(index) == "gen-000001"


def test_rolling_back_waits_for_no_builder(publish: Publish, index: Path) -> None:
    publish(index, "new")
    with generations.building(index), pytest.raises(IndexLockedError, match="Another run"):
        generations.rollback(index)
    assert generations.current_name(index) == "gen-000002"


def test_rolling_back_without_an_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        generations.rollback(tmp_path / "index")


def test_a_file_is_taken_over_by_a_link_and_not_read_again(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = generations.current(index)
    read: list[str] = []
    really = generations.file_sha256
    monkeypatch.setattr(generations, "file_sha256", lambda path: read.append(path.name) or really(path))
    with generations.building(index) as folder:
        for path in before.folder.iterdir():
            if path.name.startswith(("chunks", "sentences")):
                generations.link(path, folder)
        (folder / "store.sqlite").write_text("new")
        taken = {name: before.manifest.files[name] for name in INDEX_FILES if name != "store.sqlite"}
        published = generations.publish(folder, dataclasses.replace(before.manifest, files=taken), taken)
    assert set(read) == {"store.sqlite"}
    assert published.manifest.files | {"store.sqlite": 0} == before.manifest.files | {"store.sqlite": 0}
    assert published == generations.current(index)
    generations.verify(published)
    for name in taken:
        assert (published.folder / name).samefile(before.folder / name)
    shutil.rmtree(before.folder)
    generations.verify(generations.current(index))


@pytest.mark.parametrize("wrong", ["more", "less"])
def test_a_manifest_names_the_files_of_its_parts_and_no_others(index: Path, wrong: str) -> None:
    manifest = generations.current(index).manifest
    with generations.building(index) as folder:
        for name in INDEX_FILES if wrong == "more" else INDEX_FILES[:-1]:
            (folder / name).write_text("x")
        if wrong == "more":
            (folder / "left.f16").write_text("x")
        with pytest.raises(IndexCorruptError, match="other files than its parts"):
            generations.publish(folder, dataclasses.replace(manifest, files={}))
    assert generations.current_name(index) == "gen-000001"
    assert folders(index) == ["gen-000001"]


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), sqlite3.OperationalError("database or disk is full"), OSError("odd")],
    ids=repr,
)
def test_whatever_fails_while_writing_is_one_clear_error(index: Path, error: Exception) -> None:
    with pytest.raises(IndexingError, match=str(error.args[-1])) as caught, generations.building(index):
        raise error
    assert "unchanged" in caught.value.remedy
