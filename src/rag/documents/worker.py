"""The process in which formats are parsed that can hang, crash or take all memory: ``python -m rag.documents.worker``.

It reads requests from standard input and answers on standard output until the input ends, or until it has had
nothing to do for a while. A request is a head (JSON with ``path``, ``max_bytes`` and ``memory``) and the bytes of the
file, each behind its length in eight bytes. The answer is a series of such JSON messages: ``article`` or ``skipped``
for each thing found, at last ``end``.
"""

import contextlib
import dataclasses
import json
import os
import sys
import threading
import time
from typing import IO

from rag.documents.article import Content
from rag.documents.messages import IDLE_EXIT, read_message, write_message
from rag.documents.registry import read_content
from rag.records import SkippedFile

IDLE_SECONDS = 60.0
CHECK_SECONDS = 5.0
_REFUSED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a parser prints must not get between the messages.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    requests = sys.stdin.buffer
    sys.addaudithook(_refuse)
    busy = threading.Event()
    last = [time.monotonic()]
    threading.Thread(target=_leave_when_idle, args=(busy, last), daemon=True).start()
    while (head := read_message(requests)) is not None:
        busy.set()
        data = read_message(requests)
        if data is None:
            return
        _answer(answers, json.loads(head), data)
        last[0] = time.monotonic()
        busy.clear()


def _answer(answers: IO[bytes], head: dict[str, object], data: bytes) -> None:
    _limit_memory(int(str(head["memory"])))
    path = str(head["path"])
    try:
        for found in read_content(Content.of_file(data, path, int(str(head["max_bytes"])))):
            kind = "skipped" if isinstance(found, SkippedFile) else "article"
            write_message(answers, json.dumps({kind: dataclasses.asdict(found)}).encode())
    except MemoryError:
        skipped = {"path": path, "reason": "reading it takes more memory than allowed"}
        write_message(answers, json.dumps({"skipped": skipped}).encode())
    write_message(answers, b'{"end": true}')


def _limit_memory(size: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _REFUSED or (event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1])):
        raise PermissionError(f"reading a document may not use {event}")


def _leave_when_idle(busy: threading.Event, last: list[float]) -> None:
    while True:
        time.sleep(CHECK_SECONDS)
        if not busy.is_set() and time.monotonic() - last[0] > IDLE_SECONDS:
            os._exit(IDLE_EXIT)


if __name__ == "__main__":
    main()
