"""How fast each format is read: ``python benchmarks/parsing.py``.

The test articles are written in every format and read as indexing reads them, one after the other. Machines are noisy:
compare figures of one run only.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rag.documents import read_file
from rag.records import Document

ROOT = Path(__file__).parents[1]
MAX_BYTES = 20_000_000


def parsing(rounds: int) -> dict[str, dict[str, float]]:
    """Format → articles and megabytes a second, the best of ``rounds``."""
    sys.path.insert(0, str(ROOT / "tests"))
    from article_files import articles, write_all

    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name)
        write_all(corpus, articles())
        for folder in sorted(corpus.iterdir()):
            files = sorted(folder.iterdir())
            size = sum(file.stat().st_size for file in files)
            best, count = _read(files)  # loads the parser
            for _ in range(rounds):
                seconds, count = _read(files)
                best = min(best, seconds)
            figures[folder.name] = {
                "articles": count,
                "articles_per_second": round(count / best, 1),
                "megabytes_per_second": round(size / best / 1e6, 2),
            }
    return figures


def _read(files: list[Path]) -> tuple[float, int]:
    """Seconds for all files, and the articles in them."""
    began = time.perf_counter()
    found = [item for file in files for item in read_file(file, file.name, MAX_BYTES)]
    seconds = time.perf_counter() - began
    assert all(isinstance(item, Document) for item in found)
    return seconds, len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="repetitions of each measurement (default: 3)")
    print(f"{'format':8}{'articles':>10}{'articles/s':>12}{'MB/s':>8}")
    for name, figures in parsing(parser.parse_args().runs).items():
        rates = figures["articles_per_second"], figures["megabytes_per_second"]
        print(f"{name:8}{figures['articles']:>10}{rates[0]:>12,.0f}{rates[1]:>8.2f}")


if __name__ == "__main__":
    main()
