"""Load on the real chat over its real protocol: ``python benchmarks/load.py``.

Serves the chat in a process of its own on 127.0.0.1 and asks it as many visitors at once as are named: all in the same
moment (burst) and one after the other within a few seconds (ramp). The writer is a stub of 100 tokens a second, or the
real models with ``--engine real``. Client and server share the machine: figures are upper bounds. Everything is bounded:
visitors, questions, seconds a question and seconds in all.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx2

from chat_client import Reply, Visitor, Wiring, wiring

ROOT = Path(__file__).parents[1]
MOST_VISITORS = 500
MOST_CHATS = 20_000
Pattern = Literal["burst", "ramp"]


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one load did: seconds, except where it says otherwise."""

    users: int
    pattern: Pattern
    chats: int
    errors: int
    refused: int
    """Told that the queue is full; no error."""
    sources: dict[str, float]
    first_word: dict[str, float]
    end: dict[str, float]
    seconds: float
    kilobytes_a_chat: float
    memory_megabytes: float
    problems: tuple[str, ...] = ()
    """The first few, each once."""


@contextlib.contextmanager
def server(arguments: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The chat in a process of its own: its address and process id."""
    command = [sys.executable, str(Path(__file__).with_name("load_server.py")), *arguments]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found is None:
                log.seek(0)
                raise SystemExit(f"The server did not start: {log.read()[-2000:]}")
            yield found[0], process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory(process: int) -> float:
    """Megabytes that a process has in memory; NaN where the system does not say."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) / 1024 if found else float("nan")


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 by the nearest rank; none of no values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{part}": ordered[min(len(ordered) - 1, -(-len(ordered) * part // 100) - 1)] for part in (50, 95, 99)}


async def load(
    address: str, questions: Sequence[str], users: int, pattern: Pattern, chats: int, timeout: float, ramp: float = 5.0
) -> list[Reply]:
    """Let the visitors ask, each ``chats`` questions one after the other."""
    limits = httpx2.Limits(max_connections=2 * users + 10, max_keepalive_connections=users + 10)
    async with httpx2.AsyncClient(base_url=address, timeout=timeout, limits=limits, trust_env=False) as client:
        page = await wiring(client)

        visitors = [Visitor(client, page, timeout) for _ in range(users)]
        for visitor in visitors:
            await visitor.arrive()

        async def visit(number: int) -> list[Reply]:
            if pattern == "ramp":
                await asyncio.sleep(ramp * number / users)
            visitor = visitors[number]
            asked = (questions[(number + turn) % len(questions)] for turn in range(chats))
            return [await visitor.ask(f"{question} ({number})") for question in asked]

        return [reply for replies in await asyncio.gather(*map(visit, range(users))) for reply in replies]


def summary(users: int, pattern: Pattern, replies: Sequence[Reply], seconds: float, megabytes: float) -> Run:
    refused = [reply for reply in replies if is_refusal(reply)]
    failed = [reply for reply in replies if reply.error and not is_refusal(reply)]
    good = [reply for reply in replies if not reply.error]
    return Run(
        users,
        pattern,
        len(replies),
        len(failed),
        len(refused),
        percentiles([reply.sources for reply in good if reply.sources is not None]),
        percentiles([reply.first_word for reply in good if reply.first_word is not None]),
        percentiles([reply.end for reply in good]),
        seconds,
        sum(reply.bytes for reply in good) / 1000 / max(1, len(good)),
        megabytes,
        tuple(dict.fromkeys(reply.error for reply in failed))[:5],
    )


def is_refusal(reply: Reply) -> bool:
    """Whether the visitor was told that too many are waiting."""
    return "are waiting for an answer" in reply.error


async def soak(address: str, process: int, chats: int, at_once: int, timeout: float) -> dict[str, Any]:
    """Many short visits; how memory grows after the first tenth, at least 500 of them, which fill every cache."""
    warm_up = max(500, chats // 10)
    failed: dict[str, int] = {}
    measured: list[tuple[int, float]] = []
    left = iter(range(warm_up + chats))
    async with httpx2.AsyncClient(base_url=address, timeout=timeout, trust_env=False) as client:
        page = await wiring(client)

        async def visit() -> None:
            for number in left:
                reply = await Visitor(client, page, timeout).ask(f"What is said about matter {number}?")
                if reply.error:
                    failed[reply.error] = failed.get(reply.error, 0) + 1
                if number >= warm_up - 1 and (number + 1 - warm_up) % max(1, chats // 20) == 0:
                    measured.append((number + 1 - warm_up, round(memory(process), 1)))

        began = time.perf_counter()
        await asyncio.gather(*(visit() for _ in range(at_once)))
    return {
        "chats": chats,
        "warm_up": warm_up,
        "errors": sum(failed.values()),
        "problems": failed,
        "seconds": round(time.perf_counter() - began, 1),
        "memory_megabytes": measured,
        "growth_megabytes": round(measured[-1][1] - measured[0][1], 1),
    }


async def rebuilding(address: str, until: asyncio.Event) -> int:
    """Rebuild the index again and again until told to stop; how often."""
    times = 0
    async with httpx2.AsyncClient(base_url=address, timeout=600, trust_env=False) as client:
        while not until.is_set():
            name = f"load-{random.randrange(10**9)}.txt"
            text = f"Article of the load test {times}\n\nThe number of this rebuild is {times}.\n"
            ours = {"x-rag": "1"}
            (await client.post("/rag/upload", params={"name": name}, content=text, headers=ours)).raise_for_status()
            (await client.post("/rag/rebuild", json={}, headers=ours)).raise_for_status()
            times += 1
    return times


async def load_while_rebuilding(
    address: str, questions: Sequence[str], users: int, chats: int, timeout: float
) -> tuple[list[Reply], int]:
    done = asyncio.Event()
    rebuilds = asyncio.create_task(rebuilding(address, done))
    try:
        replies = await load(address, questions, users, "burst", chats, timeout)
    finally:
        done.set()
    return replies, await rebuilds


def table(runs: Sequence[Run]) -> str:
    lines = [
        "| users | pattern | chats | errors | refused | sources p50/p95/p99 s | first word s | end s | kB a chat | memory MB |",
        "| ---: | --- | ---: | ---: | ---: | --- | --- | --- | ---: | ---: |",
    ]
    for run in runs:
        times = (
            " / ".join(f"{value:.2f}" for value in part.values()) for part in (run.sources, run.first_word, run.end)
        )
        lines.append(
            f"| {run.users} | {run.pattern} | {run.chats} | {run.errors} | {run.refused} | {' | '.join(times)} | "
            f"{run.kilobytes_a_chat:.0f} | {run.memory_megabytes:.0f} |"
        )
        lines += [f"  problem: {problem}" for problem in run.problems]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["stub", "real"], default="stub")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 10, 50, 100], help="visitors at once")
    parser.add_argument("--pattern", choices=["burst", "ramp"], nargs="+", default=["burst", "ramp"])
    parser.add_argument("--chats", type=int, default=1, help="questions of each visitor")
    parser.add_argument("--tokens", type=int, default=500, help="of the stub's answers")
    parser.add_argument("--rate", type=float, default=100.0, help="the stub's tokens a second; 0: at once")
    parser.add_argument("--at-once", type=int, help="answers at once (default: 100 for the stub, 1 for real models)")
    parser.add_argument("--waiting", type=int, default=32, help="questions that may wait")
    parser.add_argument("--mode", choices=["write", "quote"], default="write", help="of the real models")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds a question")
    parser.add_argument(
        "--soak", type=int, metavar="N", help="only N chats that are answered at once, for their memory"
    )
    parser.add_argument("--rebuild", action="store_true", help="rebuild the index meanwhile (with --engine real)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if max(options.users) > MOST_VISITORS or max(options.chats * max(options.users), options.soak or 0) > MOST_CHATS:
        parser.error(f"At most {MOST_VISITORS} visitors and {MOST_CHATS} chats.")
    at_once = options.at_once or (100 if options.engine == "stub" else 1)
    waiting = options.waiting
    arguments = [options.engine, "--at-once", str(at_once), "--waiting", str(waiting), "--mode", options.mode]
    arguments += ["--tokens", str(options.tokens), "--rate", str(0 if options.soak else options.rate)]
    figures: dict[str, Any] = {"options": {name: str(value) for name, value in vars(options).items()}}
    with server(arguments) as (address, process):
        if options.soak:
            found = asyncio.run(soak(address, process, options.soak, 8, options.timeout))
            figures["soak"] = found
            print(json.dumps(found, indent=1))
        else:
            runs = measure(address, process, options)
            figures["runs"] = [dataclasses.asdict(run) for run in runs]
            print(table(runs))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(address: str, process: int, options: argparse.Namespace) -> list[Run]:
    """Every number of visitors in every pattern, after a question to warm up."""
    questions = QUESTIONS if options.engine == "real" else [f"What is said about matter {n}?" for n in range(10)]
    asyncio.run(load(address, questions[:1], 1, "burst", 1, options.timeout))
    runs = []
    for pattern in options.pattern:
        for users in options.users:
            began = time.perf_counter()
            if options.rebuild:
                replies, times = asyncio.run(
                    load_while_rebuilding(address, questions, users, options.chats, options.timeout)
                )
                print(f"{times} rebuilds meanwhile")
            else:
                replies = asyncio.run(load(address, questions, users, pattern, options.chats, options.timeout))
            runs.append(summary(users, pattern, replies, time.perf_counter() - began, memory(process)))
    return runs


QUESTIONS = (
    "When was Salyut 1 launched?",
    "How much rent does Russia pay for Baikonur?",
    "Which countries first signed the Artemis Accords?",
    "How long did Frank Rubio stay in space?",
    "What does the Outer Space Treaty forbid?",
    "Who will be the first person on Mars?",
)

__all__ = ["Wiring", "load", "memory", "percentiles", "server", "soak", "summary"]

if __name__ == "__main__":
    sys.exit(main())
