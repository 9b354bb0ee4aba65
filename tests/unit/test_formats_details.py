"""Details of single formats: what is left out, where facts come from, and what is joined."""

import io
import json
import sys
import zipfile
from collections.abc import Mapping

import pytest

from rag.documents.article import Article, Content, UnreadableFileError
from rag.documents.registry import by_content, by_name, read_content
from rag.records import SkippedFile

LONG = "This paragraph is long enough to be taken for the main content of a page by whatever looks for it. "


def read(path: str, data: bytes | str) -> list[Article | SkippedFile]:
    return list(read_content(Content.of_file(data if isinstance(data, bytes) else data.encode(), path, 1_000_000)))


def one(path: str, data: bytes | str) -> Article:
    (article,) = read(path, data)
    assert isinstance(article, Article), article
    return article


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def page(head: str = "", body: str = "", attributes: str = "") -> str:
    return f"<!doctype html><html {attributes}><head>{head}</head><body>{body}<p>{LONG * 3}</p></body></html>"


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def docx(body: str, styles: str = "", core: str = "") -> bytes:
    parts = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {WORD}>{styles}</w:styles>",
    }
    if core:
        parts["docProps/core.xml"] = f'<c xmlns:dc="d" xmlns:dcterms="t">{core}</c>'
    return zipped(parts)


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def test_docx_leaves_out_what_was_deleted_and_counts_text_boxes_once() -> None:
    box = f"<w:txbxContent><w:p>{run('A text in a box.')}</w:p></w:txbxContent>"
    body = (
        f"<w:p>{run('Kept text, ')}<w:del><w:r><w:delText>deleted </w:delText></w:r></w:del><w:ins>{run('and inserted')}</w:ins>"
        f"<w:r><w:tab/><w:t>text</w:t><w:br/><w:t>on two lines,</w:t><w:noBreakHyphen/></w:r>"
        f"<w:r><w:instrText>PAGE</w:instrText></w:r>"
        f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:p>"
        f"<w:p/><w:tbl><w:tr><w:tc><w:p>{run('Cell')}</w:p></w:tc></w:tr></w:tbl>"
    )
    assert (
        one("a.docx", docx(body)).text == "Kept text, and inserted text\non two lines,-\n\nA text in a box.\n\nCell\n"
    )


def test_docx_headings_are_known_by_the_names_of_their_styles() -> None:
    styles = "".join(
        f'<w:style w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
        for key, name in (("Titel", "Title"), ("berschrift2", "heading 2"))
    )
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{run(text)}</w:p>'
        for style, text in (("Titel", "Mir"), ("", "The text of the article stands here."), ("berschrift2", "Its end"))
    )
    article = one("a.docx", docx(body, styles))
    assert article.hints["title"] == ("Mir", "first heading")
    assert article.anchors == ((article.text.index("Its end"), "Its end"),)


@pytest.mark.parametrize(
    ("title", "stated"),
    [("Mir", "Mir"), ("Microsoft Word - mir.docx", None), ("Document1", None), ("untitled", None), ("mir.indd", None)],
)
def test_titles_that_programs_make_up_are_none(title: str, stated: str | None) -> None:
    core = f"<dc:title>{title}</dc:title><dc:creator>python-docx</dc:creator><dcterms:created>2021-06-18T10:00:00Z</dcterms:created>"
    article = one("a.docx", docx(f"<w:p>{run('Text of the article.')}</w:p>", core=core))
    assert article.facts.get("title", (None,))[0] == stated
    assert article.hints == {"published": ("2021-06-18T10:00:00Z", "DOCX properties")}


def test_the_main_part_of_a_docx_may_have_a_number() -> None:
    body = f"<w:document {WORD}><w:body><w:p>{run('Text of the article.')}</w:p></w:body></w:document>"
    assert (
        one("a.docx", zipped({"[Content_Types].xml": "", "word/document2.xml": body})).text == "Text of the article.\n"
    )


def test_other_office_files_are_refused_by_name() -> None:
    (skipped,) = read("a.docx", zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}))
    assert skipped == SkippedFile("a.docx", "a table, presentation or drawing of an office program")


