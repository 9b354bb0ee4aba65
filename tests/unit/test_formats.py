"""Forty-two articles in every format come out as they were written, with title, date and parts that can be cited."""

import functools
import re
from collections import defaultdict
from pathlib import Path

import pytest

from article_files import Made, Truth, articles, page, pdf, write_all
from rag.documents import SUFFIXES, read_documents, read_file
from rag.documents.article import Article, Content
from rag.documents.canonical import make_safe
from rag.documents.dates import date_in_name, iso_date
from rag.documents.registry import FORMATS, by_name, read_content
from rag.records import Document, SkippedFile
from rag.sentences import split_sentences

MAX_BYTES = 20_000_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Made], dict[str, Document]]:
    folder = tmp_path_factory.mktemp("articles")
    made = write_all(folder, articles())
    found = list(read_documents(folder, MAX_BYTES))
    assert [item for item in found if isinstance(item, SkippedFile)] == []
    return made, {item.path: item for item in found if isinstance(item, Document)}


def body(document: Document) -> str:
    """What is left of the text behind front matter, boilerplate and the title, with single spaces."""
    chars = list(document.text)
    for start, end in document.boilerplate:
        chars[start:end] = " " * (end - start)
    text = " ".join("".join(chars[document.body_start :]).split())
    return text.removeprefix("# ").removeprefix(document.title).strip()


def distance(left: str, right: str) -> int:
    """Edits between two texts (Levenshtein), after what they share at both ends."""
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    left, right = left[start:], right[start:]
    while left and right and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    row = list(range(len(right) + 1))
    for number, char in enumerate(left, start=1):
        above, row[0] = row[0], number
        for column, other in enumerate(right, start=1):
            above, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, above + (char != other))
    return row[-1]


def _dateless(text: str) -> str:
    """``text`` without the date that some pages show above the article."""
    return re.sub(r"^[A-Z][a-z]+ \d{1,2}, \d{4} ", "", text)


def by_format(made: list[Made]) -> dict[str, list[Made]]:
    groups: dict[str, list[Made]] = defaultdict(list)
    for item in made:
        groups[item.path.split("/")[0]].append(item)
    return groups


def test_the_distance_of_texts_is_counted_right() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == distance("abc", "") == 3
    assert distance("same", "same") == 0


def test_every_format_has_its_test_files(corpus: tuple[list[Made], dict[str, Document]]) -> None:
    made, found = corpus
    assert {item.path for item in made} == found.keys()
    assert len(articles()) >= 40
    read = {known.name for known in FORMATS if any(by_name(item.path.split("#")[0]) is known for item in made)}
    assert read == {known.name for known in FORMATS}


def test_the_text_is_the_one_that_was_written(corpus: tuple[list[Made], dict[str, Document]]) -> None:
    made, found = corpus
    rates = {}
    for name, items in by_format(made).items():
        wanted = [" ".join(item.truth.paragraphs) for item in items]
        errors = sum(
            distance(_dateless(body(found[item.path])), text) for item, text in zip(items, wanted, strict=True)
        )
        rates[name] = errors / sum(map(len, wanted))
    assert {name: rate for name, rate in rates.items() if rate > 0.01} == {}


@pytest.mark.parametrize("field", ["title", "date", "author"])
def test_titles_and_dates_are_right(field: str, corpus: tuple[list[Made], dict[str, Document]]) -> None:
    made, found = corpus
    attribute = {"title": "title", "date": "published", "author": "author"}[field]
    stated = [item for item in made if field != "author" or found[item.path].author is not None]
    right = [getattr(found[item.path], attribute) == getattr(item.truth, field) for item in stated]
    assert sum(right) >= 0.95 * len(right)
    assert len(right) >= 0.8 * len(made)


def test_what_was_found_where_is_recorded_for_every_fact(corpus: tuple[list[Made], dict[str, Document]]) -> None:
    _, found = corpus
    for document in found.values():
        places = dict(document.found)
        for field in ("title", "author", "publisher", "published", "url", "licence"):
            assert (getattr(document, field) is not None) == (field in places), (document.path, field)
    assert {dict(found[path].found).get("published") for path in found if path.startswith("html/")} >= {
        "JSON-LD datePublished",
        "meta article:published_time",
        "meta date",
        "time element",
    }


