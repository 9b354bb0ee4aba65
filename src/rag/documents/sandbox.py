"""Starts the worker process, asks it for the articles of a file, and ends it where it hangs."""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rag.documents.article import Article
from rag.documents.messages import IDLE_EXIT, read_message, write_message
from rag.records import SkippedFile

SECONDS_AN_ARTICLE = 30.0
SECONDS_A_FILE = 600.0
MEMORY = 2 * 1024**3
"""Bytes of address space of the worker, where the system can limit it."""


class Sandbox:
    """One worker process, started when it is needed and again after it was ended. Safe for threads."""

    def __init__(
        self,
        seconds_an_article: float = SECONDS_AN_ARTICLE,
        seconds_a_file: float = SECONDS_A_FILE,
        memory: int = MEMORY,
    ) -> None:
        """
        Args:
            seconds_an_article: longest wait for the next article of a file.
            seconds_a_file: longest time for a whole file.
            memory: bytes of address space.
        """
        self.seconds_an_article = seconds_an_article
        self.seconds_a_file = seconds_a_file
        self._memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the worker, if one runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def read(self, data: bytes, path: str, max_bytes: int) -> list[Article | SkippedFile]:
        """What the worker finds in a file. If it hangs or dies, what it found before is kept, and the file is named."""
        head = json.dumps({"path": path, "max_bytes": max_bytes, "memory": self._memory}).encode()
        with self._lock:
            found: list[Article | SkippedFile] = []
            for attempt in ("first", "again"):
                process = self._running()
                reason = self._ask(process, head, data, found)
                # A worker that had just left for lack of work says nothing about the file.
                if reason is None or found or process.returncode != IDLE_EXIT or attempt == "again":
                    break
            if reason is not None:
                found.append(SkippedFile(path, reason))
            return found

    def close(self) -> None:
        """End the worker; the next file starts another."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        sources = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
        # -P: a file of the folder one works in, such as json.py, is no module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rag.documents.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
        )
        return self._process

    def _ask(
        self, process: subprocess.Popen[bytes], head: bytes, data: bytes, found: list[Article | SkippedFile]
    ) -> str | None:
        """Append what the worker finds; why it did not get to the end, if it did not."""
        assert process.stdin is not None
        assert process.stdout is not None
        last = time.monotonic() + self.seconds_a_file
        watch = _Watch(process, self.seconds_an_article)
        ended = False
        try:
            with contextlib.suppress(OSError):
                write_message(process.stdin, head)
                write_message(process.stdin, data)
            while (answer := read_message(process.stdout)) is not None:
                message = json.loads(answer)
                ended = "end" in message
                if ended:
                    return None
                found.append(_found(message))
                if time.monotonic() > last:
                    return f"the rest was not read: it took longer than {self.seconds_a_file:.0f} seconds"
                watch.again()
        finally:
            watch.stop()
            if not ended:
                # Also where the user interrupts: what is still to come would be taken for the answer to the next file.
                self._end()
        rest = "the rest was not read: " if found else ""
        if watch.ran_out:
            return f"{rest}it took longer than {self.seconds_an_article:.0f} seconds"
        return f"{rest}its reader crashed on it, or took more memory than allowed"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


class _Watch:
    """Ends a process unless it is told in time that it works. A blocked read or write then ends as well."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.ran_out = False
        self._process = process
        self._seconds = seconds
        self._stopped = threading.Event()
        self.again()
        threading.Thread(target=self._wait, daemon=True).start()

    def again(self) -> None:
        self._until = time.monotonic() + self._seconds

    def stop(self) -> None:
        self._stopped.set()

    def _wait(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            if self._stopped.wait(left):
                return
        if not self._stopped.is_set():
            self.ran_out = True
            self._process.kill()


def _found(message: dict[str, Any]) -> Article | SkippedFile:
    if "skipped" in message:
        return SkippedFile(**message["skipped"])
    article = message["article"]
    for name in ("facts", "hints"):
        article[name] = {field: (value, place) for field, (value, place) in article[name].items()}
    article["boilerplate"] = tuple((start, end) for start, end in article["boilerplate"])
    article["anchors"] = tuple((offset, label) for offset, label in article["anchors"])
    return Article(**article)


SANDBOX = Sandbox()
"""The one of this process. Its worker leaves by itself when it has had nothing to do for a minute."""
atexit.register(SANDBOX.close)
