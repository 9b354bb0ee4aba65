"""Question sets are read in three formats; whatever is malformed is named with its place and a remedy."""

import copy
import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag import answering, question_sets
from rag.documents import corpus_files, document_id, read_document, read_documents
from rag.errors import UsageError
from rag.question_sets import GoldPassage, GoldQuestion, QuestionSet, SetText, read_question_set
from rag.records import Document, Turn

DISK = settings(deadline=None)
"""For examples that are files: how long writing them takes is chance."""

SHIPPED = Path(__file__).parents[1] / "gold" / "questions.jsonl"
ROOT = Path(__file__).parents[2]

LINE = {"id": "q1", "question": "When did Mir fly?", "answers": ["1986", "from 1986"]}
HISTORY = [{"role": "user", "content": "What is Mir?"}, {"role": "assistant", "content": "A station [1]."}]

CONTEXT = "Mir flew from 1986. 🚀 It fell in 2001.\r\n"
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Mir_(station)",
            "paragraphs": [
                {"context": "Nobody asks about this one. ", "qas": []},
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "s1",
                            "question": "When did it fall?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "2001", "answer_start": 33},
                                {"text": "in 2001", "answer_start": 30},
                                {"text": "2001", "answer_start": 33},
                            ],
                        },
                        {"id": "s2", "question": "Who paid?", "is_impossible": True, "answers": []},
                        {"id": 3, "question": "Since when?", "answers": [{"text": "1986", "answer_start": 14}]},
                    ],
                },
            ],
        },
        {"title": "mir (STATION)", "paragraphs": []},
    ],
}
SQUAD_QUESTION = ("data", 0, "paragraphs", 1, "qas", 0)
SQUAD_PLACE = "data[0].paragraphs[1].qas[0]"

