"""Reading: where in a passage the answer to a question stands, if it stands there at all.

``encode`` and ``decode`` are pure; the model between them is an adapter (``reader.py``) or the one in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_TOKENS = 256
_MAX_QUESTION = 48
_MAX_TITLE = 24
_MAX_ANSWER = 30
_CLS, _SEP = "[CLS]", "[SEP]"

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """``[CLS] question [SEP] title . passage [SEP]`` as token ids."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    """0 for the question, 1 for the passage and its title."""
    passage_start: int
    """Position of the passage's first token."""
    offsets: tuple[tuple[int, int], ...]
    """Character range in the passage of each of its tokens; tokens that do not fit are missing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader found in one passage."""

    start: int
    """Best span, in characters of the passage."""
    end: int
    margin: float
    """Logit of the best span minus the logit of "not here"; above 0, an answer is likelier than none."""
    starts: npt.NDArray[np.float64]
    """Logit of each token of the passage as the answer's first; ``ends`` as its last."""
    ends: npt.NDArray[np.float64]
    mass: npt.NDArray[np.float64]
    """Probability that the answer starts at each token of the passage; with "not here" they sum to 1."""
    offsets: tuple[tuple[int, int], ...]

    def answer_within(self, start: int, end: int) -> tuple[int, int] | None:
        """The best span inside a range of characters of the passage; ``None`` if no token lies there."""
        inside = [row for row, (a, b) in enumerate(self.offsets) if start <= a and b <= end]
        if not inside:
            return None
        rows = slice(inside[0], inside[-1] + 1)
        first, last, _ = _best_span(self.starts[rows], self.ends[rows])
        return self.offsets[inside[0] + first][0], self.offsets[inside[0] + last][1]

    def mass_within(self, start: int, end: int) -> float:
        """Probability that the answer starts within a range of characters."""
        return float(sum(p for p, (a, _) in zip(self.mass, self.offsets, strict=True) if start <= a < end))


def encode(tokenizer: Any, question: str, title: str, passage: str) -> Encoded:
    """Tokenise one question and passage.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` without padding or truncation.
        question: standalone; cut after 48 tokens.
        title: of the document; cut after 24 tokens. May be empty.
        passage: cut so that the whole stays within 256 tokens.
    """
    cls, sep, stop = (tokenizer.token_to_id(token) for token in (_CLS, _SEP, "."))
    asked = tokenizer.encode(question, add_special_tokens=False).ids[:_MAX_QUESTION]
    named = tokenizer.encode(title, add_special_tokens=False).ids[:_MAX_TITLE] if title else []
    prefix = [cls, *asked, sep, *named, *([stop] if named else [])]
    encoding = tokenizer.encode(passage, add_special_tokens=False)
    room = MAX_TOKENS - len(prefix) - 1
    ids = (*prefix, *encoding.ids[:room], sep)
    question_part = len(asked) + 2
    types = (0,) * question_part + (1,) * (len(ids) - question_part)
    return Encoded(ids, types, len(prefix), tuple(encoding.offsets[:room]))


def decode(encoded: Encoded, starts: Logits, ends: Logits) -> Reading | None:
    """Read the model's logits (one row, of shape ``(tokens,)``); ``None`` for a passage without tokens."""
    count = len(encoded.offsets)
    if count == 0:
        return None
    span = slice(encoded.passage_start, encoded.passage_start + count)
    passage_starts, passage_ends = starts[span].astype(np.float64), ends[span].astype(np.float64)
    first, last, score = _best_span(passage_starts, passage_ends)
    margin = score - float(starts[0]) - float(ends[0])
    everything = np.concatenate([[float(starts[0])], passage_starts])
    mass = np.exp(everything - everything.max())
    mass /= mass.sum()
    start, end = encoded.offsets[first][0], encoded.offsets[last][1]
    return Reading(start, end, margin, passage_starts, passage_ends, mass[1:], encoded.offsets)


def _best_span(starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> tuple[int, int, float]:
    """First and last token of the likeliest span of at most 30 tokens, and the sum of its logits."""
    scores = starts[:, None] + ends[None, :]
    positions = np.arange(len(starts))
    length = positions[None, :] - positions[:, None]
    scores[(length < 0) | (length >= _MAX_ANSWER)] = -np.inf
    first, last = np.unravel_index(int(scores.argmax()), scores.shape)
    return int(first), int(last), float(scores[first, last])


def pad(batch: Sequence[Encoded]) -> dict[str, npt.NDArray[np.int64]]:
    """Inputs of shape ``(len(batch), longest)`` under the names the model knows."""
    width = max(len(item.ids) for item in batch)
    arrays = {
        name: np.zeros((len(batch), width), np.int64) for name in ("input_ids", "token_type_ids", "attention_mask")
    }
    for row, item in enumerate(batch):
        arrays["input_ids"][row, : len(item.ids)] = item.ids
        arrays["token_type_ids"][row, : len(item.ids)] = item.types
        arrays["attention_mask"][row, : len(item.ids)] = 1
    return arrays
