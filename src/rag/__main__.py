"""``python -m rag`` is ``rag``."""

from rag.cli import entry_point

entry_point()
