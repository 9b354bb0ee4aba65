"""For whoever runs the chat: whether it lives, whether it can answer, and its figures."""

import asyncio
import contextlib
import re
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from rag.chat.engine import Engine
from rag.chat.figures import CONTENT_TYPE, PrometheusFigures
from rag.chat.slots import Slots
from rag.errors import RagError

PREPARING = "The models are being loaded."
FAILED = "The models or the index cannot be used; the program's own window or log says why."
UNREADABLE = "The index cannot be read; the log says why."
HANGING = "Answers hang; the program has to be started again."
STOPPING = "The program is about to end."


class Health:
    """Whether questions can be answered.

    The reasons are for everyone who can reach the server, and hold no path and no name.
    """

    def __init__(self, engine: Engine, slots: Slots) -> None:
        self.stopping = False
        self._engine = engine
        self._slots = slots

    def problem(self) -> str:
        """Why no question can be answered; nothing if one can."""
        status = self._engine.status()
        if self.stopping:
            return STOPPING
        if status.state != "ready":
            return PREPARING if status.state == "preparing" else FAILED
        if self._slots.hanging:
            return HANGING
        try:
            self._engine.summary()
        except RagError:
            return UNREADABLE
        return ""

    def generation(self) -> float:
        """Number of the index in use; 0 without one."""
        with contextlib.suppress(RagError):
            if found := re.search(r"\d+", self._engine.summary().generation):
                return int(found[0])
        return 0

    def gauges(self) -> dict[str, Any]:
        """See ``PrometheusFigures``."""
        return {
            "waiting": ("Questions that wait for their turn", lambda: self._slots.waiting),
            "answering": ("Questions that are being answered", lambda: self._slots.answering),
            "ready": ("1 if questions can be answered", lambda: float(not self.problem())),
            "index_generation": ("Number of the index in use", self.generation),
        }


def add_health_routes(app: FastAPI, health: Health, figures: PrometheusFigures | None) -> None:
    """``/healthz``, ``/readyz`` and, if there are figures, ``/metrics``."""

    @app.get("/healthz")
    async def alive() -> Response:
        return JSONResponse({"alive": True})

    @app.get("/readyz")
    async def ready() -> Response:
        problem = await asyncio.to_thread(health.problem)
        said = {"ready": not problem} | ({"reason": problem} if problem else {})
        return JSONResponse(said, 503 if problem else 200)

    if figures is not None:

        @app.get("/metrics")
        async def metrics() -> Response:
            return Response(await asyncio.to_thread(figures.text), headers={"content-type": CONTENT_TYPE})
