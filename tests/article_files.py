"""The articles of ``tests/files`` written in every format that is read, with what was put around them."""

import csv
import datetime
import gzip
import html
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

ARTICLES = Path(__file__).parent / "files" / "articles.jsonl"


@dataclass(frozen=True)
class Truth:
    """One article as it was written."""

    title: str
    date: str
    publisher: str
    author: str
    paragraphs: tuple[str, ...]

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")[:40]

    @property
    def day(self) -> datetime.date:
        return datetime.date.fromisoformat(self.date)

    @property
    def moment(self) -> datetime.datetime:
        return datetime.datetime.combine(self.day, datetime.time(9, 30), datetime.UTC)


@dataclass(frozen=True)
class Made:
    """A file, or an article inside one, with what should be read from it."""

    path: str
    truth: Truth
    added: tuple[str, ...] = ()
    """Lines that are no part of the article."""


def articles() -> list[Truth]:
    lines = ARTICLES.read_text("utf-8").splitlines()
    return [Truth(**{**record, "paragraphs": tuple(record["paragraphs"])}) for record in map(json.loads, lines)]


def text_file(truth: Truth) -> bytes:
    return (truth.title + "\n\n" + "\n\n".join(truth.paragraphs) + "\n").encode()


def markdown(truth: Truth) -> bytes:
    head = f'---\ntitle: "{truth.title}"\ndate: {truth.date}\npublisher: {truth.publisher}\nauthor: {truth.author}\n---\n\n'
    return (head + f"# {truth.title}\n\n" + "\n\n".join(truth.paragraphs) + "\n").encode()


NAVIGATION = ("Home", "Politics", "Business", "Science and Environment", "Sport", "Log in", "Subscribe now")
SHARE = ("Share on Facebook", "Post on X", "Copy link", "Print this page")
COOKIES = "We use cookies to improve your experience. By continuing you agree to our privacy policy."
RELATED = (
    "Ten gardens that you should see this year",
    "What the new budget means for you",
    "Quiz: how well do you know our lakes?",
)
FOOTER = ("About us", "Contact the newsroom", "Terms of use", "All rights reserved.")
NEWSLETTER = "Sign up for our newsletter and get the best stories every morning."

COMMENTS = (
    ("gullwatcher", "I remember when this was all different, and I cannot say that it was better in those days."),
    ("old_tom", "Typical. They find money for this but the road past my house has been a ruin since last spring."),
)
BIOGRAPHY = "writes about everyday life and has been with the paper for nine years."
LAYOUTS = 6


