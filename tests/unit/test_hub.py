"""Models of the hub, fetched from a small hub of our own on the loopback."""

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest

from rag import hub
from rag.errors import ModelError
from rag.hub import Reference

pytestmark = pytest.mark.loopback

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights " * 50_000,
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"import os",
    "onnx/config.json": b"{}",
    "small.gguf": b"GGUF" + b"q" * 300,
    "big-00001-of-00002.gguf": b"GGUF one",
    "big-00002-of-00002.gguf": b"GGUF two",
}


class FakeHub(ThreadingHTTPServer):
    """Answers what the hub answers for one model, ``owner/tiny``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.sha256: dict[str, str] = {}
        """Told instead of the right one."""
        self.status = 200
        self.cut_after: int | None = None
        """Bytes of a large file after which the connection is closed, each time."""
        self.ranges: list[str] = []
        """Of every request for a large file."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listing(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            file: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
            if _is_large(name):
                sha256 = self.sha256.get(name) or hashlib.sha256(content).hexdigest()
                file["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 134}
            siblings.append(file)
        return {"id": "owner/tiny", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        file = re.fullmatch(r"/owner/tiny/resolve/[^/]+/(.+)", path)
        if self.server.status != 200:
            code = {403: "GatedRepo", 404: "RepoNotFound"}.get(self.server.status, "")
            self._send(self.server.status, b"{}", {"X-Error-Code": code})
        elif path.startswith("/api/models/owner/tiny") and "/revision/gone" not in path:
            self._send(200, json.dumps(self.server.listing()).encode(), {})
        elif path.startswith("/api/models/owner/tiny"):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif file and file[1] in self.server.files:
            self._send_file(file[1], body=body)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _send_file(self, name: str, *, body: bool) -> None:
        content = self.server.files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        status = 200
        if _is_large(name):
            headers["X-Linked-Etag"] = f'"{self.server.sha256.get(name) or hashlib.sha256(content).hexdigest()}"'
        if body and _is_large(name):
            wanted = self.headers.get("Range", "")
            self.server.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        self._send(status, content, headers, body=body, cut=self.server.cut_after if _is_large(name) else None)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".gguf", ".bin"))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub, with an empty cache."""
    with FakeHub() as running:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(hub, "_PAUSE_SECONDS", 0.0)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()
        huggingface_hub.close_session()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hub:owner/name", Reference("owner/name")),
        ("owner/name", Reference("owner/name")),
        ("hub:owner/name@v1.0", Reference("owner/name", None, "v1.0")),
        ("hub:Qwen/Q-GGUF/q4_k_m.gguf", Reference("Qwen/Q-GGUF", "q4_k_m.gguf")),
        ("hub:a/b@c/folder/d.gguf", Reference("a/b", "folder/d.gguf", "c")),
    ],
)
def test_references_are_parsed(text: str, meant: Reference) -> None:
    assert hub.parse(text) == meant
    assert hub.parse(str(meant)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hub:name",
        "hub:owner/",
        "hub:/name",
        "hub:../name",
        "hub:a..b/name",
        "hub:a--b/name",
        "hub:owner/name@",
        "hub:owner/name@a b",
        "hub:owner/name/",
        "hub:owner/name/model.bin",
        "hub:owner/name/../x.gguf",
        "hub:owner/name/C:\\x.gguf",
        "hub:https://huggingface.co/owner/name",
        "hub:owner/name\n",
    ],
)
def test_what_names_no_model_is_refused(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        hub.parse(text)
    assert "hub:owner/name" in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_model_is_fetched_without_pickles_and_code(server: FakeHub) -> None:
    told: list[tuple[int, int]] = []
    folder = hub.fetch("owner/tiny", None, None, lambda done, total: told.append((done, total)))
    assert names(folder) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    total = sum(len(FILES[name]) for name in names(folder))
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert hub.local_path("hub:owner/tiny") == folder


def test_a_gguf_file_is_fetched_with_its_other_parts(server: FakeHub) -> None:
    path = hub.fetch("owner/tiny", "big-00001-of-00002.gguf")
    assert names(path.parent) == {"big-00001-of-00002.gguf", "big-00002-of-00002.gguf"}
    assert hub.local_path("hub:owner/tiny/big-00001-of-00002.gguf") == path
    for other in ("hub:owner/tiny", "hub:owner/tiny/small.gguf", "hub:owner/tiny@v2/big-00001-of-00002.gguf"):
        with pytest.raises(ModelError, match="has not been fetched"):
            hub.local_path(other)


def test_a_revision_is_found_again_by_its_name(server: FakeHub) -> None:
    folder = hub.fetch("owner/tiny", revision="v1")
    assert hub.local_path("hub:owner/tiny@v1") == hub.local_path(f"hub:owner/tiny@{COMMIT}") == folder
    with pytest.raises(ModelError, match="has not been fetched"):
        hub.local_path("hub:owner/tiny")
    with pytest.raises(ModelError, match="no revision gone"):
        hub.fetch("owner/tiny", revision="gone")


def test_a_download_goes_on_where_it_was_broken_off(server: FakeHub) -> None:
    server.cut_after = 100_000

    class Stopped(BaseException):
        """As of Ctrl-C."""

    def stop(done: int, total: int) -> None:
        if done > 150_000:
            raise Stopped

    with pytest.raises(Stopped):
        hub.fetch("owner/tiny", progress=stop)
    with pytest.raises(ModelError, match="has not been fetched"):
        hub.local_path("hub:owner/tiny")
    folder = hub.fetch("owner/tiny")
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    starts = [int(wanted[len("bytes=") : -1]) for wanted in server.ranges]
    assert starts[:2] == [0, 100_000]
    assert starts[2] > 150_000, "the second run began anew"
    assert starts == sorted(set(starts))


def test_a_second_fetch_loads_nothing_again(server: FakeHub) -> None:
    assert hub.fetch("owner/tiny") == hub.fetch("owner/tiny")
    assert len(server.ranges) == 1


def test_a_connection_that_gives_nothing_ends_with_a_remedy(server: FakeHub) -> None:
    server.cut_after = 0
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        hub.fetch("owner/tiny")
    assert "run the command again" in caught.value.remedy
    assert len(server.ranges) == 4


def test_a_wrong_hash_is_refused_and_not_kept(server: FakeHub) -> None:
    server.sha256["model.safetensors"] = "ab" * 32
    with pytest.raises(ModelError, match="its sha256 is"):
        hub.fetch("owner/tiny")
    with pytest.raises(ModelError, match="has not been fetched"):
        hub.local_path("hub:owner/tiny")
    server.sha256.clear()
    hub.verify(hub.fetch("owner/tiny") / "model.safetensors", hashlib.sha256(FILES["model.safetensors"]).hexdigest())


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_damaged_file_is_found_and_fetched_again(server: FakeHub, links: bool) -> None:
    weights = hub.fetch("owner/tiny") / "model.safetensors"
    (model,) = hub.installed()
    assert hub.verify_installed(model) == 1
    if not links:
        weights.resolve().rename(weights.resolve().with_name("moved"))
        weights.unlink()
    weights.write_bytes(b"weight\0" + FILES["model.safetensors"][7:])
    if links:
        with pytest.raises(ModelError, match="is damaged"):
            hub.verify_installed(model)
    hub.fetch("owner/tiny")
    assert weights.read_bytes() == FILES["model.safetensors"]
    assert len(server.ranges) == 2


def test_what_is_installed_is_listed(server: FakeHub) -> None:
    assert hub.installed() == []
    hub.fetch("owner/tiny")
    hub.fetch("owner/tiny", "small.gguf")
    (model,) = hub.installed()
    assert (model.repository, model.revision) == ("owner/tiny", "main")
    assert model.references == ("hub:owner/tiny", "hub:owner/tiny/small.gguf")
    assert model.bytes == sum(len(FILES[name]) for name in names(model.folder))
    assert all(hub.local_path(reference).exists() for reference in model.references)


@pytest.mark.parametrize(
    ("kept", "remedy"),
    [({"small.gguf", "config.json"}, "hub:owner/tiny/small.gguf"), ({"pytorch_model.bin"}, "pickled weights")],
)
def test_a_model_without_safetensors_is_refused(server: FakeHub, kept: set[str], remedy: str) -> None:
    server.files = {name: FILES[name] for name in kept}
    with pytest.raises(ModelError, match="no safetensors weights") as caught:
        hub.fetch("owner/tiny")
    assert remedy in caught.value.remedy
    assert server.ranges == []


def test_a_missing_file_names_those_that_are_there(server: FakeHub) -> None:
    with pytest.raises(ModelError, match=r"no file large\.gguf") as caught:
        hub.fetch("owner/tiny", "large.gguf")
    assert "small.gguf" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "problem", "remedy"),
    [
        (404, "no public model", "HF_TOKEN"),
        (401, "answered 401", "HF_TOKEN"),
        (403, "accept its terms", "https://huggingface.co/owner/tiny"),
        (500, "answered 500", "again later"),
    ],
)
def test_refusals_of_the_hub_are_explained(server: FakeHub, status: int, problem: str, remedy: str) -> None:
    server.status = status
    with pytest.raises(ModelError, match=problem) as caught:
        hub.fetch("owner/tiny")
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_offline_is_said(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        hub.fetch("owner/tiny")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(ModelError, match="could not be fetched") as caught:
            hub.fetch("owner/tiny")
    assert "connection to the network" in caught.value.remedy


def test_a_full_disk_is_noticed_before(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: hub.shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(ModelError, match="left") as caught:
        hub.fetch("owner/tiny")
    assert "HF_HOME" in caught.value.remedy
    assert server.ranges == []


def test_half_of_the_shards_is_not_a_model(server: FakeHub) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    server.files = {
        "config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-1.safetensors": b"one",
    }
    hub.fetch("owner/tiny")
    with pytest.raises(ModelError, match="has not been fetched") as caught:
        hub.local_path("hub:owner/tiny")
    assert caught.value.remedy == "Run `rag models fetch owner/tiny`."
    server.files["model-2.safetensors"] = b"two"
    hub.fetch("owner/tiny")
    assert hub.local_path("hub:owner/tiny").is_dir()


def test_a_file_is_verified_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    with pytest.raises(ModelError, match="cannot be read"):
        hub.verify(path, "0" * 64)
    path.write_bytes(b"x")
    hub.verify(path, hashlib.sha256(b"x").hexdigest())
    with pytest.raises(ModelError, match="is damaged") as caught:
        hub.verify(path, "0" * 64)
    assert "rag models fetch" in caught.value.remedy