@pytest.mark.parametrize(
    ("head", "field", "value", "place"),
    [
        ('<meta name="DC.date.issued" content="2021-06-18">', "published", "2021-06-18", "meta dc.date.issued"),
        ('<meta property="og:title" content="From og">', "title", "From og", "meta og:title"),
        ("<title>A long enough title | Site</title>", "title", "A long enough title", "title element"),
        ("<title>Mir - Soyuz</title>", "title", "Mir - Soyuz", "title element"),
        ('<link rel="canonical" href="https://a.example/b">', "url", "https://a.example/b", "link canonical"),
        ('<link rel="license" href="https://c.example/by">', "licence", "https://c.example/by", "link license"),
    ],
)
def test_what_a_page_states(head: str, field: str, value: str, place: str) -> None:
    assert one("a.html", page(head)).facts[field] == (value, place)


@pytest.mark.parametrize(
    "linked",
    [
        {"@type": "NewsArticle", "headline": "Mir &amp; more", "datePublished": "2021-06-18", "author": {"name": "Ann"}},
        [{"@type": "Organization", "name": "X"}, {"@type": ["Article"], "headline": "Mir &amp; more", "datePublished": "2021-06-18", "author": ["Ann"]}],
        {"@graph": [{"@type": "WebSite"}, {"@type": "BlogPosting", "headline": "Mir &amp; more", "datePublished": "2021-06-18", "author": [{"@type": "Person", "name": "Ann"}]}]},
    ],
)  # fmt: skip
def test_linked_data_comes_first(linked: object) -> None:
    head = f'<meta property="og:title" content="Other"><script type="application/ld+json">{json.dumps(linked)}</script>'
    stated = one("a.html", page(head)).facts
    assert stated["title"] == ("Mir & more", "JSON-LD headline")
    assert (stated["published"][0], stated["author"][0]) == ("2021-06-18", "Ann")


def test_damaged_linked_data_is_passed_over() -> None:
    head = '<script type="application/ld+json">{"@type": "NewsArticle", </script><meta name="author" content="Ann">'
    assert one("a.html", page(head)).facts["author"] == ("Ann", "meta author")


def test_the_heading_is_the_title_without_the_site() -> None:
    article = one("a.html", page("<title>Mir - Site</title>", "<h1>Site</h1><h1>Mir</h1>", 'lang="pt-BR"'))
    assert article.facts["title"] == ("Mir", "h1")
    assert article.facts["language"] == ("pt-BR", "html lang")


def test_pointers_to_other_articles_are_taken_out() -> None:
    body = f'<article><p>{LONG}</p><p>Read more: <a href="/x">Another article of ours</a></p><p>{LONG}</p>'
    body += '<p>Read more about it in <a href="/y">the book</a>, which the library on the corner will gladly lend to you.</p></article>'
    text = one("a.html", page("", body)).text
    assert "Another article" not in text
    assert "will gladly lend" in text


def test_lines_of_preformatted_text_stay_lines() -> None:
    article = one("a.epub", _book("<p>One\nline.</p><pre>first\nsecond</pre>"))
    assert article.text == "One line.\n\nfirst\nsecond\n"


def _book(body: str, extra: Mapping[str, str] | None = None) -> bytes:
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="b.opf"/></container>',
            "b.opf": '<package><metadata><title>T</title></metadata><manifest><item id="a" href="a.xhtml" '
            'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>',
            "a.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/></head><body>{body}</body></html>',
            **(extra or {}),
        }
    )


def test_entities_and_empty_elements_of_xhtml_do_not_swallow_text() -> None:
    article = one("a.epub", _book("<p>Caf&eacute;&nbsp;&mdash;&nosuch; open &amp; cheap.</p><a id='x'/><p>More.</p>"))
    assert article.text == "Café —; open & cheap.\n\nMore.\n".replace("—;", "—")


def test_a_book_whose_fonts_alone_are_locked_is_read() -> None:
    fonts = '<encryption><EncryptedData><CipherReference URI="fonts/a.otf"/></EncryptedData></encryption>'
    assert one("a.epub", _book("<p>Text.</p>", {"META-INF/encryption.xml": fonts})).text == "Text.\n"


