"""One web address at a time, within the rules of its site and of safety. The only file that opens web pages.

Size and time are limited, compressed or not. Every address, also of a redirect, is looked up once, checked and then
connected to as it was checked, so that no name can lead into the private network.
"""

import contextlib
import http
import ipaddress
import itertools
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rag import __version__
from rag.robots import MAX_BYTES as ROBOTS_BYTES
from rag.robots import Robots, parse

if TYPE_CHECKING:
    import httpx2

AGENT = "ask-the-articles"
"""By this name robots.txt can speak to the program."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 20.0
_MOST_REDIRECTS = 5
_MOST_DELAY = 60.0
"""A site that asks for longer pauses gets these."""
_SHOWN = 200
"""Characters of an address in a message."""


class FailedError(Exception):
    """An address cannot be fetched; the message is the reason shown to the user."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    url: "httpx2.URL"
    """Where it came from, behind all redirects."""
    status: int
    headers: "httpx2.Headers"
    data: bytes


class Loader:
    """Loads addresses.

    Args:
        max_bytes: most bytes of a reply, unpacked.
        delay: seconds between requests to one host; robots.txt may ask for more.
        seconds: most for one address with all its redirects, waiting between requests aside.
        accept: the types that are wanted, as in the header.
        allow_private: also load from this machine and the private network.
    """

    def __init__(self, max_bytes: int, delay: float, seconds: float, *, accept: str, allow_private: bool) -> None:
        self._max_bytes = max_bytes
        self._delay = delay
        self._seconds = seconds
        self._accept = accept
        self._allow_private = allow_private
        self._robots: dict[str, Robots | str] = {}
        """The rules of each site, or why they are not known."""
        self._next: dict[str, float] = {}
        """When each host may be asked again."""

    @cached_property
    def _client(self) -> "httpx2.Client":
        import httpx2

        return httpx2.Client(
            timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            # Connections are made to checked addresses; one that is kept could serve another name at the same address,
            # which its certificate was not checked for, and a proxy would look names up itself.
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    def parsed(self, url: str) -> "httpx2.URL":
        """Raises ``FailedError`` for what is no address of the web."""
        import httpx2

        try:
            found = httpx2.URL(url)
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise FailedError("not a web address") from error
        if found.scheme not in ("http", "https") or not found.host:
            raise FailedError("not a web address: only http and https are loaded")
        if found.userinfo:
            raise FailedError("an address that holds a password is not loaded")
        return found.copy_with(fragment=None)

    def load(self, url: str, headers: dict[str, str]) -> Reply:
        """The reply behind all redirects.

        Raises:
            FailedError: there is none, or it may not be asked for.
        """
        return self._follow(self.parsed(url), headers, self._max_bytes, _Limit(self._seconds), heed_robots=True)

    def _follow(
        self, url: "httpx2.URL", headers: dict[str, str], max_bytes: int, limit: "_Limit", *, heed_robots: bool
    ) -> Reply:
        for hop in itertools.count():
            if heed_robots:
                self._ask_robots(url, limit)
            self._wait(url, limit)
            reply = self._request(url, headers, max_bytes, limit)
            place = reply.headers.get("location")
            if reply.status not in (301, 302, 303, 307, 308) or not place:
                return reply
            if hop == _MOST_REDIRECTS:
                raise FailedError(f"redirected more than {_MOST_REDIRECTS} times")
            url = self._joined(url, place)
        raise AssertionError("count never ends")

    def _joined(self, url: "httpx2.URL", place: str) -> "httpx2.URL":
        import httpx2

        try:
            return self.parsed(str(url.join(place)))
        except (httpx2.InvalidURL, ValueError, FailedError) as error:
            raise FailedError(f"redirected to {shown(place)}, which is not loaded") from error

    def _ask_robots(self, url: "httpx2.URL", limit: "_Limit") -> None:
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(url, limit)
        robots = self._robots[origin]
        if isinstance(robots, str):
            raise FailedError(f"robots.txt cannot be read ({robots}), so the site is left alone")
        if not robots.allows(url.raw_path.decode("ascii")):
            raise FailedError("robots.txt of the site does not allow it")

    def _read_robots(self, url: "httpx2.URL", limit: "_Limit") -> Robots | str:
        """The site's rules, or why they cannot be known now."""
        place = url.copy_with(path="/robots.txt", query=None)
        try:
            reply = self._follow(place, {}, ROBOTS_BYTES, limit, heed_robots=False)
        except _BlockedError:
            raise
        except FailedError as error:
            return str(error)
        if reply.status == http.HTTPStatus.OK:
            return parse(reply.data.decode("utf-8", "replace"), AGENT)
        # RFC 9309: a site without the file has no rules; one that fails is not to be visited.
        absent = 400 <= reply.status < 500 and reply.status != http.HTTPStatus.TOO_MANY_REQUESTS
        return Robots() if absent else status(reply.status)

    def _wait(self, url: "httpx2.URL", limit: "_Limit") -> None:
        robots = self._robots.get(f"{url.scheme}://{url.netloc.decode('ascii')}")
        asked = min(robots.delay, _MOST_DELAY) if isinstance(robots, Robots) else 0.0
        pause = max(0.0, self._next.get(url.host, 0.0) - time.monotonic())
        limit.extend(pause)
        time.sleep(pause)
        self._next[url.host] = time.monotonic() + max(self._delay, asked)

    def _request(self, url: "httpx2.URL", headers: dict[str, str], max_bytes: int, limit: "_Limit") -> Reply:
        import httpx2

        problem: Exception | None = None
        for address in self._checked(url):
            try:
                with limit.watched(), self._open(url, address, headers, limit) as response:
                    limit.check()
                    return Reply(url, response.status_code, response.headers, _read(response, max_bytes, limit))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                problem = error
            except (httpx2.HTTPError, OSError) as error:
                if isinstance(error, httpx2.TimeoutException) or limit.passed:
                    raise FailedError("the server did not answer in time") from error
                raise FailedError("the server broke off the connection") from error
        why = "in time" if isinstance(problem, httpx2.TimeoutException) else f"({printable(str(problem))[:_SHOWN]})"
        raise FailedError(f"{url.host} cannot be reached {why}") from problem

    @contextlib.contextmanager
    def _open(
        self, url: "httpx2.URL", address: str, headers: dict[str, str], limit: "_Limit"
    ) -> Iterator["httpx2.Response"]:
        fixed = {
            "Host": url.netloc.decode("ascii"),
            "User-Agent": f"{AGENT}/{__version__}",
            "Accept": self._accept,
            "Accept-Encoding": "gzip",
        }
        extensions = {"sni_hostname": url.raw_host.decode("ascii"), "trace": limit.notice}
        with self._client.stream(
            "GET", url.copy_with(host=address), headers=fixed | headers, extensions=extensions
        ) as response:
            yield response

    def _checked(self, url: "httpx2.URL") -> list[str]:
        """The addresses of a host, all of which may be connected to."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = socket.getaddrinfo(url.raw_host.decode("ascii"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FailedError(f"there is no host {shown(url.host)}") from error
        places = list(dict.fromkeys(str(where[0]) for *_, where in found))
        private = [place for place in places if not is_public(place)]
        if private and not self._allow_private:
            raise _BlockedError(f"{shown(url.host)} is in the private network ({private[0]}); --allow-private loads it")
        return places


class _BlockedError(FailedError):
    """The address itself is refused, whatever robots.txt says."""


class _Limit:
    """Time for one address; when it is up, the connection is shut, also while headers drip in."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._socket: socket.socket | None = None

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def extend(self, seconds: float) -> None:
        self._end += seconds

    def check(self) -> None:
        if self.passed:
            raise FailedError("the server did not answer in time")

    def notice(self, event: str, facts: dict[str, Any]) -> None:
        """Keep hold of the connection, to be able to end it."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = facts["return_value"].get_extra_info("socket")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        self._socket = None
        timer = threading.Timer(max(0.0, self._end - time.monotonic()), self._shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also where it is wrapped into one of version 6."""
    place = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(place, ipaddress.IPv6Address):
        inner = place.ipv4_mapped or place.sixtofour or (place.teredo[1] if place.teredo else None)
        if inner is None and place in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(place) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return place.is_global and not place.is_multicast


def _read(response: "httpx2.Response", max_bytes: int, limit: _Limit) -> bytes:
    """The body, unpacked here, so that no small reply becomes a large one in memory."""
    too_large = FailedError(f"larger than {max_bytes:,} bytes (setting max_file_bytes)")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise FailedError("the server packed the page in a way that was not asked for")
    unpack = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    parts, size = [], 0
    for chunk in response.iter_raw():
        limit.check()
        try:
            part = unpack.decompress(chunk, max_bytes + 1 - size) if unpack else chunk
        except zlib.error as error:
            raise FailedError("the page is damaged: it cannot be unpacked") from error
        size += len(part)
        if size > max_bytes or (unpack and unpack.unconsumed_tail):
            raise too_large
        parts.append(part)
    limit.check()
    if unpack and not unpack.eof and parts:
        raise FailedError("the page is damaged: it ends early")
    return b"".join(parts)


def status(code: int) -> str:
    with contextlib.suppress(ValueError):
        return f"the server answered {code} {http.HTTPStatus(code).phrase}"
    return f"the server answered {code}"


def printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
