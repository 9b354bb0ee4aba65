"""Files that visitors add and delete: only articles, only in the corpus folder, never in place of another one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.corpus import add_file, remove_file
from rag.errors import CorpusError

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".html")
TEXT = b"Mir flew from 1986 to 2001.\n"


def test_a_file_is_added_as_it_is(tmp_path: Path) -> None:
    corpus = tmp_path / "new"
    assert add_file(corpus, "Mir station.md", TEXT, 1000) == "Mir station.md"
    assert (corpus / "Mir station.md").read_bytes() == TEXT
    assert [file.name for file in corpus.iterdir()] == ["Mir station.md"]


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [add_file(tmp_path, "mir.txt", TEXT + bytes([n + 65]), 1000) for n in range(3)]
    assert names == ["mir.txt", "mir-2.txt", "mir-3.txt"]
    assert (tmp_path / "mir.txt").read_bytes().endswith(b"A")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd.md", "passwd.md"),
        ("C:\\Users\\me\\notes.TXT", "notes.txt"),
        (".hidden.md", "hidden.md"),
        ("....md", "article.md"),
        ("a<b>:c|d?.md", "a-b--c-d.md"),
        ("Салют.md", "Салют.md"),
        ("ж" * 200 + ".md", "ж" * 60 + ".md"),
    ],
)
def test_names_are_made_safe(tmp_path: Path, name: str, stored: str) -> None:
    assert add_file(tmp_path, name, TEXT, 1000) == stored


@given(st.text(max_size=60), st.sampled_from(TEXT_SUFFIXES))
def test_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, stem: str, suffix: str) -> None:
    corpus = tmp_path_factory.mktemp("corpus")
    stored = add_file(corpus, stem + suffix, TEXT, 1000)
    assert [file.name for file in corpus.iterdir()] == [stored]
    assert not stored.startswith(".")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("mir.exe", TEXT, "format that is not read"),
        ("mir", TEXT, "format that is not read"),
        ("mir.md", b"", "empty"),
        ("mir.md", b"\x00\x01", "binary"),
        ("mir.md", b"x" * 2000, "the limit is 1,000"),
        ("mir.pdf", TEXT, "no PDF file"),
        ("mir.html", b"<html></html>", "no text in it"),
        ("mir.csv", b"name,age\nMir,15\n", "no column named text"),
        ("mir.md", b"---\na: [\n---\ntext", "front matter"),
    ],
)
def test_what_is_no_article_is_refused_and_leaves_nothing(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    with pytest.raises(CorpusError, match=part):
        add_file(tmp_path, name, content, 1000)
    assert list(tmp_path.iterdir()) == []


def test_deleting(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mir.md").write_bytes(TEXT)
    remove_file(tmp_path, "sub/mir.md")
    assert not (tmp_path / "sub" / "mir.md").exists()


def test_an_article_inside_a_file_goes_with_the_file(tmp_path: Path) -> None:
    name = add_file(tmp_path, "rows.csv", b"title,text\nMir,It flew from 1986 to 2001.\n", 1000)
    with pytest.raises(CorpusError, match="one of the articles in rows"):
        remove_file(tmp_path, f"{name}#1")
    remove_file(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_which_only_a_part_is_readable_is_taken(tmp_path: Path) -> None:
    rows = b'{"text": "Mir flew from 1986 to 2001."}\nbroken\n'
    assert add_file(tmp_path, "rows.jsonl", rows, 1000) == "rows.jsonl"


@pytest.mark.parametrize("path", ["mir.md", "../secret.md", "/etc/passwd", ".hidden.md", "link.md", "", "sub"])
def test_only_articles_can_be_deleted(tmp_path: Path, path: str) -> None:
    corpus = tmp_path / "corpus"
    (corpus / "sub").mkdir(parents=True)
    (tmp_path / "secret.md").write_bytes(TEXT)
    (corpus / ".hidden.md").write_bytes(TEXT)
    (corpus / "link.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(CorpusError, match="no file"):
        remove_file(corpus, path)
    assert (tmp_path / "secret.md").exists()
    assert (corpus / ".hidden.md").exists()
    assert (corpus / "link.md").is_symlink()
