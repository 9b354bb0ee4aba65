"""Train the writer's adapter: ``python training/writer/train.py --examples DIR --out DIR --minutes 35``.

Low-rank adaptation (Hu et al. 2021) of all linear layers with AdamW in bfloat16; the loss is that of the answers'
tokens. Writes ``adapter/`` and what a stopped run needs to go on every few steps, and its progress to ``log.jsonl``.
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from data import read_examples
from model import Encoded, answer_loss, encode, load_base, load_tokenizer, read_adapter, with_adapter
from peft import PeftModel

WARM_UP = 0.05


def batches(items: list[Encoded], tokens: int, rng: random.Random) -> list[list[Encoded]]:
    """Shuffled batches of examples of similar length, each of at most ``tokens`` tokens with padding."""
    result: list[list[Encoded]] = []
    batch: list[Encoded] = []
    for item in sorted(items, key=lambda item: (len(item), rng.random())):
        if batch and len(item) * (len(batch) + 1) > tokens:
            result.append(batch)
            batch = []
        batch.append(item)
    result.append(batch)
    rng.shuffle(result)
    return result


@torch.no_grad()
def mean_loss(model: PeftModel, items: list[Encoded], padding: int) -> float:
    """Loss for each token of the answers."""
    total, tokens = 0.0, 0
    for batch in batches(items, 3000, random.Random(0)):
        loss, count = answer_loss(model, batch, padding)
        total, tokens = total + loss.item(), tokens + count
    return total / tokens


def learning_rate(highest: float, progress: float) -> float:
    """Linear warm-up, then a cosine to zero at the end of the run."""
    if progress < WARM_UP:
        return highest * max(progress, 0.002) / WARM_UP
    return highest * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, required=True, help="what data.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="adapter, state and log")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="end then, learning rate included, at the latest"
    )
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch-tokens", type=int, default=2000)
    parser.add_argument("--save-every", type=int, default=100, help="steps between saves and development losses")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)

    def log(**values: object) -> None:
        line = json.dumps(values, default=str)
        print(line, flush=True)
        with (options.out / "log.jsonl").open("a") as file:
            file.write(line + "\n")

    tokenizer = load_tokenizer()
    padding = tokenizer.eos_token_id
    training = [encode(tokenizer, item) for item in read_examples(options.examples / "train.jsonl")]
    development = [encode(tokenizer, item) for item in read_examples(options.examples / "development.jsonl")][:120]
    plan = []
    for epoch in range(options.epochs):
        plan += batches(training, options.batch_tokens, random.Random(options.seed * 1000 + epoch))

    state_file, adapter = options.out / "state.pt", options.out / "adapter"
    base = load_base(torch.bfloat16)
    resumed = state_file.is_file()
    model = read_adapter(base, adapter, trained=True) if resumed else with_adapter(base, options.rank, 2 * options.rank)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.0)
    done, spent = 0, 0.0
    if resumed:
        state = torch.load(state_file, weights_only=True)
        optimizer.load_state_dict(state["optimizer"])
        done, spent = state["step"], state["seconds"]
    log(
        arguments=vars(options),
        examples=len(training),
        tokens=sum(map(len, training)),
        parameters=sum(parameter.numel() for parameter in trained),
        steps=len(plan),
        resumed_after=done,
    )

    began = time.monotonic() - spent
    running, seen, tokens = 0.0, 0, 0
    model.train()
    for step, batch in enumerate(plan[done:], done + 1):
        # What ends first, the examples or the time: the learning rate reaches zero there either way.
        progress = max((step - 1) / len(plan), (time.monotonic() - began) / (60 * options.minutes))
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(options.rate, progress)
        loss, count = answer_loss(model, batch, padding)
        optimizer.zero_grad()
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        seen, tokens = seen + len(batch), tokens + sum(map(len, batch))
        running += (loss.item() / count - running) / min(step - done, 30)
        if not math.isfinite(running):
            raise SystemExit("The loss is not finite; lower --rate.")
        if step % 10 == 0 or step <= 4:
            seconds = time.monotonic() - began
            rate = (seconds - spent) / seen
            log(step=step, of=len(plan), loss=round(running, 4), seconds=round(seconds), per_example=round(rate, 3))
        if step % options.save_every == 0:
            save(model, optimizer, options.out, step, time.monotonic() - began)
            log(step=step, development_loss=round(mean_loss(model, development, padding), 4))
    save(model, optimizer, options.out, len(plan), time.monotonic() - began)
    log(finished=True, development_loss=round(mean_loss(model, development, padding), 4), seen=seen, tokens=tokens)


def save(model: PeftModel, optimizer: torch.optim.Optimizer, out: Path, step: int, seconds: float) -> None:
    """Write the adapter and what going on from it needs; the state last, as it vouches for the adapter."""
    model.save_pretrained(str(out / "adapter"), save_embedding_layers=False)
    state = {"optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")


if __name__ == "__main__":
    main()
