"""An optional login: one name and password, checked slowly, with a lockout that grows.

``python -m rag.chat.login`` asks for a password and prints what belongs into the setting ``login_password``.
"""

import asyncio
import base64
import getpass
import hashlib
import hmac
import os
import secrets
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from rag.chat.limits import network
from rag.errors import ServerError
from rag.settings import Settings

COOKIE = "rag_session"
SESSION_SECONDS = 12 * 3600.0
FREE_TRIES = 5
LONGEST_LOCK = 900.0
MOST_SESSIONS = 1000
MOST_CLIENTS = 10_000
MOST_CHECKS = 4
"""Passwords that are checked or wait for it at once: each takes 16 MB and a core."""
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Log in</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:20rem;margin:15vh auto;padding:1rem;"
    "color-scheme:light dark}}input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;margin:.25rem 0 1rem}}"
    '</style><main><h1>Log in</h1>{problem}<form method="post" action="/login">'
    '<label>Name<input name="user" autocomplete="username" required autofocus></label>'
    '<label>Password<input name="password" type="password" autocomplete="current-password" required></label>'
    "<button>Log in</button></form></main></html>"
)


def hashed(password: str, salt: bytes | None = None) -> str:
    """``scrypt$salt$hash``, both in base64."""
    salt = salt or secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def login_of(settings: Settings) -> "Login | None":
    """What the settings ask for.

    Raises:
        ServerError: there is a name without a password, or the hash is none.
    """
    if not settings.login_user:
        return None
    password = os.environ.get("RAG_PASSWORD", "")
    stored = hashed(password) if password else settings.login_password
    parts = stored.split("$")
    try:
        if parts[0] != "scrypt" or len(base64.b64decode(parts[1])) < 8 or len(base64.b64decode(parts[2])) != 64:
            raise ValueError
    except (ValueError, IndexError) as error:
        raise ServerError(
            "The setting login_user needs a password",
            "Set RAG_PASSWORD in the environment, or login_password to what `python -m rag.chat.login` prints.",
        ) from error
    return Login(settings.login_user, stored)


class Login:
    """Who has logged in, and who tries. Belongs to the server's loop.

    Args:
        user: the only name.
        password: as ``hashed`` makes it.
        clock: seconds that only go forward.
    """

    def __init__(self, user: str, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._password = password
        self._clock = clock
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._checking = 0

    def knows(self, cookie: str) -> bool:
        """Whether the Cookie header holds a session that has not ended."""
        for part in cookie.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and self._sessions.get(_fingerprint(value), 0.0) > self._clock():
                return True
        return False

    def locked(self, address: str) -> float:
        """Seconds until this client may try again."""
        return max(0.0, self._failures.get(network(address), (0, 0.0))[1] - self._clock())

    def page(self) -> Response:
        """The form."""
        return HTMLResponse(_PAGE.format(problem=""))

    async def log_in(self, body: bytes, address: str, *, secure: bool) -> Response:
        """Answer a form that was sent."""
        wait = self.locked(address)
        if wait or self._checking >= MOST_CHECKS:
            seconds = max(1, round(wait + 0.5))
            return _refused(f"Too many tries. Wait {seconds} s.", 429, {"retry-after": str(seconds)})
        said = parse_qs(body.decode("utf-8", "replace"))
        user, password = (said.get(name, [""])[0] for name in ("user", "password"))
        self._fail(address)  # until proven otherwise: tries at the same time count too
        self._checking += 1
        try:
            right = await asyncio.to_thread(self._is_right, user, password)
        finally:
            self._checking -= 1
        if not right:
            return _refused("The name or the password is wrong.", 401)
        self._failures.pop(network(address), None)
        return self._welcome(secure=secure)

    def log_out(self, cookie: str) -> Response:
        """End the session of this browser."""
        for part in cookie.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                self._sessions.pop(_fingerprint(value), None)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    def _is_right(self, user: str, password: str) -> bool:
        salt = base64.b64decode(self._password.split("$")[1])
        # Both are compared in any case, so that the time does not tell which one was wrong.
        same_password = hmac.compare_digest(hashed(password, salt).encode(), self._password.encode())
        same_user = hmac.compare_digest(user.encode("utf-8", "replace"), self._user.encode())
        return same_password and same_user

    def _fail(self, address: str) -> None:
        client = network(address)
        failures = self._failures.pop(client, (0, 0.0))[0] + 1
        wait = min(LONGEST_LOCK, 2.0 ** min(30, failures - FREE_TRIES)) if failures >= FREE_TRIES else 0.0
        self._failures[client] = (failures, self._clock() + wait)
        if len(self._failures) > MOST_CLIENTS:
            self._failures.popitem(last=False)

    def _welcome(self, *, secure: bool) -> Response:
        token = secrets.token_urlsafe(32)
        self._sessions[_fingerprint(token)] = self._clock() + SESSION_SECONDS
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, token, max_age=int(SESSION_SECONDS), httponly=True, samesite="strict", secure=secure, path="/"
        )
        return response


def unknown(path: str, method: str) -> Response:
    """For whoever has not logged in: the page leads to the form, everything else is refused."""
    if path == "/" and method == "GET":
        return RedirectResponse("/login", 303)
    return PlainTextResponse("Log in first.", 401)


def _refused(problem: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return HTMLResponse(_PAGE.format(problem=f'<p role="alert">{escape(problem)}</p>'), status, headers)


def _fingerprint(token: str) -> str:
    # Looked up by their hash, so that neither timing nor a memory dump gives a session away.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


if __name__ == "__main__":
    if sys.stdin.isatty():
        print(hashed(getpass.getpass("Password: ")))
    else:
        print(hashed(sys.stdin.readline().rstrip("\n")))
