"""Make the writer's examples: ``python training/writer/data.py --data DIR --style FILE... --out DIR``.

An example is a question, one to three numbered sentences, and the sentence that answers with its marker. Answers
are made by rules (``shortening.py``, ``statements.py``) out of reading sets, and kept only where the product's own
checker finds them carried by their sentence; or they are written by hand (``--style``). Writes ``train.jsonl``,
``development.jsonl`` and, with ``--samples N``, shows some of them.
"""

import argparse
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from english import DANGLING, PREPOSITIONS, PRONOUNS, capitalised
from shortening import shortenings
from statements import statements, subject_asked_about

from rag.checking import check_clauses, check_sentence
from rag.prompts import NOT_IN_SOURCES, answer_messages
from rag.sentences import split_sentences
from rag.wording import content_stems

_MARKER = re.compile(r"\s*\[\d\]")
_WHOLE_WORDS = 22
_SENTENCE_WORDS = 42
"""Longer evidence is rare in the news and slow to train on."""
_ANSWER_WORDS = (4, 30)
_MIN_CUT = 3
"""A sentence that loses fewer words counts as whole: learning to drop a word or two is not worth a break with the source."""
_BEST_FIRST = 0.4
"""How often the answering sentence is put first, where the product's ranking mostly has it; else it may stand anywhere."""
DEVELOPMENT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt with its answer. ``gold``: short answers of which one should occur; none for a refusal."""

    id: str
    rule: str
    question: str
    sources: tuple[str, ...]
    answer: str
    gold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the sentence that answers it (``evidence`` is empty if none does) and others near it."""

    id: str
    question: str
    answers: tuple[str, ...]
    evidence: str
    start: int
    """Where the first answer begins in the evidence."""
    others: tuple[str, ...] = field(repr=False)
    """Sentences of the same article that do not hold an answer, nearest first."""


