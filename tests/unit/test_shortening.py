"""A shortening leaves out whole pieces that limit nothing; all else is another sentence."""

from pathlib import Path

import pytest

from rag.checking import is_carried
from rag.shortening import shortenings

TITLE = "Stations"


def carried(sentence: str, source: str, question: str = "What happened?") -> bool:
    return is_carried(sentence, source, TITLE, question)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The mill closed in May.", "In 1987, the mill closed in May."),
        ("The mill closed.", "In May 1987 the mill closed."),
        ("The mill closed.", "However, the mill closed."),
        ("The mill closed.", "As a result, the mill closed."),
        ("The mill closed.", "Built in 1911, the mill closed."),
        ("The mill closed.", "Nobody knew why; the mill closed."),
        ("The mill closed.", "Some said it would stay, but the mill closed."),
        ("The mill closed.", "The mill, a brick building of 1911, closed."),
        ("The mill closed.", "The mill (later a school) closed."),
        ("Ida Moen closed the mill.", "Ida Moen, head of the town's council, closed the mill."),
        ("The mill closed.", "The mill, however, closed."),
        ("The mill closed.", "The mill closed, which nobody had expected."),
        ("The mill closed.", "The mill closed, leaving hundreds of workers in the cold."),
        ("The mill closed.", "The mill closed, and the workers planned a strike."),
        ("The mill closed in 1987.", "The mill closed in 1987 near Bergen."),
        ("The mill closed.", "The mill closed in May 1987."),
        ("The mill closed.", "The mill closed and was sold to a baker from Leeds."),
        ("The mill closed.", "The mill closed. Its workers went home."),
        ("The workers went home.", "The mill closed. The workers went home."),
        ("Mill closed.", "The mill closed."),
        ("Brandt’s mill, called Hope, closed.", "Brandt’s mill, called “Hope”, closed."),
    ],
)
def test_whole_pieces_may_be_left_out(sentence: str, source: str) -> None:
    assert carried(sentence, source)


