"""Follow a folder: tell whenever something in it has changed and come to rest."""

from collections.abc import Iterator
from pathlib import Path

from rag.errors import CorpusError

_REST = 500
"""Milliseconds without a further change before one is told."""


def changes_of(folder: Path) -> Iterator[int]:
    """How many files have changed, each time some have; ends when the process is interrupted.

    Network folders that send no events are looked at again and again if WATCHFILES_FORCE_POLLING is set.

    Raises:
        CorpusError: the folder is missing or cannot be watched.
    """
    import watchfiles

    def interesting(change: watchfiles.Change, path: str) -> bool:
        return not any(part.startswith(".") for part in Path(path).relative_to(folder.absolute()).parts)

    try:
        for changed in watchfiles.watch(
            folder.absolute(), watch_filter=interesting, debounce=_REST, raise_interrupt=True
        ):
            yield len(changed)
    except (OSError, RuntimeError) as error:
        remedy = "Check that it exists and that the system allows as many watched folders."
        raise CorpusError(f"Cannot watch {folder}: {error}", remedy) from error