def is_development(name: str) -> bool:
    """Whether an article is held out; by the same hash as for the reader, so that both hold out the same ones."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return value / 2**64 < DEVELOPMENT_SHARE


# Targets


def is_clean(text: str) -> bool:
    """Whether a sentence has no brackets, half quotations or traces of tokenisation; ours are neither in the news."""
    return not re.search(r"[\[\]{}]|--| [\"”“] |^\" | \"$| [.,]|^\w+: ", text) and text.count('"') % 2 == 0


def is_good_english(text: str, question: str) -> bool:
    """Whether a shortened text looks like a whole sentence that stands alone; by its surface only."""
    words = re.findall(r"[\w'’-]+", text)
    low, high = _ANSWER_WORDS
    if (
        not low <= len(words) <= high
        or not text.endswith(".")
        or text.count('"') % 2
        or text.count("(") != text.count(")")
    ):
        return False
    if re.search(r"[\[\]:?!]|\b(\w+) \1\b|,\.|\.\.|\(\)|^\W|['’]\.$|“[^”]*$|^[^“]*”", text):
        return False
    if words[0].lower() in PRONOUNS | {"and", "but", "which", "who", "that"}:
        return False
    if not (text[0].isupper() or text[0].isdigit()) or words[-1].lower() in DANGLING:
        return False
    # A pronoun near the beginning has lost what it stands for.
    early = {word.lower() for word in words[1:4]} & {"he", "she", "it", "they", "his", "its", "their", "this", "these"}
    return not early or bool(early & set(question.lower().split()))


def keeps_asked(text: str, asked: Asked) -> bool:
    """Whether an answer is in the text and so is every word of the question that the evidence has."""
    if not any(answer.lower() in text.lower() for answer in asked.answers):
        return False
    wanted = set(content_stems(asked.question)) & set(content_stems(asked.evidence))
    return wanted <= set(content_stems(text))


def is_carried(text: str, asked: Asked) -> bool:
    """Whether the product would show the sentence. Titles are left out: the writer does not see them."""
    return check_sentence(text, [asked.evidence], [""], asked.question) is not None


def stands_alone(asked: Asked) -> bool:
    """Whether enough of the question is in its sentence for that to answer without the rest of the paragraph."""
    wanted = set(content_stems(asked.question))
    shared = len(wanted & set(content_stems(asked.evidence)))
    names = re.search(r"\b[A-Z]", asked.question[1:])
    refers = not names and {"he", "she", "it", "they", "his", "her", "its", "their"} & set(
        asked.question.lower().split()
    )
    return not refers and (shared >= 3 or shared >= 0.5 * len(wanted))


def is_near(text: str, asked: Asked) -> bool:
    """Whether a statement says little more than the evidence: the words of a question may be a little wrong.

    But for names, all its words are the evidence's, and it skips few of those between the words that it takes.
    """
    said, known = content_stems(text), content_stems(asked.evidence)
    names = {stem for word in re.findall(r"\b[A-Z][\w'’-]*", asked.question) for stem in content_stems(word)}
    used = [known.index(word) for word in said if word in known]
    if not used or not set(said) - names <= set(known) or re.search(r"\b(\w+ \w+)\b.*\b\1\b", text):
        return False
    if re.search(r"(?<=[a-z,] )(?:The|An?|In|It|He|She|We|They|This)\b", text):
        return False
    last = re.findall(r"\w+", text)[-1].lower()
    return last not in PREPOSITIONS and max(used) - min(used) + 1 - len(set(used)) <= 3 and agrees(text, asked)


def agrees(text: str, asked: Asked) -> bool:
    """Whether a verb after the short answer fits its number; "Who is …?" may be answered with several."""
    answer = asked.answers[0]
    verb = re.search(rf"^(?:The |A |An )?{re.escape(answer)} (is|was|has|are|were|have)\b", text, re.I)
    other = re.search(rf"\b(is|was|are|were) (?:the |a |an )?{re.escape(answer)}\.", text, re.I)
    several = bool(re.search(r"[^sui]s$| and |s and ", answer))
    return not any(match and several != (match.group(1).lower() in {"are", "were", "have"}) for match in (verb, other))


def with_name(asked: Asked) -> str:
    """The evidence with the question's name for a pronoun that it opens with, where both have the same verb."""
    match = re.match(r"(?:He|She|It|They) ", asked.evidence)
    subject = subject_asked_about(asked.question, asked.evidence[match.end() :]) if match else None
    if match and subject:
        return f"{capitalised(subject)} {asked.evidence[match.end() :]}"
    match = re.match(r"(?:His|Her|Its|Their) (\w+)", asked.evidence)
    owner = (
        re.search(rf"\b((?:[Tt]he )?[A-Z][\w.]*(?: [A-Z][\w.]*)*)(['’]s?) {match.group(1)}\b", asked.question)
        if match
        else None
    )
    if match and owner:
        return f"{capitalised(owner.group(1))}{owner.group(2)} {asked.evidence[match.start(1) :]}"
    return asked.evidence


def targets(asked: Asked, counts: Counter[str]) -> dict[str, str]:
    """Answer sentences by kind: ``statement``, ``shortened``, ``whole``; ``counts`` learns how often rules succeed."""
    found: dict[str, str] = {}
    if not stands_alone(asked) or not is_clean(asked.evidence):
        return found
    for rule, text in statements(asked.question, asked.answers[0], asked.evidence, asked.start):
        good = is_good_english(text, asked.question) and is_near(text, asked) and keeps_asked(text, asked)
        good = good and is_carried(text, asked)
        counts[f"{rule}: {'kept' if good else 'rejected'}"] += 1
        if good:
            found.setdefault("statement", text)
    named = with_name(asked)
    length = len(asked.evidence.split())
    results = shortenings(named, lambda text: keeps_asked(text, asked))
    for text, rules in sorted(results.items(), key=lambda item: len(item[0])):
        kind = "whole" if length - len(text.split()) < _MIN_CUT else "shortened"
        if kind in found or (kind == "whole" and length > _WHOLE_WORDS):
            continue
        good = is_good_english(text, asked.question) and is_carried(text, asked)
        for rule in (*rules, "named") if named != asked.evidence else rules or ("whole",):
            counts[f"{rule}: {'kept' if good else 'rejected'}"] += 1
        if good:
            found[kind] = text
    return found


