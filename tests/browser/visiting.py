"""Visitors who speak the page's protocol without a browser, for tests of load, faults and attacks."""

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import httpx2

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
Found = TypeVar("Found")


def _load(name: str):  # type: ignore[no-untyped-def]
    """A module of ``benchmarks``, which is no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _BENCHMARKS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


chat_client = _load("chat_client")
stub_engine = _load("stub_engine")
load = _load("load")


def visit(
    address: str, do: Callable[[Callable[[], "chat_client.Visitor"]], Awaitable[Found]], timeout: float = 30
) -> Found:
    """Run what visitors do; ``do`` gets a function that makes a new visitor."""

    async def run() -> Found:
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(base_url=address, timeout=timeout, limits=limits, trust_env=False) as client:
            page = await chat_client.wiring(client)
            return await asyncio.wait_for(do(lambda: chat_client.Visitor(client, page, timeout)), 2 * timeout)

    # Playwright keeps a loop of its own in the main thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def ask(address: str, question: str = "What is said?") -> "chat_client.Reply":
    """One visitor's one question."""
    return visit(address, lambda new: new().ask(question))