@pytest.mark.parametrize(
    ("sentence", "source", "question", "whole"),
    [
        ("Mir fell in 2001.", "It fell in 2001.", "When did Mir fall?", True),
        ("Mir’s core fell in 2001.", "Its core fell in 2001.", "When did Mir’s core fall?", True),
        ("The stations fell in 2001.", "They fell in 2001.", "When did they fall?", True),
        ("Mir fell in 2001.", "Its core fell in 2001.", "When did Mir fall?", False),
        ("Mir fell in 2001.", "Salyut 7 fell in 2001.", "When did Mir fall?", False),
        ("Skylab fell in 2001.", "It fell in 2001.", "When did Mir fall?", False),
        ("Ida Moen was killed in 1990.", "She was elected in 1990.", "When was Ida Moen killed?", False),
        ("The bridge was destroyed in 1964.", "It was repaired in 1964.", "When was the bridge destroyed?", False),
    ],
)
def test_a_name_may_stand_in_place_of_the_opening_pronoun(
    sentence: str, source: str, question: str, whole: bool
) -> None:
    assert carried(sentence, source, question) is whole


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The dam blocked the road for weeks.", "Opponents of the dam blocked the road for weeks."),
        ("Henrik Dahl was hanged in 1801.", "The son of Henrik Dahl was hanged in 1801."),
        ("President Harlow visited the camp.", "Vice President Harlow visited the camp."),
        ("The king died in 1890.", "The self-proclaimed king died in 1890."),
        ("The drug causes blindness.", "In rare cases, the drug causes blindness."),
        ("The drug works.", "According to its maker, the drug works."),
        ("The drug works.", "Generally, the drug works."),
        ("The drug kills.", "Used in large doses, the drug kills."),
        ("Divorce is legal.", "In Norway, divorce is legal."),
        ("The road is closed.", "When it rains, the road is closed."),
        ("300 people died in the flood.", "Up to 300 people died in the flood."),
        ("Peru signed the pact.", "Apart from Norway, Spain, and Peru signed the pact."),
    ],
)
def test_nothing_else_is_left_out_before(sentence: str, source: str) -> None:
    assert not carried(sentence, source)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Silva won gold in 2004.", "Silva trained a boxer who won gold in 2004."),
        ("The ship was built in 1655.", "The ship was built for a prince and sank in 1655."),
        ("Bergen is the largest city.", "Bergen is the second largest city."),
        ("She was the first president.", "She was the first female president."),
        ("The students were expelled.", "The students who cheated were expelled."),
        ("The factory was designed by Wren.", "The factory was designed by a pupil of Wren."),
        ("Olsen killed his wife.", "Olsen was accused of having killed his wife."),
        ("The town has four cinemas.", "The town used to have four cinemas."),
        ("The company has to pay.", "The company has yet to pay."),
        ("The plant was safe.", "The plant, the owner wrote, was safe."),
        ("Kim met Lee, a banker, and Cho.", "Kim met Lee, a spy, Park, a banker, and Cho."),
        ("Smith was hanged.", "Smith, whose brother, a doctor, was hanged."),
        ("The drug kills.", "The drug, used in large doses, kills."),
        ("Gold melts.", "Gold, heated to 1,064 degrees, melts."),
        ("Italy, France, and Peru signed.", "Italy, France, Spain, and Peru signed."),
    ],
)
def test_nothing_else_is_left_out_between(sentence: str, source: str) -> None:
    assert not carried(sentence, source)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The vaccine is effective.", "The vaccine is effective in mice."),
        ("The road is closed.", "The road is closed when it snows."),
        ("He did not leave.", "He did not leave because he was poor."),
        ("No trains run.", "No trains run on Sundays."),
        ("The trams run between Leeds.", "The trams run between Leeds and York."),
        ("The mill will close.", "The mill will close, the owner said."),
        ("The mill will close.", "The mill will close, unless a buyer is found."),
        ("If the tax rises.", "If the tax rises, farmers go."),
        ("The launch is in 2027.", "The launch is in 2027 at the earliest, or later."),
        ("Ships sailed in 1971.", "Ships sailed in 1971 and 1986."),
        ("Ships sailed in May.", "Ships sailed in May and June."),
    ],
)
def test_nothing_else_is_left_out_behind(sentence: str, source: str) -> None:
    assert not carried(sentence, source)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Smith was shot in Oslo.", "Smith shot a policeman in Oslo."),
        ("The company was bought by a rival.", "The company bought a rival."),
        ("Geely sold the factory to Volvo.", "Volvo sold the factory to Geely."),
        ("The ships sailed to Lisbon.", "The ships sailed from Lisbon."),
        ("The tax rose by 5 percent.", "The tax rose to 5 percent."),
        ("The tax rose to 5%.", "The tax rose to 5."),
        ("It opened in 1990.", "It opened in the 1990s."),
        ("It cost $3 million.", "It cost £3 million."),
        ("Authority was given.", "Author was given."),
        ("The mayor said the bishop was a thief.", "The mayor, said the bishop, was a thief."),
        ("The mayor said: “The bridge was unsafe.”", "The mayor said the bridge was unsafe."),
        ("Gold, not silver, was found.", "Silver, not gold, was found."),
        ("The tool was made of bone and ivory.", "The tool was made of bone or ivory."),
        ("The ex-president was fined.", "The president was fined."),
        ("The MILL closed.", "The mill closed."),
    ],
)
def test_no_word_or_mark_is_another_one(sentence: str, source: str) -> None:
    assert not carried(sentence, source)


def test_of_repeated_words_those_are_meant_that_leave_out_least() -> None:
    source = "The station in orbit, which was the first station, fell near the station of the guard."
    assert carried("The station in orbit fell near the station of the guard.", source)


def test_a_long_sentence_of_equal_words_is_no_trouble() -> None:
    source = "mir " * 2_000
    assert not carried("mir " * 500 + "fell", source)


ROCKET = "In 1963, a rocket, built in Ohio, rose from Thumba, and the crowd cheered."


def test_all_shortenings_can_be_named() -> None:
    assert shortenings(ROCKET) == [
        "In 1963, a rocket, built in Ohio, rose from Thumba, and the crowd cheered",
        "A rocket, built in Ohio, rose from Thumba, and the crowd cheered",
        "In 1963, a rocket rose from Thumba, and the crowd cheered",
        "In 1963, a rocket, built in Ohio, rose from Thumba",
        "A rocket rose from Thumba, and the crowd cheered",
        "A rocket, built in Ohio, rose from Thumba",
        "In 1963, a rocket rose from Thumba",
        "A rocket rose from Thumba",
    ]
    assert shortenings(ROCKET, "built in Ohio")[-1] == "A rocket, built in Ohio, rose from Thumba"
    assert all(carried(text, ROCKET) for text in shortenings(ROCKET))


@pytest.mark.parametrize("source", ["", "The mill closed.", "It never closed on Sundays.", '"Go," he said.'])
def test_some_sentences_cannot_be_shortened(source: str) -> None:
    assert shortenings(source) == [source.rstrip(".")]


def test_no_sentence_passes_that_says_something_else() -> None:
    lines = (Path(__file__).parent / "misleading_sentences.txt").read_text("utf-8").splitlines()
    cases = [line.split(" | ") for line in lines if not line.startswith("#")]
    assert len(cases) > 500
    assert [case for case in cases if is_carried(case[2], case[0], "", case[1])] == []
