"""The real small models on a few of the shipped articles."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from process import rag

ROOT = Path(__file__).parents[2]
ARTICLES = ("salyut-stations.md", "kazakhstan-space.md", "wolf-amendment.md", "apollo-soyuz.md", "canada-space.md")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder uses the real models."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five articles. Tests that change them work on a copy."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ARTICLES:
        shutil.copy(ROOT / "corpus" / name, folder)
    return folder


@pytest.fixture(scope="session")
def index(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their index, built by ``rag index``."""
    folder = tmp_path_factory.mktemp("index") / "index"
    done = rag("index", "--corpus", corpus, "--index", folder, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["skipped"]) == (len(ARTICLES), [])
    return folder


@pytest.fixture(scope="session")
def ask(index: Path) -> Callable[..., dict[str, Any]]:
    """One question → its answer object."""

    def run(question: str, mode: str = "quote") -> dict[str, Any]:
        done = rag("ask", question, "--mode", mode, "--json", "--index", index)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run
