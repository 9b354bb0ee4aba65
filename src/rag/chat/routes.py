"""What the page's own script asks for: an article, the library, an export. Everything else goes through Gradio."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, JSONResponse, Response

from rag.chat import library
from rag.chat.article import Mark, article
from rag.chat.engine import Engine
from rag.chat.export import FORMATS, file_name
from rag.chat.history import History
from rag.chat.kept import restore
from rag.errors import RagError

HEADER = "x-rag"
"""Sent by the page's script; a form or link of another website cannot send it."""
MAX_UPLOAD = 20_000_000
"""Bytes of an uploaded article."""
_MARKS = 20


def add_routes(app: FastAPI, engine: Engine, kept: History, *, manage: bool) -> None:
    """Add them to the server. ``manage``: whether visitors may change the library."""
    router = APIRouter(prefix="/rag", route_class=_Route)

    @router.get("/article")
    async def read_article(request: Request) -> Response:
        marks = _marks(request.query_params.getlist("mark"), request.query_params.getlist("quote"))
        try:
            document = await _off_loop(engine.document, request.query_params.get("id", ""))
        except RagError as error:
            return HTMLResponse(f'<p class="problem" role="alert">{escape(str(error))}</p>')
        return HTMLResponse(article(document, marks))

    @router.get("/library")
    async def read_library(request: Request) -> Response:
        wanted = library.Wanted.of(request.query_params)
        listed, summary = await _off_loop(engine.listed), await _off_loop(engine.summary)
        return HTMLResponse(library.page(listed, summary, wanted, manage=manage))

    @router.post("/export")
    async def export(request: Request) -> Response:
        said = json.loads(await request.body())
        label = FORMATS[str(said["format"])]
        found = await _off_loop(kept.load, str(said["visitor"]), str(said["conversation"]))
        exchanges = [restore(item, number, lambda name: None) for number, item in enumerate(found, 1)]
        title = exchanges[0].question if exchanges else "Conversation"
        headers = {"x-file-name": file_name(title, str(said["format"]))}
        return Response(label[2](exchanges, title), media_type=label[1], headers=headers)

    if manage:

        @router.post("/upload")
        async def upload(request: Request) -> Response:
            content = await request.body()
            path = await _off_loop(engine.add, request.query_params.get("name", ""), content)
            return JSONResponse({"path": path})

        @router.post("/delete")
        async def delete(request: Request) -> Response:
            await _off_loop(engine.remove, str(json.loads(await request.body())["path"]))
            return JSONResponse({})

        @router.post("/rebuild")
        async def rebuild() -> Response:
            await _off_loop(engine.rebuild)
            return JSONResponse({})

        @router.get("/progress")
        async def progress() -> Response:
            status = engine.status()
            return JSONResponse({"message": status.message, "done": status.done, "total": status.total})

    app.include_router(router)


class _Route(APIRoute):
    """Answers what goes wrong in one line, and changes nothing for other websites."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            if request.method == "POST" and HEADER not in request.headers:
                return Response("Not from this page.", 403, media_type="text/plain")
            try:
                return await handle(request)
            except RagError as error:
                return Response(str(error), 409, media_type="text/plain")
            except (KeyError, ValueError, TypeError):
                return Response("The request was not understood. Reload the page.", 400, media_type="text/plain")

        return guarded


async def _off_loop(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run what reads files in a thread, so that answers keep streaming."""
    return await asyncio.to_thread(work, *arguments)


def _marks(places: list[str], quotes: list[str]) -> list[Mark]:
    """``number:start:end`` each, with its quote."""
    marks = []
    for place, quote in list(zip(places, quotes, strict=False))[:_MARKS]:
        found = re.fullmatch(r"(\d{1,4}):(\d{1,12}):(\d{1,12})", place)
        if found:
            number, start, end = map(int, found.groups())
            marks.append(Mark(number, start, end, quote))
    return marks
