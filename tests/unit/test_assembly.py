"""Settings pick the writer that they name, and the steps that the embedding model allows."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from rag import assembly, models, openai_writer, transformers_writer
from rag.assembly import Assembly
from rag.errors import ModelError, SettingsError
from rag.picking import Steps
from rag.settings import Settings, load_settings


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """What was constructed, with its arguments, in place of the three writers."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def recorder(name: str) -> Any:
        return lambda *arguments, **named: calls.append((name, arguments, named))

    monkeypatch.setattr(assembly, "LlamaCppWriter", recorder("llama.cpp"))
    monkeypatch.setattr(transformers_writer, "TransformersWriter", recorder("transformers"))
    monkeypatch.setattr(openai_writer, "OpenAiWriter", recorder("openai"))
    return calls


@pytest.mark.parametrize(
    ("settings", "backend", "first"),
    [
        ({}, "llama.cpp", Path("taught.gguf")),
        ({"writer_adapter": "none"}, "llama.cpp", models.WRITER.path),
        ({"writer_model": "big.gguf"}, "llama.cpp", Path("big.gguf")),
        ({"writer_model": "BIG.GGUF"}, "llama.cpp", Path("BIG.GGUF")),
        ({"writer_model": "models/qwen"}, "transformers", "models/qwen"),
        ({"writer_model": "hub:owner/name"}, "transformers", "hub:owner/name"),
        ({"writer_model": "a.gguf", "writer_url": "http://127.0.0.1:1/v1"}, "openai", "http://127.0.0.1:1/v1"),
        ({"writer_model": "folder", "writer_backend": "llama.cpp"}, "llama.cpp", Path("folder")),
    ],
)
def test_the_writer_is_the_one_that_is_named(
    made: list[Any], settings: Any, backend: str, first: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "taught_writer", lambda: Path("taught.gguf"))
    _ = Assembly(Settings(threads=1, **settings)).writer
    ((name, arguments, _),) = made
    assert (name, arguments[0]) == (backend, first)


@pytest.mark.parametrize(
    ("settings", "adapter"),
    [
        ({"writer_adapter": "none"}, None),
        ({"writer_adapter": "own.gguf"}, Path("own.gguf")),
        ({"writer_model": "big.gguf"}, None),
        ({"writer_model": "big.gguf", "writer_adapter": "own.gguf"}, Path("own.gguf")),
    ],
)
def test_an_adapter_is_for_the_model_it_is_named_with(made: list[Any], settings: Any, adapter: Path | None) -> None:
    _ = Assembly(Settings(threads=1, **settings)).writer
    ((_, arguments, _),) = made
    assert arguments[3] == adapter


def test_our_adapter_lies_beside_our_model_where_no_merged_file_can_be_kept(
    made: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    monkeypatch.setattr(assembly, "cache_folder", lambda: tmp_path / "models")
    _ = Assembly(Settings(threads=1)).writer
    assert made == [("llama.cpp", (models.WRITER.path, models.WRITER.name, 1, models.ADAPTER.path), {})]


@pytest.mark.parametrize("model", ["WRITER", "ADAPTER"])
def test_a_damaged_writer_is_not_run(made: list[Any], model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = dataclasses.replace(getattr(models, model), sha256="0" * 64)
    monkeypatch.setattr(models, model, damaged)
    with pytest.raises(ModelError, match="is damaged"):
        _ = Assembly(Settings(threads=1)).writer
    assert made == []


def test_the_key_comes_from_the_environment_alone(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_API_KEY", "secret")
    _ = Assembly(Settings(writer_url="http://127.0.0.1:1/v1", writer_model="m")).writer
    assert made == [("openai", ("http://127.0.0.1:1/v1", "m"), {"api_key": "secret"})]


def test_a_model_that_was_not_fetched_says_how_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="rag models fetch owner/name/file"):
        _ = Assembly(Settings(writer_model="hub:owner/name/file.gguf")).writer


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        ('writer_backend = "openai"', "no writer_url"),
        ('writer_url = "http://127.0.0.1:1"', "writer_model no model on it"),
    ],
)
def test_half_a_server_is_refused(tmp_path: Path, toml: str, part: str) -> None:
    (tmp_path / "rag.toml").write_text(toml)
    with pytest.raises(SettingsError, match=part):
        load_settings(tmp_path / "rag.toml")


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, Steps("fusion", True, "reader")),
        ({"embedding_model": "other"}, Steps("fusion", False, "cosine")),
        ({"embedding_model": "other", "ranking": "words"}, Steps("fusion", False, "words")),
        ({"rerank": False, "ranking": "cosine", "retrieval": "chunks"}, Steps("chunks", False, "cosine")),
    ],
)
def test_the_reader_is_used_with_the_embedding_model_it_was_fitted_with(
    monkeypatch: pytest.MonkeyPatch, settings: Any, steps: Steps
) -> None:
    monkeypatch.setattr(Assembly, "embedder", object())
    monkeypatch.setattr(Assembly, "reader", object())
    picker = Assembly(Settings(**settings)).picker
    assert picker.steps == steps
    assert (picker.reader is not None) == (steps.rerank or steps.ranking == "reader")
