"""Fit the evidence model: ``python training/fit_evidence.py --data DIR --work DIR``.

The development articles of the reading set, which the reader has not seen, are indexed among all others with
every second paragraph left out, and then once more with the other paragraphs left out. Their questions are
asked through the product's own retriever and reader. So each answerable question counts once as answerable and
once as beyond the articles, and unanswerable ones as what they are. A candidate sentence is right if it holds
an annotated answer. Figures are for articles that were not fitted on (leave one article out).
"""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from rag.assembly import cache_folder
from rag.embedding import OnnxEmbedder
from rag.evidence import FEATURES, Features
from rag.indexing import build_index
from rag.models import EMBEDDING, reader_folder
from rag.picking import Picker
from rag.reader import OnnxReader
from rag.retrieval import Snapshot
from reader.data import CHUNK_TOKENS, Articles, file_name, is_development, read_articles, write_corpus

PASSAGES = 8


@dataclass(frozen=True, slots=True)
class Case:
    """One question asked to one index."""

    article: str
    kind: str
    """``answerable``, ``unanswerable`` (a trap set beside a real fact), or ``absent`` (its paragraph is left out)."""
    features: Features
    right: np.ndarray
    """Which candidates hold an annotated answer."""


def collect(articles: Articles, work: Path, parity: int) -> list[Case]:
    """Ask the development questions with every second development paragraph left out."""

    def keep(article: str, number: int) -> bool:
        return not is_development(article) or number % 2 == parity

    corpus, index = work / "corpus", work / "index"
    starts = write_corpus(articles, corpus, keep)
    embedder = OnnxEmbedder(EMBEDDING.path.parent, EMBEDDING.name, cache_folder(), 2)
    build_index(corpus, index, embedder, chunk_tokens=CHUNK_TOKENS, max_file_bytes=10**9)
    snapshot = Snapshot(index)
    picker = Picker(embedder, OnnxReader(reader_folder(), 2))
    cases = []
    for article, paragraphs in articles.items():
        if not is_development(article):
            continue
        for start, paragraph in zip(starts[article], paragraphs, strict=True):
            for qa in paragraph["qas"]:
                if start is None and not qa["answers"]:
                    continue
                found = picker.candidates(snapshot, qa["question"], PASSAGES)
                spans = [(a["start"], a["start"] + len(a["text"])) for a in qa["answers"]] if start is not None else []
                right = [
                    found.passages[passage].document.path == file_name(article)
                    and any(first <= start + a and start + b <= last for a, b in spans)
                    for passage, first, last in found.spans
                ]
                kind = "absent" if start is None else "answerable" if qa["answers"] else "unanswerable"
                cases.append(Case(article, kind, found.features, np.array(right, bool)))
    return cases


def fit(cases: list[Case]) -> LogisticRegression:
    """Logistic regression on all candidates of all cases."""
    rows = np.vstack([case.features for case in cases])
    right = np.concatenate([case.right for case in cases])
    return LogisticRegression(max_iter=5000, C=1.0).fit(rows, right)


def measure(held_out: list[tuple[Case, np.ndarray]]) -> dict[str, float]:
    """Ranking and refusing, from the probabilities of cases that were not fitted on."""
    best: dict[str, list[float]] = {"answerable": [], "unanswerable": [], "absent": []}
    hits: dict[int, list[bool]] = {1: [], 2: [], 3: []}
    for case, probabilities in held_out:
        best[case.kind].append(float(probabilities.max()))
        if case.kind == "answerable":
            order = np.argsort(-probabilities)
            for k in hits:
                hits[k].append(bool(case.right[order[:k]].any()))
    figures = {f"right_in_{k}": float(np.mean(values)) for k, values in hits.items()}
    for kind in ("unanswerable", "absent"):
        truth = [1] * len(best["answerable"]) + [0] * len(best[kind])
        figures[f"auc_{kind}"] = float(roc_auc_score(truth, best["answerable"] + best[kind]))
    for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        for kind, values in best.items():
            figures[f"below_{threshold}_{kind}"] = float(np.mean(np.array(values) < threshold))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of reading_train.jsonl")
    parser.add_argument("--work", type=Path, required=True, help="folder for the temporary corpus and index")
    parser.add_argument("--out", type=Path, default=Path("src/rag/evidence.json"))
    options = parser.parse_args()
    random.seed(1)
    articles = read_articles(options.data / "reading_train.jsonl")
    cases = [case for parity in (0, 1) for case in collect(articles, options.work, parity) if len(case.features)]
    held_out = []
    for article in sorted({case.article for case in cases}):
        model = fit([case for case in cases if case.article != article])
        held_out += [(case, model.predict_proba(case.features)[:, 1]) for case in cases if case.article == article]
    figures = {name: round(value, 4) for name, value in measure(held_out).items()}
    for name, column in (("cosine", 0), ("answer_likely", FEATURES.index("answer_likely"))):
        alone = measure([(case, case.features[:, column]) for case in cases])
        figures |= {f"{name}_{key}": round(value, 4) for key, value in alone.items() if "below" not in key}
    model = fit(cases)
    fitted = {
        "weights": dict(zip(FEATURES, (round(float(w), 5) for w in model.coef_[0]), strict=True)),
        "bias": round(float(model.intercept_[0]), 5),
        "cases": {kind: sum(case.kind == kind for case in cases) for kind in ("answerable", "unanswerable", "absent")},
        "held_out": figures,
    }
    options.out.write_text(json.dumps(fitted, indent=1) + "\n")
    print(json.dumps(fitted, indent=1))


if __name__ == "__main__":
    main()
