"""Who may log in, how long, and how tries are slowed down; with a clock that the test turns."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from starlette.responses import Response

from fakes import in_its_own_loop
from rag.chat import login as module
from rag.chat.login import COOKIE, FREE_TRIES, LONGEST_LOCK, SESSION_SECONDS, Login, hashed, login_of
from rag.errors import ServerError
from rag.settings import Settings

ADDRESS = "203.0.113.5"
PASSWORD = "correct horse ☃"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with little work."""
    monkeypatch.setattr(module, "_COST", 16)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(clock: Clock) -> Login:
    return Login("anna", hashed(PASSWORD), clock)


def tried(login: Login, user: str, password: str, address: str = ADDRESS, secure: bool = False) -> Response:
    body = urlencode({"user": user, "password": password}).encode()
    return in_its_own_loop(login.log_in(body, address, secure=secure))


def cookie_of(response: Response) -> str:
    return response.headers["set-cookie"].split(";")[0]


def test_the_right_password_opens_a_session_that_ends(login: Login, clock: Clock) -> None:
    response = tried(login, "anna", PASSWORD)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = cookie_of(response)
    assert login.knows(cookie)
    assert login.knows(f"other=1; {cookie}; more=2")
    clock.now += SESSION_SECONDS
    assert not login.knows(cookie)


@pytest.mark.parametrize(
    ("user", "password"), [("anna", "wrong"), ("bert", PASSWORD), ("", ""), ("anna", PASSWORD[:-1])]
)
def test_anything_else_does_not(login: Login, user: str, password: str) -> None:
    response = tried(login, user, password)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert b"The name or the password is wrong." in response.body, "it does not say which"


@pytest.mark.parametrize("cookie", ["", COOKIE, f"{COOKIE}=", f"{COOKIE}=x", "x=y", f"{COOKIE}=\udcff"])
def test_made_up_sessions_are_unknown(login: Login, cookie: str) -> None:
    tried(login, "anna", PASSWORD)
    assert not login.knows(cookie)


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(login: Login, secure: bool) -> None:
    cookie = tried(login, "anna", PASSWORD, secure=secure).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ("secure" in cookie) is secure


def test_logging_out_ends_the_session(login: Login) -> None:
    cookie = cookie_of(tried(login, "anna", PASSWORD))
    login.log_out(cookie)
    assert not login.knows(cookie)


def test_tries_are_locked_out_ever_longer(login: Login, clock: Clock) -> None:
    for _ in range(FREE_TRIES):
        assert tried(login, "anna", "wrong").status_code == 401
    waits = []
    for _ in range(12):
        waits.append(login.locked(ADDRESS))
        response = tried(login, "anna", PASSWORD)
        assert response.status_code == 429, "even the right password has to wait"
        assert int(response.headers["retry-after"]) >= waits[-1]
        clock.now += waits[-1]
        assert tried(login, "anna", "wrong").status_code == 401
    assert waits == sorted(waits)
    assert waits[0] >= 1
    assert waits[-1] == LONGEST_LOCK
    assert tried(login, "anna", PASSWORD, "203.0.113.6").status_code == 303, "others are not locked out"
    clock.now += LONGEST_LOCK
    assert tried(login, "anna", PASSWORD).status_code == 303
    assert login.locked(ADDRESS) == 0


def test_tries_at_the_same_time_count(login: Login) -> None:
    async def many() -> list[int]:
        body = urlencode({"user": "anna", "password": "wrong"}).encode()
        return [
            response.status_code
            for response in await asyncio.gather(*(login.log_in(body, ADDRESS, secure=False) for _ in range(50)))
        ]

    statuses = in_its_own_loop(many())
    assert statuses.count(401) <= FREE_TRIES
    assert set(statuses) == {401, 429}


def test_memory_is_bounded(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 5)
    monkeypatch.setattr(module, "MOST_SESSIONS", 5)
    for number in range(20):
        tried(login, "anna", "wrong", f"198.51.100.{number}")
        tried(login, "anna", PASSWORD, f"203.0.113.{number}")
    assert len(login._failures) <= 5
    assert len(login._sessions) == 5


@pytest.mark.parametrize("password", ["", "plain", "scrypt$x$y", "scrypt$AAAA$AAAA", "md5$AAAA$AAAA"])
def test_a_login_without_a_usable_password_is_refused(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAG_PASSWORD", raising=False)
    with pytest.raises(ServerError, match="RAG_PASSWORD"):
        login_of(Settings(login_user="anna", login_password=password))


def test_the_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PASSWORD", PASSWORD)
    login = login_of(Settings(login_user="anna"))
    assert login is not None
    assert tried(login, "anna", PASSWORD).status_code == 303
    assert login_of(Settings()) is None


def test_a_hash_is_salted_and_printed_for_the_settings() -> None:
    assert hashed(PASSWORD) != hashed(PASSWORD)
    command = [sys.executable, "-m", "rag.chat.login"]
    done = subprocess.run(command, input="secret\n", capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("scrypt$")
    assert "secret" not in done.stdout
