"""Train the reader: ``python training/reader/train.py --data DIR --out DIR``.

Starts from the embedding model's weights, keeps its word embeddings, and trains the rest with AdamW in
bfloat16: reading single passages, answering among competing ones, and our own questions (``STAGES``); averages some of
the stages' weights (``AVERAGES``). Writes a checkpoint after each epoch (a run continues from the last one), the weights
after each stage and their averages (``shipped.safetensors`` is the last), and its progress and the figures on the
development split to ``log.jsonl``.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from data import (
    Example,
    Question,
    added_epoch,
    answering_epoch,
    close_epoch,
    competing_epoch,
    in_share,
    is_development,
    read_articles,
    read_contexts,
    read_passages,
    read_questions,
    read_sentence_questions,
    reading_epoch,
)
from model import Prepared, Reader, collate, loss, prepare
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from rag.embedding import OnnxEmbedder
from rag.metrics import exact_match, token_f1
from rag.models import EMBEDDING
from rag.reading import Reading, decode


def batches(groups: list[list[Prepared]], tokens: int, rng: random.Random) -> list[list[list[Prepared]]]:
    """Shuffled batches of questions of similar length, each of at most ``tokens`` tokens with padding."""
    rng.shuffle(groups)
    result: list[list[list[Prepared]]] = []
    for start in range(0, len(groups), 3000):
        batch: list[list[Prepared]] = []
        rows = 0
        for group in sorted(groups[start : start + 3000], key=_longest):
            if batch and _longest(group) * (rows + len(group)) > tokens:
                result.append(batch)
                batch, rows = [], 0
            batch.append(group)
            rows += len(group)
        result.append(batch)
    rng.shuffle(result)
    return result


def _longest(group: list[Prepared]) -> int:
    return max(len(item.encoded.ids) for item in group)


@torch.no_grad()
def read(model: Reader, items: list[Prepared]) -> list[Reading]:
    """Readings in order."""
    model.eval()
    order = sorted(range(len(items)), key=lambda i: len(items[i].encoded.ids))
    readings: dict[int, Reading] = {}
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        batch = collate([items[row] for row in rows])
        with torch.autocast("cpu", torch.bfloat16):
            starts, ends = model(batch["input_ids"], batch["token_type_ids"], batch["attention_mask"])
        for position, row in enumerate(rows):
            reading = decode(items[row].encoded, starts[position].numpy(), ends[position].numpy())
            assert reading is not None
            readings[row] = reading
    model.train()
    return [readings[i] for i in range(len(items))]


def evaluate(model: Reader, tokenizer: Tokenizer, questions: list[Question]) -> dict[str, float]:
    """Figures on held-out articles: reading the right passage, reading what was retrieved, and refusing."""
    items, owners = [], []
    for number, question in enumerate(questions):
        own = question.answering[0] if question.answering else question.own
        for passage, mine in ((own.passage, True), *question.retrieved):
            items += prepare(tokenizer, (Example(question.question, passage, ()),))
            owners.append((number, passage, mine))
    readings = read(model, items)
    grouped: dict[int, list[tuple[Reading, str, bool]]] = {}
    for (number, passage, mine), reading in zip(owners, readings, strict=True):
        grouped.setdefault(number, []).append((reading, passage.text[reading.start : reading.end], mine))
    exact, f1, open_right = [], [], []
    margins: dict[str, list[float]] = {"own": [], "unanswerable": [], "open": [], "open unanswerable": [], "absent": []}
    for number, question in enumerate(questions):
        (own, own_text, _), *retrieved = grouped[number]
        best, best_text, _ = max(retrieved, key=lambda found: found[0].margin)
        if question.answering:
            exact.append(exact_match(own_text, question.answers))
            f1.append(token_f1(own_text, question.answers))
            open_right.append(token_f1(best_text, question.answers) >= 0.5)
            margins["own"].append(own.margin)
            margins["open"].append(best.margin)
            others = [reading.margin for reading, _, mine in retrieved if not mine]
            margins["absent"].append(max(others, default=-20.0))
        elif not question.answers:
            margins["unanswerable"].append(own.margin)
            margins["open unanswerable"].append(best.margin)
    return {
        "exact_match": float(np.mean(exact)),
        "f1": float(np.mean(f1)),
        "auc_adversarial": auc(margins["own"], margins["unanswerable"]),
        "open_right": float(np.mean(open_right)),
        "auc_open_adversarial": auc(margins["open"], margins["open unanswerable"]),
        "auc_open_absent": auc(margins["open"], margins["absent"]),
        "answerable": len(exact),
        "unanswerable": len(margins["unanswerable"]),
    }


def auc(positive: list[float], negative: list[float]) -> float:
    """Probability that a positive scores above a negative (area under the ROC curve)."""
    ranks = np.argsort(np.argsort(positive + negative)) + 1
    wins = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(wins / (len(positive) * len(negative)))


@dataclass(frozen=True, slots=True)
class Stage:
    """Epochs under one linear schedule of the learning rate."""

    name: str
    after: str | None
    """The stage whose weights it starts from; none: the embedding model's."""
    epochs: int
    rate: float
    frozen_layers: int
    """Lowest layers that stay as they are; the word embeddings always do."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Of each set of questions, how much of it competes in each epoch; the stages without have epochs of their own."""