CORPUS = [
    {"_id": "d1", "title": "Mir", "text": "Mir flew.", "metadata": {}},
    {"_id": "../d 2", "title": "Only a title", "text": ""},
    {"_id": 3, "text": "No title\r\n"},
]
QUERIES = [
    {"_id": "x", "text": ""},
    {"_id": "q2", "text": "What is a title?", "metadata": {}},
    {"_id": "q1", "text": "What flew?"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\r\n\nq1\t3\t1\nq1\tgone\t0\nq2\t../d 2\t1\nx\td1\t-1\n"


def own(folder: Path, *rows: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def squad(folder: Path, root: object) -> Path:
    path = folder / "dev-v2.0.json"
    path.write_text(json.dumps(root), "utf-8")
    return path


def beir(folder: Path, files: dict[str, str | None] | None = None) -> Path:
    """The set above; ``files`` replace its own, None leaves one out."""
    corpus, queries = ("".join(json.dumps(row) + "\n" for row in rows) for rows in (CORPUS, QUERIES))
    every = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": QRELS} | (files or {})
    for name, content in every.items():
        if content is not None:
            path = folder / "nano.v1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
    return folder / "nano.v1"


def changed(place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """SQUAD with another value at a place; ``...`` leaves it out."""
    root = copy.deepcopy(SQUAD)
    parent: Any = root
    for key in place[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return root


def problem_of(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_question_set(path)
    assert str(caught.value).isprintable()
    assert caught.value.remedy.endswith(".")
    return caught.value.problem


# Our own lines


def test_the_shipped_questions() -> None:
    shipped = read_question_set(SHIPPED)
    assert (shipped.name, shipped.texts) == ("questions", ())
    kinds = Counter(question.kind for question in shipped.questions)
    assert set(kinds) >= {"answerable", "unanswerable", "follow-up"}
    for question in shipped.questions:
        assert question.judged
        assert bool(question.answers) == bool(question.passages) == (question.kind != "unanswerable")
        for passage in question.passages:
            text = read_document(ROOT / "corpus" / passage.document, passage.document, 1_000_000).text
            assert passage.text is not None
            assert passage.text in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"id": None}, {"id": "1"}),
        ({"id": 7}, {"id": "7"}),
        ({"answers": []}, {"kind": "unanswerable", "answers": ()}),
        ({"answers": [], "history": HISTORY}, {"kind": "unanswerable", "answers": ()}),
        ({"history": HISTORY, "kind": "follow-up"}, {"kind": "follow-up"}),
        ({"history": None, "kind": None, "document": None, "evidence": None}, {}),
        ({"answers": [["1986"]]}, {"answers": (("1986",),)}),
        ({"answers": [["1986", "86"], ["2001"]]}, {"kind": "two-articles", "answers": (("1986", "86"), ("2001",))}),
        ({"answers": [["a"], ["b"]], "history": HISTORY, "kind": "follow-up"}, {"kind": "follow-up"}),
        ({"document": "a.md"}, {"passages": (GoldPassage("a.md", None),)}),
        ({"document": "a.md", "evidence": " M "}, {"passages": (GoldPassage("a.md", " M "),)}),
        (
            {"document": ["a.md", "b/c.txt"], "evidence": ["M", "N"]},
            {"passages": (GoldPassage("a.md", "M"), GoldPassage("b/c.txt", "N"))},
        ),
        ({"question": "Mir\ud83d\u0000?", "id": "\udc00"}, {"question": "Mir\ufffd\ufffd?", "id": "\ufffd"}),
    ],
    ids=lambda value: ",".join(value) or "plain",
)
def test_own_lines(tmp_path: Path, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read_question_set(own(tmp_path, LINE | fields))
    plain = GoldQuestion("q1", "When did Mir fly?", "answerable", (), (("1986", "from 1986"),), ())
    history = tuple(Turn(**turn) for turn in fields.get("history") or ())
    expected = {"history": history, "answers": tuple(map(tuple, expected.pop("answers", plain.answers)))} | expected
    if "answers" in fields and not isinstance((fields["answers"] or [""])[0], str):
        expected["answers"] = tuple(map(tuple, fields["answers"]))
    assert found == QuestionSet("own", (dataclasses.replace(plain, **expected),))


def test_a_mark_blank_lines_and_other_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "gold"
    second = json.dumps({"question": "Über wen\u2028?", "answers": []}, ensure_ascii=False)
    path.write_bytes(f"\ufeff{json.dumps(LINE)}\r\n\r\n  \n{second}".encode())
    assert [question.id for question in read_question_set(path).questions] == ["q1", "4"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": []}, 'no "id" that is a string or a whole number'),
        ({"id": True}, 'no "id"'),
        ({"id": " "}, 'the "id" is empty'),
        ({"id": "q0"}, "the id 'q0' was already used in line 1"),
        ({"question": None}, 'no "question" that is a string'),
        ({"question": 5}, 'no "question" that is a string'),
        ({"question": " \t?"}, '"question" is empty'),
        ({"question": "\ud800"}, '"question" is empty'),
        ({"question": "q" * 2001}, '"question" has 2,001 characters; the limit is 2,000'),
        ({"answers": None}, 'no "answers" that is a list'),
        ({"answers": "1986"}, 'no "answers" that is a list'),
        ({"answers": [1986]}, '"answers" is neither a list of strings nor'),
        ({"answers": ["1986", " "]}, '"answers" is neither'),
        ({"answers": [["1986"], "2001"]}, '"answers" is neither'),
        ({"answers": ["1986", ["2001"]]}, '"answers" is neither'),
        ({"answers": [["1986"], []]}, '"answers" is neither'),
        ({"history": "earlier"}, '"history" is not a list'),
        ({"history": ["earlier"]}, 'history[0] has no "content"'),
        ({"history": [HISTORY[0], {"role": "user"}]}, 'history[1] has no "content"'),
        ({"history": [HISTORY[0], {"role": "system", "content": ""}]}, "the role of history[1] is neither"),
        ({"history": [{"role": ["user"], "content": ""}]}, "the role of history[0] is neither"),
        ({"kind": "easy"}, '"kind" is none of answerable, unanswerable, follow-up, two-articles'),
        ({"kind": ["answerable"]}, '"kind" is none of'),
        ({"kind": "unanswerable"}, '"kind" is unanswerable, but by its history and answers the question is answerable'),
        ({"kind": "answerable", "answers": []}, "the question is unanswerable"),
        ({"kind": "follow-up"}, "the question is answerable"),
        ({"kind": "follow-up", "history": HISTORY, "answers": []}, "the question is unanswerable"),
        ({"kind": "answerable", "history": HISTORY}, "the question is follow-up"),
        ({"kind": "two-articles"}, "the question is answerable"),
        ({"kind": "answerable", "answers": [["a"], ["b"]]}, "the question is two-articles"),
        ({"document": 5}, '"document" is no string or list of strings'),
        ({"document": ["a.md", ""]}, '"document" is no string or list of strings, or one is empty'),
        ({"document": "a.md", "evidence": [None]}, '"evidence" is no string'),
        ({"document": ["a.md", "b.md"], "evidence": "M"}, '"document" names 2 and "evidence" 1'),
        ({"evidence": "M"}, '"evidence" without "document"'),
    ],
)
def test_malformed_fields(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    path = own(tmp_path, LINE | {"id": "q0"}, LINE | fields)
    assert problem_of(path).startswith(f"{path}, line 2: ")
    assert problem in problem_of(path)


@pytest.mark.parametrize("key", ["question", "answers"])
def test_fields_left_out(tmp_path: Path, key: str) -> None:
    row = {name: value for name, value in LINE.items() if name != key}
    assert f'line 1: no "{key}"' in problem_of(own(tmp_path, row))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\n {\xff}", "line 2: not UTF-8 text (byte 0xff)"),
        (b"\xef\xbb\xbf{\xff}", "line 1: not UTF-8 text (byte 0xff)"),
        ('{"id": 1}'.encode("utf-16"), "line 1: not UTF-8 text (byte 0xff)"),
        (b"\n{'id': 1}\n", "line 2: not JSON at character 2 (Expecting property name"),
        (b"[1]", "line 1: not an object"),
        (b"null", "line 1: not an object"),
        (b"[" * 200_000, "line 1: not JSON that can be read"),
        (b'{"id": ' + b"9" * 5000 + b"}", "line 1: not JSON that can be read"),
        (b'{"id": 1e999}', 'line 1: no "id"'),
        (b'{"id": NaN}', 'line 1: no "id"'),
        (b"", "holds no questions"),
        (b"\xef\xbb\xbf\n \n", "holds no questions"),
    ],
)
def test_malformed_lines(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(data)
    assert problem in problem_of(path)


@pytest.mark.parametrize("name", ["none.jsonl", "none.json", "none", "n" * 300, "nul\0"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the questions .*Name a \.jsonl file"):
        read_question_set(tmp_path / name)


@pytest.mark.parametrize("kind", ["own", "squad", "beir"])
def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = {"own": own(tmp_path, LINE), "squad": squad(tmp_path, SQUAD), "beir": beir(tmp_path)}[kind]

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in problem_of(path)


def test_the_limit_is_that_of_asking() -> None:
    assert question_sets.MAX_QUESTION == answering.MAX_QUESTION


# SQuAD


def test_squad(tmp_path: Path) -> None:
    passage = GoldPassage("Mir_-station.md", CONTEXT)
    assert read_question_set(squad(tmp_path, SQUAD)) == QuestionSet(
        "dev-v2.0",
        (
            GoldQuestion("s1", "When did it fall?", "answerable", (), (("2001", "in 2001"),), (passage,)),
            GoldQuestion("s2", "Who paid?", "unanswerable", (), (), (passage,)),
            GoldQuestion("3", "Since when?", "answerable", (), (("1986",),), (passage,)),
        ),
        (
            SetText("Mir_-station.md", "Mir (station)", f"Nobody asks about this one. \n\n{CONTEXT}"),
            SetText("mir-STATION.md", "mir (STATION)", ""),
        ),
    )


def test_squad_with_a_mark_and_with_characters_that_no_file_holds(tmp_path: Path) -> None:
    qas = [{"id": "1", "question": "Why?", "answers": [{"text": "b\ud800", "answer_start": 2}]}]
    path = tmp_path / "a.JSON"
    root = {"data": [{"paragraphs": [{"context": "a\0b\ud800c", "qas": qas}]}]}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(root).encode())
    found = read_question_set(path)
    assert found.texts == (SetText("text.md", "", "a\ufffdb\ufffdc"),)
    assert found.questions[0].answers == (("b\ufffd",),)
    assert found.questions[0].passages[0].text == "a\ufffdb\ufffdc"


def test_an_impossible_question_needs_no_list_of_answers(tmp_path: Path) -> None:
    path = squad(tmp_path, changed(("data", 0, "paragraphs", 1, "qas", 1, "answers"), ...))
    assert read_question_set(path).questions[1].kind == "unanswerable"


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("data",), ..., 'has no "data" that is a list'),
        (("data",), [], "holds no questions"),
        (("data", 0, "paragraphs"), [], "holds no questions"),
        (("data", 1), "text", "data[1]: not an object"),
        (("data", 0, "title"), 5, 'data[0]: "title" is not a string'),
        (("data", 1, "paragraphs"), None, 'data[1]: no "paragraphs" that is a list'),
        (("data", 0, "paragraphs", 1), [], "data[0].paragraphs[1]: not an object"),
        (("data", 0, "paragraphs", 1, "context"), " \u200b", 'data[0].paragraphs[1]: no "context" that is a string'),
        (("data", 0, "paragraphs", 0, "qas"), ..., 'data[0].paragraphs[0]: no "qas" that is a list'),
        (SQUAD_QUESTION, None, f"{SQUAD_PLACE}: not an object"),
        ((*SQUAD_QUESTION, "question"), "", f'{SQUAD_PLACE}: "question" is empty'),
        ((*SQUAD_QUESTION, "question"), "q" * 2001, f'{SQUAD_PLACE}: "question" has 2,001 characters'),
        ((*SQUAD_QUESTION, "id"), ..., f'{SQUAD_PLACE}: no "id"'),
        ((*SQUAD_QUESTION, "id"), "3", f"data[0].paragraphs[1].qas[2]: the id '3' was already used in {SQUAD_PLACE}"),
        ((*SQUAD_QUESTION, "is_impossible"), 0, f'{SQUAD_PLACE}: "is_impossible" is neither true nor false'),
        ((*SQUAD_QUESTION, "is_impossible"), True, f'{SQUAD_PLACE}: answers although "is_impossible" is true'),
        ((*SQUAD_QUESTION, "answers"), [], f'{SQUAD_PLACE}: no answers although "is_impossible" is false'),
        ((*SQUAD_QUESTION, "answers"), ..., f'{SQUAD_PLACE}: no "answers" that is a list'),
        ((*SQUAD_QUESTION, "answers", 1), "in 2001", f"{SQUAD_PLACE}.answers[1]: not an object"),
        ((*SQUAD_QUESTION, "answers", 1, "text"), " ", f'{SQUAD_PLACE}.answers[1]: no "text" that is a string'),
        ((*SQUAD_QUESTION, "answers", 1, "answer_start"), 30.0, f'{SQUAD_PLACE}.answers[1]: no "answer_start"'),
        ((*SQUAD_QUESTION, "answers", 1, "answer_start"), True, f'{SQUAD_PLACE}.answers[1]: no "answer_start"'),
        (
            (*SQUAD_QUESTION, "answers", 1, "answer_start"),
            31,
            f"{SQUAD_PLACE}.answers[1]: the answer 'in 2001' does not stand at 31 in its context",
        ),
        ((*SQUAD_QUESTION, "answers", 1, "answer_start"), -11, "does not stand at -11 in its context"),
        ((*SQUAD_QUESTION, "answers", 1, "answer_start"), 10**4000, f"does not stand at 1{'0' * 58}… in its context"),
        ((*SQUAD_QUESTION, "answers", 1, "text"), "\x1b[31m" + "x" * 99, r"the answer '\x1b[31mxxx"),
    ],
)
def test_malformed_squad(tmp_path: Path, place: tuple[str | int, ...], value: object, problem: str) -> None:
    path = squad(tmp_path, changed(place, value))
    assert problem_of(path).startswith(str(path))
    assert problem in problem_of(path)


