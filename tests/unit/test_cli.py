"""The command line keeps its contract: JSON of a fixed shape, and nothing else on stdout."""

import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag.answering import check_question
from rag.assembly import Assembly
from rag.citations import number_citations
from rag.filters import NO_FILTER, Filter, describe
from rag.picking import Picker
from rag.records import Answer, AnswerSentence, Evidence, Turn
from rag.settings import Settings
from rag.store import Store

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Run = Callable[..., SimpleNamespace]

COMMANDS = ("index", "fetch", "ask", "search", "show", "eval", "serve", "info")
ANSWER_KEYS = (
    "id question standalone_question filter short_answer answer refused confidence sentences unanswered citations "
    "retrieved seconds model generation written carried notice"
).split()
CITATION_KEYS = "number document title path url published start end quote place also_in".split()


def stored_file() -> str:
    return Path("corpus/sub/mir.md").read_bytes().decode()


class CannedAnswerer:
    """Answers every question with the sentence about Mir; remembers what it was asked."""

    def __init__(self, assembly: Assembly) -> None:
        self.asked: list[tuple[str, list[Turn]]] = []
        self.filters: list[Filter] = []
        self._snapshot = assembly.snapshot()
        self._picker: Picker = assembly.picker

    def answer(self, question: str, history: Any = (), filter: Filter = NO_FILTER) -> Answer:
        question = check_question(question)
        self.filters.append(filter)
        self.asked.append((question, list(history)))
        document = self._snapshot.store.document("sub/mir.md")
        assert document is not None
        start, end = document.text.index("Mir flew"), document.text.index("”.") + 2
        citations = number_citations([Evidence(document, start, end, 0.9)])
        return Answer(
            question=question,
            standalone_question="When did Mir fly?",
            short_answer="1986",
            refused=False,
            confidence=0.9,
            text="Mir flew [1].",
            sentences=(AnswerSentence("Mir flew.", "supported", (1,)),),
            citations=citations,
            retrieved=self._picker.passages(self._snapshot, question, 2),
            seconds={"retrieve": 0.01, "evidence": 0.02, "first_token": 0.123456, "total": 0.2},
            model="canned",
            generation=self._snapshot.name,
            filter=describe(filter),
        )


@pytest.fixture
def answerer(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> CannedAnswerer:
    canned = CannedAnswerer(Assembly(Settings()))
    monkeypatch.setattr(Assembly, "answerer", canned)
    return canned


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(rag: Run, command: str) -> None:
    shown = rag(command, "--help")
    summary = next(line for line in rag("--help").out.splitlines() if line.split()[:1] == [command])
    assert (shown.status, shown.err) == (0, "")
    description = " ".join(shown.out.split())
    assert " ".join(summary.split()[1:]).capitalize()[:20] in description
    assert len(description) > 150


def stdin(monkeypatch: pytest.MonkeyPatch, *rows: object, encoding: str = "utf-8") -> None:
    lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode(encoding))))


def test_a_batch_is_answered_in_order(indexed: Run, answerer: CannedAnswerer, monkeypatch: pytest.MonkeyPatch) -> None:
    history = [{"role": "user", "content": "Mir?"}, {"role": "assistant", "content": "A station."}]
    rows = [
        {"id": {"n": 7}, "question": "When did it fly – “long”?", "history": history},
        {"question": "And\u2028then?"},
    ]
    stdin(monkeypatch, *rows, encoding="utf-8-sig")
    result = indexed("ask", "--batch", "-")
    assert (result.status, result.err) == (0, "")
    answers = [json.loads(line) for line in result.out.split("\n")[:-1]]
    assert [answer["id"] for answer in answers] == [{"n": 7}, None]
    assert [answer["question"] for answer in answers] == ["When did it fly – “long”?", "And then?"]
    turns = [Turn("user", "Mir?"), Turn("assistant", "A station.")]
    assert [history for _, history in answerer.asked] == [turns, []]


def test_the_answer_object_is_as_promised(indexed: Run, answerer: CannedAnswerer) -> None:
    result = indexed("ask", "When did it fly?", "--json")
    assert (result.status, result.err) == (0, "")
    answer = json.loads(result.out)
    assert list(answer) == ANSWER_KEYS
    retrieved = answer.pop("retrieved")
    assert [list(passage) for passage in retrieved] == [["document", "start", "end", "score"]] * 2
    (citation,) = answer.pop("citations")
    assert list(citation) == CITATION_KEYS
    text = stored_file()
    assert citation["quote"] == text[citation["start"] : citation["end"]] == "Mir flew from 1986 to 2001 – “for long”."
    assert (citation["path"], citation["url"], citation["published"]) == ("sub/mir.md", None, "2021-06-18")
    assert answer == {
        "id": None,
        "question": "When did it fly?",
        "standalone_question": "When did Mir fly?",
        "filter": "",
        "short_answer": "1986",
        "answer": "Mir flew [1].",
        "refused": False,
        "confidence": 0.9,
        "sentences": [{"text": "Mir flew.", "verdict": "supported", "citations": [1], "as_of": None}],
        "unanswered": [],
        "seconds": {"retrieve": 0.01, "evidence": 0.02, "first_token": 0.1235, "total": 0.2},
        "model": "canned",
        "generation": "gen-000001",
        "written": 0,
        "carried": 0,
        "notice": "",
    }


