"""A visitor of the running chat who speaks the protocol of its page: events posted, answers read from a stream."""

import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

_PREFIX = "/gradio_api"
_SHOWN = ("process_generating", "process_completed")


@dataclass(frozen=True, slots=True)
class Reply:
    """How one question went; times in seconds from the click, ``None`` for what did not come."""

    sources: float | None
    first_word: float | None
    end: float
    error: str
    """Empty when the whole answer came."""
    html: str
    """The region of the answer as it was in the end."""
    bytes: int
    """What the stream sent."""
    ahead: tuple[str, ...] = ()
    """What was said while the question waited, each once."""
    notice: str = ""
    """What was said above the question box in the end."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which events of the page are asking and answering, and what their inputs hold at first."""

    begin: int
    answer: int
    trigger: int
    begin_data: tuple[Any, ...]
    answer_data: tuple[Any, ...]
    arrive: int
    settle: int
    suggest: int
    stop: int
    notice: int
    """Place of the line above the question box among what asking returns; ``settled_notice``: what settling does."""
    settled_notice: int


async def wiring(client: httpx2.AsyncClient) -> Wiring:
    """Read from the page's own configuration."""
    reply = await client.get("/config")
    reply.raise_for_status()
    config = reply.json()
    components = {item["id"]: item for item in config["components"]}
    ids = {item["props"].get("elem_id"): item["id"] for item in config["components"]}
    begin = next(item for item in config["dependencies"] if [ids["rag-box"], "submit"] in map(list, item["targets"]))
    answer, settle, suggest = _followers(config["dependencies"], begin["id"])

    def first(dependency: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(components[id]["props"].get("value") for id in dependency["inputs"])

    return Wiring(
        begin["id"],
        answer["id"],
        ids["rag-box"],
        first(begin),
        first(answer),
        next(item["id"] for item in config["dependencies"] if _is_arrival(item)),
        settle["id"],
        suggest["id"],
        next(item["id"] for item in config["dependencies"] if [ids["rag-stop"], "click"] in map(list, item["targets"])),
        begin["outputs"].index(ids["rag-notice"]),
        settle["outputs"].index(ids["rag-notice"]),
    )


def _is_arrival(event: dict[str, Any]) -> bool:
    """Whether it is what a page does first: it sends who comes, and gets everything."""
    return any(name == "load" for _, name in event["targets"]) and len(event["inputs"]) == 2


def _followers(events: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """What happens one after the other once an event is over, without what only follows a failure."""
    after = [event for event in events if event["trigger_after"] == first and event["trigger_only_on_failure"] is False]
    return [after[0], *_followers(events, after[0]["id"])] if after else []


class Visitor:
    """One browser tab."""

    def __init__(self, client: httpx2.AsyncClient, page: Wiring, timeout: float = 60.0) -> None:
        self._client = client
        self._page = page
        self._timeout = timeout
        self.session = secrets.token_hex(8)

    async def arrive(self) -> None:
        """Open the page."""
        (await self._client.get("/")).raise_for_status()
        (await self._post("run/predict", self._page.arrive, ["", None])).raise_for_status()

    async def ask(
        self, question: str, leave_after: float | None = None, on_sources: Callable[[], None] = lambda: None
    ) -> Reply:
        """Ask and read the answer to its end, or leave in the middle of it; ``on_sources`` is called when they come."""
        began = time.perf_counter()
        try:
            refusal = await self._begin(question)
            if refusal:
                return Reply(None, None, time.perf_counter() - began, refusal, "", 0)
            return await self._read(question, began, leave_after, on_sources)
        except (httpx2.HTTPError, TimeoutError) as error:
            return Reply(None, None, time.perf_counter() - began, f"{type(error).__name__}: {error}", "", 0)

    async def _begin(self, question: str) -> str:
        """Post the question; why it was not taken, or nothing."""
        data = [question, *self._page.begin_data[1:]]
        reply = await self._post("run/predict", self._page.begin, data)
        if reply.status_code != 200:
            return f"{reply.status_code}: {reply.text[:200]}"
        notice = _value(reply.json()["data"][self._page.notice])
        return str(notice or "")

    async def _read(
        self, question: str, began: float, leave_after: float | None, on_sources: Callable[[], None]
    ) -> Reply:
        sources = first_word = None
        size, html, waited = 0, "", dict[str, None]()
        async with contextlib.aclosing(self._stream(self._page.answer, list(self._page.answer_data))) as messages:
            async for message, length in messages:
                passed = time.perf_counter() - began
                size += length
                if message["msg"] == "timeout" or passed > self._timeout:
                    raise TimeoutError("the answer did not end")
                if leave_after is not None and passed > leave_after:
                    return Reply(sources, first_word, passed, "left", html, size)
                if message["msg"] not in _SHOWN or not message.get("success"):
                    return Reply(sources, first_word, passed, json.dumps(message)[:300], html, size)
                html = message["live"]
                if 'class="waiting"' in html:
                    waited[html.split('class="waiting">', 1)[1].split("<", 1)[0]] = None
                if sources is None and 'class="card' in html:
                    sources = passed
                    on_sources()
                if first_word is None and 'class="sentence"' in html:
                    first_word = passed
        try:
            settled = await self._post("run/predict", self._page.settle, [None])
        except httpx2.HTTPError as error:
            return Reply(sources, first_word, time.perf_counter() - began, f"not settled: {error!r}", html, size)
        end = time.perf_counter() - began
        if settled.status_code != 200:
            return Reply(sources, first_word, end, f"{settled.status_code}: {settled.text[:200]}", html, size)
        async for _, length in self._stream(self._page.suggest, [None]):
            size += length
        notice = str(_value(settled.json()["data"][self._page.settled_notice]) or "")
        return Reply(sources, first_word, end, _fault(html, question), html, size, tuple(waited), notice)

    async def stop(self) -> None:
        """Press Stop."""
        (await self._post("run/predict", self._page.stop, [None])).raise_for_status()

    async def _stream(self, event: int, data: list[Any]) -> AsyncGenerator[tuple[dict[str, Any], int]]:
        """What an event of the queue sends until it is complete, with what its only output then is, and the bytes."""
        joined = await self._post("queue/join", event, data)
        if joined.status_code != 200:
            yield {"msg": "refused", "why": joined.text}, len(joined.text)
            return
        live: Any = None
        url = f"{_PREFIX}/queue/data?session_hash={self.session}"
        async with self._client.stream("GET", url, timeout=self._timeout) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line[6:])
                if message["msg"] in ("estimation", "process_starts", "heartbeat"):
                    continue
                if message["msg"] in _SHOWN and message.get("success"):
                    (output,) = message["output"]["data"]
                    live = _patched(live, output) if message["msg"] == "process_generating" else output
                yield message | {"live": live if isinstance(live, str) else ""}, len(line)
                if message["msg"] != "process_generating":
                    return
        yield {"msg": "the stream ended early"}, 0

    async def _post(self, where: str, event: int, data: list[Any]) -> httpx2.Response:
        body = {
            "data": data,
            "event_data": None,
            "fn_index": event,
            "session_hash": self.session,
            "trigger_id": self._page.trigger,
        }
        return await self._client.post(f"{_PREFIX}/{where}", json=body, timeout=self._timeout)


def as_json(reply: Reply) -> dict[str, Any]:
    """Without the page."""
    return {name: value for name, value in dataclasses.asdict(reply).items() if name != "html"}


def _fault(html: str, question: str) -> str:
    """What is wrong with a region that should hold the whole answer to the question."""
    if 'class="problem"' in html:
        return html.split('class="problem" role="alert">', 1)[1].split("<", 1)[0]
    if question not in html:
        return "the answer of another question"
    if 'aria-busy="false"' not in html or 'class="foot"' not in html:
        return "the answer is not complete"
    return ""


def _value(output: Any) -> Any:
    """The content of a component, whether it came bare or as an update; ``None`` if it stays as it is."""
    return output.get("value") if isinstance(output, dict) else output


def _patched(before: Any, output: Any) -> Any:
    """A stream sends its output as the difference from the last one, except at first."""
    return _apply(before, output) if _is_difference(output) else output


def _is_difference(steps: Any) -> bool:
    return isinstance(steps, list) and all(isinstance(step, list) and len(step) == 3 for step in steps)


def _apply(value: Any, steps: list[Any]) -> Any:
    for action, path, new in steps:
        if not path:
            value = value + new if action == "append" else new
            continue
        place = value
        for name in path[:-1]:
            place = place[name]
        if action == "delete":
            del place[path[-1]]
        elif action == "append":
            place[path[-1]] += new
        else:  # replace, add
            place[path[-1]] = new
    return value
