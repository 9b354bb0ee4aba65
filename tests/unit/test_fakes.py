"""The stand-ins keep the promises of what they stand for, so that tests built on them mean something."""

import numpy as np
import pytest

from fakes import BagOfWordsEmbedder, FakeReader, ScriptedWriter
from rag.errors import ModelError

TEXT = "Mir was a station.\n\nMir flew from 1986 to 2001. Mir flew for long, with many guests from twelve countries."


def test_embeddings_are_repeatable_unit_vectors() -> None:
    embedder = BagOfWordsEmbedder()
    vectors = embedder.embed(["A station in orbit.", "a STATION, in the orbit", "Twelve guests", "?!", ""])
    assert vectors.shape == (5, embedder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert vectors[0] @ vectors[2] < 0.5
    np.testing.assert_array_equal(BagOfWordsEmbedder().embed(["Twelve guests"])[0], vectors[2])
    assert BagOfWordsEmbedder("another").sha256 != embedder.sha256
    assert BagOfWordsEmbedder("another").embed(["Twelve guests"])[0] @ vectors[2] < 0.5
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert len(embedder.embedded) == 5


@pytest.mark.parametrize(
    ("answers", "question", "quote", "sentence"),
    [
        ((), "Mir flew when?", "1986", "Mir flew from 1986 to 2001."),
        (("to 2001",), "Mir flew when?", "to 2001", "Mir flew from 1986 to 2001."),
        (("to 2001",), "What was Mir?", "station", "Mir was a station."),
    ],
    ids=["number first", "configured", "configured elsewhere"],
)
def test_the_reader_points_into_the_best_sentence(
    answers: tuple[str, ...], question: str, quote: str, sentence: str
) -> None:
    reader = FakeReader(answers)
    (reading,) = reader.read(question, [("Mir", TEXT)])
    assert reading is not None
    assert TEXT[reading.start : reading.end] == quote
    assert reading.margin > 0
    assert 0.5 < reading.mass.sum() < 1
    start = TEXT.index(sentence)
    assert reading.mass_within(start, start + len(sentence)) > 0.8 * reading.mass.sum()
    assert reader.asked == [(question, [("Mir", TEXT)])]


def test_the_reader_finds_nothing_without_shared_words() -> None:
    foreign, empty = FakeReader().read("Who cooked soup?", [("Mir", TEXT), ("Mir", " \n")])
    assert foreign is not None
    assert foreign.margin < 0
    assert foreign.mass.sum() < 0.5
    assert empty is None


def test_the_writer_says_its_lines() -> None:
    writer = ScriptedWriter(["Mir ", "flew."])
    messages = [{"role": "user", "content": "When?"}]
    assert list(writer.write(messages, 80, 1.0)) == ["Mir ", "flew."]
    assert (writer.requests, writer.limits) == ([messages], [(80, 1.0)])
    assert (writer.given, writer.closed) == (2, 0)


def test_the_writer_knows_that_it_was_closed() -> None:
    writer = ScriptedWriter(["Mir ", "flew."])
    stream = writer.write([], 80, 1.0)
    assert next(stream) == "Mir "
    stream.close()
    assert (writer.given, writer.closed) == (1, 1)


@pytest.mark.parametrize("options", [{"hang": True}, {"error": ModelError("It did not answer", "Mend it.")}])
def test_the_writer_fails_when_told_to(options: dict[str, object]) -> None:
    stream = ScriptedWriter(["Mir "], **options).write([], 80, 0.0)  # type: ignore[arg-type]
    assert next(stream) == "Mir "
    with pytest.raises(ModelError, match="did not answer"):
        next(stream)


def test_a_hanging_writer_can_be_released() -> None:
    writer = ScriptedWriter(["Mir "], hang=True)
    writer.release.set()
    assert list(writer.write([], 80, 60.0)) == ["Mir "]
