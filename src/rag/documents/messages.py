"""How the worker process and the one that started it talk: messages behind their length in eight bytes."""

import struct
from typing import IO

IDLE_EXIT = 75
"""Exit status of a worker that left because it had nothing to do."""


def read_message(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end of the stream."""
    length = stream.read(8)
    if len(length) < 8:
        return None
    (size,) = struct.unpack(">Q", length)
    data = stream.read(size)
    return data if len(data) == size else None


def write_message(stream: IO[bytes], data: bytes) -> None:
    """Write a message behind its length."""
    stream.write(struct.pack(">Q", len(data)) + data)
    stream.flush()
