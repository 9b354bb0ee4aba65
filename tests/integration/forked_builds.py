"""Index in forks of this small process, so that one can be killed, or its disk fail, at any chosen step.

Reads one JSON object for each build from its input: ``corpus``, ``index`` and one of ``kill_at`` (a step), ``fail_at``
(a step), ``kill_after`` (seconds), ``most_bytes`` (of a file). Answers each with how it ended and how many steps it took.
A step is a call that changes what is on disk: opening to write, linking, renaming, removing, syncing, or what
SQLite does for many rows at once.
"""

import json
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss

from fakes import BagOfWordsEmbedder
from rag import indexing

CALLS = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir"}
Step = Callable[[str], None]


def build(corpus: str, index: str) -> None:
    indexing.build_index(Path(corpus), Path(index), BagOfWordsEmbedder(), chunk_tokens=60, max_file_bytes=50_000)


def count_steps(index: str, step: Step) -> None:
    """Call ``step`` with its name before each step."""

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and (
            set(arguments[1]) & set("wax+") if arguments[1] else arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if writes and not (isinstance(arguments[0], str) and arguments[0].startswith(index)):
            return
        if event in CALLS or writes:
            step(event)

    class Connection(sqlite3.Connection):
        """Statements of SQLite are audited nowhere else."""

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                step("sqlite")
            return super().execute(sql, *values)

        def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
            step("sqlite")
            return super().executemany(sql, values)

        def executescript(self, sql: str) -> sqlite3.Cursor:
            step("sqlite")
            return super().executescript(sql)

        def commit(self) -> None:
            step("sqlite")
            super().commit()

    connect, fsync = sqlite3.connect, os.fsync

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, factory=Connection, **options)

    def synced(descriptor: int) -> None:
        step("fsync")
        fsync(descriptor)

    sqlite3.connect = connected  # type: ignore[assignment]
    os.fsync = synced
    sys.addaudithook(audit)


def run(task: dict[str, Any], report: int) -> None:
    """In the fork; ends with it."""
    steps = 0
    status = "done"

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps == task.get("kill_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        if steps == task.get("fail_at"):
            if name == "sqlite":
                raise sqlite3.OperationalError("database or disk is full")
            raise OSError(28, "No space left on device")

    if "most_bytes" in task:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["most_bytes"],) * 2)
    if "kill_after" not in task:
        count_steps(task["index"], step)
    try:
        build(task["corpus"], task["index"])
    except Exception as error:
        status = type(error).__name__
    os.write(report, json.dumps({"status": status, "steps": steps}).encode())
    os._exit(0)


def main() -> None:
    faiss.omp_set_num_threads(1)
    indexing._SMALL = 0
    warm = Path(sys.argv[1])
    build(str(warm / "corpus"), str(warm / "index"))  # whatever is imported late is here now
    for line in sys.stdin:
        task = json.loads(line)
        reader, writer = os.pipe()
        began = time.perf_counter()
        child = os.fork()
        if not child:
            run(task, writer)
        os.close(writer)
        if "kill_after" in task:
            time.sleep(task["kill_after"])
            os.kill(child, signal.SIGKILL)  # it is not waited for yet, so its number is its own
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        answer = json.loads(told) if told else {"status": "killed", "steps": 0}
        print(json.dumps(answer | {"seconds": time.perf_counter() - began}), flush=True)


main()
