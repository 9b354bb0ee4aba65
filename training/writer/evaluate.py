"""Compare the model without and with its adapter: ``python training/writer/evaluate.py --examples DIR --adapter FILE``.

Every held-out example is answered by llama.cpp as the product runs it, from given sources; what counts is whether the
product would show the answer. Writes the figures and all answers as JSON.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data import Example, is_refusal, read_examples, sentences
from runtime import load_server

from rag.checking import check_clauses
from rag.prompts import NOT_IN_SOURCES, answer_messages

_MOST_TOKENS = 80


def answer(server: Any, example: Example, repeat_penalty: float) -> dict[str, Any]:
    """One greedy answer with its figures."""
    request = {
        "messages": answer_messages(example.question, example.sources),
        "max_tokens": _MOST_TOKENS,
        "temperature": 0,
        "repeat_penalty": repeat_penalty,
        "cache_prompt": True,
    }
    reply = server.handle_chat_completions(request)
    text = reply["choices"][0]["message"]["content"].strip()
    return judged(example, text) | {key: reply["timings"][key] for key in ("prompt_ms", "predicted_n", "predicted_ms")}


def judged(example: Example, text: str) -> dict[str, Any]:
    """What is right about an answer. ``None`` where it does not apply: to refusals, or without a known short answer."""
    answerable = example.answer != NOT_IN_SOURCES
    refused = is_refusal(text)
    texts = example.sources
    checks = [check_clauses(part, texts, [""] * len(texts), example.question) for part in sentences(text)]
    shown = not refused and bool(checks) and all(checks)
    applies = answerable and not refused
    return {
        "id": example.id,
        "rule": example.rule,
        "question": example.question,
        "wanted": example.answer,
        "answer": text,
        "answerable": answerable,
        "refused": refused,
        "shown": shown if applies else None,
        "quoted": all(check.verdict == "quoted" for part in checks for check in part or ())
        if applies and shown
        else None,
        "right_marker": markers(text) == markers(example.answer) if applies else None,
        "holds_answer": any(gold.lower() in text.lower() for gold in example.gold)
        if applies and example.gold
        else None,
        "as_wanted": text == example.answer,
    }


def markers(text: str) -> set[str]:
    """The numbers in brackets."""
    return set(re.findall(r"\[(\d)\]", text))


def figures(results: Sequence[dict[str, Any]]) -> dict[str, float | int | None]:
    """Shares over all answers."""
    answerable = [item for item in results if item["answerable"]]
    unanswerable = [item for item in results if not item["answerable"]]
    complete = [
        item for item in answerable if item["shown"] and item["right_marker"] and item["holds_answer"] is not False
    ]
    return {
        "answerable": len(answerable),
        "unanswerable": len(unanswerable),
        "shown": mean(answerable, "shown"),
        "quoted_of_shown": mean(answerable, "quoted"),
        "right_marker": mean(answerable, "right_marker"),
        "holds_answer": mean(answerable, "holds_answer"),
        "as_wanted": mean(answerable, "as_wanted"),
        "all_right": round(len(complete) / len(answerable), 3) if answerable else None,
        "refused_wrongly": mean(answerable, "refused"),
        "refused_rightly": mean(unanswerable, "refused"),
        "tokens_per_second": round(
            1000 * sum(item["predicted_n"] for item in results) / sum(item["predicted_ms"] for item in results), 1
        ),
        "seconds_each": round(
            sum(item["prompt_ms"] + item["predicted_ms"] for item in results) / 1000 / len(results), 2
        ),
    }


def mean(results: Sequence[dict[str, Any]], key: str) -> float | None:
    """Mean over the items to which a figure applies."""
    values = [item[key] for item in results if item[key] is not None]
    return round(sum(values) / len(values), 3) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, required=True, help="folder of development.jsonl")
    parser.add_argument("--adapter", type=Path, required=True, help="what export.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    parser.add_argument("--most", type=int, default=160, help="examples, from the beginning")
    parser.add_argument("--repeat-penalty", type=float, nargs="+", default=[1.1, 1.0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    examples = read_examples(options.examples / "development.jsonl")[: options.most]
    report: dict[str, Any] = {"figures": {}, "by_rule": {}, "answers": {}}
    for adapter in (None, options.adapter):
        server = load_server(adapter, options.threads)
        for penalty in options.repeat_penalty if adapter else options.repeat_penalty[:1]:
            name = f"{'adapter' if adapter else 'plain'}, repeat penalty {penalty:g}"
            began = time.monotonic()
            results = [answer(server, example, penalty) for example in examples]
            report["figures"][name] = figures(results)
            report["by_rule"][name] = {
                rule: figures([item for item in results if item["rule"] == rule])
                for rule in sorted({item["rule"] for item in results})
            }
            report["answers"][name] = results
            print(name, f"{time.monotonic() - began:.0f} s", json.dumps(report["figures"][name]), flush=True)
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
