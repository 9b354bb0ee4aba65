"""Files become documents without a character changed; what cannot be read is named with its reason."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rag.documents import corpus_files, decode, document_id, left_alone, read_documents
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
    found = read(corpus)
    assert isinstance(found["a.txt"], Document)
    assert found["link.txt"] == SkippedFile("link.txt", "a link, which is not followed")
    assert [file.name for file in corpus_files(corpus)] == ["a.txt"]
    assert left_alone(corpus) == [found["link.txt"]]


def test_folders_that_belong_to_saved_pages_are_left_alone(write_corpus: WriteCorpus) -> None:
    names = [
        "Mir.html",
        "Mir_files/ad.html",
        "Mir_files/deep/a.txt",
        "other_files/b.txt",
        "old.htm",
        "old-Dateien/c.txt",
    ]
    corpus = write_corpus(dict.fromkeys(names, "<html><body><p>Some text stands here.</p></body></html>"))
    assert [file.relative_to(corpus).as_posix() for file in corpus_files(corpus)] == [
        "Mir.html",
        "old.htm",
        "other_files/b.txt",
    ]


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
    assert document_id("news/table.csv#3").startswith("table-3-")
    assert document_id("press.zip#2021/salyut.txt").startswith("salyut-")
    assert document_id("漢" * 60 + ".csv#31").startswith("31-")


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_a_corpus_must_be_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(CorpusError) as caught:
        list(read_documents(tmp_path / name, 1000))
    assert "--corpus" in caught.value.remedy


def test_where_each_fact_was_found_is_recorded(write_corpus: WriteCorpus) -> None:
    corpus = write_corpus(
        {
            "a.md": "---\npublisher: CGTN\nurl: https://example.org/mir\n---\n# Mir comes home\n\nMir flew.\n",
            "2021-06-18 b.txt": "A headline of five words\n\nText follows here.",
        }
    )
    found = {path: dict(item.found) for path, item in read(corpus).items() if isinstance(item, Document)}
    assert found["a.md"] == {"publisher": "front matter", "url": "front matter", "title": "first heading"}
    assert found["2021-06-18 b.txt"] == {"published": "file name", "title": "first line"}


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("date: June 18, 2021", "published", "2021-06-18"),
        ("date: 2021-06", "published", "2021-06"),
        ("date: 2021", "published", "2021"),
        ("date: soon", "published", None),
        ("url: javascript:alert(1)", "url", None),
        ("url: https://example.org/a", "url", "https://example.org/a"),
        ("language: pt-BR", "language", "pt"),
        ("language: Portuguese", "language", "en"),
        ("author: '\u202eYL\u200b FR'", "author", "YL FR"),
        ("author: ' '", "author", None),
    ],
)
def test_facts_take_one_form(write_corpus: WriteCorpus, line: str, field: str, value: str | None) -> None:
    document = read(write_corpus({"a.md": f"---\n{line}\n---\nText of the article."}))["a.md"]
    assert getattr(document, field) == value


def test_an_article_may_not_have_the_name_of_one_inside_a_file(write_corpus: WriteCorpus) -> None:
    corpus = write_corpus({"rows.csv": "text\nThe text of a row.\n", "rows.csv#1.txt": "Text.", "C# notes.md": "Text."})
    found = read(corpus)
    assert isinstance(found["C# notes.md"], Document)
    assert isinstance(found["rows.csv#1"], Document)
    assert found["rows.csv#1.txt"] == SkippedFile(
        "rows.csv#1.txt", "its name is that of an article inside rows.csv; rename it"
    )


def test_declared_encodings_are_believed_where_the_bytes_allow_it() -> None:
    russian = "Станция Мир летала с 1986 по 2001 год."
    assert decode(russian.encode("koi8-r"), "koi8-r") == russian
    assert decode(russian.encode(), "koi8-r") == russian
    assert decode("“Mir”".encode("cp1252"), "iso-8859-1") == "“Mir”"
    assert "Mir" in decode("Caf\u00e9 Mir ist ge\u00f6ffnet".encode("cp1252"), "no-such-encoding")
