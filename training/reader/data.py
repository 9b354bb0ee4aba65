"""Training examples for the reader, made with the product's own chunker, index and retriever.

A reading set becomes a small corpus: one article a file, its paragraphs in order. Questions keep the spans
of their answers as offsets into that file; passages are the chunks that the product would retrieve.
"""

import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.embedding import OnnxEmbedder
from rag.indexing import build_index
from rag.retrieval import Snapshot, passages, search

CHUNK_TOKENS = 180
RETRIEVED = 8
DEVELOPMENT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Passage:
    """What the reader sees of a chunk."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A question on one passage. No spans: the passage does not answer."""

    question: str
    passage: Passage
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its own passages and what the retriever finds for it."""

    article: str
    question: str
    added: bool
    """Whether it is one of this project's own, not of the reading set."""
    answers: tuple[str, ...]
    answering: tuple[Example, ...]
    """Chunks that hold an annotated answer span."""
    own: Example
    """The chunk cut from most of the question's paragraph (without spans if it holds none)."""
    distractors: tuple[Passage, ...]
    """Retrieved chunks of other paragraphs in which no answer string occurs, best first."""
    retrieved: tuple[tuple[Passage, bool], ...]
    """What the retriever finds, best first; whether it overlaps the question's paragraph. Empty if it was not asked."""


def is_development(article: str) -> bool:
    """Whole articles go to the development split, chosen by a hash of their names."""
    return in_share(article, DEVELOPMENT_SHARE)


def in_share(name: str, share: float) -> bool:
    """Whether the hash of a name is among the lowest: true of about that share of all names, and always of the same."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return value / 2**64 < share


Articles = dict[str, list[dict]]
"""Name → paragraphs, each with its ``context`` and its ``qas``."""


def read_articles(path: Path, *added: Path) -> Articles:
    """Read ``reading_train.jsonl``, a paragraph a line; with our own questions on its paragraphs from files ``added``."""
    paragraphs = list(_lines(path))
    for row in itertools.chain.from_iterable(map(_lines, added)):
        paragraph = paragraphs[row["paragraph"]]
        paragraph["qas"] += _added(row["questions"], paragraph["context"])
    articles: Articles = {}
    for paragraph in paragraphs:
        articles.setdefault(paragraph["article"], []).append(paragraph)
    return articles


def read_passages(path: Path) -> Articles:
    """Read ``passages.jsonl``, our own passages with questions, as articles; those of one title are one article."""
    articles: Articles = {}
    for row in _lines(path):
        paragraph = {"context": row["text"], "qas": _added(row["questions"], row["text"])}
        articles.setdefault(row["title"], []).append(paragraph)
    return articles


def read_contexts(path: Path, added: Path) -> Articles:
    """Read the passages of ``conversations.jsonl`` on which we have questions, as articles; only their texts are used.

    A passage's title is its first line if that is short, else its first words.
    """
    texts = {context["document_id"]: context["text"] for row in _lines(path) for context in row["contexts"]}
    articles: Articles = {}
    for row in _lines(added):
        text = texts[row["context"]]
        opening = text.strip().split("\n", 1)[0].strip()
        title = opening if len(opening) <= 80 else " ".join(opening.split()[:8])
        paragraph = {"context": text.replace("\n", " "), "qas": _added(row["questions"], text)}
        name = " ".join(re.findall(r"[A-Za-z0-9',.()&-]+", title)) or "Untitled"  # it becomes a file's name
        articles.setdefault(name, []).append(paragraph)
    return articles


def _lines(path: Path) -> Iterator[dict]:
    return (json.loads(line) for line in path.read_text("utf-8").splitlines())


def _added(questions: list[list], text: str) -> list[dict]:
    """``[question, start, end]`` or, if the text does not answer, ``[question]``, in the form of the reading set."""
    return [
        {
            "question": question,
            "answers": [{"text": text[slice(*span)], "start": span[0]}] if span else [],
            "added": True,
        }
        for question, *span in questions
    ]


def file_name(article: str) -> str:
    """The article's file in the corpus."""
    return f"{article.replace('/', '_')}.md"


def write_corpus(
    articles: Articles, corpus: Path, keep: Callable[[str, int], bool] = lambda article, number: True
) -> dict[str, list[int | None]]:
    """Write each article as a file and return where its paragraphs start in it; ``None`` for those not kept."""
    corpus.mkdir(parents=True, exist_ok=True)
    starts: dict[str, list[int | None]] = {}
    for name, paragraphs in articles.items():
        text = f"---\ntitle: {json.dumps(name.replace('_', ' '))}\n---\n\n"
        starts[name] = []
        for number, paragraph in enumerate(paragraphs):
            kept = keep(name, number)
            starts[name].append(len(text) if kept else None)
            if kept:
                text += paragraph["context"] + "\n\n"
        (corpus / file_name(name)).write_bytes(text.encode())
    return starts