# Questions with their sentences


def read_reading(path: Path) -> Iterator[tuple[str, Asked]]:
    """Questions of ``reading_train.jsonl`` with the name of their article."""
    articles: dict[str, list[dict]] = {}
    for line in path.read_text("utf-8").splitlines():
        paragraph = json.loads(line)
        articles.setdefault(paragraph["article"], []).append(paragraph)
    for article, paragraphs in articles.items():
        split = [[(s.start, s.end) for s in split_sentences(p["context"]) if s.citable] for p in paragraphs]
        texts = [[p["context"][a:b] for a, b in spans] for p, spans in zip(paragraphs, split, strict=True)]
        everything = [text for paragraph in texts for text in paragraph]
        for paragraph, spans, own in zip(paragraphs, split, texts, strict=True):
            for qa in paragraph["qas"]:
                answers = tuple(answer["text"] for answer in qa["answers"])
                if not answers:
                    yield article, Asked(qa["id"], qa["question"], (), "", 0, nearest(qa["question"], own, ()))
                    continue
                start, end = qa["answers"][0]["start"], qa["answers"][0]["start"] + len(answers[0])
                for a, b in spans:
                    if a <= start and end <= b:
                        evidence = paragraph["context"][a:b]
                        inside = tuple(answer for answer in answers if answer in evidence)
                        others = nearest(qa["question"], everything, answers)
                        yield article, Asked(qa["id"], qa["question"], inside, evidence, start - a, others)


def read_sentences(path: Path) -> Iterator[tuple[str, Asked]]:
    """Questions of ``sentence_questions.jsonl`` that say what they are about, with the name of their article.

    Most are too terse for that ("What was disarmed?"): a question must have three words that mean something, all of them
    in its sentence.
    """
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    articles: dict[str, dict[str, None]] = {}
    for row in rows:
        row["article"] = ":".join(row["id"].split(":")[1:3])
        row["sentence"], row["start"] = _untokenised(row["sentence"], row["start"])
        articles.setdefault(row["article"], {})[row["sentence"]] = None
    for number, row in enumerate(rows):
        question, answer, sentence = row["question"], row["answer"], row["sentence"]
        wanted = set(content_stems(question))
        answers = set(content_stems(answer))
        if len(wanted) < 3 or not answers or answers <= wanted or not wanted <= set(content_stems(sentence)):
            continue
        if sentence[row["start"] :].startswith(answer):
            others = nearest(question, list(articles[row["article"]]), (answer,))
            yield row["article"], Asked(f"s{number}", question, (answer,), sentence, row["start"], others)


def _untokenised(sentence: str, start: int) -> tuple[str, int]:
    """The sentence without the spaces that tokenisation left before punctuation, and the span's new start."""
    clean = lambda text: re.sub(r" (?=[,.;:?!)%]|'s\b)|(?<=\() |-LSB-|-RSB-", "", text)  # noqa: E731
    return clean(sentence), len(clean(sentence[:start]))


def nearest(question: str, sentences: Sequence[str], answers: Sequence[str]) -> tuple[str, ...]:
    """The six sentences of moderate length that share most words with the question and hold no answer."""
    wanted = set(content_stems(question))
    ranked = []
    for text in sentences:
        words = len(text.split())
        if 5 <= words <= _SENTENCE_WORDS and is_clean(text) and not any(a.lower() in text.lower() for a in answers):
            ranked.append((-len(wanted & set(content_stems(text))) / (10 + words) ** 0.5, text))
    return tuple(text for _, text in sorted(ranked)[:6])