def test_a_misplaced_answer_is_told_its_place(tmp_path: Path) -> None:
    start = (*SQUAD_QUESTION, "answers", 0, "answer_start")
    with pytest.raises(UsageError, match="It first stands at 33, counted in characters"):
        read_question_set(squad(tmp_path, changed(start, 34)))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'\xef\xbb\xbf{\n\n"\xff"}', ", line 3: not UTF-8 text (byte 0xff)"),
        (b'{"id": 1}\n{"id": 2}\n', ", line 2: not JSON at character 1 (Extra data)"),
        (b"", ", line 1: not JSON"),
        (b"[]", ' has no "data" that is a list'),
        (b"[" * 200_000, " is not JSON that can be read"),
        (b"9" * 5000, " is not JSON that can be read"),
    ],
)
def test_malformed_json(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "squad.json"
    path.write_bytes(data)
    assert f"{path}{problem}" in problem_of(path)


# BEIR


@pytest.mark.parametrize("qrels", ["test.tsv", "dev.tsv"])
def test_beir(tmp_path: Path, qrels: str) -> None:
    folder = beir(tmp_path, {"qrels/test.tsv": None, f"qrels/{qrels}": QRELS, "qrels/._x.tsv": ""})
    flew = (GoldPassage("d1.md", None, 2), GoldPassage("3.md", None, 1))
    title = (GoldPassage("d-2.md", None, 1),)
    assert read_question_set(folder) == QuestionSet(
        "nano.v1",
        (
            GoldQuestion("q2", "What is a title?", "answerable", (), (), title, judged=False),
            GoldQuestion("q1", "What flew?", "answerable", (), (), flew, judged=False),
        ),
        (
            SetText("d1.md", "Mir", "Mir flew."),
            SetText("d-2.md", "Only a title", "Only a title"),
            SetText("3.md", "", "No title\r\n"),
        ),
    )


def test_test_goes_before_other_splits_and_later_scores_before_earlier(tmp_path: Path) -> None:
    qrels = QRELS + "q1\td1\t0\n"
    found = read_question_set(beir(tmp_path, {"qrels/dev.tsv": "", "qrels/test.tsv": qrels}))
    assert [passage.document for passage in found.questions[1].passages] == ["3.md"]


HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"corpus.jsonl": None}, "it lacks corpus.jsonl"),
        (
            {"corpus.jsonl": None, "queries.jsonl": None, "qrels/test.tsv": None, "x": ""},
            "it lacks corpus.jsonl and queries.jsonl and qrels/test.tsv",
        ),
        (
            {"qrels/test.tsv": None, "qrels/dev.tsv": "", "qrels/train.tsv": ""},
            "holds several files and no test.tsv: dev.tsv, train.tsv",
        ),
        ({"qrels/test.tsv": ""}, "test.tsv, line 1: the header is missing"),
        ({"qrels/test.tsv": "\nq1\td1\t1\n"}, "test.tsv, line 2: the header is missing"),
        ({"qrels/test.tsv": HEADER}, "test.tsv holds no score above 0"),
        ({"qrels/test.tsv": HEADER + "q1\td1\t0"}, "test.tsv holds no score above 0"),
        ({"qrels/test.tsv": HEADER + "q1 d1 1"}, "test.tsv, line 2: there must be 3 fields between tabs, not 1"),
        ({"qrels/test.tsv": QRELS + "q1\t0\td1\t1"}, "test.tsv, line 8: there must be 3 fields between tabs, not 4"),
        ({"qrels/test.tsv": HEADER + "q1\td1\t1.0"}, "line 2: the score '1.0' is no whole number"),
        ({"qrels/test.tsv": HEADER + "q1\td1\t1_0"}, "line 2: the score '1_0'"),
        ({"qrels/test.tsv": HEADER + "q1\td1\t" + "9" * 5000}, "line 2: the score '999"),
        (
            {"qrels/test.tsv": QRELS + "q8\td1\t1\nq9\td1\t1\nq8\t3\t1\n"},
            "test.tsv, line 8: 'q8' is not in queries.jsonl; unknown queries in all: 2",
        ),
        (
            {"qrels/test.tsv": QRELS + "q1\tgone\t1\n"},
            "test.tsv, line 8: 'gone' is not in corpus.jsonl; unknown documents in all: 1",
        ),
        ({"queries.jsonl": '{"_id": "q1"}'}, 'queries.jsonl, line 1: no "text" that is a string'),
        ({"queries.jsonl": '{"text": "q1"}'}, 'queries.jsonl, line 1: no "_id"'),
        ({"queries.jsonl": '{"_id": "x"}\n' * 2}, "queries.jsonl, line 2: the id 'x' was already used in line 1"),
        ({"queries.jsonl": "q1"}, "queries.jsonl, line 1: not JSON"),
        ({"corpus.jsonl": '{"_id": "d1"}'}, 'corpus.jsonl, line 1: no "text" that is a string'),
        ({"corpus.jsonl": '{"_id": "d1", "title": 1, "text": ""}'}, 'corpus.jsonl, line 1: "title" is not a string'),
        ({"corpus.jsonl": '\n{"_id": "d", "text": ""}' * 2}, "corpus.jsonl, line 3: the id 'd' was already used"),
        ({"corpus.jsonl": "[]"}, "corpus.jsonl, line 1: not an object"),
        ({"corpus.jsonl": ""}, "'d1' is not in corpus.jsonl; unknown documents in all: 3"),
    ],
)
def test_malformed_beir(tmp_path: Path, files: dict[str, str | None], problem: str) -> None:
    assert problem in problem_of(beir(tmp_path, files))


