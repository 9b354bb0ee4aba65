"""Many threads at once with the real models: tokenizers and runtimes are shared, results must not change."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag.assembly import Assembly
from rag.settings import Settings

TEXTS = [f"The station number {number} was launched on {number % 28 + 1} May {1970 + number}." for number in range(50)]


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return Assembly(Settings())


def test_fifty_threads_embed_as_one_does(assembly: Assembly) -> None:
    alone = [assembly.embedder.embed([text])[0] for text in TEXTS]
    with ThreadPoolExecutor(50) as threads:
        together = list(threads.map(lambda text: assembly.embedder.embed([text])[0], TEXTS * 2))
    for one, other in zip(alone * 2, together, strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_fifty_threads_read_as_one_does(assembly: Assembly) -> None:
    passages = [("Stations", text) for text in TEXTS[:3]]
    questions = [f"When was station number {number} launched?" for number in range(3)]
    alone = [assembly.reader.read(question, passages) for question in questions]
    with ThreadPoolExecutor(50) as threads:
        together = list(threads.map(lambda question: assembly.reader.read(question, passages), questions * 17))
    for number, found in enumerate(together):
        expected = alone[number % 3]
        assert [bool(item) for item in found] == [bool(item) for item in expected]
        for one, other in zip(found, expected, strict=True):
            if one is not None and other is not None:
                assert (one.start, one.end) == (other.start, other.end)