def test_lines_around_the_article_are_left_out_or_marked(corpus: tuple[list[Made], dict[str, Document]]) -> None:
    made, found = corpus
    shown = [
        line
        for item in made
        for line in item.added
        if (start := found[item.path].text.find(line)) >= 0
        and not any(a <= start and start + len(line) <= b for a, b in found[item.path].boilerplate)
    ]
    added = sum(len(item.added) for item in made)
    lost = [
        paragraph
        for item in made
        for paragraph in item.truth.paragraphs
        if " ".join(paragraph.split()) not in body(found[item.path])
    ]
    assert added > 2000
    assert len(shown) <= 0.1 * added  # recall
    assert lost == []  # precision: no line of an article counts as boilerplate


def test_sentences_of_the_source_stand_in_the_text_at_their_offsets(
    corpus: tuple[list[Made], dict[str, Document]],
) -> None:
    made, found = corpus

    @functools.cache
    def source(truth: Truth) -> list[str]:
        text = "\n\n".join(truth.paragraphs)
        return [text[sentence.start : sentence.end] for sentence in split_sentences(text)]

    missing = []
    for item in made:
        document = found[item.path]
        sentences = split_sentences(document.text, document.body_start)
        quotes = {" ".join(document.text[sentence.start : sentence.end].split()) for sentence in sentences}
        missing += [sentence for sentence in source(item.truth) if sentence not in quotes]
    assert missing == []


def test_ranges_and_anchors_lie_in_the_text(corpus: tuple[list[Made], dict[str, Document]]) -> None:
    _, found = corpus
    for document in found.values():
        edges = [edge for pair in document.boilerplate for edge in pair]
        assert edges == sorted(edges)
        assert all(document.body_start <= edge <= len(document.text) for edge in edges)
        offsets = [offset for offset, _ in document.anchors]
        assert offsets == sorted(set(offsets))
        assert all(0 <= offset < len(document.text) for offset in offsets)


def test_pages_of_a_pdf_are_anchors_where_they_begin(tmp_path: Path) -> None:
    truth = articles()[1]
    data, added = pdf(truth)
    (tmp_path / "a.pdf").write_bytes(data)
    (document,) = read_file(tmp_path / "a.pdf", "a.pdf", MAX_BYTES)
    assert isinstance(document, Document)
    pages = sorted({line for line in added if line.startswith("Page")})
    assert len(pages) >= 2
    assert [label for _, label in document.anchors] == [f"p. {number}" for number in range(1, len(pages) + 1)]
    marked = [document.text[start:end] for start, end in document.boilerplate]
    assert sorted(marked) == sorted(added)
    # A paragraph that goes on over the page stays whole: the anchor lies in it.
    assert all(paragraph in document.text for paragraph in truth.paragraphs)


def test_a_paragraph_is_not_broken_by_the_end_of_a_page(tmp_path: Path) -> None:
    for truth in articles()[:12]:
        (tmp_path / "a.pdf").write_bytes(pdf(truth)[0])
        (document,) = read_file(tmp_path / "a.pdf", "a.pdf", MAX_BYTES)
        assert isinstance(document, Document)
        inside = [
            offset
            for offset, _ in document.anchors[1:]
            if offset
            and document.text[offset - 1] != "\n"
            and document.text[offset - 1] in " -abcdefghijklmnopqrstuvwxyz"
        ]
        if inside:
            return
    pytest.fail("no test file has a paragraph over two pages")


def test_hyphens_at_line_ends_were_there_to_be_joined() -> None:
    """The test files would prove nothing without broken words in them."""
    import pypdfium2

    text = ""
    for truth in articles():
        document = pypdfium2.PdfDocument(pdf(truth)[0])
        text += "".join(page_.get_textpage().get_text_bounded() for page_ in document)
    assert text.count("\x02") > 20


def test_chapters_of_a_book_are_anchors(tmp_path: Path) -> None:
    from article_files import epub

    truths = articles()[:3]
    (tmp_path / "book.epub").write_bytes(epub("Three stories", truths, "2024-10-01"))
    (document,) = read_file(tmp_path / "book.epub", "book.epub", MAX_BYTES)
    assert isinstance(document, Document)
    assert (document.title, document.published, document.language) == ("Three stories", "2024-10-01", "en")
    assert [label for _, label in document.anchors] == [truth.title[:80] for truth in truths]
    assert all(document.text[offset:].startswith(label) for offset, label in document.anchors)
    assert "Contents of the book" not in document.text