def page(truth: Truth, layout: int) -> tuple[str, tuple[str, ...]]:
    """A page of one of ``LAYOUTS`` sites, which say title and date in ways of their own; and the lines around the article."""
    escape = html.escape
    long_date = f"{truth.day:%B} {truth.day.day}, {truth.day.year}"
    paragraphs = [f"<p>{escape(paragraph)}</p>" for paragraph in truth.paragraphs]
    navigation = "".join(f'<li><a href="/{n}">{line}</a></li>' for n, line in enumerate(NAVIGATION))
    share = "".join(f'<a class="share-button" href="#">{line}</a> ' for line in SHARE)
    related = "".join(f'<li><a href="/r{n}">{line}</a></li>' for n, line in enumerate(RELATED))
    footer = " ".join(f'<a href="/f{n}">{line}</a>' for n, line in enumerate(FOOTER))
    head = f"<title>{escape(truth.title)} | {escape(truth.publisher)}</title>"
    if layout == 0:
        linked = json.dumps(
            {
                "@context": "https://schema.org",
                "@type": "NewsArticle",
                "headline": truth.title,
                "datePublished": truth.moment.isoformat(),
                "author": [{"@type": "Person", "name": truth.author}],
                "publisher": {"@type": "Organization", "name": truth.publisher},
            }
        )
        head += f'<script type="application/ld+json">{linked}</script>'
        middle = f"<article><header><h1>{escape(truth.title)}</h1><p class='byline'>By {truth.author}</p></header>{''.join(paragraphs)}</article>"
        extra: tuple[str, ...] = ()
    elif layout == 1:
        head += (
            f'<meta property="og:title" content="{escape(truth.title)}">'
            f'<meta property="og:site_name" content="{truth.publisher}">'
            f'<meta property="article:published_time" content="{truth.moment.isoformat()}">'
            f'<meta name="author" content="{truth.author}">'
        )
        paragraphs.insert(1, f'<div class="newsletter-box"><p>{NEWSLETTER}</p><button>Sign up</button></div>')
        middle = f'<div class="content"><h1>{escape(truth.title)}</h1><div class="story-body">{"".join(paragraphs)}</div></div>'
        extra = (NEWSLETTER,)
    elif layout == 2:
        head += f'<meta name="date" content="{truth.date}"><meta property="og:site_name" content="{truth.publisher}">'
        middle = (
            f'<main><h1>{escape(truth.title)}</h1><p class="meta">{long_date}</p>'
            f'<figure><img src="a.jpg" alt=""><figcaption>Archive picture</figcaption></figure>{"".join(paragraphs)}</main>'
        )
        extra = ("Archive picture",)
    elif layout == 4:
        # As pages were made around 2000: a table for the layout, lines broken by hand.
        head = f"<title>{escape(truth.title)}</title>"
        lines = "<br><br>\n".join(map(escape, truth.paragraphs))
        middle = (
            f'<table width="100%"><tr><td width="150">{navigation}</td><td><font size="5"><b>{escape(truth.title)}</b></font>'
            f"<br><i>{long_date}</i><br><br>\n{lines}</td></tr></table>"
        )
        extra = ()
    elif layout == 5:
        head += f'<meta itemprop="datePublished" content="{truth.date}">'
        comments = "".join(
            f'<div class="comment"><span class="comment-author">{name}</span><p>{line}</p></div>'
            for name, line in COMMENTS
        )
        inline = f'<p class="read-more"><strong>Read more:</strong> <a href="/r">{RELATED[0]}</a></p>'
        middle = (
            f'<ol class="breadcrumb"><li><a href="/">Start</a></li><li><a href="/n">News desk</a></li></ol>'
            f'<article itemscope><h1 itemprop="headline">{escape(truth.title)}</h1><div class="social">{share}</div>'
            f'<div itemprop="articleBody"><div><div>{paragraphs[0]}</div>{inline}<div class="ad">Advertisement</div>'
            f"{''.join(paragraphs[1:])}</div></div>"
            f'<div class="author-bio"><p>{truth.author} {BIOGRAPHY}</p></div></article>'
            f'<section id="comments"><h3>Comments</h3>{comments}</section>'
        )
        extra = ("Start", "News desk", "Advertisement", "Comments", BIOGRAPHY, *(line for _, line in COMMENTS))
    else:
        head = f"<title>{escape(truth.title)} - {escape(truth.publisher)}</title>"
        middle = (
            f'<div id="article"><h1>{escape(truth.title)}</h1><time datetime="{truth.date}">{long_date}</time>'
            f"{''.join(paragraphs)}</div>"
        )
        extra = ()
    source = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{head}<style>p {{ margin: 0 }}</style>'
        f"<script>var tracker = 'not for readers';</script></head>\n<body>"
        f'<div id="cookie-banner" class="cookie-consent"><p>{COOKIES}</p><button>Accept</button></div>'
        f'<nav><ul>{navigation}</ul></nav>\n{middle}\n<div class="share-tools">{share}</div>'
        f'<aside class="related"><h2>Read more</h2><ul>{related}</ul></aside><footer><p>{footer}</p></footer></body></html>'
    )
    return source, (*NAVIGATION, *SHARE, COOKIES, *RELATED, *FOOTER, *extra)


def saved_page(truth: Truth) -> tuple[bytes, tuple[str, ...]]:
    """As a browser saves a page into one file."""
    source, added = page(truth, 1)
    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = f"https://news.example/{truth.slug}"
    message["Subject"] = truth.title
    message["Date"] = "Tue, 2 Jan 2024 10:00:00 -0000"
    message["MIME-Version"] = "1.0"
    message.set_type("multipart/related")
    part = EmailMessage()
    part.set_content(source, subtype="html", cte="quoted-printable")
    part["Content-Location"] = message["Snapshot-Content-Location"]
    message.attach(part)
    return message.as_bytes(), added