STAGES = (
    Stage("reading", None, 2, 1.5e-4, 0),
    Stage("further-reading", "reading", 2, 7.5e-5, 0),
    Stage("answering", "reading", 1, 8e-5, 2),
    Stage("added", "first-average", 1, 1.2e-4, 0),
    Stage("own", "added", 1, 1e-4, 0),
    Stage("competing", "second-average", 1, 1e-4, 0),
    Stage("close", "competing", 1, 1e-4, 0),
    Stage("again", "third-average", 1, 8e-5, 0, {"close": 1 / 2, "given": 1 / 8, "added": 1 / 8, "own": 1 / 8}),
    Stage(
        "real",
        "again",
        1,
        1e-4,
        0,
        {"real": 0.85, "given": 1 / 32, "added": 1 / 32, "own": 1 / 32, "close": 1 / 32},
    ),
    Stage(
        "mixed",
        "fourth-average",
        1,
        8e-5,
        0,
        {"given": 1 / 3, "added": 1 / 3, "own": 0.6, "close": 1 / 6, "real": 1 / 6},
    ),
    Stage(
        "everyday",
        "mixed",
        1,
        8e-5,
        0,
        {"everyday": 0.85, "given": 1 / 8, "added": 1 / 20, "own": 1 / 12, "close": 1 / 25, "real": 1 / 25},
    ),
)
AVERAGES = {
    "first-average": ("answering", {"reading": 0.25, "further-reading": 0.25, "answering": 0.5}),
    "second-average": ("own", {"first-average": 0.2, "own": 0.8}),
    "third-average": ("close", {"competing": 0.4, "close": 0.6}),
    "fourth-average": ("real", {"third-average": 0.4, "again": 0.24, "real": 0.36}),
    "shipped": ("everyday", {"third-average": 0.4, "everyday": 0.6}),
}
"""Name → the stage after which it is made, and shares of weights: averages of runs from a common start beat each of
them (model soups, Wortsman et al. 2022)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of reading_train.jsonl, sentence_questions.jsonl"
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and log")
    parser.add_argument("--batch-tokens", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)

    def log(**values: object) -> None:
        line = json.dumps(values, default=str)
        print(line, flush=True)
        with (options.out / "log.jsonl").open("a") as file:
            file.write(line + "\n")

    base = EMBEDDING.path.parent
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    embedder = OnnxEmbedder(base, EMBEDDING.name, options.out / "cache", 2)
    here = Path(__file__).parent
    paragraphs = options.data / "reading_train.jsonl"
    questions = read_questions(read_articles(paragraphs, here / "questions.jsonl"), embedder, options.out / "work")
    own = read_questions(read_passages(here / "passages.jsonl"), embedder, options.out / "own")
    contexts = read_contexts(options.data / "conversations.jsonl", here / "context_questions.jsonl")
    close = [
        question
        for question in read_questions(
            read_articles(paragraphs, here / "close_questions.jsonl"), embedder, options.out / "close", lambda _: False
        )
        if question.added
    ]
    others = read_questions(contexts, embedder, options.out / "contexts", is_development)
    sentence_questions = read_sentence_questions(options.data / "sentence_questions.jsonl")
    training = [question for question in questions if not is_development(question.article)]
    given = [question for question in training if not question.added]
    held_out = {
        "reading set": [question for question in questions if is_development(question.article)],
        "own passages": [question for question in own if is_development(question.article)],
        "contexts": [question for question in others if is_development(question.article)],
    }
    close += [question for question in others if not is_development(question.article)]
    own = [question for question in own if not is_development(question.article)]
    sets = {"given": given, "added": [question for question in training if question.added], "own": own, "close": close}
    for name in ("real", "everyday"):
        asked = read_questions(read_passages(here / f"{name}_passages.jsonl"), embedder, options.out / name)
        held_out[f"{name} passages"] = [question for question in asked if is_development(question.article)]
        sets[name] = [question for question in asked if not is_development(question.article)]
    sizes = {name: len(value) for name, value in sets.items()}
    log(arguments=vars(options), **sizes, held_out={name: len(value) for name, value in held_out.items()})

    def plan(stage: Stage, number: int) -> list[list[list[Prepared]]]:
        rng = random.Random(options.seed * 1000 + STAGES.index(stage) * 10 + number)
        match stage.name:
            case "reading" | "further-reading":
                groups = reading_epoch(given, sentence_questions, rng)
            case "answering":
                groups = answering_epoch(given, rng)
            case "added":
                groups = added_epoch(training, sentence_questions, rng)
            case "competing":
                groups = competing_epoch(training + rng.sample(own, len(own) // 4), sentence_questions, rng)
            case "close":
                groups = close_epoch(close, training + own, sentence_questions, rng)
            case "own":
                groups = added_epoch(own + rng.sample(training, len(training) // 3), sentence_questions, rng)
            case _:
                taken = [
                    question
                    for name, share in stage.shares.items()
                    for question in sets[name]
                    if in_share(f"{stage.name} {number} {question.question}", share)
                ]
                groups = competing_epoch(taken, sentence_questions, rng)
        return batches([prepare(tokenizer, group) for group in groups], options.batch_tokens, rng)

    def weights(name: str) -> Path:
        return options.out / f"{name}.safetensors"

    def kept(name: str, state: dict[str, torch.Tensor]) -> None:
        save_file(state, weights(name))
        model = Reader(base)
        model.load_state_dict(state)
        for where, asked in held_out.items():
            figures = evaluate(model, tokenizer, asked)
            log(weights=name, on=where, **{key: round(value, 4) for key, value in figures.items()})

    for stage in STAGES:
        if not weights(stage.name).is_file():
            torch.manual_seed(options.seed)
            model = Reader(base)
            if stage.after:
                model.load_state_dict(load_file(weights(stage.after)))
            train(model, stage, plan, options.out, log)
            kept(stage.name, model.state_dict())
        for name, (after, shares) in AVERAGES.items():
            if after == stage.name and not weights(name).is_file():
                states = {part: load_file(weights(part)) for part in shares}
                keys = next(iter(states.values()))
                kept(name, {key: sum(share * states[part][key] for part, share in shares.items()) for key in keys})


def train(
    model: Reader,
    stage: Stage,
    plan: Callable[[Stage, int], list[list[list[Prepared]]]],
    out: Path,
    log: Callable[..., None],
) -> None:
    """Train one stage; a run that was interrupted continues with the epoch it was in."""
    frozen = [model.encoder.embeddings.word_embeddings, *model.encoder.encoder.layer[: stage.frozen_layers]]
    model.requires_grad_(True)
    for part in frozen:
        part.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=stage.rate, weight_decay=0.01)
    steps = sum(len(plan(stage, number)) for number in range(stage.epochs))
    step, done = 0, 0
    checkpoint = out / f"{stage.name}.checkpoint.pt"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, done = state["step"], state["epoch"]
    for number in range(done, stage.epochs):
        began, running = time.time(), 0.0
        for batch_number, batch in enumerate(plan(stage, number), 1):
            for settings in optimizer.param_groups:
                settings["lr"] = stage.rate * min((step + 1) / (0.06 * steps), 1 - step / steps)
            tensors = collate([item for group in batch for item in group])
            with torch.autocast("cpu", torch.bfloat16):
                starts, ends = model(tensors["input_ids"], tensors["token_type_ids"], tensors["attention_mask"])
            value = loss(starts, ends, tensors, [len(group) for group in batch])
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            step += 1
            running += (value.item() - running) / min(batch_number, 100)
            if batch_number % 25 == 0:
                spent = round(time.time() - began)
                log(stage=stage.name, epoch=number + 1, step=step, of=steps, loss=round(running, 3), seconds=spent)
            if not math.isfinite(running):
                raise SystemExit("The loss is not finite; lower the stage's rate.")
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "epoch": number + 1}
        torch.save(state, checkpoint)


if __name__ == "__main__":
    main()