def test_people_get_the_answer_with_its_source(indexed: Run, answerer: CannedAnswerer) -> None:
    shown = indexed("ask", "When did it fly?").out
    assert "Searched for: When did Mir fly?" in shown
    assert "Mir flew [1]." in shown
    assert "[1] Mir — CGTN, 2021-06-18" in shown
    start = stored_file().index("Mir flew")
    assert f"sub/mir.md:{start}-{start + 40}" in shown


def test_search_objects(indexed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = indexed("search", "When did Mir fly?", "-k", "1", "--json")
    found = json.loads(result.out)
    assert list(found) == ["id", "query", "results"]
    (passage,) = found["results"]
    assert list(passage) == "document title path url publisher published place start end score text".split()
    assert (passage["path"], passage["publisher"]) == ("sub/mir.md", "CGTN")
    assert passage["text"] == stored_file()[passage["start"] : passage["end"]]
    stdin(monkeypatch, {"id": 1, "query": "When did Mir fly?"}, {"id": 2, "query": "first station"})
    lines = [json.loads(line) for line in indexed("search", "-k", "1", "--batch", "-").out.splitlines()]
    assert lines[0] == found | {"id": 1}
    assert (lines[1]["id"], lines[1]["results"][0]["path"]) == (2, "salyut.txt")


def test_articles_are_chosen_by_publisher_and_date(indexed: Run, answerer: CannedAnswerer) -> None:
    result = indexed("ask", "When?", "--publisher", "cgtn", "--since", "2021", "--until", "2021-06", "--json")
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out)["filter"] == "only articles of CGTN, from 2021 to June 2021"
    assert "Searched only articles since 2021." in indexed("ask", "When?", "--since", "2021").out
    assert "Searched only" not in indexed("ask", "When?").out
    assert answerer.filters == [Filter(("CGTN",), "2021", "2021-06"), Filter(since="2021"), NO_FILTER]


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ([], {"sub/mir.md", "salyut.txt"}),
        (["--publisher", "CGTN"], {"sub/mir.md"}),
        (["--publisher", "the cgtn", "--publisher", "CGTN"], {"sub/mir.md"}),
        (["--since", "2021-06-18", "--until", "2021-06-18"], {"sub/mir.md"}),
        (["--since", "2022"], set()),
    ],
)
def test_only_passages_of_the_chosen_articles_are_found(indexed: Run, options: list[str], paths: set[str]) -> None:
    result = indexed("search", "first station", "--json", *options)
    assert {passage["path"] for passage in json.loads(result.out)["results"]} == paths
    assert ("No passage found." in indexed("search", "first station", *options).out) is not bool(paths)


def test_lines_of_a_batch_choose_their_articles(
    indexed: Run, answerer: CannedAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [{"publishers": ["cgtn"], "since": "2021"}, None, {}, {"publishers": [], "since": None, "until": "2020"}]
    stdin(monkeypatch, *({"question": "When?", "filter": filter} for filter in given), {"question": "When?"})
    assert indexed("ask", "--batch", "-", "--since", "2019").status == 0
    since = Filter(since="2019")
    assert answerer.filters == [Filter(("CGTN",), "2021"), since, since, Filter(since="2019", until="2020"), since]
    stdin(monkeypatch, {"query": "first station"}, {"query": "first station", "filter": {"publishers": ["CGTN"]}})
    lines = [json.loads(line)["results"] for line in indexed("search", "--batch", "-").out.splitlines()]
    assert [len({passage["path"] for passage in found}) for found in lines] == [2, 1]


def test_show_prints_the_file_itself(indexed: Run) -> None:
    assert indexed("show", "sub/mir.md") == SimpleNamespace(status=0, out=stored_file(), err="")
    document = Store(Path("index/gen-000001/store.sqlite")).document("sub/mir.md")
    assert document is not None
    assert indexed("show", document.id).out == stored_file()


def test_the_summary_of_indexing(indexed: Run, write_corpus: WriteCorpus) -> None:
    assert indexed("index").out == "The index is up to date: 2 documents, 2 chunks, 3 sentences (gen-000001).\n"
    write_corpus({"new.md": "A new article came in.", "x.png": "x"})
    result = indexed("index", "--json")
    assert (result.status, result.err) == (0, "")
    summary = json.loads(result.out)
    assert summary.pop("seconds") > 0
    assert summary.pop("chunks_per_second") > 0
    reason = "no reader for .png"
    assert summary.pop("skipped") == [{"path": "x.png", "reason": reason}]
    counts = {count.pop("suffix"): count for count in summary.pop("formats")}
    assert counts[".md"]["files"] == counts[".md"]["articles"] == 2
    assert counts[".txt"] == {"files": 1, "articles": 1, "chunks": 1, "characters": 56, "boilerplate": 0}
    assert summary == {
        "generation": "gen-000002",
        "changed": True,
        "documents": 3,
        "chunks": 3,
        "sentences": 4,
        "added": 2,
        "updated": 0,
        "renamed": 0,
        "embedded_texts": 2,
        "embedded_documents": 1,
        "reused_documents": 2,
        "removed_documents": 0,
    }
    shown = indexed("index", "--rebuild").out
    assert f"Skipped 1 files:\n  x.png: {reason}" in shown
    assert "  .txt             1         1         1            56        0.0 %" in shown
