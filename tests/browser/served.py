"""The real server in a thread of this process."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from rag.chat.engine import Engine
from rag.chat.serving import bind, make_server
from rag.settings import Settings


@dataclass
class Served:
    """A running chat."""

    port: int
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def blocks(self) -> Any:
        """Gradio's own part of the server."""
        app = self.server.config.app
        while hasattr(app, "_app"):
            app = app._app
        (mounted,) = (route.app for route in app.routes if hasattr(getattr(route, "app", None), "get_blocks"))
        return mounted.get_blocks()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def served(engine: Engine, port: int = 0, **settings: Any) -> Iterator[Served]:
    """Serve on a port of 127.0.0.1, a free one unless given, until the block ends."""
    settings = {"history": "off"} | settings
    with bind("127.0.0.1", port) as listener:
        found = listener.getsockname()[1]
        server = make_server(engine, Settings(port=found, **settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        give_up = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the server failed to start"
            assert time.monotonic() < give_up, "the server did not start in time"
            time.sleep(0.05)
        running = Served(found, server, thread)
        yield running
        running.stop()