def read_questions(
    articles: Articles, embedder: OnnxEmbedder, work: Path, retrieved: Callable[[str], bool] = lambda article: True
) -> list[Question]:
    """Index the articles in ``work`` and retrieve for the questions on those articles for which that is asked."""
    corpus, index = work / "corpus", work / "index"
    starts = write_corpus(articles, corpus)
    build_index(corpus, index, embedder, chunk_tokens=CHUNK_TOKENS, max_file_bytes=10**9)
    snapshot = Snapshot(index)
    chunks: dict[str, list[tuple[int, int]]] = {}
    rows = snapshot.store.chunks_by_row(range(snapshot.store.chunks)).values()
    by_id = {document.id: document for document in snapshot.store.all_documents()}
    for chunk in rows:
        chunks.setdefault(by_id[chunk.document].path, []).append((chunk.start, chunk.end))
    texts = {document.path: (document.title, document.text) for document in by_id.values()}

    flat = [
        (name, start, paragraph, qa)
        for name, paragraphs in articles.items()
        for start, paragraph in zip(starts[name], paragraphs, strict=True)
        if start is not None
        for qa in paragraph["qas"]
    ]
    wanted = [qa["question"] for name, *_, qa in flat if retrieved(name)]
    vectors = iter(embedder.embed(wanted) if wanted else ())
    questions = []
    for name, start, paragraph, qa in flat:
        file = file_name(name)
        title, text = texts[file]
        end = start + len(paragraph["context"])
        spans = [(start + a["start"], start + a["start"] + len(a["text"])) for a in qa["answers"]]
        overlapping = [(a, b) for a, b in chunks[file] if a < end and b > start]
        answering = []
        for a, b in overlapping:
            inside = tuple((s - a, e - a) for s, e in spans if a <= s and e <= b)
            if inside:
                answering.append(Example(qa["question"], Passage(title, text[a:b]), inside))
        a, b = max(overlapping, key=lambda chunk: min(chunk[1], end) - max(chunk[0], start))
        own_spans = tuple((s - a, e - a) for s, e in spans if a <= s and e <= b)
        scored = search(snapshot, qa["question"], next(vectors), RETRIEVED) if retrieved(name) else []
        found = passages(snapshot, scored)
        others, distractors = [], []
        for passage in found:
            seen = Passage(passage.document.title, passage.text)
            mine = passage.document.path == file and passage.start < end and passage.end > start
            others.append((seen, mine))
            lowered = seen.text.lower()
            if not mine and not any(answer["text"].lower() in lowered for answer in qa["answers"]):
                distractors.append(seen)
        questions.append(
            Question(
                name,
                qa["question"],
                qa.get("added", False),
                tuple(answer["text"] for answer in qa["answers"]),
                tuple(answering),
                Example(qa["question"], Passage(title, text[a:b]), own_spans),
                tuple(distractors),
                tuple(others),
            )
        )
    return questions


def read_sentence_questions(path: Path) -> list[Example]:
    """Read ``sentence_questions.jsonl``: questions on single sentences."""
    examples = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        span = (row["start"], row["start"] + len(row["answer"]))
        examples.append(Example(row["question"], Passage("", row["sentence"]), (span,)))
    return examples


Group = tuple[Example, ...]
"""Passages that compete for one question."""


def reading_epoch(questions: list[Question], sentence_questions: list[Example], rng: random.Random) -> Iterator[Group]:
    """What reading is: one passage at a time, with fresh distractors and fresh typing errors.

    For each question: its own passage, and (7 times in 10 if it is answerable, else 3 in 10) a distractor;
    for each question on a sentence: that sentence, and 1 time in 4 a sentence that does not answer it.
    """
    for question in questions:
        asked = mistyped(question.question, rng)
        for example in question.answering or (question.own,):
            yield (Example(asked, example.passage, example.spans),)
        if question.distractors and rng.random() < (0.7 if question.answering else 0.3):
            yield (Example(asked, rng.choice(question.distractors[:5]), ()),)
    for example in sentence_questions:
        yield (Example(mistyped(example.question, rng), example.passage, example.spans),)
        other = rng.choice(sentence_questions).passage
        if rng.random() < 0.25 and other != example.passage:
            yield (Example(example.question, other, ()),)


