"""Files that want to hang, crash, fill or mislead the reader are skipped by name or bounded; the others are read."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from article_files import articles, docx, epub, message, odt, page, pdf, record, rtf, saved_page, web_archive
from rag.documents import SUFFIXES, corpus_files, messages, read_documents, read_file
from rag.documents.article import Content
from rag.documents.registry import read_content
from rag.documents.sandbox import Sandbox
from rag.records import Document, SkippedFile

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
MAX_BYTES = 1_000_000
GOOD = "The one good article of this folder has two sentences. This is the second one."
TRUTH = articles()[0]
FILES: dict[str, bytes] = {
    "a.html": page(TRUTH, 0)[0].encode(),
    "a.mhtml": saved_page(TRUTH)[0],
    "a.pdf": pdf(TRUTH)[0],
    "a.docx": docx(TRUTH)[0],
    "a.epub": epub(TRUTH.title, [TRUTH], TRUTH.date),
    "a.odt": odt(TRUTH)[0],
    "a.rtf": rtf(TRUTH)[0],
    "a.json": json.dumps([record(TRUTH)]).encode(),
    "a.eml": message(TRUTH, as_html=True)[0],
    "a.warc.gz": web_archive([TRUTH]),
}


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


FILES["a.zip"] = zipped({"a.html": FILES["a.html"], "b.txt": GOOD.encode()})


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One whose worker ends with the test."""
    found = Sandbox()
    yield found
    found.close()


def read(corpus: Path, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Document], dict[str, str]]:
    """Documents and reasons by path; the good article must always be among the documents."""
    (corpus / "zz-good.txt").write_text(GOOD)
    found = list(read_documents(corpus, max_bytes))
    documents = {item.path: item for item in found if isinstance(item, Document)}
    reasons = {item.path: item.reason for item in found if isinstance(item, SkippedFile)}
    assert documents.pop("zz-good.txt").text == GOOD
    return documents, reasons


def test_bombs_are_defused(write_corpus: WriteCorpus) -> None:
    zeros = b"0 " * 5_000_000
    bomb = zipped({"zeros.txt": zeros})
    nested = zipped({"a.txt": GOOD.encode()})
    for _ in range(6):
        nested = zipped({"inner.zip": nested})
    corpus = write_corpus(
        {
            "ratio.zip": bomb,
            "docx.docx": zipped({"word/document.xml": zeros, "[Content_Types].xml": b""}),
            "nested.zip": nested,
            "total.zip": zipped({f"{n:03}.txt": os.urandom(500).hex().encode() * 60 for n in range(200)}),
            "many.zip": zipped({f"{n}.txt": b"" for n in range(10_001)}),
        }
    )
    documents, reasons = read(corpus)
    assert (
        "unpacks to more than 200 times" in reasons["ratio.zip#zeros.txt"]
        or "bytes unpacked" in reasons["ratio.zip#zeros.txt"]
    )
    assert "unpack" in reasons["docx.docx"]
    assert list(filter(None, (path if "nested more than" in reason else "" for path, reason in reasons.items()))) == [
        "nested.zip#inner.zip#inner.zip#inner.zip#inner.zip"
    ]
    assert reasons["many.zip"].startswith("10,001 files in it")
    read_of_total = [path for path in documents if path.startswith("total.zip#")]
    assert 0 < len(read_of_total) <= 10 * MAX_BYTES / 60_000
    assert set(reasons.values()) >= {"too much to unpack from one file of the corpus"}