def test_headings_of_a_page_are_anchors(tmp_path: Path) -> None:
    text = "<p>A paragraph that is long enough to be the main content of this page, and then some more.</p>" * 3
    source = f"<html><body><article><h1>The title</h1>{text}<h2>The second part</h2>{text}</article></body></html>"
    (tmp_path / "a.html").write_text(source)
    (document,) = read_file(tmp_path / "a.html", "a.html", MAX_BYTES)
    assert isinstance(document, Document)
    assert [label for _, label in document.anchors] == ["The second part"]
    assert all(document.text[offset:].startswith(label) for offset, label in document.anchors)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "PDF"), ("a.html", "PDF"), ("a.md", "DOCX"), ("a.zip", "EPUB"), ("a.docx", "ODT"), ("a.txt", "RTF"),
        ("a.txt", "HTML"), ("a.pdf", "HTML"), ("a.doc.txt", "DOCX"), ("a.html", "saved page"), ("a.txt", "WARC"),
        ("a.docx", "zip"),
    ],
)  # fmt: skip
def test_the_content_wins_over_a_wrong_ending(name: str, kind: str, tmp_path: Path) -> None:
    suffix = {"HTML": ".html", "saved page": ".mhtml", "WARC": ".warc"}.get(kind, "." + kind.lower())
    truth = articles()[0]
    made = next(
        item for item in write_all(tmp_path, [truth]) if item.path.split("#")[0].endswith((suffix, suffix + ".gz"))
    )
    data = (tmp_path / made.path.split("#")[0]).read_bytes()
    if kind == "WARC":
        import gzip

        data = gzip.decompress(data)
    (tmp_path / name).write_bytes(data)
    documents = [item for item in read_file(tmp_path / name, name, MAX_BYTES) if isinstance(item, Document)]
    assert [document.title for document in documents] == [truth.title]


def test_text_stays_byte_for_byte_while_other_formats_are_made_safe(tmp_path: Path) -> None:
    hidden = "Mir\u202e flew\u200b from \U000e0041 1986 to 2001, and that was that for the old station."
    (tmp_path / "a.txt").write_text(hidden, "utf-8")
    (tmp_path / "a.html").write_text(f"<html><body><p>{hidden}</p></body></html>", "utf-8")
    (plain,) = read_file(tmp_path / "a.txt", "a.txt", MAX_BYTES)
    (page_,) = read_file(tmp_path / "a.html", "a.html", MAX_BYTES)
    assert isinstance(plain, Document)
    assert isinstance(page_, Document)
    assert plain.text == hidden
    assert page_.text == "Mir flew from 1986 to 2001, and that was that for the old station.\n"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("in\u00advisible\u200b\ufeff", "invisible"),
        ("of\ufb01ce, \ufb02ow, e\ufb00ect", "office, flow, effect"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0645\u06cc\u200c\u0631\u0648\u0645"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("pass\u200dword\u200c", "password"),
        ("\U0001f3f4\U000e0067\U000e0062", "\U0001f3f4"),
        ("10\u00a0%\r\nnext\u2028line\x00\x07", "10 %\nnext\nline"),
        ("\ud800x", "x"),
    ],
)
def test_characters_are_made_safe(text: str, safe: str) -> None:
    assert make_safe(text) == safe


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2021-06-18", "2021-06-18"), ("2021-06-18T09:30:00+02:00", "2021-06-18"), ("2021/6/8", "2021-06-08"),
        ("20210618", "2021-06-18"), ("2021-06", "2021-06"), ("2021", "2021"), ("June 18, 2021", "2021-06-18"),
        ("13:49, June 18, 2021", "2021-06-18"), ("18 June 2021", "2021-06-18"), ("18th of June, 2021", "2021-06-18"),
        ("Fri, 18 Jun 2021 09:30:00 +0000", "2021-06-18"), ("June 2021", "2021-06"), ("Sept. 3, 2020", "2020-09-03"),
        ("D:20210618120000+02'00'", "2021-06-18"), ("18.06.2021", "2021-06-18"), ("06/18/2021", "2021-06-18"),
        ("18/06/2021", "2021-06-18"), ("05/06/2021", "2021"), ("2021-13-40", "2021"), ("2021-02-30", "2021-02"),
        ("yesterday", None), ("", None), ("0000-00-00", None), ("12345678", None), ("1624000000", None),
    ],
)  # fmt: skip
def test_dates_become_iso_dates(written: str, date: str | None) -> None:
    assert iso_date(written) == date


