"""What has changed in the corpus folder since it was indexed, found by content.

Size and time of a file say that it need not be read again; they are kept beside the index, and losing them costs
time only.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.documents import corpus_files

_STAMPS = "stamps.json"
_SETTLED = 2_000_000_000
"""Nanoseconds. A file that was changed within this time before the last look may change again under the same time."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths relative to the corpus, each list sorted."""

    files: Mapping[str, str]
    """Path → sha256 of every file; of one that is too large or cannot be read, words instead of a hash."""
    places: Mapping[str, Path]
    """Path → where the file is. Names that are no text have their bytes spelt out in the path."""
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    """Old and new path of files whose content has stayed."""
    unchanged: tuple[str, ...]

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.renamed)


def find_changes(
    corpus: Path,
    index: Path,
    known: Mapping[str, str],
    max_bytes: int,
    trust_times: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Changes:
    """Compare the corpus with what is known of it.

    Args:
        corpus: folder of articles.
        index: where the sizes and times of the files are kept.
        known: path → sha256 as indexed.
        max_bytes: larger files are not read.
        trust_times: do not read files whose size and time have stayed.
        progress: told how many files are looked at.

    Raises:
        CorpusError: the folder is missing or cannot be read.
    """
    began = time.time_ns()
    stamps = _read_stamps(index) if trust_times else {}
    found: dict[str, str] = {}
    kept: dict[str, list[Any]] = {}
    places: dict[str, Path] = {}
    paths = corpus_files(corpus)
    # An index that is kept in the folder of the articles is none of them.
    inside = index if index.absolute().is_relative_to(corpus.absolute()) else None
    for done, file in enumerate(paths, 1):
        if inside and file.is_relative_to(inside):
            continue
        path = file.relative_to(corpus).as_posix().encode("utf-8", "backslashreplace").decode()
        places[path] = file
        found[path], kept[path] = _fingerprint(file, stamps.get(path), max_bytes)
        progress(done, len(paths))
    _write_stamps(index, {"looked": began, "files": kept})
    gone = {path: sha256 for path, sha256 in known.items() if path not in found}
    fresh = [path for path in found if path not in known]
    moved: dict[str, list[str]] = {}
    for path, sha256 in sorted(gone.items(), reverse=True):
        moved.setdefault(sha256, []).append(path)
    renamed = [(moved[found[path]].pop(), path) for path in sorted(fresh) if moved.get(found[path])]
    old, new = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    both = [path for path in found if path in known]
    return Changes(
        files=dict(sorted(found.items())),
        places=places,
        added=tuple(sorted(path for path in fresh if path not in new)),
        changed=tuple(sorted(path for path in both if found[path] != known[path])),
        removed=tuple(sorted(path for path in gone if path not in old)),
        renamed=tuple(renamed),
        unchanged=tuple(sorted(path for path in both if found[path] == known[path])),
    )


def _fingerprint(file: Path, stamp: Any, max_bytes: int) -> tuple[str, list[Any]]:
    try:
        status = file.stat()
        if status.st_size > max_bytes:
            return f"{status.st_size} bytes", []
        if isinstance(stamp, list) and stamp[:3] == [status.st_size, status.st_mtime_ns, status.st_ctime_ns]:
            return str(stamp[3]), stamp
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}", []
    return sha256, [status.st_size, status.st_mtime_ns, status.st_ctime_ns, sha256]


def _read_stamps(index: Path) -> dict[str, Any]:
    """Those that can be trusted; none if the file is missing or damaged."""
    try:
        content = json.loads((index / _STAMPS).read_text("utf-8"))
        before = content["looked"] - _SETTLED
        return {path: stamp for path, stamp in content["files"].items() if len(stamp) == 4 and stamp[1] < before}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_stamps(index: Path, content: dict[str, Any]) -> None:
    partial = index / f"{_STAMPS}.tmp"
    with contextlib.suppress(OSError):
        partial.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        partial.replace(index / _STAMPS)
