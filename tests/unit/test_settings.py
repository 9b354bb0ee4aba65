"""Settings come from a file and from the command line; a wrong one is named with what to write instead."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, load_settings, usable_cores


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a settings file into a folder of its own; the working directory is another one."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def write(content: str, name: str = "elsewhere/my.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
        return path

    return write


def test_without_a_file_the_defaults_hold(toml: Callable[[str], Path]) -> None:
    assert load_settings() == Settings()


def test_the_file_in_the_working_directory_is_found(toml: Callable[..., Path]) -> None:
    toml("passages = 3\n", "work/rag.toml")
    assert load_settings() == dataclasses.replace(Settings(), passages=3)


def test_a_named_file_is_read_instead(toml: Callable[..., Path]) -> None:
    toml("passages = 3\n", "work/rag.toml")
    assert load_settings(toml("sources = 2\n")) == dataclasses.replace(Settings(), sources=2)


def test_folders_are_relative_to_the_file(toml: Callable[[str], Path]) -> None:
    path = toml('corpus = "articles"\nindex = "/var/index"\n')
    settings = load_settings(path)
    assert settings.corpus == path.parent / "articles"
    assert settings.index == Path("/var/index")


def test_overrides_win_unless_they_are_none(toml: Callable[[str], Path]) -> None:
    settings = load_settings(toml('mode = "quote"\nport = 1234\ncorpus = "a"'), mode=None, port=4321, corpus=Path("b"))
    assert (settings.mode, settings.port, settings.corpus) == ("quote", 4321, Path("b"))


def test_every_setting_can_be_written_to_a_file(toml: Callable[[str], Path]) -> None:
    values = {
        field.name: str(field.default) if isinstance(field.default, Path) else field.default
        for field in dataclasses.fields(Settings)
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    path = toml("\n".join(lines))
    folders = {name: path.parent / name for name in ("corpus", "index")}
    assert load_settings(path) == dataclasses.replace(Settings(), **folders)


def test_steps_of_finding_can_be_chosen(toml: Callable[[str], Path]) -> None:
    settings = load_settings(toml('retrieval = "chunks"\nrerank = false\nranking = "words"\ncandidates = 5'))
    assert (settings.retrieval, settings.rerank, settings.ranking, settings.candidates) == ("chunks", False, "words", 5)


def test_a_whole_number_may_stand_for_a_fraction(toml: Callable[[str], Path]) -> None:
    settings = load_settings(toml("refuse_below = 1\nwriter_timeout = 5"))
    assert (settings.refuse_below, settings.writer_timeout) == (1.0, 5.0)
    assert type(settings.refuse_below) is float


WRONG = [
    ("passges = 3", "unknown setting 'passges'", "passages"),
    ("[chat]\nport = 1", "unknown setting 'chat'", "Known settings"),
    ('passages = "3"', "passages = '3' has the wrong type", "like 10"),
    ("passages = 3.5", "passages = 3.5 has the wrong type", "like 10"),
    ("passages = true", "passages = True has the wrong type", "like 10"),
    ("corpus = 3", "corpus = 3 has the wrong type", "like 'corpus'"),
    ("refuse_below = '0.5'", "refuse_below = '0.5' has the wrong type", "like 0.18"),
    ("host = ['a']", "host = ['a'] has the wrong type", "127.0.0.1"),
    ('mode = "chat"', "mode = 'chat' is not a choice", "'quote' or 'write'"),
    ("mode = []", "mode = [] is not a choice", "'quote' or 'write'"),
    ('retrieval = "words"', "'words' is not a choice", "'fusion' or 'chunks+words' or 'chunks'"),
    ('ranking = "best"', "'best' is not a choice", "'auto' or 'reader' or 'words' or 'cosine'"),
    ("rerank = 1", "rerank = 1 has the wrong type", "like True"),
    ('rerank = "yes"', "rerank = 'yes' has the wrong type", "like True"),
    ('embedding_runtime = "cuda"', "'cuda' is not a choice", "'onnx' or 'onnx-int8' or 'torch'"),
    ("chunk_tokens = 31", "chunk_tokens = 31 is too small", "32 or more"),
    ("passages = 0", "passages = 0 is too small", "1 or more"),
    ("candidates = 0", "candidates = 0 is too small", "1 or more"),
    ("sources = -1", "sources = -1 is too small", "1 or more"),
    ("answer_words = 0", "answer_words = 0 is too small", "1 or more"),
    ("threads = -1", "threads = -1 is too small", "0 or more"),
    ("refuse_below = 1.01", "refuse_below = 1.01 is out of range", "0.0 to 1.0"),
    ("refuse_below = nan", "refuse_below = nan is out of range", "0.0 to 1.0"),
    ('writer_backend = "openai"', "there is no writer_url", "http://127.0.0.1:11434/v1"),
    ('writer_url = "http://127.0.0.1:1/v1"', "writer_model no model on it", "Name one that the server has"),
    ("port = 65536", "port = 65536 is out of range", "1 to 65535"),
    ("passages = = 3", "is not valid TOML", "line 1"),
    ("passages = 3\nsources 3", "is not valid TOML", "line 2"),
]


@pytest.mark.parametrize(("content", "problem", "remedy"), WRONG, ids=[case[0].replace("\n", "; ") for case in WRONG])
def test_a_wrong_setting_is_named_with_its_remedy(
    toml: Callable[[str], Path], content: str, problem: str, remedy: str
) -> None:
    path = toml(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    shown = str(caught.value)
    assert problem in shown
    assert remedy in shown
    assert str(path) in shown
    assert "\n" not in shown


@pytest.mark.parametrize("content", [b"\xff\xfep\x00", b"\x00", b"host = '\x80'"], ids=["UTF-16", "NUL", "Latin-1"])
def test_a_file_that_is_no_text_is_no_settings_file(toml: Callable[[str], Path], content: bytes) -> None:
    path = toml("")
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_settings(path)


@pytest.mark.parametrize(("name", "reason"), [("gone.toml", "No such file"), (".", "Is a directory")])
def test_a_named_file_must_be_readable(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as caught:
        load_settings(tmp_path / name)
    assert "--settings" in caught.value.remedy


def test_values_of_the_command_line_are_checked_too(toml: Callable[[str], Path]) -> None:
    with pytest.raises(SettingsError, match="settings: port = 70000 is out of range"):
        load_settings(port=70000)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert usable_cores(Settings()) == 3
    assert usable_cores(Settings(threads=8)) == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(Settings()) == 1
