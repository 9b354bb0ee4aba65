"""Follow-up questions become standalone by their history; other questions are left alone."""

import pytest

from rag.followups import candidates, needs_history, topics
from rag.records import Turn


def history(question: str, answer: str) -> list[Turn]:
    return [Turn("user", question), Turn("assistant", answer)]


AIMBETOV = history("Who was Kazakhstan's first official cosmonaut?", "It was Aidyn Aimbetov [1].")


def test_a_person_is_put_in_place_of_a_pronoun() -> None:
    assert candidates("How long was his mission?", AIMBETOV)[0] == "How long was Aidyn Aimbetov’s mission?"
    assert candidates("When did he land?", AIMBETOV)[0] == "When did Aidyn Aimbetov land?"


def test_he_is_never_left_to_be_anyone() -> None:
    """Beside "Kazakhstan" alone, "his mission" was answered with another man's, who had landed there."""
    assert candidates("How long was his mission?", AIMBETOV) == ["How long was Aidyn Aimbetov’s mission?"]
    nobody = history("When was Salyut 1 launched?", "In 1971 [1].")
    assert "How long was his mission? (Salyut 1)" in candidates("How long was his mission?", nobody)


def test_a_thing_comes_from_the_question_before_the_answer() -> None:
    earlier = history("When was Salyut 1 launched?", "It was launched by the Soviet Union in 1971 [1].")
    assert candidates("Who visited it first?", earlier)[0] == "Who visited Salyut 1 first?"
    assert candidates("And what was its mass?", earlier)[0] == "What was Salyut 1’s mass?"


BAIKONUR = (
    Turn("user", "Where did Gagarin take off from?"),
    Turn("assistant", "Yuri Gagarin took off from Baikonur in the spacecraft Vostok 1 [1]."),
    Turn("user", "Is that in Russia?"),
    Turn("assistant", "No. Baikonur lies in the Kyzylorda Region of southern Kazakhstan [1]."),
    Turn("user", "So it belongs to Kazakhstan?"),
    Turn("assistant", "Yes, the site belongs to Kazakhstan, but Russia rents it [1]."),
)


def test_a_name_beside_a_pronoun_is_not_what_it_means() -> None:
    found = candidates("Where does its name come from?", BAIKONUR)
    assert found.index("Where does Baikonur’s name come from?") < found.index("Where does Kazakhstan’s name come from?")
    assert "Where does Russia’s name come from?" not in found


def test_that_is_a_pronoun_before_a_place() -> None:
    assert "Is Baikonur in Russia?" in candidates("Is that in Russia?", BAIKONUR[:2])
    assert candidates("Is that statement of Rogozin true?", BAIKONUR[:2]) == ["Is that statement of Rogozin true?"]


def test_a_statement_asks_about_what_its_pronoun_means() -> None:
    found = candidates("So it belongs to Kazakhstan?", BAIKONUR[:4])
    assert "Baikonur belongs to Kazakhstan?" in found
    assert "Kazakhstan belongs to Kazakhstan?" not in found


def test_they_means_the_people_named_together() -> None:
    earlier = history("Who lived there first?", "Georgy Dobrovolsky, Vladislav Volkov and Viktor Patsayev did [1].")
    first = candidates("How long did they stay?", earlier)[0]
    assert first == "How long did Georgy Dobrovolsky, Vladislav Volkov and Viktor Patsayev stay?"


def test_half_a_sentence_is_completed() -> None:
    earlier = history("When did Canada sign the Artemis Accords?", "Canada signed on 13 October 2020 [1].")
    assert "When did Japan sign the Artemis Accords?" in candidates("What about Japan?", earlier)
    assert candidates("Why?", earlier)[0].startswith("Why did Canada sign")


def test_the_topic_goes_beside_a_question_that_has_no_pronoun() -> None:
    earlier = history("How many countries have signed the Artemis Accords?", "56 have [1].")
    assert candidates("And when did Germany join?", earlier) == ["When did Germany join? (Artemis Accords)"]


@pytest.mark.parametrize(
    "question",
    [
        "When was Salyut 1 launched?",
        "When did Tim Peake land and how long was his flight?",
        "What did Dmitry Rogozin say about deep space?",
        "Is there a treaty on rescue in space?",
        "when was the first space station launched",
    ],
)
def test_complete_questions_stay_as_they_are(question: str) -> None:
    assert candidates(question, AIMBETOV) == [question]


def test_without_history_nothing_is_guessed() -> None:
    assert needs_history("How long was his mission?")
    assert candidates("How long was his mission?", []) == ["How long was his mission?"]


def test_topics_are_noun_phrases() -> None:
    assert topics("The Apollo–Soyuz Test Project joined two crews.") == ["Apollo–Soyuz Test Project"]
    assert topics("Aidyn Aimbetov's flight to the U.S. in May 2015 [2].") == ["Aidyn Aimbetov", "U.S"]
    assert topics("Yes. The first was Salyut 1.") == ["Salyut 1"]


@pytest.mark.parametrize("question", ["his " * 500, "?" * 1000, "And " * 300, "A-" * 900, "\u202e he"])
def test_odd_questions_end(question: str) -> None:
    assert candidates(question, AIMBETOV)
