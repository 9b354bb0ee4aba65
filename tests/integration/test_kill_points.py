"""A process that is killed, or whose disk fails, at any step of indexing leaves the old index or the new one, whole."""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index_view import view
from rag import generations
from rag.errors import IndexMissingError

HERE = Path(__file__).parent
OLD = {f"{n}.md": f"# Article {n}\n\nIt is about subject {n}. It was written long ago." for n in range(9)}
NEW = OLD | {"3.md": "# Article 3\n\nIt has changed. It is about something else now.", "new.md": "A new article."}
del NEW["5.md"]
KEPT = {"CURRENT", "LOCK", "stamps.json", "vectors.cache"}
SHARED = {"vectors.cache-wal", "vectors.cache-shm"}
"""Of SQLite; what a killed run leaves of them is used up by the next that embeds."""
Build = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus before and after a small change."""
    made = tmp_path_factory.mktemp("kill")
    for name, files in (("old", OLD), ("new", NEW), ("corpus", OLD)):
        (made / name).mkdir()
        for file, text in files.items():
            (made / name / file).write_text(text)
            os.utime(made / name / file, (1_600_000_000, 1_600_000_000 + (text not in OLD.values())))
    return made


@pytest.fixture(scope="module")
def build(folder: Path) -> Iterator[Build]:
    """Index a corpus in a fork of a small process; gives how it ended."""
    command = [sys.executable, str(HERE / "forked_builds.py"), str(folder)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parents[1] / "src")]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(corpus: Path, index: Path, **options: float) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"corpus": str(corpus), "index": str(index)} | options) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield run
        process.stdin.close()


@pytest.fixture(scope="module")
def views(folder: Path, build: Build) -> dict[str, Any]:
    """What a reader sees of each corpus."""
    for name in ("old", "new"):
        assert build(folder / name, folder / f"index-{name}")["status"] == "done"
    return {name: view(folder / f"index-{name}") for name in ("old", "new")}


def seen(index: Path, views: dict[str, Any]) -> str:
    """Which corpus the index shows, wholly."""
    try:
        generations.verify(generations.current(index))
    except IndexMissingError:
        return "nothing"
    found = view(index)
    names = [name for name, expected in views.items() if expected == found]
    assert len(names) == 1, "neither the old nor the new"
    return names[0]


def assert_next_run_works(corpus: Path, index: Path, build: Build, views: dict[str, Any]) -> None:
    assert build(corpus, index)["status"] == "done"
    assert seen(index, views) == corpus.name
    names = {path.name for path in index.iterdir()}
    generation = generations.current(index)
    assert names >= KEPT
    others = names - KEPT - SHARED
    assert all(name.startswith("gen-") and not name.endswith(".tmp") for name in others), others
    assert len(others) <= 3, "one more where a run was killed before it removed it, and the next had nothing to do"
    expected = {*generation.manifest.files, "manifest.json"}
    assert {path.name for path in generation.folder.iterdir()} == expected


@pytest.mark.parametrize("how", ["kill_at", "fail_at"])
@pytest.mark.parametrize("first", [True, False], ids=["first build", "small change"])
def test_every_step(folder: Path, build: Build, views: dict[str, Any], tmp_path: Path, first: bool, how: str) -> None:
    corpus = folder / ("old" if first else "new")
    found, ended = [], set()
    for step in itertools.count(1):
        index = tmp_path / str(step)
        if not first:
            shutil.copytree(folder / "index-old", index)
        result = build(corpus, index, **{how: step})
        if how == "fail_at" and result["steps"] < step:
            assert result["status"] == "done"
            break
        if how == "kill_at" and result["status"] != "killed":
            assert result["status"] == "done"
            break
        ended.add(result["status"])
        found.append(seen(index, views))
        assert_next_run_works(corpus, index, build, views)
        shutil.rmtree(index)
    before, after = ("nothing", "old") if first else ("old", "new")
    assert len(found) > 30
    assert set(found) == {before, after}
    if how == "kill_at":
        changed = found.index(after)
        assert set(found[changed:]) == {after}, "never the old one again"
    else:
        assert ended <= {"done", "IndexingError"}, ended
        assert "IndexingError" in ended


def test_a_full_disk_at_any_size(folder: Path, build: Build, views: dict[str, Any], tmp_path: Path) -> None:
    ended = []
    for number, size in enumerate([0, 100, 700, 1500, 3000, 5000, 9000, 13000, 17000, 25000, 33000, 45000, 10**6]):
        index = tmp_path / str(number)
        shutil.copytree(folder / "index-old", index)
        result = build(folder / "new", index, most_bytes=size)
        assert result["status"] in ("done", "IndexingError"), (size, result)
        ended.append(result["status"])
        assert seen(index, views) == ("new" if result["status"] == "done" else "old")
        assert_next_run_works(folder / "new", index, build, views)
    assert ended[0] == "IndexingError"
    assert ended[-1] == "done"


def test_a_second_process_is_refused(folder: Path, build: Build, views: dict[str, Any], tmp_path: Path) -> None:
    index = tmp_path / "index"
    shutil.copytree(folder / "index-old", index)
    with generations.building(index):
        assert build(folder / "new", index)["status"] == "IndexLockedError"
        assert seen(index, views) == "old"
    assert_next_run_works(folder / "new", index, build, views)


def test_random_moments(folder: Path, build: Build, views: dict[str, Any], tmp_path: Path) -> None:
    """One index, changed to and fro by runs that are killed; each begins where the one before was killed."""
    index, chance = tmp_path / "index", random.Random(7)
    assert build(folder / "old", index)["status"] == "done"
    seconds = min(build(folder / name, index, kill_at=10**6)["seconds"] for name in ("new", "old", "new", "old"))
    state, outcomes = "old", {"killed": 0, "done": 0}
    began, runs = time.monotonic(), 0
    while runs < 200 and time.monotonic() - began < 60:
        wanted = {"old": "new", "new": "old"}[state]
        result = build(folder / wanted, index, kill_after=chance.uniform(0, 1.1 * seconds))
        outcomes[result["status"]] += 1
        shown = seen(index, views)
        assert shown in (state, wanted)
        assert shown == wanted or result["status"] == "killed"
        state = shown
        runs += 1
    assert outcomes["killed"] > runs / 4
    assert_next_run_works(folder / "new", index, build, views)
    assert_next_run_works(folder / "old", index, build, views)
