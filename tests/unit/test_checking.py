"""The promise of the product: a sentence is shown only if its evidence carries it."""

import pytest

from rag.checking import check_clauses, check_sentence, is_carried

SALYUT = "The Soviet Union launched Salyut 1, the first space station, on 19 April 1971 from Baikonur."
BOTH = "Salyut 1 flew in 1971 and Mir followed in 1986."


def carried(sentence: str, source: str, question: str = "What happened?", title: str = "Stations") -> bool:
    return is_carried(sentence, source, title, question)


@pytest.mark.parametrize(
    ("sentence", "source", "question"),
    [
        (SALYUT.replace(", the first space station,", ""), SALYUT, "Who launched Salyut 1?"),
        ("Salyut 1 flew in 1971.", BOTH, "When did Salyut 1 fly?"),
        ("NASA may not spend money on it.", "However, NASA may not spend money on it.", "May NASA pay for it?"),
    ],
    ids=["agent", "first of two", "negation kept"],
)
def test_shortenings_are_carried(sentence: str, source: str, question: str) -> None:
    assert carried(sentence, source, question)


@pytest.mark.parametrize(
    ("sentence", "source", "question"),
    [
        ("Salyut 1 was launched on 19 April 1972.", SALYUT, "When was Salyut 1 launched?"),
        ("Salyut 1 flew in 1986.", BOTH, "When did Salyut 1 fly?"),
        ("Mir flew in 1971.", BOTH, "When did Mir fly?"),
        ("NASA launched Salyut 1.", SALYUT, "Who launched Salyut 1?"),
        (
            "Russia is withdrawing from the ISS.",
            "Russia is considering withdrawing from the ISS.",
            "What will Russia do?",
        ),
        ("NASA works with China.", "NASA does not work with China.", "Does NASA work with China?"),
        ("China paid Russia.", "Russia paid China for the seats.", "Who paid for the seats?"),
        ("The flight took place in 1990.", "The flight took place.", "Did the flight take place in 1990?"),
        ("The crew had two members.", "The crew had a dozen members.", "How many members had the crew?"),
        ("Rogozin said the station stays.", "Rogozin never said the station stays.", "What did Rogozin say?"),
        ("The launch is in 2027.", "The launch was planned for 2027 until the budget was cut.", "When is the launch?"),
        ("When was Salyut 1 launched.", SALYUT, "When was Salyut 1 launched?"),
        ("", SALYUT, "When was Salyut 1 launched?"),
        ("Salyut 1 was launched on 19 April 1971.", SALYUT, "When was Salyut 1 launched?"),
        ("The crew stayed for 23 days.", "The whole crew stayed on board for 23 days.", "How long did they stay?"),
    ],
    ids=[
        "wrong number",
        "number of a rival",
        "rival name",
        "foreign name",
        "considering dropped",
        "negation dropped",
        "roles swapped",
        "number only in a yes-no question",
        "wrong number word",
        "never dropped",
        "planned dropped",
        "only the question again",
        "nothing",
        "turned round",
        "words left out between",
    ],
)
def test_what_is_not_carried_is_turned_down(sentence: str, source: str, question: str) -> None:
    assert not carried(sentence, source, question)


def test_the_carrying_evidence_is_named() -> None:
    check = check_sentence("Salyut 1 flew in 1971.", ["Nothing here.", BOTH], ["A", "B"], "When did Salyut 1 fly?")
    assert check is not None
    assert (check.verdict, check.evidence) == ("supported", 1)


def test_verbatim_is_quoted_whatever_the_white_space() -> None:
    check = check_sentence(SALYUT.replace(" ", "  "), [BOTH, SALYUT], ["A", "B"], "?")
    assert check is not None
    assert (check.verdict, check.evidence) == ("quoted", 1)


def test_no_evidence_carries_nothing() -> None:
    assert check_sentence("Salyut 1 flew in 1971.", [], [], "?") is None


TITO = "Tito was launched on 28 April and landed on 6 May; the price was reported as $20 million."