# Examples


def example(asked: Asked, rule: str, answer: str, rng: random.Random) -> Example:
    """The answering sentence among up to two near ones, in any place, first more often than not."""
    others = rng.sample(asked.others[:4], min(len(asked.others[:4]), rng.choices((0, 1, 2), (3, 4, 3))[0]))
    at = 0 if rng.random() < _BEST_FIRST else rng.randrange(len(others) + 1)
    sources = [*others[:at], asked.evidence, *others[at:]]
    marked = f"{answer.rstrip('.')} [{at + 1}]."
    return Example(asked.id, rule, asked.question, tuple(sources), marked, asked.answers)


def refusal(asked: Asked, rng: random.Random) -> Example:
    """Only sentences that do not answer."""
    others = rng.sample(asked.others[:3], min(len(asked.others[:3]), rng.choices((1, 2, 3), (3, 4, 3))[0]))
    rule = "refusal, answer removed" if asked.answers else "refusal, unanswerable"
    return Example(asked.id, rule, asked.question, tuple(others), NOT_IN_SOURCES)


@dataclass(frozen=True, slots=True)
class Shares:
    """How the examples made by rules are composed."""

    examples: int
    refusals: float = 0.1
    terse: float = 0.25
    """Of the answers: on ``sentence_questions.jsonl``, whose questions are terse."""
    whole: float = 0.35
    """Of the answers: those that are their whole sentence."""


def made(
    asked: Sequence[Asked], terse: Sequence[Asked], shares: Shares, rng: random.Random
) -> tuple[list[Example], Counter[str]]:
    """Examples by rule up to the shares, and how often each rule succeeded.

    Good answers are fewer than examples are wanted: each is used more than once, with other sentences beside its own.
    """
    counts: Counter[str] = Counter()
    answers = _answers(rng.sample(asked, len(asked)), 10**6, shares.whole, rng, counts)
    most = round(len(answers) * shares.terse / (1 - shares.terse))
    answers += _answers(rng.sample(terse, len(terse)), most, shares.whole, rng, counts)
    wanted = round(shares.examples * (1 - shares.refusals))
    examples = []
    for number in range(wanted):
        if number % len(answers) == 0:
            rng.shuffle(answers)
        examples.append(example(*answers[number % len(answers)], rng))
    counts["different answers"] = len(answers)
    used = {item.id for item, *_ in answers}
    for answerable, share in ((False, 0.5), (True, 0.5)):
        rest = [item for item in asked if item.id not in used and bool(item.answers) == answerable and item.others]
        wanted = round(shares.examples * shares.refusals * share)
        examples += [refusal(item, rng) for item in rng.sample(rest, min(len(rest), wanted))]
    rng.shuffle(examples)
    return examples, counts


def _answers(
    asked: Sequence[Asked], most: int, whole: float, rng: random.Random, counts: Counter[str]
) -> list[tuple[Asked, str, str]]:
    """Questions with the kind and the text of their answer, at most three for a sentence."""
    found: list[tuple[Asked, str, str]] = []
    times: Counter[str] = Counter()
    wholes = 0
    for item in asked:
        if len(found) == most:
            break
        if not item.answers or times[item.evidence] == 3 or not 6 <= len(item.evidence.split()) <= _SENTENCE_WORDS:
            continue
        texts = targets(item, counts)
        # A statement says exactly what was asked, a shortening reads best: half and half where there are both.
        order = ["statement", "shortened"] if rng.random() < 0.5 else ["shortened", "statement"]
        kind = next((kind for kind in (*order, "whole") if kind in texts), None)
        if kind is None or (kind == "whole" and wholes >= whole * (len(found) + 20)):
            continue
        wholes += kind == "whole"
        times[item.evidence] += 1
        found.append((item, kind, texts[kind]))
    return found


