"""Whatever happens while an index is written, the old one or the new one is there, whole."""

import contextlib
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag import generations
from rag.errors import IndexingError, IndexLockedError
from rag.generations import FILES, Generation

Publish = Callable[[Path, str], Generation]


def folders(index: Path) -> list[str]:
    return sorted(path.name for path in index.iterdir() if path.is_dir())


def test_publishing_makes_current(publish: Publish, tmp_path: Path) -> None:
    index = tmp_path / "deep" / "index"
    generation = publish(index, "first")
    assert generations.current(index) == generation
    assert (generation.name, generation.folder) == ("gen-000001", index / "gen-000001")
    assert sorted(path.name for path in generation.folder.iterdir()) == sorted([*FILES, "manifest.json"])
    for name in FILES:
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