def test_a_noun_is_not_put_where_the_source_has_another() -> None:
    question = "What did Tito's flight cost?"
    assert not carried(f"The price of {TITO}", TITO, question)
    assert carried("The price was reported as $20 million.", TITO, question)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The mill closed in 1987.", "The mill, which had made notes for eleven countries, closed in 1987."),
        ("Lee was arrested in Oslo.", "Lee, who may have beaten Kim, was arrested in Oslo."),
        ("The mill closed in 1987.", "The mill, owned by Brandt, closed in 1987."),
        ("The mill closed in 1987.", "The mill closed in 1987, which nobody in Colne had expected."),
    ],
    ids=["relative clause with a number", "relative clause with a may", "apposition with a name", "at the end"],
)
def test_an_aside_may_be_left_out_whole(sentence: str, source: str) -> None:
    assert carried(sentence, source, "What happened?")


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The mill, owned by Colne, closed in 1987.", "The mill, owned by Brandt of Colne, closed in 1987."),
        ("In 2019, China launched.", "In 2019, Russia, in 2020, China launched."),
        ("The sanctions would hurt.", "The sanctions, Russia said, would hurt."),
        ("The station had failed.", "The station, Russia argued, had failed."),
        ("The station fell.", "The station, if Congress agrees, fell."),
        ("The station fell.", "The station, not yet finished, fell."),
        ("The station fell in 2001.", "The station, begun in 1986, fell, and Skylab in 2001."),
        ("The launch is in 2027.", "The launch is in 2027, pending approval."),
        ("Distrust was one of the factors.", "Distrust was, in Bochkov's view, one of the factors."),
    ],
    ids=[
        "half",
        "gaps",
        "said",
        "argued",
        "condition",
        "negation",
        "a rival after it",
        "reservation at the end",
        "view",
    ],
)
def test_what_limits_or_competes_is_no_aside(sentence: str, source: str) -> None:
    assert not carried(sentence, source, "What happened?")


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The House met.", "In May 2025 the House met."),
        ("The House met the U.S. Congress.", "Then the House met the U.S. Congress."),
        ("Salman was the first in space.", "Salman was the first in space in June 1985, on a Space Shuttle."),
        ("Aimbetov was chosen in 2002.", "Aimbetov, a pilot born on 27 July 1972, was chosen in 2002."),
        ("NASA withdrew in 2012.", "It began as a plan with ESA, but NASA withdrew in 2012."),
        ("NASA withdrew in 2012.", "ESA may pay; NASA withdrew in 2012."),
    ],
    ids=["the month", "an abbreviation", "a word again behind", "apposition with a number", "but", "semicolon"],
)
def test_what_is_left_out_changes_nothing(sentence: str, source: str) -> None:
    assert carried(sentence, source, "What happened?")


@pytest.mark.parametrize(
    ("sentence", "source", "question", "title"),
    [
        ("Bochkov interviewed Lu.", "Lu conducted the interview.", "Who interviewed Bochkov?", "Bochkov interview"),
        ("Bochkov trusts Lu.", "Lu trusts Bochkov.", "Whom does Bochkov trust?", ""),
        ("JAPAN is to build a rover.", "Japan is to build a rover.", "What is Japan to build?", ""),
        ("NASA pays.", "If ESA agrees, but only then, NASA pays.", "Who pays?", ""),
        ("NASA may pay.", "ESA pays; NASA may not pay.", "Who pays?", ""),
    ],
    ids=["a name of the title", "names changed", "capitals", "condition", "negated clause"],
)
def test_what_is_put_elsewhere_is_not_carried(sentence: str, source: str, question: str, title: str) -> None:
    assert not carried(sentence, source, question, title)


OWNERS = "The brewery is owned by its workers, the town of Redfern and a pension fund."


@pytest.mark.parametrize(
    ("sentence", "source", "whole"),
    [
        (OWNERS, OWNERS, True),
        ("The brewery is owned by its workers.", OWNERS, False),
        ("The brewery is owned by its workers, the town of Redfern.", OWNERS, False),
        ("The crew had two pilots.", "The crew had two pilots and a doctor.", False),
        ("The crew had two pilots.", "The crew had two pilots, a cook, and a doctor, who slept.", False),
        ("The mill closed in May.", "The mill closed in May, and its chimney fell later that year.", True),
        ("The mill closed in May.", "The mill closed in May and opened its gates to the workers again.", True),
        ("The mill closed in May.", "The mill closed in May, as had been foreseen and foretold.", True),
    ],
)
def test_a_list_is_answered_whole(sentence: str, source: str, whole: bool) -> None:
    assert carried(sentence, source, "What happened?") is whole


CLAUSES = ["Salyut 1 flew in 1971.", "Mir followed in 1986."]


def test_clauses_may_be_carried_one_by_one() -> None:
    checks = check_clauses("Salyut 1 flew in 1971 [7], and Mir followed in 1986 [1].", CLAUSES, ["", ""], "When?")
    assert checks is not None
    assert [check.evidence for check in checks] == [0, 1]


@pytest.mark.parametrize(
    "written",
    [
        "Salyut 1 flew in 1971 [1], Mir followed in 1986 [2] and Skylab never flew.",
        "Salyut 1 flew in 1971 [1], and Mir followed in 1971 [2].",
        "Salyut 1 flew in 1971, and Mir followed in 1986 [2].",
    ],
    ids=["words after the last marker", "wrong clause", "one marker for two"],
)
def test_no_clause_escapes_its_check(written: str) -> None:
    assert check_clauses(written, CLAUSES, ["", ""], "When?") is None
