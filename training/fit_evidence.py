"""Fit the evidence models: ``python training/fit_evidence.py --data DIR --work DIR``.

The development articles of the reading set and of our own passages, which the reader has not seen, are asked through
the product's own retriever and reader, to four indexes: of all articles (answerable questions and unanswerable ones),
twice with about every second development paragraph left out (questions on those are beyond the articles), and without
the development articles (their topics are). A candidate sentence is right if it holds an annotated answer.

For each ranking (``rag.evidence.Ranking``) a logistic regression over sentences ranks them, and one over questions
gives the probability that the best one is right. Figures are for parts that were not fitted on: each article of the
reading set in turn, and each fifth of our own passages.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from rag.assembly import cache_folder
from rag.embedding import OnnxEmbedder
from rag.evidence import FEATURES, USED, Features, Ranking, question_features
from rag.indexing import build_index
from rag.metrics import expected_calibration_error
from rag.models import EMBEDDING, READER
from rag.picking import Candidates, Picker
from rag.reader import OnnxReader
from rag.retrieval import Snapshot
from rag.settings import Settings
from reader.data import (
    CHUNK_TOKENS,
    Articles,
    file_name,
    is_development,
    read_articles,
    read_passages,
    write_corpus,
)

SHARES = {"answerable": 0.5, "unanswerable": 0.25, "absent paragraph": 0.15, "absent topic": 0.1}
"""Of the questions that confidence is calibrated for; everyday use is unknown, so half of them can be answered."""
_SENTENCE_C, _QUESTION_C = 1.0, 0.003
"""Inverse strength of regularisation. Questions are few and articles differ, so theirs is strong."""
WRONGLY_REFUSED = (0.05, 0.1, 0.15, 0.2)
_OWN_SHARE = 0.3
"""Of the questions on our own held-back passages; all of them would take three times as long."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question asked to one index."""

    part: str
    """What is left out together: an article of the reading set, or a fifth of our own passages."""
    own: bool
    kind: str
    """A key of ``SHARES``."""
    features: Features
    right: np.ndarray
    """Which candidates hold an annotated answer."""
    passage: np.ndarray
    """Position of each candidate's passage among those retrieved."""
    question: str
    found: Candidates


def _hash(text: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % below


def collect(articles: Articles, own: Articles, work: Path, kind: str, keep: Callable[[str, int], bool]) -> list[Case]:
    """Ask the development questions to an index of the kept paragraphs; absent kinds ask about those left out."""
    starts = write_corpus(articles | own, work / "corpus", keep)
    embedder = OnnxEmbedder(EMBEDDING.path.parent, EMBEDDING.name, cache_folder(), 2)
    build_index(work / "corpus", work / "index", embedder, chunk_tokens=CHUNK_TOKENS, max_file_bytes=10**9)
    snapshot = Snapshot(work / "index")
    picker = Picker(embedder, OnnxReader(READER.path.parent, 2))
    cases = []
    for article, paragraphs in (articles | own).items():
        if not is_development(article):
            continue
        part = f"own {_hash(article, 5)}" if article in own else article
        for start, paragraph in zip(starts[article], paragraphs, strict=True):
            for qa in paragraph["qas"]:
                if article in own and _hash(qa["question"], 100) >= 100 * _OWN_SHARE:
                    continue
                if (start is None) != kind.startswith("absent") or (start is None and not qa["answers"]):
                    continue
                found = picker.candidates(snapshot, qa["question"], Settings().candidates)
                spans = [(a["start"], a["start"] + len(a["text"])) for a in qa["answers"]] if start is not None else []
                right = [
                    found.passages[passage].document.path == file_name(article)
                    and any(first <= start + a and start + b <= last for a, b in spans)
                    for passage, first, last in found.spans
                ]
                named = kind if kind.startswith("absent") or qa["answers"] else "unanswerable"
                owners = np.array([passage for passage, _, _ in found.spans])
                case = Case(
                    part, article in own, named, found.features, np.array(right, bool), owners, qa["question"], found
                )
                if len(found.features):
                    cases.append(case)
    return cases


def collect_all(articles: Articles, own: Articles, work: Path) -> list[Case]:
    """Cases of all kinds."""
    cases = collect(articles, own, work, "answerable", lambda article, number: True)
    for parity in (0, 1):
        cases += collect(
            articles,
            own,
            work,
            "absent paragraph",
            lambda article, number, parity=parity: (
                not is_development(article) or _hash(f"{article} {number}", 2) == parity
            ),
        )
    return cases + collect(articles, own, work, "absent topic", lambda article, number: not is_development(article))


Model = dict[str, list[float] | float]


def fit(rows: np.ndarray, right: np.ndarray, weights: np.ndarray, c: float) -> Model:
    """Logistic regression on standardised features, folded back into weights for the features as they are."""
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(max_iter=5000, C=c).fit(scaler.transform(rows), right, weights)
    folded = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - folded @ scaler.mean_)
    return {"weights": [round(float(weight), 5) for weight in folded], "bias": round(bias, 5)}


