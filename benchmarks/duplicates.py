"""How well copies of articles are told from others, and what a signature costs.

    python benchmarks/duplicates.py [CORPUS]

Copies are made of every article of the shipped corpus as outlets make them: another headline and byline, cut from the
end, a paragraph added, another house style. No copies are: every other article of the corpus, articles on one event in
other words, the same article brought up to date with other figures, and reports of a series that share their wording.
"""

import itertools
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rag.documents import read_documents
from rag.duplicates import SAME, article_text, band_keys, signature, similarity
from rag.records import Document

ADDED = (
    "Our correspondent adds that officials of the region welcomed the announcement, and that students of the local "
    "institute of technology had followed the broadcast together in their main hall until late in the evening."
)
DIGITS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "ten": "10"}

EVENT = (
    "A cargo ship docked with the orbital outpost on Tuesday, bringing 2,400 kilograms of fuel, water and food to its "
    "crew of seven. The automatic rendezvous took three hours and twenty minutes, the mission control centre said. The "
    "vessel will stay until March. “It was a textbook docking,” said flight director Anna Petrova. It also carries a "
    "bioprinter with which physicians want to grow tissue samples in weightlessness.",
    "Supplies have reached the seven people who live in orbit: an unmanned freighter, launched the same morning, tied up "
    "at the station's aft port shortly before noon. Two point four tonnes of goods are on board. Flight director Anna "
    "Petrova spoke of “a textbook docking”. Engineers will leave the ship there over the winter, then fill it with waste "
    "and let it burn up over the Pacific.",
    "Physicians are eager to see their bioprinter at work. The machine arrived at the space station this week in the hold "
    "of a freighter, next to 2,400 kilograms of ordinary supplies, and is to print cartilage layer by layer. On Earth, "
    "gravity makes such samples collapse. The first results are expected when the ship leaves in March.",
)
SERIES = (
    "The exchange in Almaty closed {} percent higher on {}, with its leading index at {} points. Turnover reached {} "
    "million tenge. Shares of the space communication company gained {} percent after it had published its results for "
    "the quarter, and those of the national carrier lost {} percent. Analysts named the price of oil, which stood at {} "
    "dollars a barrel in the evening, as the reason for the good mood of the market. The tenge was little changed "
    "against the dollar. On the bond market, yields of ten-year notes went to {} percent."
)


def copies(body: str, others: str) -> Iterator[tuple[str, str]]:
    paragraphs = body.strip().split("\n\n")
    headed = [
        "A new headline of our own for this story",
        "By Maria Lind, staff writer | 18 June 2021, 14:05",
        *paragraphs,
    ]
    yield "another headline and byline", "\n\n".join(headed)
    yield (
        "dateline added",
        "\n\n".join([*paragraphs[:1], f"MOSCOW, June 18 (Agency) -- {paragraphs[1]}", *paragraphs[2:]]),
    )
    yield "one paragraph added", "\n\n".join([*headed[:-1], ADDED, headed[-1]])
    styled = re.sub(rf"\b({'|'.join(DIGITS)})\b", lambda found: DIGITS[found[0]], body)
    yield "another house style", styled.replace("“", '"').replace("”", '"').replace("’", "'").replace("–", "-")
    yield "wrapped anew", "\n\n".join(re.sub(r"(.{60,72}) ", r"\1\n", part) for part in paragraphs)
    for share in (0.9, 0.8, 0.7, 0.6):
        yield f"cut to {share:.0%}", _cut(headed, share)
    yield "cut to 80% and a paragraph added", _cut(headed, 0.8) + "\n\n" + ADDED
    yield "advertisements of the site added", body + "\n\n" + "\n\n".join(_sentences(others)[:4])


def changed(body: str) -> Iterator[tuple[str, str]]:
    numbers = list(re.finditer(r"(?<![\w.,-])\d[\d,]*(?![\w.,-]*\d)", body))
    lead = re.search(r"^\w[^\n]+\.$", body, re.MULTILINE)
    in_lead = [number for number in numbers if lead and lead.start() <= number.start() < lead.end()]
    for name, chosen in (
        ("a figure of the lead changed", in_lead[-1:]),
        ("a figure further down changed", numbers[-1:]),
        ("three figures changed", numbers[1 : -1 : max(1, len(numbers) // 3)][:3]),
    ):
        text = body
        for found in reversed(chosen):
            text = text[: found.start()] + str(int(found[0].replace(",", "")) + 8713) + text[found.end() :]
        if chosen:
            yield name, text


def main() -> None:
    corpus = Path(sys.argv[1] if len(sys.argv) > 1 else "corpus")
    documents = [found for found in read_documents(corpus, 10**8) if isinstance(found, Document)]
    bodies = [article_text(found.text, found.body_start, found.boilerplate) for found in documents]
    pairs: list[tuple[bool, str, str, str]] = []
    for body, other in zip(bodies, [*bodies[1:], bodies[0]], strict=True):
        pairs += [(True, name, body, text) for name, text in copies(body, other)]
        pairs += [(False, name, body, text) for name, text in changed(body)]
    pairs += [(False, "another article of the corpus", a, b) for a, b in itertools.combinations(bodies, 2)]
    pairs += [(False, "one event in other words", a, b) for a, b in itertools.combinations(EVENT, 2)]
    days = [SERIES.format(*(f"{day * n % 97 + 1}.{n}" for n in range(1, 9))) for day in range(1, 8)]
    pairs += [(False, "a report of the same series", a, b) for a, b in itertools.combinations(days, 2)]

    found, estimates = defaultdict[str, list[bool]](list), defaultdict[str, list[float]](list)
    judged: list[tuple[bool, float]] = []
    for is_copy, name, one, other in pairs:
        a, b = signature(one), signature(other)
        alike = similarity(a, b) if set(band_keys(a)) & set(band_keys(b)) else 0.0
        found[name].append(alike >= SAME)
        estimates[name].append(similarity(a, b))
        judged.append((is_copy, alike))
    for name, same in found.items():
        low, high = min(estimates[name]), max(estimates[name])
        print(f"{name:<36}{sum(same):>4} of {len(same):>3} taken for copies; similarity {low:.2f} to {high:.2f}")
    for threshold in (0.5, 0.6, SAME, 0.8, 0.9):
        taken = [is_copy for is_copy, alike in judged if alike >= threshold]
        recall = sum(taken) / sum(is_copy for is_copy, _ in judged)
        print(f"at {threshold}: precision {sum(taken) / len(taken):.3f}, recall {recall:.3f}")

    words = " ".join(bodies).split()
    text = "\n\n".join(" ".join(words[start : start + 60]) for start in range(0, 600, 60))
    began = time.perf_counter()
    for _ in range(200):
        band_keys(signature(text))
    print(f"{(time.perf_counter() - began) / 200 * 1000:.2f} ms for 600 words, {len(signature(text))} bytes")


def _cut(paragraphs: list[str], share: float) -> str:
    sentences = _sentences("\n\n".join(paragraphs))
    room = share * len("".join(sentences))
    kept = []
    for sentence in sentences:
        room -= len(sentence)
        if room < 0:
            break
        kept.append(sentence)
    return "\n\n".join(kept)


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n\n", text) if part]


if __name__ == "__main__":
    main()
