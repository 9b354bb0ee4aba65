"""``rag doctor`` says ok where all is well, and finds what was broken on purpose."""

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import BagOfWordsEmbedder, ScriptedWriter
from rag import doctor, models
from rag.assembly import Assembly
from rag.doctor import Finding, as_line, conclusion, examine, offline
from rag.embedding import Vectors
from rag.errors import ModelError
from rag.models import OwnModel
from rag.records import Answer, AnswerSentence, Citation
from rag.settings import Settings

Run = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def _a_machine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders, a free port and a writer that do not depend on where the tests run; no model is hashed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(models, "ALL", ())
    monkeypatch.setattr(Assembly, "writer", ScriptedWriter(["The lighthouse of Sandholm was built in 1907 [1]."]))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=50_000_000_000))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "rag.toml").write_text(f"port = {port}\n")


def findings(run: Run, status: int = 0) -> dict[str, dict[str, Any]]:
    """Name → finding of ``rag doctor --json``."""
    result = run("doctor", "--json")
    assert (result.status, result.err) == (status, "")
    found = json.loads(result.out)
    assert found["ok"] == (status == 0)
    assert all(item["remedy"] for item in found["checks"] if item["state"] != "ok")
    return {item["name"]: item for item in found["checks"]}


def test_a_sound_installation_is_ok(indexed: Run) -> None:
    found = findings(indexed)
    assert {item["state"] for item in found.values()} == {"ok"}
    assert found["question"]["found"] == (
        "“The lighthouse of Sandholm was built in 1907 [1].”, its quote exact (by scripted)"
    )
    assert found["index"]["found"].startswith("gen-000001: 2 documents, ")
    assert found["question offline"]["state"] == "ok"
    assert {"python", "packages", "port", "disk", "cores", "folder models"} <= found.keys()


def test_people_get_a_line_for_each_check(indexed: Run) -> None:
    result = indexed("doctor")
    *lines, last = result.out.splitlines()
    assert result.status == 0
    assert all(line.startswith("ok ") for line in lines)
    assert last.startswith("Everything needed works (")


def test_nothing_of_the_user_is_changed(indexed: Run, tmp_path: Path) -> None:
    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = state()
    findings(indexed)
    assert state() == before


def test_no_index_yet_is_a_warning(rag: Run) -> None:
    found = findings(rag)
    assert found["index"]["state"] == "warning"
    assert "rag index" in found["index"]["remedy"]
    assert found["folder corpus"]["state"] == "warning"
    assert found["question"]["state"] == "ok"