def apply(model: Model, rows: np.ndarray) -> np.ndarray:
    """Probabilities."""
    return 1 / (1 + np.exp(-(rows @ np.array(model["weights"]) + model["bias"])))


def case_weights(cases: Sequence[Case]) -> np.ndarray:
    """Weights that give the kinds their shares; they sum to the number of cases."""
    counts = {kind: sum(case.kind == kind for case in cases) for kind in SHARES}
    return np.array([len(cases) * SHARES[case.kind] / counts[case.kind] for case in cases])


def fit_sentences(cases: Sequence[Case], ranking: Ranking) -> Model:
    """Which sentences are right."""
    columns = [FEATURES.index(name) for name in USED[ranking]]
    rows = np.vstack([case.features[:, columns] for case in cases])
    right = np.concatenate([case.right for case in cases])
    weights = np.concatenate(
        [np.full(len(case.features), weight) for case, weight in zip(cases, case_weights(cases), strict=True)]
    )
    return fit(rows, right, weights, _SENTENCE_C)


def without_each_part(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Part → the cases of the others."""
    return {name: [case for case in cases if case.part != name] for name in sorted({case.part for case in cases})}


def fit_ranking(cases: Sequence[Case], ranking: Ranking) -> tuple[dict[str, Model], dict[str, dict[str, float]]]:
    """Both models of a ranking, and their figures on parts that were not fitted on."""
    columns = [FEATURES.index(name) for name in USED[ranking]]
    others = without_each_part(cases)
    sentence = {name: fit_sentences(rest, ranking) for name, rest in others.items()}
    probabilities = [apply(sentence[case.part], case.features[:, columns]) for case in cases]
    rows = np.array(
        [
            question_features(case.features, p, case.found.answer_texts, ranking)
            for case, p in zip(cases, probabilities, strict=True)
        ]
    )
    right = np.array([case.right[p.argmax()] for case, p in zip(cases, probabilities, strict=True)])
    weights = case_weights(cases)
    part = np.array([case.part for case in cases])
    confidence = np.zeros(len(cases))
    for name in others:
        mine = part == name
        confidence[mine] = apply(fit(rows[~mine], right[~mine], weights[~mine], _QUESTION_C), rows[mine])
    models = {"sentence": fit_sentences(cases, ranking), "question": fit(rows, right, weights, _QUESTION_C)}
    figures = {}
    for name, own in (("reading set", False), ("own passages", True)):
        chosen = np.array([case.own is own for case in cases])
        mine = [case for case in cases if case.own is own]
        figures[name] = measure(
            mine,
            [p for case, p in zip(cases, probabilities, strict=True) if case.own is own],
            confidence[chosen],
            right[chosen],
        )
    return models, figures


def measure(
    cases: Sequence[Case], probabilities: Sequence[np.ndarray], confidence: np.ndarray, right: np.ndarray
) -> dict[str, float]:
    """Ranking and refusing, from the probabilities of cases that were not fitted on."""
    kinds = np.array([case.kind for case in cases])
    answerable = kinds == "answerable"
    figures = {}
    for k in (1, 2, 3, 5):
        hits = [
            case.right[np.argsort(-p)[:k]].any()
            for case, p in zip(cases, probabilities, strict=True)
            if case.kind == "answerable"
        ]
        figures[f"right in {k}"] = float(np.mean(hits))
    for kind in SHARES:
        if kind != "answerable":
            both = answerable | (kinds == kind)
            figures[f"AUC against {kind}"] = float(roc_auc_score(answerable[both], confidence[both]))
    for wrongly in WRONGLY_REFUSED:
        threshold = float(np.quantile(confidence[answerable], wrongly))
        figures[f"threshold for {wrongly:.0%} wrongly refused"] = threshold
        for kind in SHARES:
            if kind != "answerable":
                figures[f"  {kind} refused"] = float(np.mean(confidence[kinds == kind] < threshold))
        figures |= {f"{wrongly:.0%}: {name.strip()}": figures.pop(name) for name in list(figures) if name[0] == " "}
    figures["expected calibration error"] = expected_calibration_error(confidence.tolist(), right.tolist()) or 0.0
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of reading_train.jsonl")
    parser.add_argument("--work", type=Path, required=True, help="folder for the temporary corpus and index")
    parser.add_argument("--out", type=Path, default=Path("src/rag/evidence.json"))
    options = parser.parse_args()
    random.seed(1)
    own = read_passages(Path(__file__).parent / "reader" / "passages.jsonl")
    cases = collect_all(read_articles(options.data / "reading_train.jsonl"), own, options.work)
    fitted = {"counts": {kind: sum(case.kind == kind for case in cases) for kind in SHARES}}
    for ranking in USED:
        models, figures = fit_ranking(cases, ranking)
        fitted[ranking] = models | {
            "held_out": {
                where: {name: round(value, 4) for name, value in values.items()} for where, values in figures.items()
            }
        }
    options.out.write_text(json.dumps(fitted, indent=1) + "\n")
    print(json.dumps({ranking: fitted[ranking]["held_out"] for ranking in USED}, indent=1))


if __name__ == "__main__":
    main()
