"""What the reader is given never exceeds its limits; what it answers never leaves the passage."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

from rag.reading import MAX_TOKENS, Encoded, Logits, Reading, decode, encode, pad

WORDS = ["[UNK]", "[CLS]", "[SEP]", ".", "?", "when", "was", "mir", "launch", "##ed", "it", "in", "1986", "the", "end"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    made = Tokenizer(WordPiece({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = BertPreTokenizer()
    return made


def words_of(encoded: Encoded) -> list[str]:
    return [WORDS[row] for row in encoded.ids]


def logits(encoded: Encoded, **peaks: float) -> Logits:
    """Zeros but for ``p3=5.0``: 5 at the passage's token 3, and ``none=2.0``: 2 at "not here"."""
    values = np.zeros(len(encoded.ids), np.float32)
    for name, value in peaks.items():
        values[0 if name == "none" else encoded.passage_start + int(name[1:])] = value
    return values


def read(encoded: Encoded, starts: Logits, ends: Logits) -> Reading:
    reading = decode(encoded, starts, ends)
    assert reading is not None
    return reading


def test_the_parts_stand_in_their_order(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when was mir launched?", "mir", "it was launched in 1986.")
    assert words_of(encoded) == (
        "[CLS] when was mir launch ##ed ? [SEP] mir . it was launch ##ed in 1986 . [SEP]".split()
    )
    assert encoded.types == (0,) * 8 + (1,) * 10
    assert encoded.passage_start == 10


def test_without_a_title_there_is_no_stop(tokenizer: Any) -> None:
    assert words_of(encode(tokenizer, "mir", "", "the end")) == ["[CLS]", "mir", "[SEP]", "the", "end", "[SEP]"]


def test_offsets_point_into_the_passage(tokenizer: Any) -> None:
    passage = "  it was\nlaunched — in 1986."
    encoded = encode(tokenizer, "when", "the mir", passage)
    quotes = [passage[start:end] for start, end in encoded.offsets]
    assert quotes == ["it", "was", "launch", "ed", "—", "in", "1986", "."]


@pytest.mark.parametrize(
    ("question", "title", "passage", "tokens", "passage_tokens"),
    [
        ("mir " * 300, "the end", "it was", 48 + 3 + 3 + 2, 2),
        ("mir", "the " * 300, "it was", 1 + 3 + 25 + 2, 2),
        ("mir", "the", "it " * 300, MAX_TOKENS, MAX_TOKENS - 6),
        ("mir " * 300, "the " * 300, "it " * 300, MAX_TOKENS, MAX_TOKENS - 48 - 24 - 4),
        ("", "", "it", 4, 1),
        ("mir", "the", "", 6, 0),
    ],
    ids=["question", "title", "passage", "all", "empty question", "empty passage"],
)
def test_each_part_is_cut_to_its_limit(
    tokenizer: Any, question: str, title: str, passage: str, tokens: int, passage_tokens: int
) -> None:
    encoded = encode(tokenizer, question, title, passage)
    assert len(encoded.ids) == len(encoded.types) == tokens <= MAX_TOKENS
    assert len(encoded.offsets) == passage_tokens
    assert encoded.passage_start + passage_tokens + 1 == tokens
    assert words_of(encoded)[-1] == "[SEP]"


def test_the_best_span_and_its_margin(tokenizer: Any) -> None:
    passage = "it was launched in 1986."
    encoded = encode(tokenizer, "when", "mir", passage)
    reading = read(encoded, logits(encoded, p4=5.0, none=1.0), logits(encoded, p5=4.0, none=0.5))
    assert passage[reading.start : reading.end] == "in 1986"
    assert reading.margin == pytest.approx(5 + 4 - 1 - 0.5)
    assert read(encoded, logits(encoded, none=3.0), logits(encoded)).margin == pytest.approx(-3)


def test_a_span_does_not_run_backwards(tokenizer: Any) -> None:
    passage = "it was launched in 1986."
    encoded = encode(tokenizer, "when", "mir", passage)
    reading = read(encoded, logits(encoded, p5=5.0), logits(encoded, p0=4.0, p6=1.0))
    assert passage[reading.start : reading.end] == "1986."


def test_a_span_is_at_most_thirty_tokens(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when", "mir", "it " * 60)
    reading = read(encoded, logits(encoded, p0=5.0), logits(encoded, p29=2.0, p30=4.0))
    assert (reading.start, reading.end) == (0, 30 * 3 - 1)


def test_the_passage_alone_is_read(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when was mir launched", "mir", "it was")
    high = np.full(len(encoded.ids), 50, np.float32)
    high[encoded.passage_start : encoded.passage_start + 2] = [0, 1]
    reading = read(encoded, high, high)
    assert (reading.start, reading.end) == (3, 6)


def test_the_mass_of_starts_sums_to_one_with_none(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when", "mir", "it was launched")
    reading = read(encoded, logits(encoded, p1=np.log(4), none=np.log(3)), logits(encoded))
    np.testing.assert_allclose(reading.mass, np.array([1, 4, 1, 1]) / 10, rtol=1e-6)
    assert reading.mass_within(0, 3) == pytest.approx(0.1)
    assert reading.mass_within(3, 15) == pytest.approx(0.6)
    assert reading.mass_within(3, 3) == 0
    assert reading.mass_within(0, 15) == pytest.approx(0.7)


def test_large_logits_do_not_overflow(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when", "mir", "it was")
    reading = read(encoded, logits(encoded, p1=3e4), logits(encoded, none=-3e4))
    assert reading.mass.tolist() == [0.0, 1.0]


def test_a_passage_without_tokens_has_no_reading(tokenizer: Any) -> None:
    encoded = encode(tokenizer, "when", "mir", " \n")
    assert decode(encoded, logits(encoded), logits(encoded)) is None


@given(
    st.lists(st.sampled_from(["it", "launched", "—", "1986.", "é漢"]), max_size=120).map(" ".join), st.integers(0, 99)
)
def test_no_reading_leaves_its_passage(tokenizer: Any, passage: str, seed: int) -> None:
    encoded = encode(tokenizer, "when " * (seed % 60), "mir " * (seed % 30), passage)
    starts, ends = np.random.default_rng(seed).normal(0, 5, (2, len(encoded.ids))).astype(np.float32)
    reading = decode(encoded, starts, ends)
    if reading is None:
        assert not passage
        return
    assert 0 <= reading.start < reading.end <= len(passage)
    assert passage[reading.start : reading.end].strip() == passage[reading.start : reading.end]
    assert len(reading.mass) == len(reading.offsets)
    not_here = (
        np.exp(float(starts[0]))
        / np.exp(np.concatenate([starts[:1], starts[encoded.passage_start : -1]]).astype(np.float64)).sum()
    )
    assert reading.mass_within(0, len(passage)) + not_here == pytest.approx(1)


def test_a_batch_is_padded_to_its_longest(tokenizer: Any) -> None:
    short, long = encode(tokenizer, "mir", "", "it"), encode(tokenizer, "when was", "mir", "it was")
    inputs = pad([short, long])
    width = len(long.ids)
    assert {name: array.shape for name, array in inputs.items()} == dict.fromkeys(
        ("input_ids", "token_type_ids", "attention_mask"), (2, width)
    )
    padding = [0] * (width - len(short.ids))
    assert inputs["input_ids"].tolist() == [[*short.ids, *padding], list(long.ids)]
    assert inputs["token_type_ids"].tolist() == [[*short.types, *padding], list(long.types)]
    assert inputs["attention_mask"].sum(axis=1).tolist() == [len(short.ids), width]