# Texts


def corpus_of(tmp_path: Path, ids: list[str]) -> tuple[SetText, ...]:
    rows = [{"_id": str(number), "title": "", "text": "T"} for number in range(len(ids))]
    corpus = "".join(json.dumps(row | {"_id": name}) + "\n" for row, name in zip(rows, ids, strict=True))
    qrels = f"{HEADER}q1\t{ids[0]}\t1\n"
    return read_question_set(beir(tmp_path, {"corpus.jsonl": corpus, "qrels/test.tsv": qrels})).texts


def test_file_names_are_safe_and_unique(tmp_path: Path) -> None:
    names = {
        "../../etc/passwd": "etc-passwd.md",
        "a/b": "a-b.md",
        "a\\b": "a-b-2.md",
        "A-B": "A-B-3.md",
        "a-b-4": "a-b-4.md",
        "a:b": "a-b-5.md",
        "CON": "text-CON.md",
        "nul.x": "text-nul.x.md",
        "com¹": "text-com1.md",
        "console": "console.md",
        ".hidden": "hidden.md",
        "…": "text.md",
        "日本": "text-2.md",
        "Beyonce\u0301": "Beyonce.md",
        "\x00\n": "text-3.md",
        "x" * 300: "x" * 80 + ".md",
        "x" * 301: "x" * 80 + "-2.md",
        "10.1000/x_y-z": "10.1000-x_y-z.md",
    }
    texts = corpus_of(tmp_path, list(names))
    assert [text.file for text in texts] == list(names.values())
    question_sets.write_corpus(texts, tmp_path / "corpus")
    assert {path.name for path in corpus_files(tmp_path / "corpus")} == set(names.values())
    assert len({document_id(text.file) for text in texts}) == len(names)


