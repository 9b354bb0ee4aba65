"""The web chat. Importing this package is cheap; Gradio is imported by those who build or serve the page."""

from typing import TYPE_CHECKING

from rag.chat.engine import Engine, EngineStatus, IndexSummary
from rag.settings import Settings

if TYPE_CHECKING:
    import gradio as gr

__all__ = ["Engine", "EngineStatus", "IndexSummary", "build_chat", "serve"]


def build_chat(engine: Engine, settings: Settings) -> "gr.Blocks":
    """The page, wired to the engine but not served."""
    from rag.chat import page

    return page.build_chat(engine, settings)


def serve(engine: Engine, settings: Settings, *, open_browser: bool = False) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        ServerError: the host or port cannot be used.
    """
    from rag.chat import serving

    serving.serve(engine, settings, open_browser=open_browser)
