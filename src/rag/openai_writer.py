"""A writer behind any server that speaks OpenAI's chat completions. The only file that sends a question anywhere."""

import contextlib
import email.utils
import ipaddress
import json
import queue
import socket
import threading
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from rag import __version__
from rag.errors import ModelError

if TYPE_CHECKING:
    import httpx2

_CONNECT_SECONDS = 10.0
_STOP_SECONDS = 2.0
_BACKOFF_SECONDS = 0.25
"""Before the first further try; doubled before each later one."""
_MAX_EVENT_BYTES = 256 * 1024
_MAX_REPLY_BYTES = 16 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_SHOWN = 200
"""Characters of a server's own words in a message."""


class OpenAiWriter:
    """Ollama, vLLM, llama.cpp's server, or a hosted model; greedy where the server allows it.

    Args:
        base_url: as the server's documentation names it; most end in ``/v1``.
        model: as the server calls it.
        api_key: sent with every request; appears in no message.
        retries: further tries after failed connections and the answers 429 and 5xx, until the first piece has come.

    Raises:
        ModelError: the address or the key cannot be used.
    """

    def __init__(self, base_url: str, model: str, *, api_key: str | None, retries: int = 2) -> None:
        import httpx2

        self.name = model
        self._url = _endpoint(base_url)
        self._key = _checked_key(api_key)
        self._retries = retries
        # Reading the certificates takes longer than all the rest of a connection.
        self._tls = httpx2.create_ssl_context()
        self._unsupported: set[str] = set()

    def __repr__(self) -> str:
        return f"OpenAiWriter({str(self._url)!r}, {self.name!r})"

    def write(
        self, messages: Sequence[dict[str, str]], max_tokens: int, timeout: float, grammar: str = ""
    ) -> Generator[str]:
        deadline = time.monotonic() + timeout
        exchange = _Exchange(self, list(messages), max_tokens, deadline)
        # In a thread, since neither looking up a name nor a server that drips keeps to a time limit by itself.
        thread = threading.Thread(target=exchange.run, name="writer", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    piece = exchange.pieces.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty as error:
                    problem = f"The writer model {self.name} at {self.address} did not answer within {timeout:g} s"
                    raise ModelError(problem, 'Raise writer_timeout or use mode = "quote".') from error
                if piece is None:
                    return
                if isinstance(piece, ModelError):
                    raise piece
                yield piece
        finally:
            exchange.stop()
            thread.join(_STOP_SECONDS)

    @property
    def address(self) -> str:
        """The server without the path."""
        return f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"

    def tidy(self, text: str) -> str:
        """Somebody else's words as part of one line of ours."""
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"


class _AgainError(Exception):
    """A fault that may pass.

    Args:
        error: raised when no further try is left.
        wait: seconds that the server asks for.
        counts: as one of the further tries.
    """

    def __init__(self, error: ModelError, wait: float | None = None, *, counts: bool = True) -> None:
        super().__init__(error)
        self.error, self.wait, self.counts = error, wait, counts


class _Exchange:
    """One answer: requests until one is answered, its pieces put into a queue, ``None`` or an error last."""

    def __init__(self, writer: OpenAiWriter, messages: list[dict[str, str]], max_tokens: int, deadline: float) -> None:
        self.pieces: queue.SimpleQueue[str | ModelError | None] = queue.SimpleQueue()
        self._writer = writer
        self._messages = messages
        self._max_tokens = max_tokens
        self._deadline = deadline
        self._begun = False
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None

    def run(self) -> None:
        try:
            self._try()
            self.pieces.put(None)
        except ModelError as error:
            self.pieces.put(error)
        except Exception as error:  # a fault of the HTTP library, handed over to the reader of the stream
            self.pieces.put(self._failure(f"failed: {type(error).__name__}: {error}"))

    def stop(self) -> None:
        """End the exchange from another thread: the server notices, and a thread that reads wakes up."""
        self._stopped.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _try(self) -> None:
        tries = 0
        while not self._stopped.is_set():
            try:
                self._stream()
                return
            except _AgainError as again:
                wait = 0.0
                if again.counts:
                    wait = _BACKOFF_SECONDS * 2**tries if again.wait is None else again.wait
                    tries += 1
                hopeless = tries > self._writer._retries or wait >= self._left()
                if self._begun or hopeless:
                    raise again.error from again.__cause__
                self._stopped.wait(wait)

    def _left(self) -> float:
        return max(0.001, self._deadline - time.monotonic())

    def _stream(self) -> None:
        """One request. Raises ``_AgainError`` for what may pass, ``ModelError`` for what will not."""
        import httpx2

        try:
            with self._client() as client, client.stream("POST", self._writer._url, **self._request()) as response:
                self._check(response)
                self._pass_on(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            reason = self._writer.tidy(str(error)) or "no answer"
            unreachable = ModelError(
                f"The writer's server {self._writer.address} cannot be reached: {reason}",
                "Start it, or correct its address in the settings.",
            )
            raise _AgainError(unreachable) from error
        except httpx2.TimeoutException as error:
            raise self._failure("did not answer in time") from error
        except httpx2.SSEError as error:
            raise self._failure(f"sent a line longer than {_MAX_EVENT_BYTES // 1024} KiB") from error
        except (httpx2.NetworkError, httpx2.ProtocolError) as error:
            raise _AgainError(self._failure("closed the connection before the answer was complete")) from error

    def _client(self) -> "httpx2.Client":
        import httpx2

        left = self._left()
        return httpx2.Client(
            verify=self._writer._tls,
            trust_env=not _is_loopback(self._writer._url.host),
            # A little less than is left, so that a server that is not there is named rather than called slow.
            timeout=httpx2.Timeout(left, connect=min(0.8 * left, _CONNECT_SECONDS)),
            follow_redirects=False,
        )

    def _request(self) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._writer.name, "messages": self._messages, "stream": True}
        # Hosted reasoning models have another name for the one and refuse the other.
        limit = "max_completion_tokens" if "max_tokens" in self._writer._unsupported else "max_tokens"
        body[limit] = self._max_tokens
        if "temperature" not in self._writer._unsupported:
            body["temperature"] = 0
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "User-Agent": f"ask-the-articles/{__version__}",
        }
        if self._writer._key:
            headers["Authorization"] = f"Bearer {self._writer._key}"
        return {"json": body, "headers": headers, "extensions": {"trace": self._notice}}

    def _notice(self, event: str, facts: dict[str, Any]) -> None:
        """Keep hold of the connection, to be able to end it."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = facts["return_value"].get_extra_info("socket")
            if self._stopped.is_set():
                self.stop()

    def _check(self, response: "httpx2.Response") -> None:
        status = response.status_code
        if status != 200:
            raise self._refusal(response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            problem = f"answered {self._writer.tidy(kind) or 'something'} instead of a stream"
            raise self._failure(problem, _CHECK_ADDRESS)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._failure("compressed its answer, which was not asked for")

    def _pass_on(self, response: "httpx2.Response") -> None:
        import httpx2

        for event in httpx2.EventSource(response, max_event_size=_MAX_EVENT_BYTES):
            if self._stopped.is_set() or event.data == "[DONE]":
                return
            if response.num_bytes_downloaded > _MAX_REPLY_BYTES:
                raise self._failure(f"sent more than {_MAX_REPLY_BYTES // 1024**2} MiB")
            piece = self._text_of(event.data)
            if piece:
                self._begun = True
                self.pieces.put(piece)
        raise _AgainError(self._failure("ended its answer early, without [DONE]"))

    def _text_of(self, data: str) -> str:
        """The text of one streamed chunk."""
        try:
            chunk = json.loads(data)
            if "error" in chunk:
                raise self._failure(f"failed: {_message_of(chunk)}")
            choices = chunk["choices"]
            text = (choices[0]["delta"].get("content") if choices else None) or ""
            # A lone half of a surrogate pair would stop whatever prints it.
            return str.encode(text, "utf-8", "replace").decode()
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise self._failure(f"sent what is no chat completion: {data}", _CHECK_ADDRESS) from error

    def _refusal(self, response: "httpx2.Response") -> Exception:
        status = response.status_code
        fault = _json_of(response)
        said = f": {message}" if (message := _message_of(fault)) else ""
        if status in (401, 403):
            how = "did not accept the key" if self._writer._key else "asks for a key"
            return self._failure(f"{how} ({status})", "Set the environment variable RAG_API_KEY to a key for it.")
        if response.is_redirect:
            place = response.headers.get("location", "another address")
            return self._failure(f"points to {place}, which is not followed", "Name that address if you trust it.")
        if status == 404:
            return self._failure(f"answered 404{said}", f"{_CHECK_ADDRESS} Check the model's name, too.")
        if status == 400 and self._drop(fault):
            return _AgainError(self._failure(f"answered 400{said}"), counts=False)
        if status == 429:
            wait = _seconds(response.headers.get("retry-after"))
            asks = "" if wait is None else f" and asks to wait {wait:.0f} s"
            return _AgainError(self._failure(f"answered 429, too many requests{asks}", "Try again later."), wait)
        if status >= 500:
            return _AgainError(self._failure(f"answered {status}{said}"))
        return self._failure(f"answered {status}{said}")

    def _drop(self, fault: Any) -> bool:
        """Note a setting of ours that the server does not know; False if it is none, or noted already."""
        name = fault.get("error", {}).get("param") if isinstance(fault.get("error"), dict) else None
        if name not in ("max_tokens", "temperature") or name in self._writer._unsupported:
            return False
        self._writer._unsupported.add(name)
        return True

    def _failure(self, what: str, remedy: str = 'See its log, or use mode = "quote".') -> ModelError:
        return ModelError(f"The writer's server {self._writer.address} {self._writer.tidy(what)}", remedy)


_CHECK_ADDRESS = "Check its address in the settings; most end in /v1."


def _endpoint(base_url: str) -> "httpx2.URL":
    """Where chat completions are asked for."""
    import httpx2

    try:
        url = httpx2.URL(base_url.strip())
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise ModelError("The writer's address cannot be read", _ADDRESS) from error
    if url.userinfo:
        raise ModelError(f"The writer's address for {url.host} holds a password", "Put the key into RAG_API_KEY.")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        # Not shown: a key may stand in it.
        raise ModelError("The writer's address is no web address of a server", _ADDRESS)
    path = url.path.rstrip("/").removesuffix("/chat/completions")
    return url.copy_with(path=f"{path}/chat/completions")


_ADDRESS = "Write one like http://127.0.0.1:11434/v1."


def _checked_key(key: str | None) -> str | None:
    key = (key or "").strip()
    if not all("!" <= char <= "~" for char in key):
        raise ModelError("The key for the writer's server holds characters that no key has", "Correct RAG_API_KEY.")
    return key or None


def _is_loopback(host: str) -> bool:
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json_of(response: "httpx2.Response") -> dict[str, Any]:
    """The beginning of a refusal as JSON; nothing if it is none."""
    import httpx2

    body = b""
    with contextlib.suppress(httpx2.HTTPError):
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > _MAX_ERROR_BYTES:
                break
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _message_of(fault: dict[str, Any]) -> str:
    """What servers say in the one or the other form of an error."""
    error = fault.get("error", fault)
    message = error.get("message", error.get("detail", "")) if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _seconds(retry_after: str | None) -> float | None:
    """``Retry-After``: seconds or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
