"""What all tests share: no test reaches the network, and temporary corpora are quick to write."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from rag import writing

# How long an example takes depends on what else the machine does.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections: all of them, but for loopback in tests marked ``browser`` or ``loopback``."""
    markers = ("browser", "loopback")
    allowed = _LOOPBACK if any(request.node.get_closest_marker(name) for name in markers) else ()
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in allowed:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def write_corpus(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Write files into a corpus folder and return it; calling it again adds or overwrites files."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        corpus = tmp_path / "corpus"
        for name, content in files.items():
            path = corpus / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return corpus

    return write


@pytest.fixture
def short_sources_are_worded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentences of a test are short enough to be read; the writer is asked all the same."""
    monkeypatch.setattr(writing, "_can_be_shortened", lambda source: True)
