"""The web chat. Importing this package is cheap; Gradio is imported by those who build or serve the page."""

from rag.chat.engine import Engine, EngineStatus, IndexSummary
from rag.settings import Settings

__all__ = ["Engine", "EngineStatus", "IndexSummary", "serve"]


def serve(engine: Engine, settings: Settings, *, open_browser: bool = False) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        ServerError: the host or port cannot be used.
    """
    from rag.chat import serving

    serving.serve(engine, settings, open_browser=open_browser)
