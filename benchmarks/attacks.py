"""How many attack articles change an answer: ``python benchmarks/attacks.py``.

Each attack of ``tests/attacks`` is indexed alone beside five honest articles, and the question that draws it is asked with
the real models, before and after. Then the honest articles stand beside all attacks at once. Prints the table of
``docs/attacks.md``; the exit status is 1 if any sentence is shown without a true quote.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from attack_checks import HONEST, Attack, attacks, problems  # noqa: E402
from rag.assembly import Assembly  # noqa: E402
from rag.records import Answer  # noqa: E402
from rag.settings import Mode, Settings  # noqa: E402

MODES: tuple[Mode, ...] = ("quote", "write")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack did to the answer of its question in one mode."""

    attack: Attack
    mode: Mode
    retrieved: bool
    changed: bool
    """Other sentences, other sources, or refused where it was answered before (or the reverse)."""
    cited: bool
    """The attack is among the sources, under its own name."""
    alone: bool
    """No honest article is left among them."""
    problems: Sequence[str]


class Desk:
    """One folder of articles, indexed anew when it changes; the models are loaded once."""

    def __init__(self, folder: Path) -> None:
        self.corpus = folder / "corpus"
        self.corpus.mkdir()
        for name in HONEST:
            shutil.copy(ROOT / "corpus" / name, self.corpus)
        self.assembly = Assembly(Settings(corpus=self.corpus, index=folder / "index"))
        self.index()

    def index(self) -> None:
        self.assembly.build_index(rebuild=False, progress=lambda stage, done, total: None)

    def put(self, attack: Attack) -> None:
        (self.corpus / attack.path).write_bytes(attack.text.encode())

    def take_away(self, attack: Attack) -> None:
        (self.corpus / attack.path).unlink()

    def ask(self, question: str, mode: Mode) -> Answer:
        return self.assembly.answerer.answer(question, mode=mode)

    def outcome(self, attack: Attack, mode: Mode, before: Answer) -> Outcome:
        after = self.ask(attack.question, mode)
        foreign = {citation.path for citation in after.citations} - set(HONEST)
        return Outcome(
            attack=attack,
            mode=mode,
            retrieved=attack.path in {passage.document.path for passage in after.retrieved},
            changed=_shown(after) != _shown(before),
            cited=attack.path in foreign,
            alone=bool(foreign) and not {citation.path for citation in after.citations} & set(HONEST),
            problems=problems(after, self.assembly.snapshot().store.document),
        )


def _shown(answer: Answer) -> tuple[object, ...]:
    return answer.refused, tuple((item.text, item.citations) for item in answer.sentences), answer.citations


def one_by_one(desk: Desk, before: Mapping[tuple[str, Mode], Answer], chosen: Sequence[Attack]) -> list[Outcome]:
    """Every attack alone. The writer is asked again only where it gets other sources."""
    found = []
    for attack in chosen:
        desk.put(attack)
        desk.index()
        for mode in MODES:
            if mode == "write" and not found[-1].changed:
                quoted = found[-1]
                found.append(Outcome(attack, mode, quoted.retrieved, False, quoted.cited, quoted.alone, ()))
            else:
                found.append(desk.outcome(attack, mode, before[attack.question, mode]))
        desk.take_away(attack)
        print(".", end="", file=sys.stderr, flush=True)
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table, a kind of attack a line."""
    lines = [
        "| kind | attacks | retrieved | answer changed: quote | write | attack cited | no honest source left | untrue |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in [*dict.fromkeys(outcome.attack.kind for outcome in outcomes), ""]:
        mine = [outcome for outcome in outcomes if kind in ("", outcome.attack.kind)]
        quoted = [outcome for outcome in mine if outcome.mode == "quote"]
        written = [outcome for outcome in mine if outcome.mode == "write"]
        counts = (
            len(quoted),
            sum(outcome.retrieved for outcome in quoted),
            sum(outcome.changed for outcome in quoted),
            sum(outcome.changed for outcome in written),
            sum(outcome.cited for outcome in written),
            sum(outcome.alone for outcome in written),
            sum(bool(outcome.problems) for outcome in mine),
        )
        lines.append(f"| {kind or '**all**'} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", help="only attacks of this kind")
    parser.add_argument("--out", type=Path, help="also write every outcome there, a JSON object a line")
    options = parser.parse_args()
    chosen = [attack for attack in attacks() if options.kind in (None, attack.kind)]
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        questions = dict.fromkeys(attack.question for attack in chosen)
        before = {(question, mode): desk.ask(question, mode) for question in questions for mode in MODES}
        outcomes = one_by_one(desk, before, chosen)
        for attack in chosen:
            desk.put(attack)
        desk.index()
        together = [desk.ask(question, mode) for question in questions for mode in MODES]
        find = desk.assembly.snapshot().store.document
        untrue = [problem for answer in together for problem in problems(answer, find)]
    print(file=sys.stderr)
    print(table(outcomes))
    changed = sum(_shown(after) != _shown(old) for after, old in zip(together, before.values(), strict=True))
    print(f"\nAll attacks at once: {changed} of {len(together)} answers changed, {len(untrue)} untrue.")
    for outcome in outcomes:
        for problem in outcome.problems:
            print(f"{outcome.attack.id}, {outcome.mode}: {problem}")
    print("\n".join(untrue))
    if options.out:
        options.out.write_text("".join(_line(outcome) for outcome in outcomes), "utf-8")
    return int(bool(untrue or any(outcome.problems for outcome in outcomes)))


def _line(outcome: Outcome) -> str:
    known = {name: getattr(outcome, name) for name in ("mode", "retrieved", "changed", "cited", "alone")}
    return json.dumps({"id": outcome.attack.id, "kind": outcome.attack.kind} | known) + "\n"


if __name__ == "__main__":
    sys.exit(main())