def test_many_equal_names_take_linear_time(tmp_path: Path) -> None:
    texts = corpus_of(tmp_path, ["é" * 100 + "文" * number for number in range(5000)])
    assert len({text.file.lower() for text in texts}) == 5000


def test_squad_goes_round_through_the_reader_of_documents(tmp_path: Path) -> None:
    contexts = [
        "---\na: b\n---\nText.",
        "\ufeffWindows.\r\n",
        "\r Old Mac\r",
        " Two\u2028lines\x0b\x85 \x1b\n\n\n",
        "---",
    ]
    paragraphs = [
        {"context": context, "qas": [{"id": str(number), "question": "Why?", "answers": []}]}
        for number, context in enumerate(contexts)
    ]
    found = read_question_set(squad(tmp_path, {"data": [{"title": "A: \"b\" 'c' #", "paragraphs": paragraphs}]}))
    question_sets.write_corpus(found.texts, tmp_path / "new" / "corpus")
    (document,) = read_documents(tmp_path / "new" / "corpus", 100_000)
    assert isinstance(document, Document)
    assert document.title == "A: \"b\" 'c' #"
    assert document.text[document.body_start :] == "\n\n".join(contexts)
    for question, context in zip(found.questions, contexts, strict=True):
        assert question.passages == (GoldPassage(document.path, context),)


