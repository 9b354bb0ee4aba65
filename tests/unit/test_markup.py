"""A document with its parts made visible: nothing is lost, and each part stands where it is."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.markup import as_object, found, pieces, plain
from rag.records import Chunk, Document, Sentence
from rag.terminal import show_markup

TEXT = "---\n---\nShare this\nThe fall of Mir\n\nMir fell in 2001. Nobody was hurt.\nFollow us"


def span(words: str) -> tuple[int, int]:
    start = TEXT.index(words)
    return start, start + len(words)


DOCUMENT = Document(
    "mir-1",
    "mir.pdf",
    TEXT,
    8,
    "ab",
    "The fall of Mir",
    published="2001-03-24",
    boilerplate=(span("Share this"), span("Follow us")),
    anchors=((0, "p. 1"), (TEXT.index("in 2001"), "p. 2")),
    found=(("title", "first line"), ("published", "file name")),
)
CHUNKS = [
    Chunk(
        span("The fall of Mir")[0],
        span("Mir fell in 2001.")[1],
        (Sentence(*span("The fall of Mir"), False), Sentence(*span("Mir fell in 2001."), True)),
    ),
    Chunk(*span("Nobody was hurt."), (Sentence(*span("Nobody was hurt."), True),)),
]


def test_the_plain_form() -> None:
    first, second = (f"\n── chunk {n}: {chunk.start}-{chunk.end} ──\n" for n, chunk in enumerate(CHUNKS, 1))
    assert plain(DOCUMENT, CHUNKS) == (
        f"«p. 1»---\n---\n⌊Share this⌋\n{first}⟨The fall of Mir⟩\n\n⟦Mir fell «p. 2»in 2001.⟧ {second}⟦Nobody was hurt.⟧\n⌊Follow us⌋"
    )


def test_what_was_found_where() -> None:
    assert found(DOCUMENT) == [
        ("title", "The fall of Mir", "first line"),
        ("published", "2001-03-24", "file name"),
        ("language", "en", ""),
    ]


def test_ranges_for_programs() -> None:
    shown = json.loads(json.dumps(as_object(DOCUMENT, CHUNKS)))
    texts = [[TEXT[item["start"] : item["end"]] for item in chunk["sentences"]] for chunk in shown["chunks"]]
    assert texts == [["The fall of Mir", "Mir fell in 2001."], ["Nobody was hurt."]]
    assert [item["citable"] for item in shown["chunks"][0]["sentences"]] == [False, True]
    assert [TEXT[item["start"] : item["end"]] for item in shown["boilerplate"]] == ["Share this", "Follow us"]
    assert shown["pages"] == [{"start": 0, "label": "p. 1"}, {"start": TEXT.index("in 2001"), "label": "p. 2"}]
    assert shown["metadata"]["title"] == {"value": "The fall of Mir", "found": "first line"}
    assert (shown["body_start"], shown["length"]) == (8, len(TEXT))


def test_nothing_can_change_the_terminal() -> None:
    text = "A\x1b[2J\u202e\r\nb\ud800"
    shown = plain(Document("d", "d", text, 0, "", "t\x1b", anchors=((0, "\x07"),)), [])
    assert shown == "«\ufffd»A\ufffd[2J\ufffd\nb\ufffd"


@given(st.data())
def test_the_pieces_are_the_text(data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=40))
    offsets = st.integers(0, len(text))
    ranges = st.lists(offsets, max_size=6, unique=True).map(sorted)
    ends, dim = data.draw(ranges), data.draw(ranges)
    sentences = [Sentence(a, b, data.draw(st.booleans())) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    boilerplate = tuple(zip(dim[::2], dim[1::2], strict=False))
    anchors = tuple((offset, "x") for offset in data.draw(ranges))
    document = Document("d", "d", text, data.draw(offsets), "", "", boilerplate=boilerplate, anchors=anchors)
    shown = list(pieces(document, [Chunk(item.start, item.end, (item,)) for item in sentences]))
    assert "".join(piece.text for piece in shown) == text
    assert sum(piece.begins for piece in shown) == sum(piece.ends for piece in shown)


def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    show_markup(DOCUMENT, CHUNKS)
    out = capsys.readouterr().out
    assert "⟦" not in out
    assert "chunk 2" in out
    assert "\x1b[36mMir fell \x1b[0m" in out
    assert "Nobody was hurt." in out
    assert "title       The fall of Mir  (first line)" in out


Run = Callable[..., SimpleNamespace]


def test_the_command(indexed: Run) -> None:
    shown = indexed("show", "sub/mir.md", "--markup")
    assert (shown.status, shown.err) == (0, "")
    assert "⟦Mir flew from 1986 to 2001 – “for long”.⟧" in shown.out
    assert "title       Mir" in shown.out
    ranges = indexed("show", "sub/mir.md", "--json")
    text = Path("corpus/sub/mir.md").read_bytes().decode()
    (sentence,) = json.loads(ranges.out)["chunks"][0]["sentences"]
    assert text[sentence["start"] : sentence["end"]] == "Mir flew from 1986 to 2001 – “for long”."
    assert indexed("show", "sub/mir.md").out == text
    assert indexed("show", "none", "--markup").status == 2


def test_two_files_with_the_same_text(rag: Run, write_corpus: Callable[[Mapping[str, str]], Path]) -> None:
    write_corpus(
        {"a.txt": "The station fell in 2001.", "b/a.txt": "The station fell in 2001.", "c.txt": "It was large."}
    )
    assert rag("index").status == 0
    for path in ("a.txt", "b/a.txt", "c.txt"):
        assert len(json.loads(rag("show", path, "--json").out)["chunks"]) == 1