def read_style(path: Path) -> list[Example]:
    """Hand-written examples; a line that breaks the format stops the program."""
    examples = []
    for line in path.read_text("utf-8").splitlines():
        if not line.strip():
            continue
        row = json.loads(line)
        sources = tuple(row["sources"])
        cited = {int(number) for number in re.findall(r"\[(\d)\]", row["answer"])}
        if row["answer"] != NOT_IN_SOURCES and not (cited and cited <= set(range(1, len(sources) + 1))):
            raise SystemExit(f"{path}: {row['id']}: no marker, or one without a source: {row['answer']}")
        examples.append(Example(f"{path.stem}-{row['id']}", "style", row["question"], sources, row["answer"]))
    return examples


def sentences(answer: str) -> list[str]:
    """The sentences of an answer with their markers, as the product takes them apart."""
    return [answer[part.start : part.end] for part in split_sentences(answer)]


def is_refusal(text: str) -> bool:
    """Whether an answer says that the sources do not answer."""
    return text.strip().rstrip(".").lower() == NOT_IN_SOURCES.rstrip(".").lower()


def is_shown(item: Example) -> bool:
    """Whether the product would show every sentence of an answer; else it would quote."""
    texts = item.sources
    return item.answer == NOT_IN_SOURCES or all(
        check_clauses(sentence, texts, [""] * len(texts), item.question) for sentence in sentences(item.answer)
    )


def read_examples(path: Path) -> list[Example]:
    """What ``write_examples`` wrote."""
    examples = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        examples.append(Example(**(row | {key: tuple(row[key]) for key in ("sources", "gold")})))
    return examples


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in examples), "utf-8")


def show(item: Example) -> str:
    """An example as text, for reading."""
    return f"<{item.rule}> {answer_messages(item.question, item.sources)[1]['content']}\n=> {item.answer}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="reading_train.jsonl, sentence_questions.jsonl")
    parser.add_argument("--style", type=Path, nargs="*", default=[], help="hand-written examples")
    parser.add_argument("--style-times", type=int, default=3, help="how often a hand-written example occurs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=6000, help="made by rules, for training")
    parser.add_argument("--development", type=int, default=240)
    parser.add_argument("--samples", type=int, default=0, help="how many to print")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(options.seed)
    splits: dict[bool, tuple[list[Asked], list[Asked]]] = {False: ([], []), True: ([], [])}
    for number, rows in enumerate(
        (read_reading(options.data / "reading_train.jsonl"), read_sentences(options.data / "sentence_questions.jsonl"))
    ):
        for article, asked in rows:
            splits[is_development(article)][number].append(asked)
    training, counts = made(*splits[False], Shares(options.examples), rng)
    development, _ = made(*splits[True], Shares(options.development, refusals=0.25), rng)
    style = [item for path in options.style for item in read_style(path)]
    not_shown = [item.id for item in style if not is_shown(item)]
    for item in style:
        # What the checker would turn down is good English, but not what the product can show: it is seen once.
        times = 1 if item.id in not_shown else options.style_times
        training += [item] * (0 if is_development(item.id) else times)
    development += [item for item in style if is_development(item.id)]
    rng.shuffle(training)
    rng.shuffle(development)
    write_examples(options.out / "train.jsonl", training)
    write_examples(options.out / "development.jsonl", development)
    report = {
        "training": Counter(item.rule for item in training),
        "development": Counter(item.rule for item in development),
        "origins": Counter(
            "sentence" if item.id[0] == "s" and item.id[1:].isdigit() else "reading" for item in training
        ),
        "sources": Counter(len(item.sources) for item in training),
        "rules": dict(sorted(counts.items())),
        "style, as quotes": f"{len(not_shown)} of {len(style)}",
    }
    (options.out / "report.json").write_text(json.dumps(report | {"as quotes": not_shown}, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    for item in random.Random(options.seed).sample(training, min(options.samples, len(training))):
        print(show(item))


if __name__ == "__main__":
    main()
