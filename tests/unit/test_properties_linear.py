"""Nothing that reads articles, answers or questions takes time that grows faster than the text.

Run as a program, this file tries every step on every shape, in a process of its own that the system ends after a while
of computing: a step that hangs holds the interpreter, and no test could stop it from inside.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_SECONDS = 200
"""Of computing, for everything together; on a slow machine it takes a tenth of it."""
GROWTH, NOISE = 24, 0.25
"""Eight times the text may take so many times as long, and so many seconds more: linear is 8, quadratic 64."""


def steps() -> dict[str, tuple[int, Callable[[str], Any]]]:
    """Name → how many characters at most, and what is done with them."""
    from rag import checking, chunking, compound, excerpts, filters, followups, suggestions, wording
    from rag.chat import article, export, history, render
    from rag.documents import UnreadableFileError, decode, read_document
    from rag.evidence import QuestionWords, kind_found
    from rag.prompts import answer_grammar
    from rag.records import Document, Passage, Turn
    from rag.sentences import split_sentences
    from rag.shortening import shortenings
    from rag.terminal import passages_text

    def document(text: str) -> Document:
        return Document("a", "a.md", text, 0, "", text[:200])

    def chunked(text: str) -> Any:
        sentences = split_sentences(text)
        return chunking.pack_chunks(text, sentences, [9] * len(sentences), 60)

    def read(text: str) -> Any:
        file = Path("article.md")
        file.write_text(text, "utf-8")
        try:
            return read_document(file, "article.md", 10**9)
        except UnreadableFileError as reason:
            return reason

    evidence = ["The crew flew to Mir in 1986, and it was met by others.", "a, b"]
    return {
        "sentences": (160_000, split_sentences),
        "chunks": (40_000, chunked),
        "excerpt": (40_000, lambda text: excerpts.excerpt(text, 0, len(text), 60)),
        "reading a file": (80_000, read),
        "decoding": (80_000, lambda text: decode(text.encode("cp1252", "replace"))),
        "words": (40_000, lambda text: (wording.content_stems(text), wording.names(text), wording.numbers(text))),
        "markers": (80_000, checking.without_markers),
        "clauses": (2_000, lambda text: checking.check_clauses(text, evidence, ["A", "B"], "When did it fly?")),
        "beginning": (40_000, lambda text: checking.may_be_carried(text, evidence, ["A", "B"], "When?")),
        "topics": (80_000, followups.topics),
        "follow-up": (
            40_000,
            lambda text: followups.candidates("When?", [Turn("user", text), Turn("assistant", text)]),
        ),
        "typed follow-up": (2_000, lambda text: followups.candidates(text, [Turn("user", "Mir?")])),
        "filter": (2_000, lambda text: filters.parse(f"only {text}", ("CGTN", "a", "Ab of the Ab"))),
        "date": (
            40_000,
            lambda text: filters.Filter(since="2021").admits(Document("a", "a", "", 0, "", "", published=text)),
        ),
        "parts": (2_000, lambda text: compound.parts(f"When {text}")),
        "kind": (2_000, lambda text: kind_found(QuestionWords.of("How many?", {}, 1), text)),
        "grammar": (40_000, lambda text: answer_grammar([text, text[:50]])),
        "shortenings": (2_000, shortenings),
        "suggestions": (
            40_000,
            lambda text: suggestions.suggest([Passage(0, document(text), 0, len(text), 1.0)], ["Who?"]),
        ),
        "prose": (80_000, render.prose),
        "emphasis": (40_000, lambda text: render.emphasised(text, text[:50])),
        "address": (40_000, lambda text: render.original_link(f"https://a.example/{text}", text)),
        "words of a link": (40_000, lambda text: render.original_link("https://a.example/", text)),
        "article": (40_000, lambda text: article.article(document(text), [article.Mark(1, 0, 9, text[:9])])),
        "export": (40_000, lambda text: (export._markdown_line(text), export._latex(text), export._exact(text))),
        "file name": (40_000, lambda text: export.file_name(text, "md")),
        "title": (40_000, history._title),
        "terminal": (40_000, lambda text: passages_text([Passage(0, document(text), 0, len(text), 1.0)])),
    }


def main() -> int:
    """Try everything; name on stdout what is tried, and on stderr what grows too fast."""
    from hostile import SHAPES

    slow = 0
    for name, (most, step) in steps().items():
        step(SHAPES["prose"](500))  # what is made at the first call is made
        for shape, make in SHAPES.items():
            print(f"{name}: {shape}", flush=True)
            small, large = _seconds(step, make(most // 8)), _seconds(step, make(most))
            if large > GROWTH * small + NOISE:
                print(f"{name} of {shape}: {small:.3f} s, of eight times as much {large:.3f} s", file=sys.stderr)
                slow += 1
    return min(slow, 1)


def _seconds(step: Callable[[str], Any], text: str) -> float:
    """Of computing, which other programs on the machine do not lengthen much."""
    began = time.process_time()
    step(text)
    return time.process_time() - began


_LIMITED = f"""
import sys
if sys.platform != "win32":
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, ({MOST_SECONDS}, {MOST_SECONDS}))
import runpy
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_time_grows_no_faster_than_the_text(tmp_path: Path) -> None:
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}){_LIMITED}", __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=1800)
    tried = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), f"the last one was {tried[-1:]}"
    assert len(tried) > 1000


if __name__ == "__main__":
    sys.exit(main())