@DISK
@given(st.text(), st.text())
@example("", "---\ntitle: x\n---\n")
@example("---\n", "---")
@example("🚀\x00\x7f\x85\u2028\ufeff\uffff\ud800\U0001ffff: #", "\r\n---")
@example("t" * 50_000, "T")
def test_any_title_and_text_go_round(tmp_path_factory: pytest.TempPathFactory, title: str, body: str) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    text = body.replace("\0", "") + "."
    question_sets.write_corpus([SetText("a.md", title, text), SetText("b.md", title, " \n\u200b")], folder)
    (document,) = read_documents(folder, 1_000_000)
    assert isinstance(document, Document)
    assert document.text[document.body_start :] == text


def test_a_corpus_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write the texts of the question set to"):
        question_sets.write_corpus([SetText("a.md", "", "A")], tmp_path / "file")


# Anything at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800")
WORDS = [
    "id",
    "question",
    "answers",
    "kind",
    "history",
    "document",
    "evidence",
    "role",
    "content",
    "user",
    "answerable",
]
WORDS += [
    "data",
    "title",
    "paragraphs",
    "context",
    "qas",
    "is_impossible",
    "text",
    "answer_start",
    "_id",
    "unanswerable",
]
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=20,
)
"""JSON with the names of our fields in wrong places."""
OWN_ROWS = st.fixed_dictionaries(
    {"question": st.text(max_size=9) | ANYTHING, "answers": st.lists(st.text(), max_size=3) | ANYTHING},
    optional=dict.fromkeys(("id", "kind", "history", "document", "evidence"), ANYTHING),
)
SQUAD_PLACES = [SQUAD_QUESTION[:length] for length in range(1, 7)] + [("data", 0, "paragraphs", 1, "context")]
SQUAD_PLACES += [(*SQUAD_QUESTION, key) for key in ("id", "question", "is_impossible", "answers")]
SQUAD_PLACES += [(*SQUAD_QUESTION, "answers", 1, key) for key in ("text", "answer_start")]


def check_any(path: Path) -> None:
    try:
        found = read_question_set(path)
    except UsageError as error:
        assert error.problem  # noqa: PT017 - either outcome is right
    else:
        assert found.questions
        json.dumps(dataclasses.asdict(found), ensure_ascii=False, allow_nan=False).encode()


@DISK
@given(st.binary() | st.text().map(str.encode) | ANYTHING.map(json.dumps).map(str.encode), st.sampled_from(range(5)))
def test_arbitrary_files_give_a_set_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, which: int
) -> None:
    folder = tmp_path_factory.mktemp("set")
    name = ["own.jsonl", "squad.json", "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"][which]
    path = folder / name if which < 2 else beir(folder) / name
    path.write_bytes(data)
    check_any(path if which < 2 else folder / "nano.v1")


@DISK
@given(st.lists(OWN_ROWS, min_size=1, max_size=3))
def test_arbitrary_rows_give_a_set_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    check_any(own(tmp_path_factory.mktemp("set"), *rows))


@DISK
@given(st.sampled_from(SQUAD_PLACES), ANYTHING)
def test_arbitrary_values_in_squad_give_a_set_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str | int, ...], value: object
) -> None:
    check_any(squad(tmp_path_factory.mktemp("set"), changed(place, value)))