def pdf(truth: Truth) -> tuple[bytes, tuple[str, ...]]:
    """Small pages with running heads and feet, words broken at line ends, and ligatures."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    width, height = 260, 270
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=True)
    canvas.setAuthor(truth.author)
    added: list[str] = []
    head = f"{truth.publisher} · {truth.day:%d.%m.%Y}"

    def begin() -> float:
        number = canvas.getPageNumber()
        canvas.setFont("Vera", 7)
        canvas.drawString(30, height - 20, head)
        canvas.drawCentredString(width / 2, 16, f"Page {number}")
        added.extend((head, f"Page {number}"))
        return height - 50

    def write(text: str, size: int, y: float) -> float:
        lines = _broken(text, lambda part: pdfmetrics.stringWidth(part, "Vera", size) <= width - 60)
        for line in lines:
            if y < 40:
                canvas.showPage()
                y = begin()
            canvas.setFont("Vera", size)
            canvas.drawString(30, y, line)
            y -= 1.3 * size
        return y - 0.8 * size

    y = begin()
    y = write(truth.title, 14, y)
    for paragraph in truth.paragraphs:
        y = write(paragraph.replace("fi", "\ufb01").replace("fl", "\ufb02"), 9, y)
    canvas.showPage()
    canvas.save()
    return out.getvalue(), tuple(added)


def _broken(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """Lines of a narrow column; a long word is broken where a vowel is followed by a consonant."""
    line = ""
    for word in text.split():
        if fits(f"{line} {word}".strip()):
            line = f"{line} {word}".strip()
            continue
        for cut in range(len(word) - 3, 2, -1):
            whole = word.isalpha() and word.islower() and word[cut - 1] in "aeiou" and word[cut] not in "aeiou"
            if whole and len(word) > 6 and fits(f"{line} {word[:cut]}-"):
                yield f"{line} {word[:cut]}-"
                line = word[cut:]
                break
        else:
            yield line
            line = word
    yield line


def docx(truth: Truth) -> tuple[bytes, tuple[str, ...]]:
    import docx as python_docx

    document = python_docx.Document()
    document.core_properties.author = truth.author
    document.core_properties.title = ""
    document.core_properties.created = truth.moment
    document.sections[0].header.paragraphs[0].text = "Internal – do not forward"
    document.add_heading(truth.title, level=0)
    for number, paragraph in enumerate(truth.paragraphs):
        added = document.add_paragraph()
        middle = len(paragraph) // 2
        added.add_run(paragraph[:middle]).bold = number == 0
        added.add_run(paragraph[middle:])
    out = io.BytesIO()
    document.save(out)
    return out.getvalue(), ("Internal – do not forward",)


def epub(title: str, truths: list[Truth], date: str) -> bytes:
    """A book with a chapter for each article."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        items = "".join(
            f'<item id="c{n}" href="c%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(truths))
        )
        spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(truths)))
        book.writestr(
            "OEBPS/book.opf",
            '<?xml version="1.0" encoding="utf-8"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{html.escape(title)}</dc:title>'
            f"<dc:creator>{truths[0].author}</dc:creator><dc:date>{date}T00:00:00Z</dc:date><dc:language>en-GB</dc:language>"
            f"<dc:publisher>{truths[0].publisher}</dc:publisher></metadata>"
            f'<manifest><item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>{items}</manifest>'
            f'<spine><itemref idref="nav"/>{spine}</spine></package>',
        )
        book.writestr("OEBPS/nav.xhtml", _xhtml("Contents", "<nav><ol><li>Contents of the book</li></ol></nav>"))
        for number, truth in enumerate(truths):
            body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in truth.paragraphs)
            book.writestr(f"OEBPS/c {number}.xhtml", _xhtml("", f"<h1>{html.escape(truth.title)}</h1>&nbsp;{body}"))
    return out.getvalue()


def _xhtml(title: str, body: str) -> str:
    shown = f"<title>{title}</title>" if title else "<title/>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{shown}</head><body>{body}</body></html>"
    )


_ODT = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def odt(truth: Truth) -> tuple[bytes, tuple[str, ...]]:
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Checked twice.</text:p></text:note-body></text:note>"
    deleted = "<text:tracked-changes><text:changed-region><text:deletion><text:p>Deleted long ago.</text:p></text:deletion></text:changed-region></text:tracked-changes>"
    first, *rest = (html.escape(paragraph, quote=False) for paragraph in truth.paragraphs)
    first = first.replace(" ", "<text:s/>", 1).replace(" ", " <text:span>", 1) + f"</text:span>{note}"
    body = "".join(f"<text:p>{paragraph}</text:p>" for paragraph in (first, *rest))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as document:
        document.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        document.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_ODT}><office:body><office:text>{deleted}'
            f'<text:h text:outline-level="1">{html.escape(truth.title)}</text:h>{body}</office:text></office:body></office:document-content>',
        )
        document.writestr(
            "meta.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-meta {_ODT}><office:meta><dc:title>{html.escape(truth.title)}</dc:title>'
            f"<meta:initial-creator>{truth.author}</meta:initial-creator><meta:creation-date>{truth.date}T10:00:00</meta:creation-date>"
            "</office:meta></office:document-meta>",
        )
    return out.getvalue(), ("Checked twice.", "Deleted long ago.")