@pytest.mark.parametrize(
    ("path", "date"),
    [
        ("2021-06-18-mir.html", "2021-06-18"), ("news/2021/06/18/mir.html", "2021-06-18"), ("mir_20210618.pdf", "2021-06-18"),
        ("mir 2021.06.18.txt", "2021-06-18"), ("2021-06 mir.txt", "2021-06"), ("2021/mir.txt", None), ("a20210618b.txt", None),
        ("apollo-1975.md", None), ("mir-20211399.txt", None), ("202106.txt", None), ("12-2021-06-18-7.txt", "2021-06-18"),
    ],
)  # fmt: skip
def test_dates_in_names(path: str, date: str | None) -> None:
    assert date_in_name(path) == date


def read(path: str, data: bytes) -> list[Article | SkippedFile]:
    return list(read_content(Content.of_file(data, path, MAX_BYTES)))


def test_rows_that_are_no_article_are_named(tmp_path: Path) -> None:
    rows = b"title,body\nOne,The text of the first row.\n,\nTwo,\nThree,<p>The text of</p><p>the third row.</p>\n"
    first, empty, third = read("a.csv", rows)
    assert isinstance(first, Article)
    assert (first.path, first.text) == ("a.csv#1", "The text of the first row.\n")
    assert empty == SkippedFile("a.csv#2", "empty")
    assert isinstance(third, Article)
    assert (third.path, third.text) == ("a.csv#3", "The text of\n\nthe third row.\n")
    lines = b'{"text": "The first."}\n\nnot json\n[1]\n{"title": "No text"}\n'
    assert [getattr(item, "reason", None) for item in read("a.jsonl", lines)] == [
        None,
        "its line is not valid JSON",
        "it is not an object with fields",
        "no column named text, body or content",
    ]


def test_each_row_has_a_fingerprint_of_its_own() -> None:
    rows = [item for item in read("a.csv", b"text\nOne text.\nTwo texts.\nOne text.\n") if isinstance(item, Article)]
    assert len({row.sha256 for row in rows}) == 2
    assert len({row.path for row in rows}) == 3


def test_one_article_as_json_needs_no_number() -> None:
    (article,) = read("a.json", b'{"headline": "Mir", "content": "It flew.", "author": [{"name": "Ann"}, "Bob"]}')
    assert isinstance(article, Article)
    assert (article.path, article.facts["author"][0]) == ("a.json", "Ann, Bob")


def test_attachments_of_a_message_are_read_too(tmp_path: Path) -> None:
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = (
        "Re: Two files",
        "Ann <a@b.example>",
        "Fri, 18 Jun 2021 09:30:00 +0000",
    )
    mail.set_content("Please find two files attached to this message.\n")
    mail.add_attachment(pdf(articles()[0])[0], maintype="application", subtype="pdf", filename="one.pdf")
    mail.add_attachment(pdf(articles()[1])[0], maintype="application", subtype="pdf", filename="one.pdf")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="logo.png")
    mail.add_attachment(b"PK", maintype="application", subtype="octet-stream", filename="two.exe")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    message, one, same, two = read_file(tmp_path / "a.eml", "a.eml", MAX_BYTES)
    assert isinstance(message, Document)
    assert (message.path, message.title, message.author, message.published) == (
        "a.eml",
        "Two files",
        "Ann",
        "2021-06-18",
    )
    assert isinstance(one, Document)
    assert (one.path, one.title) == ("a.eml#one.pdf", articles()[0].title)
    assert isinstance(same, Document)
    assert (same.path, same.title) == ("a.eml#2 one.pdf", articles()[1].title)
    assert isinstance(two, SkippedFile)
    assert (two.path, two.reason[:18]) == ("a.eml#two.exe", "no reader for .exe")


def test_a_page_without_main_content_is_read_as_a_whole() -> None:
    source = "<html><body><nav>Menu</nav><div>Short notice.</div><script>x</script></body></html>"
    (article,) = read("a.html", source.encode())
    assert isinstance(article, Article)
    assert article.text == "Short notice.\n"


def test_the_encoding_that_a_page_declares_is_used() -> None:
    source = "<html><head><meta charset='windows-1251'></head><body><p>Станция летала с 1986 года.</p></body></html>"
    (article,) = read("a.html", source.encode("cp1251"))
    assert isinstance(article, Article)
    assert article.text == "Станция летала с 1986 года.\n"


def test_every_ending_has_one_reader() -> None:
    assert len(SUFFIXES) == len(set(SUFFIXES))
    assert all(by_name(f"a/B{suffix.upper()}") for suffix in SUFFIXES)
    assert by_name("a/b.exe") is None
    assert by_name("html") is None


def test_layouts_of_pages_differ() -> None:
    from article_files import LAYOUTS

    assert len({page(articles()[0], layout)[0] for layout in range(LAYOUTS)}) == LAYOUTS