def test_a_changed_model_file_is_found(indexed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Changed(OwnModel):
        @property
        def path(self) -> Path:
            return tmp_path / "reader.onnx"

    (tmp_path / "reader.onnx").write_bytes(b"other weights")
    model = Changed("reader", "reader", "reader.onnx", "e3" * 32)
    monkeypatch.setattr(models, "ALL", (model,))
    found = findings(indexed, 1)["model reader"]
    assert (found["state"], found["remedy"]) == ("failed", model.remedy)
    assert "damaged" in found["found"]


def test_a_missing_model_does_not_hide_the_other_ones(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = models.PackagedModel("gone", "no_such_package", "x", "00", "gone==1")
    monkeypatch.setattr(models, "ALL", (missing, missing))
    result = json.loads(indexed("doctor", "--json").out)
    assert [item["found"] for item in result["checks"] if item["name"] == "model gone"] == [
        "The model gone is not installed"
    ] * 2


@pytest.mark.parametrize("name", ["manifest.json", "store.sqlite"])
def test_a_damaged_index_is_found(indexed: Run, name: str) -> None:
    (file,) = Path("index").glob(f"gen-*/{name}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = findings(indexed, 1)
    assert found["index"]["state"] == "failed"
    assert "rag index --rebuild" in found["index"]["remedy"]
    assert found["question"]["state"] == "ok"


def test_an_index_of_another_model_is_found(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Assembly, "embedder", BagOfWordsEmbedder("other"))
    found = findings(indexed, 1)["index"]
    assert found["state"] == "failed"
    assert "built with bag-of-words" in found["found"]


def test_a_taken_port_is_a_warning(indexed: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        Path("rag.toml").write_text(f"port = {port}\n")
        found = findings(indexed)["port"]
    assert found["state"] == "warning"
    assert f"{port} on 127.0.0.1 is in use" in found["found"]
    assert "rag serve --port" in found["remedy"]


def test_a_host_that_is_none_of_this_machine_is_found(indexed: Run) -> None:
    Path("rag.toml").write_text('host = "203.0.113.1"\n')
    assert findings(indexed, 1)["port"]["state"] == "failed"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_found(indexed: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    assert findings(indexed)["folder conversations"]["state"] == "warning"


@pytest.mark.parametrize(("variable", "name"), [("XDG_CACHE_HOME", "models"), ("XDG_DATA_HOME", "conversations")])
def test_a_folder_that_cannot_be_written_is_found(
    indexed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    found = findings(indexed)[f"folder {name}"]
    assert (found["state"], found["found"]) == ("warning", f"{tmp_path / 'file'} is no folder")


def test_a_read_only_disk_is_found(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    found = findings(indexed, 1)
    assert found["folder temporary"]["state"] == "failed"
    assert found["folder index"]["state"] == "warning"
    assert "Read-only file system" in found["folder index"]["found"]


@pytest.mark.parametrize(("free", "state", "status"), [(1_000_000_000, "warning", 0), (50_000_000, "failed", 1)])
def test_a_disk_that_is_nearly_full_is_found(
    indexed: Run, monkeypatch: pytest.MonkeyPatch, free: int, state: str, status: int
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert findings(indexed, status)["disk"]["state"] == state


def test_packages_that_are_missing_or_old_are_named(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy<1", "no-such-package>=1", "pyyaml>=6", 'other; extra == "dev"']
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: needed)
    found = findings(indexed, 1)["packages"]["found"]
    assert "numpy is " in found
    assert "no-such-package is missing" in found
    assert "pyyaml" not in found
    assert "other" not in found


def test_an_old_python_is_found(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (99, 1))
    assert "99.1" in findings(indexed, 1)["python"]["remedy"]


def test_what_reaches_out_is_found(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Telling(BagOfWordsEmbedder):
        def embed(self, texts: Sequence[str], progress: object = None) -> Vectors:
            with socket.socket() as out:
                out.connect(("203.0.113.7", 443))
            raise AssertionError("it got out")

    monkeypatch.setattr(Assembly, "embedder", Telling())
    found = findings(indexed, 1)
    assert found["question offline"]["found"] == "something tried to reach 203.0.113.7"
    assert "lets nothing out" in found["question"]["found"]


def test_connections_are_free_again_afterwards() -> None:
    before = socket.socket.connect
    with contextlib.suppress(ValueError), offline():
        assert socket.socket.connect is not before
        raise ValueError
    assert socket.socket.connect is before


def test_a_writer_that_fails_is_a_warning(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Assembly, "writer", ScriptedWriter(error=ModelError("It is out of order", "Mend it.")))
    found = findings(indexed)["question"]
    assert found["state"] == "warning"
    assert "It is out of order" in found["found"]


def test_a_writer_on_a_server_is_not_asked(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("rag.toml").write_text('writer_url = "http://203.0.113.9/v1"\nwriter_model = "m"\n')
    found = findings(indexed)
    assert "was not asked" in found["question"]["found"]
    assert found["question offline"]["state"] == "ok"


_SAID = "The lighthouse of Sandholm, a small town on the coast, was built in 1907 by Ingrid Halvorsen and her brother."
_START = doctor._ARTICLE.index(_SAID)
_CITED = Citation(1, "a", "A", "a.md", None, None, None, _START, _START + len(_SAID), _SAID)
_GOOD = Answer("Q", "Q", None, False, 0.9, _SAID, (AnswerSentence(_SAID, "quoted", (1,)),), (_CITED,), ())


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"refused": True}, "failed"),
        ({"sentences": ()}, "failed"),
        ({"citations": (dataclasses.replace(_CITED, start=_START + 1),)}, "failed"),
        ({"citations": ()}, "failed"),
        ({"sentences": (AnswerSentence("It was built.", "supported", (1,)),)}, "failed"),
    ],
    ids=["good", "refused", "empty", "wrong quote", "no citation", "wrong answer"],
)
def test_the_known_answer_is_checked(
    indexed: Run, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], state: str
) -> None:
    answer = dataclasses.replace(_GOOD, **changes)  # type: ignore[arg-type]
    monkeypatch.setattr(Assembly, "answerer", SimpleNamespace(answer=lambda question: answer))
    assert findings(indexed, int(state == "failed"))["question"]["state"] == state


def test_more_threads_than_cores_are_a_warning(indexed: Run) -> None:
    Path("rag.toml").write_text("threads = 1024\n")
    assert findings(indexed)["cores"]["state"] == "warning"


def test_a_check_that_breaks_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(checkup: object) -> None:
        raise KeyError("damaged\npackage")

    monkeypatch.setattr(doctor, "_CHECKS", {"first": broken, "cores": doctor._cores})
    first, second = examine(Settings())
    assert (first.name, first.state) == ("first", "failed")
    assert "\n" not in first.found
    assert second.state == "ok"


def test_the_conclusion_counts() -> None:
    ok, bad, warned = (Finding("a", state, "b", "c") for state in ("ok", "failed", "warning"))
    assert conclusion([ok, bad, warned]).startswith("1 of 3 checks failed")
    assert conclusion([ok, warned]).startswith("Everything needed works, with 1 warning (")
    assert as_line(bad).splitlines()[1].strip() == "→ c"