def rtf(truth: Truth) -> tuple[bytes, tuple[str, ...]]:
    def escaped(text: str) -> str:
        plain = text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
        return "".join(char if char.isascii() else f"\\u{ord(char)}?" for char in plain)

    body = "".join(f"\\pard\\sa200 {escaped(paragraph)}\\par\n" for paragraph in (truth.title, *truth.paragraphs))
    day = truth.day
    source = (
        "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\froman Times;}}"
        f"{{\\info{{\\title {escaped(truth.title)}}}{{\\author {escaped(truth.author)}}}"
        f"{{\\creatim\\yr{day.year}\\mo{day.month}\\dy{day.day}\\hr9\\min30}}}}"
        "{\\header\\pard Draft for the desk\\par}\n" + body + "}"
    )
    return source.encode("ascii"), ("Draft for the desk",)


def message(truth: Truth, *, as_html: bool) -> tuple[bytes, tuple[str, ...]]:
    mail = EmailMessage()
    mail["Subject"] = truth.title
    mail["From"] = f"{truth.author} <desk@news.example>"
    mail["To"] = "reader@news.example"
    mail["Date"] = truth.moment
    if as_html:
        source, added = page(truth, 3)
        mail.set_content(source, subtype="html")
        return mail.as_bytes(), added
    wrapped = "\n\n".join("\n".join(_wrapped(paragraph, 72)) for paragraph in truth.paragraphs)
    mail.set_content(wrapped + "\n\n-- \nThe desk, Mill Lane 4\n", cte="quoted-printable")
    return mail.as_bytes(), ("The desk, Mill Lane 4",)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def record(truth: Truth) -> dict[str, str]:
    return {
        "headline": truth.title,
        "date": truth.date,
        "source": truth.publisher,
        "author": truth.author,
        "body": "\n\n".join(truth.paragraphs),
        "url": f"https://news.example/{truth.slug}",
    }


def separated(truths: list[Truth], delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(record(truths[0])), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(record(truth) for truth in truths)
    return out.getvalue().encode("utf-8-sig")


def web_archive(truths: list[Truth]) -> bytes:
    out = io.BytesIO()
    for truth in truths:
        body = page(truth, 0)[0].encode()
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://news.example/{truth.slug}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
        )
        out.write(gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0))
    return out.getvalue()


def write_all(folder: Path, truths: list[Truth]) -> list[Made]:
    """Every article in every format, in one folder for each format."""
    made: list[Made] = []

    def keep(path: str, data: bytes, truth: Truth, added: tuple[str, ...] = ()) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        made.append(Made(path, truth, added))

    simple: dict[str, Callable[[Truth], Any]] = {"docx": docx, "odt": odt, "rtf": rtf, "mhtml": saved_page}
    for number, truth in enumerate(truths):
        keep(f"txt/{truth.date}-{truth.slug}.txt", text_file(truth), truth)
        keep(f"md/{truth.slug}.md", markdown(truth), truth)
        source, added = page(truth, number % LAYOUTS)
        keep(f"html/{truth.slug}.html", source.encode(), truth, added)
        data, added = pdf(truth)
        keep(f"pdf/{truth.day:%Y%m%d}_{truth.slug}.pdf", data, truth, added)
        for suffix, make in simple.items():
            data, added = make(truth)
            keep(f"{suffix}/{truth.slug}.{suffix}", data, truth, added)
        keep(f"epub/{truth.slug}.epub", epub(truth.title, [truth], truth.date), truth, ("Contents of the book",))
        data, added = message(truth, as_html=number % 2 == 1)
        keep(f"eml/{truth.slug}.eml", data, truth, added)
    several = {
        "csv/all.csv": separated(truths, ";"),
        "tsv/all.tsv": separated(truths, "\t"),
        "jsonl/all.jsonl": "".join(json.dumps(record(truth)) + "\n" for truth in truths).encode(),
        "json/all.json": json.dumps({"articles": [record(truth) for truth in truths]}).encode(),
        "warc/all.warc.gz": web_archive(truths),
    }
    for path, data in several.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        made += [Made(f"{path}#{number}", truth) for number, truth in enumerate(truths, start=1)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, truth in enumerate(truths):
            archive.writestr(f"news/{truth.slug}.html", page(truth, number % LAYOUTS)[0])
            made.append(Made(f"zip/all.zip#news/{truth.slug}.html", truth))
    (folder / "zip").mkdir()
    (folder / "zip/all.zip").write_bytes(packed.getvalue())
    return made
