"""The web chat. Importing this package is cheap; Gradio is imported by those who build or serve the page."""

from collections.abc import Callable

from rag.chat.engine import Engine, EngineStatus, IndexSummary
from rag.settings import Settings

__all__ = ["Engine", "EngineStatus", "IndexSummary", "serve"]


def serve(make_engine: Callable[[], Engine], settings: Settings, *, open_browser: bool = False) -> None:
    """Serve the page until Ctrl-C. The engine is made once the address is known to be free.

    Raises:
        ServerError: the host or port cannot be used.
    """
    from rag.chat import serving

    serving.serve(make_engine, settings, open_browser=open_browser)
