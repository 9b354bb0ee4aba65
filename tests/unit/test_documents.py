"""Files become documents without a character changed; what cannot be read is named with its reason."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rag.documents import decode, document_id, read_documents
from rag.errors import CorpusError
from rag.records import Document, SkippedFile

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]


def read(corpus: Path, max_bytes: int = 100_000) -> dict[str, Document | SkippedFile]:
    return {found.path: found for found in read_documents(corpus, max_bytes)}


def test_front_matter_is_read_and_the_text_stays_whole(write_corpus: WriteCorpus) -> None:
    text = '---\ntitle: "Mir"\ndate: 2021-06-18\npublisher: CGTN\nurl: https://example.org/mir\n---\n\nMir flew.\n'
    document = read(write_corpus({"mir.md": text}))["mir.md"]
    assert isinstance(document, Document)
    assert (document.title, document.published, document.publisher) == ("Mir", "2021-06-18", "CGTN")
    assert document.text == text
    assert document.text[document.body_start :] == "\nMir flew.\n"


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", "# The heading\n\nText of the article.", "The heading"),
        ("b.txt", "Download\nA headline of five words\nBy Someone\n\nText.", "A headline of five words"),
        ("c.txt", "Short\n\nText follows here and is quite long.", "Text follows here and is quite long."),
        ("d.txt", "Two words\n", "Two words"),
    ],
)
def test_a_title_is_found_without_front_matter(write_corpus: WriteCorpus, name: str, text: str, title: str) -> None:
    document = read(write_corpus({name: text}))[name]
    assert isinstance(document, Document)
    assert document.title == title


def test_bad_files_are_named_and_the_others_read(write_corpus: WriteCorpus) -> None:
    corpus = write_corpus(
        {
            "good.txt": "One good sentence stands here.",
            "empty.txt": " \n",
            "binary.txt": b"\x00\x01\x02\x89PNG",
            "broken.md": "---\ntitle: [unclosed\n---\nText.",
            "list.md": "---\n- a\n- b\n---\nText.",
            "big.txt": "x" * 2000,
            "picture.png": b"\x89PNG",
            ".hidden.txt": "not for us",
            "sub/deep.md": "Deep text stands in a folder.",
        }
    )
    found = read(corpus, max_bytes=1000)
    reasons = {path: item.reason for path, item in found.items() if isinstance(item, SkippedFile)}
    assert [path for path, item in found.items() if isinstance(item, Document)] == ["good.txt", "sub/deep.md"]
    assert reasons["empty.txt"] == "empty"
    assert reasons["binary.txt"] == "binary file"
    assert "not valid YAML, line 3" in reasons["broken.md"]
    assert "name: value" in reasons["list.md"]
    assert "limit is 1,000" in reasons["big.txt"]
    assert "no reader for .png" in reasons["picture.png"]
    assert ".hidden.txt" not in found


def test_an_unreadable_file_is_skipped(write_corpus: WriteCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus({"secret.txt": "Nobody may read this here."})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    found = read(corpus)["secret.txt"]
    assert isinstance(found, SkippedFile)
    assert found.reason == "cannot be read: Permission denied"


def test_links_are_not_followed(write_corpus: WriteCorpus, tmp_path: Path) -> None:
    corpus = write_corpus({"a.txt": "A file of its own here."})
    outside = tmp_path / "outside.txt"
    outside.write_text("Not part of the corpus.")
    (corpus / "link.txt").symlink_to(outside)
    assert list(read(corpus)) == ["a.txt"]


def test_encodings() -> None:
    assert decode("é – “x”".encode()) == "é – “x”"
    assert decode("é漢".encode("utf-16")) == "é漢"
    assert decode("\ufeffBOM stays".encode()) == "\ufeffBOM stays"
    french = "Après une année à bord, l'équipage européen était prêt à rentrer où il était né. " * 4
    assert decode(french.encode("cp1252")) == french
    assert decode(b"line\r\nline") == "line\r\nline"


def test_ids_are_readable_stable_and_distinct() -> None:
    assert document_id("sub/Apollo–Soyuz 1975.md").startswith("apollo-soyuz-1975-")
    assert document_id("a/x.md") != document_id("b/x.md")
    assert document_id("漢.md").startswith("document-")


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_a_corpus_must_be_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(CorpusError) as caught:
        list(read_documents(tmp_path / name, 1000))
    assert "--corpus" in caught.value.remedy
