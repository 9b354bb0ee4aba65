"""Web addresses → files of the corpus, only when ``rag fetch`` is run.

Sites are asked politely: robots.txt is kept to, requests to one host are apart, and what has not changed is not loaded
again. What is known of each address is in ``.fetched.json`` in the corpus folder, which no reader of articles opens.
"""

import datetime
import hashlib
import http
import itertools
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import CorpusError, UsageError
from rag.loading import FailedError, Loader, shown, status
from rag.web_files import ENDINGS, SUFFIXES, content, media_type, suffix

if TYPE_CHECKING:
    import httpx2

KNOWN = ".fetched.json"
DELAY = 1.0
"""Seconds between requests to one host."""
SECONDS = 60.0
"""For one address with all its redirects, waiting between requests aside."""

_SAVE_EVERY = 5.0
"""Seconds; a run that is killed loads again what it loaded since then."""
_NAME = 80
"""Most characters of a file's name that come from its address."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address and where it stands."""

    url: str
    where: str
    """``urls.txt, line 3``."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An address that was not fetched, and why."""

    wanted: Wanted
    reason: str

    def __str__(self) -> str:
        return f"{self.wanted.where}: {shown(self.wanted.url)}: {self.reason}"


@dataclass(slots=True)
class FetchReport:
    """What became of all addresses."""

    fetched: list[str] = field(default_factory=list)
    """Paths in the corpus, also of files that were replaced."""
    unchanged: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def read_list(file: Path) -> list[Wanted]:
    """The addresses of a file, one a line; ``#`` begins a comment where no address goes on.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(
            f"Cannot read the list {file}: {error.strerror}", "Name a file with one web address a line."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The list {file} is not UTF-8 text", "Save it as UTF-8.") from error
    found = ((number, re.sub(r"(^|\s)#.*", "", line).strip()) for number, line in enumerate(lines, 1))
    return [Wanted(url, f"{file}, line {number}") for number, url in found if url]


def addresses(corpus: Path) -> dict[str, str]:
    """Path in the corpus → address that it was fetched from."""
    return {str(entry["path"]): str(entry["url"]) for entry in _read_known(corpus).values()}


def fetch(
    wanted: Sequence[Wanted],
    corpus: Path,
    *,
    max_bytes: int,
    delay: float = DELAY,
    seconds: float = SECONDS,
    allow_private: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FetchReport:
    """Load addresses into the corpus folder, one at a time; hosts take turns.

    Args:
        wanted: each address is loaded once, however often it is named.
        corpus: made if it is not there.
        max_bytes: most bytes of a file, unpacked.
        delay: seconds between requests to one host; robots.txt may ask for more.
        seconds: most for one address.
        allow_private: also load from this machine and the private network.
        progress: told how many are done, of how many.

    Raises:
        CorpusError: the folder cannot be written to.
    """
    known = _read_known(corpus)
    loader = Loader(max_bytes, delay, seconds, accept=", ".join([*SUFFIXES, "*/*;q=0.1"]), allow_private=allow_private)
    report = FetchReport()
    once = list({_plain(item.url): item for item in reversed(wanted)}.values())[::-1]
    saved = time.monotonic()
    progress(0, len(once))
    try:
        for done, item in enumerate(_in_turns(once), 1):
            try:
                _fetch_one(item, corpus, known, loader, report)
            except FailedError as error:
                report.failures.append(Failure(item, str(error)))
            if time.monotonic() - saved > _SAVE_EVERY:
                _write(corpus, KNOWN, _as_json(known))
                saved = time.monotonic()
            progress(done, len(once))
    finally:
        loader.close()
        if known:
            _write(corpus, KNOWN, _as_json(known))
    return report


def _fetch_one(
    item: Wanted, corpus: Path, known: dict[str, dict[str, str]], loader: Loader, report: FetchReport
) -> None:
    url = _plain(item.url)
    stem = _stem(loader.parsed(url))
    before = known.get(url)
    if before is not None and (before["path"] not in _paths(stem) or not (corpus / before["path"]).is_file()):
        before = None
    asked = {}
    for header, name in (("If-None-Match", "etag"), ("If-Modified-Since", "last_modified")):
        if before and before.get(name):
            asked[header] = before[name]
    reply = loader.load(url, asked)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if reply.status == http.HTTPStatus.NOT_MODIFIED and before is not None:
        known[url] = before | {"fetched": now}
        report.unchanged.append(before["path"])
        return
    if reply.status != http.HTTPStatus.OK:
        raise FailedError(status(reply.status))
    if not reply.data.strip():
        raise FailedError("the page is empty")
    kind, address = reply.headers.get("content-type", ""), str(reply.url)
    ending = suffix(kind, address, reply.data)
    if ending is None:
        raise FailedError(f"{shown(media_type(kind)) or 'without a type, it'} is no article")
    path = f"{stem}{ending}"
    digest = hashlib.sha256(reply.data).hexdigest()
    same = before is not None and before["path"] == path and before.get("sha256") == digest
    if not same:
        _write(corpus, path, content(kind, address, reply.data, ending))
        if before is not None and before["path"] != path:
            (corpus / before["path"]).unlink(missing_ok=True)
    known[url] = {
        "path": path,
        "url": address,
        "fetched": now,
        "sha256": digest,
        "etag": reply.headers.get("etag", ""),
        "last_modified": reply.headers.get("last-modified", ""),
    }
    (report.unchanged if same else report.fetched).append(path)


def _plain(url: str) -> str:
    return url.partition("#")[0]


def _stem(url: "httpx2.URL") -> str:
    """Path of the file without its ending: a folder for the host, readable words, and a hash that tells addresses apart."""
    host = re.sub(r"[^a-z0-9.-]+", "-", url.netloc.decode("ascii").lower()).strip(".-")
    path, ending = os.path.splitext(url.path)  # noqa: PTH122 - not a path of this machine
    path = path if ending in ENDINGS else url.path
    words = re.sub(r"[^a-z0-9]+", "-", f"{path}-{url.query.decode('ascii')}".lower()).strip("-")[:_NAME].strip("-")
    return f"{host or 'host'}/{words or 'index'}-{hashlib.sha256(str(url).encode()).hexdigest()[:8]}"


def _paths(stem: str) -> list[str]:
    return [f"{stem}{ending}" for ending in ENDINGS]


def _in_turns(wanted: Sequence[Wanted]) -> Iterator[Wanted]:
    """One of each host after the other, so that the pauses of one are spent on another."""
    hosts: dict[str, list[Wanted]] = {}
    for item in wanted:
        hosts.setdefault(re.sub(r"^\w+://|[/?].*$", "", item.url).lower(), []).append(item)
    for row in itertools.zip_longest(*hosts.values()):
        yield from (item for item in row if item is not None)


def _read_known(corpus: Path) -> dict[str, dict[str, str]]:
    """What earlier runs left; a damaged file only means that pages are loaded again."""
    try:
        found = json.loads((corpus / KNOWN).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {
        url: entry
        for url, entry in entries
        if isinstance(entry, dict)
        and {"path", "url"} <= entry.keys()
        and all(isinstance(v, str) for v in entry.values())
    }


def _as_json(known: dict[str, dict[str, str]]) -> bytes:
    return (json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _write(corpus: Path, path: str, data: bytes) -> None:
    """Put a file into its place whole, or not at all."""
    place = corpus / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                Path(file.name).replace(place)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise CorpusError(f"Cannot write {place}: {error.strerror}", "Check the folder and the disk.") from error
