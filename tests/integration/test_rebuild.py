"""Rebuilding with the real embedder: killed, wrong, concurrent; the index in use always survives."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process import rag


@pytest.fixture
def copy(corpus: Path, index: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A corpus and its index that may be changed."""
    shutil.copytree(corpus, tmp_path / "corpus")
    shutil.copytree(index, tmp_path / "index")
    return tmp_path / "corpus", tmp_path / "index"


def test_only_what_changed_is_embedded(copy: tuple[Path, Path]) -> None:
    corpus, index = copy
    (corpus / "new.txt").write_text("A new article here\n\nThe probe Testia was launched on 5 May 2031 from Kourou.\n")
    (corpus / "apollo-soyuz.md").unlink()
    summary = json.loads(rag("index", "--corpus", corpus, "--index", index, "--json").stdout)
    assert (summary["embedded_documents"], summary["reused_documents"], summary["removed_documents"]) == (1, 4, 1)
    answer = json.loads(rag("ask", "When was Testia launched?", "--json", "--index", index, "--mode", "quote").stdout)
    assert "5 May 2031" in answer["answer"]
    again = json.loads(rag("index", "--corpus", corpus, "--index", index, "--json").stdout)
    assert again["changed"] is False


@pytest.mark.parametrize("delay", [0.3, 1.0, 1.8])
def test_a_killed_run_leaves_the_index_as_it_was(copy: tuple[Path, Path], delay: float) -> None:
    corpus, index = copy
    before = (index / "CURRENT").read_bytes()
    command = [sys.executable, "-m", "rag", "index", "--rebuild", "--corpus", str(corpus), "--index", str(index)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (index / "CURRENT").read_bytes() == before:
        assert rag("info", "--index", index).returncode == 0
    done = rag("index", "--corpus", corpus, "--index", index, "--json")
    assert done.returncode == 0, done.stderr
    assert list(index.glob("*.tmp*")) == []


def test_a_port_in_use_is_one_line(index: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = rag("serve", "--index", index, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "is in use" in done.stderr


def test_a_missing_index_names_the_command(tmp_path: Path) -> None:
    done = rag("ask", "When?", "--index", tmp_path / "none")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "rag index" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
