"""Train the reader: ``python training/reader/train.py --data DIR --out DIR``.

Starts from the embedding model's weights, keeps its word embeddings, and trains the rest with AdamW in
bfloat16. Writes a checkpoint after each epoch (a run continues from the last one), and its progress and the figures
on the development split to ``log.jsonl``.
"""

import argparse
import json
import math
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from data import Example, Question, epoch, is_development, read_questions, read_sentence_questions
from model import Prepared, Reader, collate, loss, prepare
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from rag.embedding import OnnxEmbedder
from rag.metrics import exact_match, token_f1
from rag.models import EMBEDDING
from rag.reading import Reading, decode


def batches(prepared: list[Prepared], tokens: int, rng: random.Random) -> list[list[Prepared]]:
    """Shuffled batches of similar length, each of at most ``tokens`` tokens with padding."""
    rng.shuffle(prepared)
    result: list[list[Prepared]] = []
    for start in range(0, len(prepared), 3000):
        batch: list[Prepared] = []
        for item in sorted(prepared[start : start + 3000], key=lambda item: len(item.encoded.ids)):
            if batch and len(item.encoded.ids) * (len(batch) + 1) > tokens:
                result.append(batch)
                batch = []
            batch.append(item)
        result.append(batch)
    rng.shuffle(result)
    return result


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
            items.append(prepare(tokenizer, Example(question.question, passage, ())))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of reading_train.jsonl, sentence_questions.jsonl"
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and log")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--batch-tokens", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
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
    questions = read_questions(options.data / "reading_train.jsonl", embedder, options.out / "work")
    sentence_questions = read_sentence_questions(options.data / "sentence_questions.jsonl")
    training = [question for question in questions if not is_development(question.article)]
    held_out = [question for question in questions if is_development(question.article)]
    development = random.Random(7).sample(held_out, min(500, len(held_out)))
    log(arguments=vars(options), training=len(training), articles=Counter(q.article for q in held_out))

    model = Reader(base)
    model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.01)
    step, first_epoch, steps = 0, 0, 0
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(load_file(options.out / f"epoch-{state['epoch']}.safetensors"))
        optimizer.load_state_dict(state["optimizer"])
        step, first_epoch = state["step"], state["epoch"]
    for number in range(first_epoch, options.epochs):
        rng = random.Random(options.seed * 1000 + number)
        prepared = [prepare(tokenizer, example) for example in epoch(training, sentence_questions, rng)]
        plan = batches(prepared, options.batch_tokens, rng)
        steps = steps or step + len(plan) * (options.epochs - number)
        began, running = time.time(), 0.0
        for batch_number, batch in enumerate(plan, 1):
            warm = min(1.0, (step + 1) / (0.06 * steps))
            for group in optimizer.param_groups:
                group["lr"] = options.rate * warm * max(0.0, 1 - step / steps)
            tensors = collate(batch)
            with torch.autocast("cpu", torch.bfloat16):
                starts, ends = model(tensors["input_ids"], tensors["token_type_ids"], tensors["attention_mask"])
            value = loss(starts, ends, tensors)
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            step += 1
            running += (value.item() - running) / min(batch_number, 100)
            if batch_number % 100 == 0:
                log(epoch=number + 1, step=step, of=steps, loss=round(running, 3), seconds=round(time.time() - began))
            if not math.isfinite(running):
                raise SystemExit("The loss is not finite; lower --rate.")
        save_file(model.state_dict(), options.out / f"epoch-{number + 1}.safetensors")
        torch.save({"optimizer": optimizer.state_dict(), "step": step, "epoch": number + 1}, checkpoint)
    log(epoch=options.epochs, **{k: round(v, 4) for k, v in evaluate(model, tokenizer, development).items()})


if __name__ == "__main__":
    main()