@pytest.mark.parametrize("ratio_only", [True, False])
def test_a_bomb_within_the_size_limit_is_seen_by_its_ratio(ratio_only: bool, write_corpus: WriteCorpus) -> None:
    size = 5_000_000 if ratio_only else 900_000
    documents, reasons = read(write_corpus({"a.zip": zipped({"a.txt": b"0 " * (size // 2)})}), max_bytes=20_000_000)
    if ratio_only:
        assert reasons == {"a.zip#a.txt": "unpacks to more than 200 times its size, as bombs do"}
    else:
        assert list(documents) == ["a.zip#a.txt"]


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<!DOCTYPE x [<!ENTITY l0 "haha">{_LAUGHS}]>'


def with_part(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """An office file in which one part is changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped(
            {name: change(archive.read(name)) if name == part else archive.read(name) for name in archive.namelist()}
        )


def with_entity(definitions: str, reference: str) -> Callable[[bytes], bytes]:
    """A change that puts definitions behind the XML declaration and a reference into the first paragraph."""

    def change(data: bytes) -> bytes:
        text = data.decode().replace("<!DOCTYPE html>", "")
        head, mark, rest = text.partition("?>")
        if not mark:
            head, rest = "", text
        changed = rest.replace("will sail again", f"will {reference} sail again", 1)
        assert changed != rest
        return (head + mark + definitions + changed).encode()

    return change


def test_entities_are_not_expanded(write_corpus: WriteCorpus, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret of the machine")
    stolen = f'<!DOCTYPE x [<!ENTITY l9 SYSTEM "file://{tmp_path}/secret.txt">]>'
    files: dict[str, str | bytes] = {}
    for name, definitions in (("laughs", LAUGHS), ("secret", stolen)):
        change = with_entity(definitions, "&l9;")
        files[f"{name}.docx"] = with_part(FILES["a.docx"], "word/document.xml", change)
        files[f"{name}.odt"] = with_part(FILES["a.odt"], "content.xml", change)
        files[f"{name}.epub"] = with_part(FILES["a.epub"], "OEBPS/c 0.xhtml", change)
        files[f"{name}.xhtml"] = change(b"<?xml version='1.0'?>" + FILES["a.html"].replace(b"<!DOCTYPE html>", b""))
    documents, reasons = read(write_corpus(files))
    refused = "its XML defines entities, as no office program does"
    assert reasons == {f"{name}.{suffix}": refused for name in ("laughs", "secret") for suffix in ("docx", "odt")}
    assert set(documents) == {f"{name}.{suffix}" for name in ("laughs", "secret") for suffix in ("epub", "xhtml")}
    for document in documents.values():
        assert "the secret of" not in document.text
        assert "haha" * 20 not in document.text
        assert TRUTH.paragraphs[2] in document.text


@pytest.mark.loopback
def test_nothing_is_fetched(write_corpus: WriteCorpus) -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        outside = f'<!DOCTYPE html PUBLIC "x" "{address}/x.dtd" [<!ENTITY l9 SYSTEM "{address}/entity">]>'
        source = FILES["a.html"].replace(
            b"<head>", f'<head><base href="{address}/"><link rel="stylesheet" href="{address}/a.css">'.encode()
        )
        source = source.replace(b"<p>", f'<img src="{address}/a.png"><iframe src="{address}/f"></iframe><p>'.encode())
        change = with_entity(outside, "&l9;")
        documents, _ = read(
            write_corpus(
                {
                    "a.html": source,
                    "a.xhtml": change(b"<?xml version='1.0'?>" + source.replace(b"<!DOCTYPE html>", b"")),
                    "a.epub": with_part(FILES["a.epub"], "OEBPS/c 0.xhtml", change),
                    "a.docx": with_part(FILES["a.docx"], "word/document.xml", change),
                }
            )
        )
    finally:
        server.shutdown()
        server.server_close()
    assert set(documents) == {"a.html", "a.xhtml", "a.epub"}
    assert asked == []


def test_what_needs_a_password_is_named(write_corpus: WriteCorpus) -> None:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt="secret")
    canvas.drawString(72, 700, "Nobody may read this.")
    canvas.save()
    locked = bytearray(zipped({"a.txt": GOOD.encode(), "b.txt": GOOD.encode()}))
    # The flag of the first member, where it lies and in the directory.
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    manifest = b'<manifest><file-entry full-path="content.xml"><encryption-data/></file-entry></manifest>'
    with zipfile.ZipFile(io.BytesIO(FILES["a.odt"])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    corpus = write_corpus(
        {
            "a.pdf": out.getvalue(),
            "a.zip": bytes(locked),
            "a.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
            "a.odt": zipped({**parts, "META-INF/manifest.xml": manifest}),
            "a.epub": with_part(zipped({**_parts("a.epub"), "META-INF/encryption.xml": b""}), "META-INF/encryption.xml",
                                lambda _: b'<encryption><CipherReference URI="OEBPS/c%200.xhtml"/></encryption>'),
        }
    )  # fmt: skip
    documents, reasons = read(corpus)
    assert list(documents) == ["a.zip#b.txt"]
    assert reasons == {
        "a.docx": "password-protected, or of an office program before 2007",
        "a.epub": "protected against copying",
        "a.odt": "password-protected",
        "a.pdf": "password-protected",
        "a.zip#a.txt": "password-protected",
    }


def _parts(name: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(FILES[name])) as archive:
        return {part: archive.read(part) for part in archive.namelist()}


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_skipped_or_read_as_far_as_it_goes(name: str, write_corpus: WriteCorpus) -> None:
    data = FILES[name]
    stem, suffix = name.split(".", 1)
    cuts = {f"{stem}{number}.{suffix}": data[: len(data) * number // 10] for number in (1, 3, 5, 7, 9)}
    documents, reasons = read(write_corpus({**cuts, f"{stem}-last.{suffix}": data[:-1], f"whole.{suffix}": data}))
    read_or_skipped = {path.split("#")[0] for path in (*documents, *reasons)}
    assert read_or_skipped == {*cuts, f"{stem}-last.{suffix}", f"whole.{suffix}"}
    assert {path.split("#")[0] for path in documents} >= {f"whole.{suffix}"}
    assert all(0 < len(reason) < 120 and "\n" not in reason for reason in reasons.values())
    if suffix in ("docx", "odt", "epub", "zip", "json"):
        assert {path.split("#")[0] for path in documents} == {f"whole.{suffix}"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rubbish_is_named_whatever_its_ending(suffix: str, write_corpus: WriteCorpus) -> None:
    rubbish = {
        f"png{suffix}": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        f"empty{suffix}": b"",
        f"zero{suffix}": bytes(99),
    }
    documents, reasons = read(write_corpus(rubbish))
    assert documents == {}
    assert set(reasons) == set(rubbish)


def test_what_is_no_file_is_not_opened(write_corpus: WriteCorpus, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("Not part of the corpus.")
    corpus = write_corpus({"sub/b.txt": "A file of its own here."})
    (corpus / "out").symlink_to(outside)
    (corpus / "sub" / "loop").symlink_to(corpus)
    (corpus / "self.txt").symlink_to("self.txt")
    (corpus / "gone.txt").symlink_to("nowhere")
    if sys.platform != "win32":
        os.mkfifo(corpus / "pipe.txt")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(corpus / "socket.txt"))
    documents, reasons = read(corpus)
    link = "a link, which is not followed"
    assert list(documents) == ["sub/b.txt"]
    assert {path: reason for path, reason in reasons.items() if reason == link} == {
        "out": link, "sub/loop": link, "self.txt": link, "gone.txt": link,
    }  # fmt: skip
    assert {path for path, reason in reasons.items() if reason == "not a regular file"} == (
        {"pipe.txt", "socket.txt"} if sys.platform != "win32" else set()
    )
    assert [file.name for file in corpus_files(corpus)] == ["b.txt", "zz-good.txt"]


def test_a_file_that_becomes_a_pipe_is_not_opened(write_corpus: WriteCorpus) -> None:
    corpus = write_corpus({})
    corpus.mkdir(exist_ok=True)
    os.mkfifo(corpus / "a.txt")
    assert read_file(corpus / "a.txt", "a.txt", MAX_BYTES) == [SkippedFile("a.txt", "not a regular file")]


def test_hostile_names(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    good = [
        "<img src=x onerror=alert(1)>.txt",
        "..txt.txt"[1:],
        "a" * 251 + ".txt",
        "'; DROP TABLE documents; --.txt",
        "$(reboot).txt",
    ]
    bad = ["new\nline.txt", "right\u202eto left.txt", "tab\there.txt", "bell\x07.txt"]
    for name in good + bad:
        (corpus / name).write_text("The text of a file with an unusual name.")
    Path(os.fsdecode(os.fsencode(corpus) + b"/latin-\xe9.txt")).write_text("Text of a file.")
    documents, reasons = read(corpus)
    visible = {name for name in good if not name.startswith(".")}
    assert set(documents) == visible
    assert len(reasons) == len(bad) + 1
    assert set(reasons.values()) == {"its name holds characters that cannot be shown; rename it"}
    assert all(path.isprintable() for path in reasons)


def test_hostile_names_in_an_archive(write_corpus: WriteCorpus) -> None:
    text = GOOD.encode()
    names = [
        "../../etc/cron.txt",
        "/etc/passwd.txt",
        "C:/boot.txt",
        "..\\up.txt",
        "a\nb.txt",
        "b\u202e.txt",
        "fine.txt",
        ".hidden.txt",
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), text)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(zipfile.ZipInfo("fine.txt"), text)
    documents, reasons = read(write_corpus({"a.zip": out.getvalue()}))
    assert list(documents) == ["a.zip#fine.txt"]
    assert reasons == {
        "a.zip#../../etc/cron.txt": "its name leads out of the archive",
        "a.zip#/etc/passwd.txt": "its name leads out of the archive",
        "a.zip#C:/boot.txt": "its name leads out of the archive",
        "a.zip#..\\up.txt": "its name leads out of the archive",
        "a.zip#a\ufffdb.txt": "its name holds characters that cannot be shown",
        "a.zip#b\ufffd.txt": "its name holds characters that cannot be shown",
        "a.zip#fine.txt": "another file of the archive has the same name",
    }


def test_a_name_that_is_spelled_like_the_way_into_an_archive(write_corpus: WriteCorpus) -> None:
    inner = zipped({"b.txt": GOOD.encode()})
    documents, reasons = read(
        write_corpus({"a.zip": zipped({"in.zip": inner, "in.zip#b.txt": b"Another text stands here."})})
    )
    assert list(documents) == list(reasons) == ["a.zip#in.zip#b.txt"]
    assert documents["a.zip#in.zip#b.txt"].text == GOOD


def test_names_of_members_that_are_not_marked_as_utf8(write_corpus: WriteCorpus) -> None:
    data = zipped({"Салют.txt": GOOD.encode()})
    unmarked = bytearray(data)
    unmarked[7] &= ~0x08 & 0xFF
    unmarked[unmarked.index(b"PK\x01\x02") + 9] &= ~0x08 & 0xFF
    assert bytes(unmarked) != data
    documents, _ = read(write_corpus({"a.zip": bytes(unmarked)}))
    assert list(documents) == ["a.zip#Салют.txt"]


DEEP: dict[str, bytes] = {
    "divs.html": b"<html><body>" + b"<div>" * 100_000 + b"text",
    "tables.html": b"<html><body>" + b"<table><tr><td>" * 50_000 + b"text",
    "spans.xhtml": b"<html><body>" + b"<span>" * 100_000 + b"text",
    "lists.json": b"[" * 500_000,
    "lists.jsonl": b"[" * 500_000 + b"\n",
    "groups.rtf": b"{\\rtf1 " + b"{" * 500_000,
    "parts.eml": b"Subject: x\n"
    + b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(2000)),
    "comment.eml": b"Subject: x\nFrom: " + b"(" * 100_000 + b"\n\ntext",
    "front.md": b"---\na: " + b"[" * 5000 + b"\n---\ntext",
    "pages.pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]"
    b"/Count 9999999>>endobj trailer<</Root 1 0 R>>",
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_deeper_than_any_article_ends(name: str, write_corpus: WriteCorpus) -> None:
    documents, reasons = read(write_corpus({name: DEEP[name]}), max_bytes=20_000_000)
    assert {path.split("#")[0] for path in (*documents, *reasons)} == {name}


def test_a_pdf_whose_pages_lead_in_a_circle(write_corpus: WriteCorpus) -> None:
    looped = FILES["a.pdf"].replace(b"/Kids [ ", b"/Kids [ 1 0 R ", 1)
    documents, reasons = read(write_corpus({"a.pdf": FILES["a.pdf"], "b.pdf": looped}))
    assert "a.pdf" in documents
    assert "b.pdf" in {**documents, **reasons}


def test_a_file_too_large_is_not_opened(write_corpus: WriteCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus({"a.pdf": b""})
    os.truncate(corpus / "a.pdf", 10**9)
    opened: list[str] = []
    original = Path.open

    def spy(self: Path, *arguments: str, **options: str) -> object:
        opened.append(self.name)
        return original(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    _, reasons = read(corpus)
    assert reasons == {"a.pdf": "1,000,000,000 bytes; the limit is 1,000,000 (setting max_file_bytes)"}
    assert "a.pdf" not in opened


def test_thousands_of_tiny_files_are_each_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus"
    for folder in range(20):
        (corpus / f"{folder:02}").mkdir(parents=True)
        for number in range(150):
            (corpus / f"{folder:02}" / f"{number:03}.txt").write_text(
                f"Article {number} of folder {folder} has this text."
            )
    opened = 0
    original = Path.open

    def spy(self: Path, *arguments: str, **options: str) -> object:
        nonlocal opened
        opened += 1
        return original(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    found = list(read_documents(corpus, MAX_BYTES))
    assert len(found) == len({item.path for item in found}) == opened == 3000
    assert [item.path for item in found] == sorted(item.path for item in found)


@pytest.mark.skipif(sys.platform == "win32", reason="stops the worker with a signal")
def test_a_reader_that_hangs_is_ended_and_the_next_file_read(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.html").write_bytes(FILES["a.html"])
    first = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    pid = sandbox.pid
    assert pid is not None
    usual, sandbox.seconds_an_article = sandbox.seconds_an_article, 0.5
    os.kill(pid, signal.SIGSTOP)
    hung = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    assert hung == [SkippedFile("a.html", "it took longer than 0 seconds")]
    assert sandbox.pid is None
    sandbox.seconds_an_article = usual
    assert read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox) == first


@pytest.mark.skipif(sys.platform == "win32", reason="ends the worker with a signal")
def test_a_reader_that_crashes_costs_one_file(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.html").write_bytes(FILES["a.html"])
    first = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    pid = sandbox.pid
    assert pid is not None

    def kill_then_write(stream: IO[bytes], data: bytes) -> None:
        os.kill(pid, signal.SIGKILL)
        messages.write_message(stream, data)

    with monkeypatch.context() as patched:
        patched.setattr("rag.documents.sandbox.write_message", kill_then_write)
        crashed = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    assert crashed == [SkippedFile("a.html", "its reader crashed on it, or took more memory than allowed")]
    assert read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox) == first
    assert sandbox.pid not in (None, pid)


def test_a_worker_that_leaves_for_lack_of_work_is_replaced(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.html").write_bytes(FILES["a.html"])
    first = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    sandbox.close()
    # It is seen alive, and leaves before it has read the request.
    program = f"import os, sys; sys.stdin.buffer.read(1); os._exit({messages.IDLE_EXIT})"
    sandbox._process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    leaving = sandbox.pid
    assert read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox) == first
    assert sandbox.pid not in (None, leaving)


def test_a_worker_without_work_leaves() -> None:
    program = "from rag.documents import worker; worker.IDLE_SECONDS = worker.CHECK_SECONDS = 0.01; worker.main()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == messages.IDLE_EXIT


def test_a_worker_leaves_with_the_process_that_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rag.documents.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_an_interrupted_answer_is_not_taken_for_that_of_the_next_file(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("text\nThe text of one.\nThe text of two.\n")
    (tmp_path / "b.csv").write_text("text\nThe text of another.\n")

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("rag.documents.sandbox._found", interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_file(tmp_path / "a.csv", "a.csv", MAX_BYTES, sandbox)
    assert [item.path for item in read_file(tmp_path / "b.csv", "b.csv", MAX_BYTES, sandbox)] == ["b.csv#1"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the address space")
def test_memory_is_limited(tmp_path: Path) -> None:
    sandbox = Sandbox(memory=400 * 1024**2)
    try:
        (tmp_path / "a.html").write_bytes(b"<html><body>" + b"<p>a <b>b</b></p>" * 1_000_000)
        (tmp_path / "b.html").write_bytes(FILES["a.html"])
        (skipped,) = read_file(tmp_path / "a.html", "a.html", 20_000_000, sandbox)
        assert isinstance(skipped, SkippedFile)
        assert "memory" in skipped.reason or "no text" in skipped.reason or "damaged" in skipped.reason
        (document,) = read_file(tmp_path / "b.html", "b.html", 20_000_000, sandbox)
        assert isinstance(document, Document)
    finally:
        sandbox.close()


def test_what_was_found_before_the_end_is_kept(tmp_path: Path) -> None:
    sandbox = Sandbox(seconds_a_file=0.0)
    try:
        (tmp_path / "a.csv").write_text("text\nThe text of one.\nThe text of two.\n")
        first, rest = read_file(tmp_path / "a.csv", "a.csv", MAX_BYTES, sandbox)
    finally:
        sandbox.close()
    assert first.path == "a.csv#1"
    assert rest == SkippedFile("a.csv", "the rest was not read: it took longer than 0 seconds")


def test_a_worker_is_found_alive_by_threads(tmp_path: Path, sandbox: Sandbox) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for number in range(12):
        (tmp_path / f"{number}.rtf").write_bytes(FILES["a.rtf"])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: read_file(tmp_path / f"{n}.rtf", f"{n}.rtf", MAX_BYTES, sandbox), range(12)))
    assert [item.path for (item,) in found] == [f"{number}.rtf" for number in range(12)]
    assert {item.title for (item,) in found if isinstance(item, Document)} == {TRUTH.title}


def test_modules_in_the_working_folder_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    for name in ("json", "trafilatura", "lxml", "zipfile"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / "a.html").write_bytes(FILES["a.html"])
    monkeypatch.chdir(tmp_path)
    (document,) = read_file(tmp_path / "a.html", "a.html", MAX_BYTES, sandbox)
    assert isinstance(document, Document)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "open('written', 'w')",
        "import pathlib; pathlib.Path('written').write_text('x')",
    ],
)
def test_a_worker_neither_connects_nor_writes_nor_starts_programs(statement: str, tmp_path: Path) -> None:
    program = f"import sys\nfrom rag.documents.worker import _refuse\nsys.addaudithook(_refuse)\n{statement}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert "PermissionError: reading a document may not use" in done.stderr
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(st.sampled_from([suffix for suffix in SUFFIXES if suffix not in (".pdf",)]), st.binary(max_size=400))
def test_no_bytes_make_a_reader_fail(suffix: str, data: bytes) -> None:
    found = list(read_content(Content.of_file(data, f"a{suffix}", MAX_BYTES)))
    assert all(item.path.startswith(f"a{suffix}") for item in found)


@settings(max_examples=60)
@given(st.sampled_from([name for name in FILES if name != "a.pdf"]), st.data())
def test_no_changed_byte_makes_a_reader_fail(name: str, data: st.DataObject) -> None:
    changed = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    found = list(read_content(Content.of_file(bytes(changed), name, MAX_BYTES)))
    assert all(item.path.startswith(name) for item in found)