def added_epoch(questions: list[Question], sentence_questions: list[Example], rng: random.Random) -> Iterator[Group]:
    """Reading and answering at once: a question's own passage, now and then against another that was retrieved for it.

    Another one comes 6 times in 10 to answerable questions and 2 in 10 to others, which are few enough to be repeated
    otherwise; 1 sentence question in 6 keeps the reader used to terse ones.
    """
    for question in questions:
        asked = mistyped(question.question, rng)
        own = question.answering or (question.own,)
        other = rng.random() < (0.6 if question.answering else 0.2)
        others = rng.sample(question.distractors[:5], 1) if other and question.distractors else []
        yield (
            *(Example(asked, example.passage, example.spans) for example in own),
            *(Example(asked, passage, ()) for passage in others),
        )
    for example in rng.sample(sentence_questions, len(sentence_questions) // 6):
        yield (Example(mistyped(example.question, rng), example.passage, example.spans),)


def competing_epoch(
    questions: list[Question], sentence_questions: list[Example], rng: random.Random
) -> Iterator[Group]:
    """Answering where it is hardest: a question's own passage against one of the three best others retrieved for it.

    1 time in 8 an answerable question gets two of the others only, as if its paragraph were not among the articles.
    Unanswerable questions have their own passage, 3 times in 10 with another; 1 sentence question in 8 comes along.
    """
    for question in questions:
        asked = mistyped(question.question, rng)
        hardest = question.distractors[:3]
        if question.answering and len(hardest) > 1 and rng.random() < 0.125:
            yield tuple(Example(asked, passage, ()) for passage in rng.sample(hardest, 2))
            continue
        own = question.answering or (question.own,)
        other = bool(hardest) and (bool(question.answering) or rng.random() < 0.3)
        yield (
            *(Example(asked, example.passage, example.spans) for example in own),
            *(Example(asked, passage, ()) for passage in (rng.sample(hardest, 1) if other else [])),
        )
    for example in rng.sample(sentence_questions, len(sentence_questions) // 8):
        yield (Example(mistyped(example.question, rng), example.passage, example.spans),)


def close_epoch(
    close: list[Question], others: list[Question], sentence_questions: list[Example], rng: random.Random
) -> Iterator[Group]:
    """Close questions alone with their own passages; an eighth of the others as in ``competing_epoch``."""
    for question in close:
        asked = mistyped(question.question, rng)
        yield tuple(Example(asked, example.passage, example.spans) for example in question.answering or (question.own,))
    some = [question for question in others if in_share(question.question, 1 / 8)]
    yield from competing_epoch(some, sentence_questions, rng)


def answering_epoch(questions: list[Question], rng: random.Random) -> Iterator[Group]:
    """What answering is: a question's own passage against two others that were retrieved for it.

    Unanswerable questions have only their own. 3 in 10 of the answerable come a second time, changed so that their
    passage no longer answers.
    """
    for question in questions:
        asked = mistyped(question.question, rng)
        own = question.answering or (question.own,)
        others = rng.sample(question.distractors, min(len(question.distractors), 2 if question.answering else 0))
        yield (
            *(Example(asked, example.passage, example.spans) for example in own),
            *(Example(asked, passage, ()) for passage in others),
        )
        if question.answering and rng.random() < 0.3:
            passage = question.answering[0].passage
            changed = contradicted(question.question, passage.text, question.answers, rng)
            if changed:
                yield (Example(mistyped(changed, rng), passage, ()),)


_OPPOSITES = (
    "first last", "largest smallest", "biggest smallest", "highest lowest", "most least", "more less", "before after",
    "north south", "northern southern", "east west", "eastern western", "oldest youngest", "older younger", "won lost",
    "increase decrease", "increased decreased", "begin end", "began ended", "start end", "started ended", "early late",
    "earliest latest", "higher lower", "larger smaller", "longest shortest", "best worst", "above below", "rise fall",
    "major minor", "public private", "can cannot", "did didn't", "does doesn't", "was wasn't", "is isn't",
    "positive negative", "strong weak", "rich poor", "old new", "import export", "winter summer", "inside outside",
    "internal external", "male female", "men women", "maximum minimum", "allowed forbidden", "support oppose",
    "supported opposed", "accepted rejected", "common rare", "gained lost", "joined left", "same different",
)  # fmt: skip
_OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair.split(), pair.split()[::-1])}
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: (?:of |the )?[A-Z][\w'-]+)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")


def contradicted(question: str, passage: str, answers: tuple[str, ...], rng: random.Random) -> str | None:
    """The question with a name, a number or a word of it changed so that the passage hardly answers it any more.

    A name or number becomes another one of the same passage, a word its opposite (rules in the manner of Rajpurkar
    et al. 2018, table 1); ``None`` where nothing can be changed.
    """
    changed = []
    for pattern in (_NAME, _NUMBER):
        found = {match.group() for match in pattern.finditer(passage)}
        for match in pattern.finditer(question):
            known = f"{question} {' '.join(answers)}".lower()
            others = sorted(other for other in found if other.lower() not in known)
            if others:
                changed.append(question[: match.start()] + rng.choice(others) + question[match.end() :])
    changed += [
        question[: match.start()] + _OPPOSITE[match.group()] + question[match.end() :]
        for match in re.finditer(r"[a-z']+", question)
        if match.group() in _OPPOSITE
    ]
    return rng.choice(changed) if changed else None


def mistyped(question: str, rng: random.Random) -> str:
    """The question as people type it: 1 time in 10 two letters swapped, 1 in 5 no question mark."""
    if len(question) > 15 and rng.random() < 0.1:
        at = rng.randrange(1, len(question) - 2)
        question = question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    return question.rstrip("?") if rng.random() < 0.2 else question
