"""What cannot be done is refused in one line on stderr, with the right exit status and nothing on stdout."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.assembly import Assembly

Run = Callable[..., SimpleNamespace]


def refused(result: SimpleNamespace, status: int, *parts: str) -> bool:
    """One line on stderr with these parts, nothing on stdout."""
    assert (result.status, result.out) == (status, "")
    assert result.err.startswith("rag: ")
    assert result.err.count("\n") == 1
    assert result.err.endswith("\n")
    for part in parts:
        assert part in result.err
    return True


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "COMMAND"),
        (["chat"], "invalid choice: 'chat'"),
        (["index", "--fast"], "unrecognized arguments: --fast"),
        (["search", "a", "-k", "0"], "0 is not 1 or more"),
        (["search", "a", "-k", "-3"], "-3 is not 1 or more"),
        (["search", "a", "-k", "many"], "argument -k"),
        (["show"], "DOCUMENT_ID"),
        (["ask", "a", "--mode", "guess"], "invalid choice: 'guess'"),
        (["ask", "a", "b"], "unrecognized arguments: b"),
        (["eval", "--sample", "0"], "0 is not 1 or more"),
        (["eval", "gold.jsonl"], "unrecognized arguments: gold.jsonl"),
        (["eval", "--mode", "guess"], "invalid choice: 'guess'"),
        (["serve", "--port", "x"], "argument --port"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line(rag: Run, arguments: list[str], part: str) -> None:
    assert refused(rag(*arguments), 2, part, "--help")


@pytest.mark.parametrize("question", ["", "  \t\n", "?!…", "\x00", "\u200b", "🚀"])
def test_an_empty_question_is_refused(indexed: Run, question: str) -> None:
    assert refused(indexed("ask", question), 2, "The question is empty")


def test_a_question_of_a_megabyte_is_refused(indexed: Run) -> None:
    assert refused(indexed("ask", "word " * 200_000), 2, "1,000,000 characters", "2,000")


@pytest.mark.parametrize("command", ["ask", "search"])
def test_a_question_must_be_given_once(indexed: Run, command: str) -> None:
    assert refused(indexed(command), 2, "was given", f"rag {command}")
    assert refused(indexed(command, "Mir?", "--batch", "-"), 2, "Both a ")


@pytest.mark.parametrize(
    "arguments",
    [["ask", "When?"], ["search", "Mir"], ["show", "mir.md"], ["search", "Mir", "--index", "elsewhere"]],
    ids=" ".join,
)
def test_a_missing_index_is_told(rag: Run, arguments: list[str]) -> None:
    assert refused(rag(*arguments), 1, "There is no index in", "rag index")


def test_a_missing_corpus_is_told(rag: Run) -> None:
    assert refused(rag("index"), 1, "corpus does not exist", "--corpus")
    assert refused(rag("index", "--corpus", "articles"), 1, "The corpus folder articles does not exist")
    assert not Path("index").exists()


def test_an_unknown_document_is_told(indexed: Run) -> None:
    for name in ("nothing.md", "../../etc/passwd", ""):
        assert refused(indexed("show", name), 2, f"There is no document {name!r}", "rag search")


def test_gold_questions_must_be_there(rag: Run) -> None:
    assert refused(rag("eval", "--questions", "gone.jsonl"), 2, "Cannot read the questions gone.jsonl", "SQuAD", "BEIR")
    assert refused(rag("eval"), 2, "Cannot read the questions tests/gold/questions.jsonl")
    Path("empty.jsonl").write_text("\n")
    assert refused(rag("eval", "--questions", "empty.jsonl"), 2, "empty.jsonl holds no questions")


def test_questions_need_an_index(rag: Run) -> None:
    Path("gold.jsonl").write_text('{"question": "When?", "answers": []}')
    assert refused(rag("eval", "--questions", "gold.jsonl"), 1, "There is no index in", "rag index")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("passges = 1", "unknown setting"),
        ("passages = 0", "too small"),
        ("= 1", "not valid TOML"),
        (None, "No such file"),
    ],
    ids=["unknown", "out of range", "no TOML", "missing"],
)
@pytest.mark.parametrize("command", ["index", "ask", "serve", "info"])
def test_wrong_settings_stop_every_command(rag: Run, command: str, content: str | None, part: str) -> None:
    if content is not None:
        Path("my.toml").write_text(content)
    question = ["Mir?"] if command == "ask" else []
    assert refused(rag("--settings", "my.toml", command, *question), 1, "my.toml", part)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('"When?"', "no 'question'"),
        ('{"query": "When?"}', "no 'question'"),
        ('{"question": null}', "no 'question'"),
        ('{"question": " "}', "The question is empty"),
        (json.dumps({"question": "x" * 2001}), "2,001 characters"),
        ('{"question": "When?", "history": "Mir"}', "history"),
        ('{"question": "When?", "history": [{"role": "system", "content": "x"}]}', "history"),
        ('{"question": "When?", "history": [{"role": "user"}]}', "history"),
    ],
    ids=["cut", "deep", "string", "other key", "null", "empty", "long", "history", "role", "content"],
)
def test_a_bad_line_of_a_batch_is_named_before_anything_is_answered(indexed: Run, line: str, problem: str) -> None:
    Path("batch.jsonl").write_text(f'{{"question": "When did Mir fly?"}}\n\n{line}\n')
    assert refused(indexed("ask", "--batch", "batch.jsonl"), 2, "batch.jsonl, line 3", problem)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["not UTF-8", "missing"])
def test_a_batch_must_be_readable(indexed: Run, content: bytes | None) -> None:
    if content is not None:
        Path("batch.jsonl").write_bytes(content)
    assert refused(indexed("search", "--batch", "batch.jsonl"), 2, "batch.jsonl")


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--since", "last year"], ["'last year' is not a date", "2021-06-18"]),
        (["--until", "2021-13"], ["'2021-13' is not a date"]),
        (["--until", ""], ["'' is not a date"]),
        (["--publisher", "CGTM"], ["'CGTM'", "Did you mean CGTN?"]),
        (["--publisher", "CGTN", "--publisher", "Xinhua"], ["'Xinhua'", "Known are CGTN."]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_filter_that_cannot_be_is_told(indexed: Run, command: str, options: list[str], parts: list[str]) -> None:
    assert refused(indexed(command, "Mir?", *options), 2, *parts)


@pytest.mark.parametrize(
    ("filter", "parts"),
    [
        ("2021", ["filter is not as it must be", '"since": "2021"']),
        ([], ["filter is not as it must be"]),
        ({"publisher": "CGTN"}, ["filter is not as it must be"]),
        ({"publishers": "CGTN"}, ["filter is not as it must be"]),
        ({"publishers": [1]}, ["filter is not as it must be"]),
        ({"since": 2021}, ["filter is not as it must be"]),
        ({"until": {}}, ["filter is not as it must be"]),
        ({"until": "June"}, ["'June' is not a date"]),
        ({"publishers": ["CGTM"]}, ["'CGTM'", "Did you mean CGTN?"]),
    ],
    ids=str,
)
@pytest.mark.parametrize(("command", "key"), [("ask", "question"), ("search", "query")])
def test_a_wrong_filter_of_a_line_is_named_before_anything_is_answered(
    indexed: Run, command: str, key: str, filter: object, parts: list[str]
) -> None:
    rows = [{key: "When did Mir fly?"}, {key: "When did Mir fly?", "filter": filter}]
    Path("batch.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert refused(indexed(command, "--batch", "batch.jsonl"), 2, "batch.jsonl, line 2", *parts)


def test_ctrl_c_is_one_line(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Assembly, "snapshot", stop)
    assert indexed("search", "Mir") == SimpleNamespace(status=130, out="", err="rag: stopped\n")