def test_a_book_that_lacks_a_chapter_is_named() -> None:
    data = _book("<p>Text.</p>", {})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != "a.xhtml"}
    assert read("a.epub", zipped(parts)) == [SkippedFile("a.epub", "damaged: there is no a.xhtml in it")]


def test_wrapped_lines_of_a_message_are_joined_and_others_kept() -> None:
    wrapped = (
        "Subject: News\nContent-Type: text/plain; charset=utf-8\n\n"
        "This paragraph was broken by the program that sent the message, as soon\n"
        "as a word did not fit on the line any more.\n\nMill Lane 4\nAldermere\n\n-- \nThe desk\n"
    )
    article = one("a.eml", wrapped)
    assert article.text.split("\n\n")[0].endswith(
        "sent the message, as soon as a word did not fit on the line any more."
    )
    assert "Mill Lane 4\nAldermere" in article.text
    assert [article.text[start:end] for start, end in article.boilerplate] == ["The desk"]


def test_a_message_must_have_a_head() -> None:
    (skipped,) = read("a.eml", "Just some text, which is no message at all.\n")
    assert skipped == SkippedFile("a.eml", "it is no message: it has no sender, subject or date")


def test_rtf_with_unicode_and_running_heads() -> None:
    source = r"{\rtf1\ansi\ansicpg1252{\info{\title M\'fcnchen \{1\}}}{\header {\b Head}\par}Caf\'e9 \u8211?open.\par Next.\par}"
    article = one("a.rtf", source)
    assert article.text == "Café –open.\n\nNext.\n"
    assert article.facts["title"] == ("München {1}", "RTF information")


def test_web_archives_keep_pages_and_leave_out_the_rest() -> None:
    def record(kind: str, uri: str, http: bytes) -> bytes:
        head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {uri}\r\nContent-Length: {len(http)}\r\n\r\n"
        return head.encode() + http + b"\r\n\r\n"

    html = page("<title>A page of the archive</title>").encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(html), html)
    archive = (
        record("warcinfo", "", b"software: x\r\n")
        + record("response", "https://a.example/1", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html)
        + record("response", "https://a.example/2", b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\n\r\n" + html)
        + record("response", "https://a.example/3", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nPNG")
        + record(
            "response",
            "https://a.example/4",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        )
    )
    first, second = read("a.warc", archive)
    assert isinstance(first, Article)
    assert isinstance(second, Article)
    assert (first.path, first.facts["url"][0]) == ("a.warc#1", "https://a.example/1")
    assert (second.path, second.facts["url"][0]) == ("a.warc#2", "https://a.example/4")
    assert first.text == second.text
    (article, skipped) = read("a.warc", archive[:-200])
    assert isinstance(article, Article)
    assert skipped == SkippedFile("a.warc", "damaged: it ends within a record")


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"\xef\xbb\xbf <!-- saved --> <!DOCTYPE HTML><p>", "HTML"),
        ("a.md", b"<html lang=en>", "HTML"),
        ("a.md", b"<htmlx> is no tag", "Markdown"),
        ("a.txt", b"PDF is %PDF-1.4", "text"),
        ("a.pdf", b"junk\n%PDF-1.4", "PDF"),
        ("a.html", b"no tags at all", "HTML"),
        ("a.json", b"{\\rtf1}", "RTF"),
    ],
)
def test_only_what_is_sure_counts_more_than_the_ending(name: str, data: bytes, kind: str) -> None:
    named = by_name(name)
    assert named is not None
    assert by_content(data, named).name == kind


def test_what_is_no_pdf_is_refused_as_one() -> None:
    named = by_name("a.pdf")
    assert named is not None
    with pytest.raises(UnreadableFileError, match="no PDF file"):
        by_content(b"Some text", named)


def test_a_missing_library_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    (skipped,) = read("a.html", page())
    assert isinstance(skipped, SkippedFile)
    assert skipped.reason == "a library that reads it is missing (trafilatura); install the package anew"
