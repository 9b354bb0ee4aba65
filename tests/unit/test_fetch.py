"""Pages of a server on this machine that behaves in every way that servers do."""

import contextlib
import gzip
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rag import cli, fetch, loading
from rag.errors import CorpusError, UsageError
from rag.fetch import FetchReport, Wanted, addresses, read_list
from rag.loading import is_public

PAGE = "<html><head><title>Mir</title></head><body><p>The station fell into the sea in 2001.</p></body></html>"


class Handler(BaseHTTPRequestHandler):
    """``server.pages`` says what is sent: bytes with headers, or a function that is given the handler."""

    server: "Site"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers))
        self.close_connection = True
        page = self.server.pages.get(self.path)
        with contextlib.suppress(OSError):  # the client has gone
            if page is None:
                self.reply(404, b"nothing here")
            elif callable(page):
                page(self)
            else:
                self.reply(200, page.encode() if isinstance(page, str) else page)

    def reply(self, status: int, data: bytes = b"", kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, str | bytes | Callable[[Handler], None]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        """Set when the test is: lets pages go that never end."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def load(site: Site, tmp_path: Path) -> Callable[..., FetchReport]:
    def run(*paths: str, **options: Any) -> FetchReport:
        wanted = [
            Wanted(path if "://" in path else site.url + path, f"urls.txt, line {n}") for n, path in enumerate(paths, 1)
        ]
        chosen = {"max_bytes": 50_000, "delay": 0.0, "seconds": 20.0, "allow_private": True} | options
        return fetch.fetch(wanted, tmp_path / "corpus", **chosen)

    return run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


pytestmark = pytest.mark.loopback


def only(report: FetchReport) -> str:
    assert (report.fetched, report.unchanged) == ([], [])
    (failure,) = report.failures
    return failure.reason


def test_a_page_becomes_a_file(site: Site, load: Callable[..., FetchReport], corpus: Path) -> None:
    site.pages["/news/mir.html?id=7"] = PAGE
    report = load("/news/mir.html?id=7#top")
    (path,) = report.fetched
    assert path.startswith(f"127.0.0.1-{site.server_port}/news-mir-id-7-")
    assert path.endswith(".html")
    url = f"{site.url}/news/mir.html?id=7"
    line = f'<meta charset="utf-8"><link rel="canonical" href="{url}">\n'
    assert (corpus / path).read_text() == PAGE.replace("<head>", f"<head>{line}")
    assert addresses(corpus) == {path: url}
    assert site.asked == ["/robots.txt", "/news/mir.html?id=7"]
    assert site.headers[1]["User-Agent"].startswith("ask-the-articles/")
    assert site.headers[1]["Host"] == f"127.0.0.1:{site.server_port}"
    assert [file.name for file in corpus.rglob("*") if file.is_file()] == [fetch.KNOWN, Path(path).name]


def test_what_a_page_says_itself_is_left_as_it_is(site: Site, load: Callable[..., FetchReport], corpus: Path) -> None:
    page = PAGE.replace("<title>", '<meta charset="utf-8"><link href="https://example.org/mir" rel="canonical"><title>')
    site.pages["/"] = lambda handler: handler.reply(200, page.encode(), "text/html")
    (path,) = load("/").fetched
    assert (corpus / path).read_text() == page


def test_an_address_that_depends_on_where_the_page_was_is_no_address(
    site: Site, load: Callable[..., FetchReport], corpus: Path
) -> None:
    site.pages["/x"] = PAGE.replace("<title>", '<link rel="canonical" href="/mir"><title>')
    (path,) = load("/x").fetched
    assert (
        f'<link rel="canonical" href="{site.url}/x">\n<link rel="canonical" href="/mir">' in (corpus / path).read_text()
    )


@pytest.mark.parametrize(
    ("kind", "data", "ending", "text"),
    [
        ("text/html; charset=windows-1251", "<p>Мир упал в 2001 году".encode("cp1251"), ".html", "Мир упал"),
        ("text/html; charset=utf-16le", "<html><p>Mir".encode("utf-16le"), ".html", "<p>Mir"),
        ("text/html", "\ufeff<html><p>Mir".encode("utf-16"), ".html", "<p>Mir"),
        ("text/html; charset=klingon", b"<p>Mir", ".html", "<p>Mir"),
        ('text/plain; charset="koi8-r"', "Мир упал".encode("koi8-r"), ".txt", "Мир упал"),
        ("text/plain; charset=ascii", "Мир упал".encode(), ".txt", "Мир упал"),
        ("application/octet-stream", b"%PDF-1.7 Mir", ".pdf", "Mir"),
        ("application/octet-stream", b"\n<!DOCTYPE html><p>Mir", ".html", "<p>Mir"),
        ("Text/Markdown", b"# Mir", ".md", "# Mir"),
        ("application/pdf", b"%PDF-1.7 Mir", ".pdf", "%PDF-1.7 Mir"),
    ],
)
def test_types_and_charsets(
    site: Site, load: Callable[..., FetchReport], corpus: Path, kind: str, data: bytes, ending: str, text: str
) -> None:
    site.pages["/x"] = lambda handler: handler.reply(200, data, kind)
    (path,) = load("/x").fetched
    saved = (corpus / path).read_bytes()
    declared = "cp1251" if b'charset="windows-1251"' in saved else "utf-8"
    assert path.endswith(ending)
    assert text in saved.decode(declared)
    assert ending == ".html" or b"canonical" not in saved


def test_the_ending_of_the_address_counts_where_there_is_no_type(site: Site, load: Callable[..., FetchReport]) -> None:
    site.pages["/a/report.DOCX"] = lambda handler: handler.reply(200, b"PK", "application/octet-stream")
    (path,) = load("/a/report.DOCX").fetched
    assert path.endswith(".docx")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("image/png", "image/png is no article"), ("application/octet-stream", "application/octet-stream is no article")],
)
def test_other_types_are_refused(site: Site, load: Callable[..., FetchReport], kind: str, reason: str) -> None:
    site.pages["/x"] = lambda handler: handler.reply(200, b"\x89PNG", kind)
    assert only(load("/x")) == reason


def test_robots_are_heeded_also_behind_redirects(site: Site, load: Callable[..., FetchReport]) -> None:
    site.pages |= {
        "/robots.txt": "User-agent: *\nDisallow: /private\n\nUser-agent: ask-the-articles\nDisallow: /*?print=\nDisallow: /secret",
        "/private": PAGE,
        "/story?print=1": PAGE,
        "/way": lambda handler: handler.reply(302, Location="/secret"),
    }
    report = load("/private", "/story?print=1", "/way")
    assert len(report.fetched) == 1
    assert [failure.reason for failure in report.failures] == ["robots.txt of the site does not allow it"] * 2
    assert site.asked == ["/robots.txt", "/private", "/way"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_site_whose_robots_cannot_be_read_is_left_alone(
    site: Site, load: Callable[..., FetchReport], status: int
) -> None:
    site.pages |= {"/robots.txt": lambda handler: handler.reply(status), "/a": PAGE, "/b": PAGE}
    report = load("/a", "/b")
    assert len(report.failures) == 2
    assert f"robots.txt cannot be read (the server answered {status}" in report.failures[0].reason
    assert site.asked == ["/robots.txt"]


def test_requests_to_one_host_are_apart(
    site: Site, load: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, pauses = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(loading.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(loading.time, "sleep", sleep)
    site.pages |= {"/robots.txt": "User-agent: *\nCrawl-delay: 7", "/a": PAGE, "/b": PAGE}
    assert len(load("/a", "/b", delay=2.0).fetched) == 2
    assert pauses == [0.0, 2.0, 7.0]


def test_hosts_take_turns() -> None:
    urls = ["http://a/1", "http://a/2", "http://b/1", "https://A/3", "http://c/1"]
    turns = [item.url for item in fetch._in_turns([Wanted(url, "") for url in urls])]
    assert turns == ["http://a/1", "http://b/1", "http://c/1", "http://a/2", "https://A/3"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (lambda handler: handler.reply(404), "the server answered 404 Not Found"),
        (lambda handler: handler.reply(503), "the server answered 503 Service Unavailable"),
        (lambda handler: handler.reply(799), "the server answered 799"),
        (lambda handler: handler.reply(304), "the server answered 304 Not Modified"),
        (lambda handler: handler.reply(200, b" \n"), "the page is empty"),
        (lambda handler: handler.reply(302, Location="/x"), "redirected more than 5 times"),
        (
            lambda handler: handler.reply(302, Location="file:///etc/passwd"),
            "redirected to file:///etc/passwd, which is not",
        ),
        (lambda handler: handler.reply(302, Location="http://[::1"), "redirected to http://[::1, which is not loaded"),
        (
            lambda handler: handler.reply(302, Location="http://u:p@127.0.0.1/"),
            "redirected to http://u:p@127.0.0.1/, which",
        ),
        (lambda handler: handler.reply(200, b"x" * 60_000), "larger than 50,000 bytes (setting max_file_bytes)"),
        (
            lambda handler: handler.reply(200, gzip.compress(bytes(10**7)), Content_Encoding="gzip"),
            "larger than 50,000",
        ),
        (lambda handler: handler.reply(200, b"\x1f\x8bno", Content_Encoding="gzip"), "it cannot be unpacked"),
        (
            lambda handler: handler.reply(200, gzip.compress(PAGE.encode())[:40], Content_Encoding="gzip"),
            "it ends early",
        ),
        (
            lambda handler: handler.reply(200, b"x", Content_Encoding="br"),
            "packed the page in a way that was not asked",
        ),
        (lambda handler: handler.wfile.write(b"not HTTP\r\n\r\n"), "the server broke off the connection"),
        (
            lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
            "broke off the connection",
        ),
    ],
)
def test_faulty_replies(
    site: Site, load: Callable[..., FetchReport], page: Callable[[Handler], None], reason: str
) -> None:
    site.pages["/x"] = page
    assert reason in only(load("/x"))


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    while not handler.server.over.is_set():
        handler.wfile.write(b"x" * 10_000)


def dripping_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b"X-A: b\r\n")


def dripping_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    while not handler.server.over.wait(0.02):
        handler.wfile.write(b"x")


def silent(handler: Handler) -> None:
    handler.server.over.wait()


def test_an_endless_page_is_cut_off(site: Site, load: Callable[..., FetchReport]) -> None:
    site.pages["/x"] = endless
    assert "larger than" in only(load("/x"))


@pytest.mark.parametrize("page", [dripping_head, dripping_body, silent])
def test_a_slow_page_is_given_up(site: Site, load: Callable[..., FetchReport], page: Callable[[Handler], None]) -> None:
    site.pages["/x"] = page
    assert "the server did not answer in time" in only(load("/x", seconds=0.6))


def test_redirects_are_followed_and_the_last_address_kept(
    site: Site, load: Callable[..., FetchReport], corpus: Path
) -> None:
    site.pages |= {"/old": lambda handler: handler.reply(301, Location="new?a=b"), "/new?a=b": PAGE}
    (path,) = load("/old").fetched
    assert addresses(corpus) == {path: f"{site.url}/new?a=b"}
    assert f'href="{site.url}/new?a=b"' in (corpus / path).read_text()


# The private network


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        *((private, False) for private in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1")),
        *((private, False) for private in ("0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1")),
        *((private, False) for private in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "240.0.0.1")),
        ("64:ff9b::5db8:d70e", True),
    ],
)
def test_private_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_this_machine_is_not_asked(site: Site, load: Callable[..., FetchReport], host: str) -> None:
    site.pages["/x"] = PAGE
    reason = only(load(f"http://{host}:{site.server_port}/x", allow_private=False))
    assert "is in the private network" in reason or "there is no host" in reason or "not a web address" in reason
    assert site.asked == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "http://localhost:{port}/secret"])
def test_a_redirect_into_the_private_network_is_refused(
    site: Site, load: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    # As seen from a page on the open internet: only the name "news.test" is taken for public.
    really = socket.getaddrinfo

    def looked_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        return really("127.0.0.1" if host == "news.test" else host, port, *args, **options)

    checked = list[str]()

    def public_once(address: str) -> bool:
        checked.append(address)
        return address == "127.0.0.1" and len(checked) <= 2

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr(loading, "is_public", public_once)
    where = target.format(port=site.server_port)
    site.pages |= {"/x": lambda handler: handler.reply(302, Location=where), "/secret": PAGE}
    assert "is in the private network" in only(load(f"http://news.test:{site.server_port}/x", allow_private=False))
    assert site.asked == ["/robots.txt", "/x"]


def test_a_name_is_looked_up_once_for_the_check_and_the_connection(
    site: Site, load: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    really, asked = socket.getaddrinfo, list[str]()

    def looked_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        asked.append(host)
        # The second answer would lead elsewhere, as in an attack by rebinding.
        place = {"news.test": "127.0.0.1" if asked.count(host) <= 2 else "127.0.0.9"}.get(host, host)
        return really(place, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    site.pages["/x"] = PAGE
    assert len(load(f"http://news.test:{site.server_port}/x").fetched) == 1
    assert [host for host in asked if host != "127.0.0.1"] == ["news.test"] * 2, "robots.txt and the page"
    assert site.headers[1]["Host"] == f"news.test:{site.server_port}"


def test_the_next_address_of_a_host_is_tried(
    site: Site, load: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = socket.getaddrinfo

    def looked_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host != "news.test":
            return really(host, port, *args, **options)
        # Nobody listens at the first one.
        return [*really("::1", port, *args, **options), *really("127.0.0.1", port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    site.pages["/x"] = PAGE
    assert len(load(f"http://news.test:{site.server_port}/x").fetched) == 1


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/x", "file:///etc/passwd", "example.org/x", "http://", "http://[::1", "http://u:p@127.0.0.1/"],
)
def test_what_is_no_web_address_is_not_asked(load: Callable[..., FetchReport], url: str) -> None:
    wanted = [Wanted(url, "list, line 1")]
    report = fetch.fetch(wanted, Path("nowhere"), max_bytes=10, allow_private=True, delay=0.0)
    assert "addres" in only(report)
    assert not Path("nowhere").exists()


def test_a_host_that_does_not_listen(load: Callable[..., FetchReport]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reason = only(load(f"http://127.0.0.1:{taken.getsockname()[1]}/x"))
    assert "127.0.0.1 cannot be reached" in reason
    assert "left alone" in reason


# Again


def versions(handler: Handler, tag: str, page: str) -> None:
    if handler.headers.get("If-None-Match") == tag:
        handler.reply(304, ETag=tag)
    else:
        handler.reply(200, page.encode(), ETag=tag, Last_Modified="Fri, 18 Jun 2021 13:49:00 GMT")


def test_what_has_not_changed_is_not_loaded_again(site: Site, load: Callable[..., FetchReport], corpus: Path) -> None:
    site.pages["/x"] = lambda handler: versions(handler, '"1"', PAGE)
    (path,) = load("/x").fetched
    before = (corpus / path).stat()
    report = load("/x")
    assert (report.fetched, report.unchanged, report.failures) == ([], [path], [])
    assert (corpus / path).stat().st_mtime_ns == before.st_mtime_ns
    assert site.headers[-1]["If-Modified-Since"] == "Fri, 18 Jun 2021 13:49:00 GMT"
    site.pages["/x"] = lambda handler: versions(handler, '"2"', PAGE.replace("2001", "2002"))
    assert load("/x").fetched == [path]
    assert "2002" in (corpus / path).read_text()


def test_the_same_page_without_a_tag_is_unchanged(site: Site, load: Callable[..., FetchReport], corpus: Path) -> None:
    site.pages["/x"] = PAGE
    (path,) = load("/x").fetched
    assert load("/x").unchanged == [path]
    (corpus / path).unlink()
    assert load("/x").fetched == [path], "what was deleted comes again"


def test_a_page_of_another_type_replaces_the_old_file(
    site: Site, load: Callable[..., FetchReport], corpus: Path
) -> None:
    site.pages["/x"] = PAGE
    (old,) = load("/x").fetched
    site.pages["/x"] = lambda handler: handler.reply(200, b"%PDF-1.7", "application/pdf")
    (new,) = load("/x").fetched
    assert new == old.replace(".html", ".pdf")
    assert not (corpus / old).exists()


@pytest.mark.parametrize(
    "damage", ["", "[1]", '{"x": 3}', "{" * 10_000, '{"URL": {"path": "../../outside.html", "url": "x"}}']
)
def test_a_damaged_record_of_what_was_fetched(
    site: Site, load: Callable[..., FetchReport], corpus: Path, damage: str
) -> None:
    outside = corpus.parent.parent / "outside.html"
    corpus.mkdir()
    (corpus / fetch.KNOWN).write_text(damage.replace("URL", f"{site.url}/x"))
    site.pages["/x"] = PAGE
    assert len(load("/x").fetched) == 1
    assert not outside.exists()
    assert (
        json.loads((corpus / fetch.KNOWN).read_text())[f"{site.url}/x"]["sha256"]
        == hashlib.sha256(PAGE.encode()).hexdigest()
    )


def test_one_failure_costs_no_other_page(site: Site, load: Callable[..., FetchReport]) -> None:
    site.pages |= {"/a": PAGE, "/c": PAGE}
    steps = list[tuple[int, int]]()
    report = load("/a", "/b", "/c", "/a", progress=lambda done, total: steps.append((done, total)))
    assert [len(report.fetched), len(report.failures)] == [2, 1]
    assert str(report.failures[0]) == f"urls.txt, line 2: {site.url}/b: the server answered 404 Not Found"
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_folder_that_cannot_be_written_to(site: Site, load: Callable[..., FetchReport], corpus: Path) -> None:
    corpus.write_text("a file")
    site.pages["/x"] = PAGE
    with pytest.raises(CorpusError, match="Cannot write"):
        load("/x")


# The list and the command


def test_lists(tmp_path: Path) -> None:
    file = tmp_path / "urls.txt"
    file.write_bytes(b"\xef\xbb\xbf# my articles\nhttp://a/1 # the first\n\n  http://a/2#part  \r\nhttp://a/x#y # z\n")
    assert [(item.url, item.where[-6:]) for item in read_list(file)] == [
        ("http://a/1", "line 2"),
        ("http://a/2#part", "line 4"),
        ("http://a/x#y", "line 5"),
    ]
    with pytest.raises(UsageError, match="Cannot read the list"):
        read_list(tmp_path / "none.txt")
    file.write_bytes(b"http://a/\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_list(file)


def test_the_command(site: Site, tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "urls.txt").write_text(f"{site.url}/a\n{site.url}/b\n")
    site.pages["/a"] = PAGE
    command = ["fetch", str(tmp_path / "urls.txt"), "--corpus", str(corpus), "--delay", "0"]
    assert cli.main([*command, "--allow-private"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "Fetched 1, unchanged 0, failed 1. Run `rag index` to read what is new.\n"
    assert shown.err == f"rag: {tmp_path}/urls.txt, line 2: {site.url}/b: the server answered 404 Not Found\n"
    del site.pages["/a"]
    assert cli.main([*command, "--allow-private"]) == 1
    capsys.readouterr()
    assert cli.main([*command, "--json"]) == 1
    assert [item["url"] for item in json.loads(capsys.readouterr().out)["failed"]] == [f"{site.url}/a", f"{site.url}/b"]


def test_the_command_without_addresses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "urls.txt").write_text("# nothing yet\n")
    assert cli.main(["fetch", str(tmp_path / "urls.txt")]) == 2
    assert "names no web address" in capsys.readouterr().err
