"""A sentence gives only questions that it answers and that are understood by themselves; suggestions are spread."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import Document, Passage
from rag.suggestions import MAX_WORDS, questions, suggest

TITLE = "The Blue Harbour bridge and its builders"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The Orvel Dam was completed in 1961.", ["When was the Orvel Dam completed?"]),
        ("- The Orvel Dam (in Norland) was completed in the early 1960s.", ["When was the Orvel Dam completed?"]),
        ("The Orvel Dam, completed in 1961, feeds three cities.", ["When was the Orvel Dam completed?"]),
        ("The Orvel Bridge was opened by the mayor on May 3, 1932, in rain.", ["When was the Orvel Bridge opened?"]),
        ("The Orvel Treaty was opened for signature in 1951.", ["When was the Orvel Treaty opened for signature?"]),
        ("Juan Ruiz was elected president of Norland in 2004.", ["When was Juan Ruiz elected president of Norland?"]),
        ("Kepler-9 was first switched on in 2001.", ["When was Kepler-9 first switched on?"]),
        ("A Swedish rocket launched Kepler-9 on 3 May 1999.", ["When was Kepler-9 launched?"]),
        ("The harbour bridge was painted in 1950.", ["When was the harbour bridge painted?"]),
        ("The Soviet government was dissolved in 1991.", ["When was the Soviet government dissolved?"]),
        ("Juan Ruiz died on 9 August 1911.", ["When did Juan Ruiz die?"]),
        ("Soyuz 91 lifted off from Wallops on 6 June 1971.", ["When did Soyuz 91 lift off?"]),
        ("In 1951, Juan Ruiz won the Harwick Prize.", ["When did Juan Ruiz win the Harwick Prize?"]),
        ("On 4 May 1960 Elena Petrova met Otto Brandt.", ["When did Elena Petrova meet Otto Brandt?"]),
        ("Juan Ruiz became head of Harwick College in 2004.", ["When did Juan Ruiz become head of Harwick College?"]),
        ("Elena Petrova made her third flight in 1977.", ["When did Elena Petrova make her third flight?"]),
        ("The Harwick Act was adopted in 1899 and entered into force in 1900.",
         ["When was the Harwick Act adopted?", "When did the Harwick Act enter into force?"]),
        ("Kepler-9 was launched on a rocket from Wallops Island in March 1999.",
         ["When was Kepler-9 launched?", "Where was Kepler-9 launched from?"]),
        ("Maria Lindqvist was born in Uppsala on 2 June 1881.",
         ["When was Maria Lindqvist born?", "Where was Maria Lindqvist born?"]),
        ("The Norland Museum is based in Harwick.", ["Where is the Norland Museum based?"]),
        ("The Harwick Festival takes place in Lisbon.", ["Where does the Harwick Festival take place?"]),
        ("Lake Orvel lies in the Sel Mountains.", ["Where does Lake Orvel lie?"]),
        ("The Brandt Institute was founded by Otto Brandt.", ["Who founded the Brandt Institute?"]),
        ("The Brandt Institute is run by the Swiss government.", ["Who runs the Brandt Institute?"]),
        ("The song of Harwick was written by Anna Kovacs.", ["Who wrote the song of Harwick?"]),
        ("Otto Brandt designed the Harwick Tunnel.", ["Who designed the Harwick Tunnel?"]),
        ("Anna Kovacs, who wrote the first history of Harwick, was ill.", ["Who wrote the first history of Harwick?"]),
        ("Anna Kovacs became the first woman to cross the Gobi Desert.",
         ["Who became the first woman to cross the Gobi Desert?"]),
        ("Juan Ruiz was the second Spaniard in space.", []),
        ("Juan Ruiz was the second Norwegian in space.", ["Who was the second Norwegian in space?"]),
        ("Juan Ruiz is the mayor of Harwick.", ["Who is the mayor of Harwick?"]),
        ("Lake Orvel is the deepest lake in Norland.", ["What is the deepest lake in Norland?"]),
        ("Kepler-9, the first Norwegian satellite, failed.", ["What was the first Norwegian satellite?"]),
        ("Kepler-9 is an X-ray telescope.", ["What is Kepler-9?"]),
        ("The Harwick Accords are a set of rules for fishing.", ["What are the Harwick Accords?"]),
        ("The capital of Norland is Harwick.", ["What is the capital of Norland?"]),
        ("The Norland Parliament consists of two chambers.", ["What does the Norland Parliament consist of?"]),
        ("The Orvel Dam is used to store water.", ["What is the Orvel Dam used for?"]),
        ("The Norland Parliament has 120 members.", ["How many members does the Norland Parliament have?"]),
        ("The flight of Elena Petrova lasted almost 12 days.", ["How long did the flight of Elena Petrova last?"]),
        ("Elena Petrova spent twelve days in Antarctica.", ["How long did Elena Petrova spend in Antarctica?"]),
        ("Elena Petrova and Juan Ruiz stayed in Rome for 3 weeks.",
         ["How long did Elena Petrova and Juan Ruiz stay in Rome?"]),
        ("Lake Orvel is about 40 kilometres long.", ["How long is Lake Orvel?"]),
        ("The Orvel Dam cost about 300 million euros.", ["How much did the Orvel Dam cost?"]),
        ("Kepler-9 weighs 300 kilograms.", ["How much does Kepler-9 weigh?"]),
        ("The Orvel Dam had a height of 120 metres.", ["What was the height of the Orvel Dam?"]),
        ("The Orvel Dam was closed because its gates were worn.", ["Why was the Orvel Dam closed?"]),
    ],
)  # fmt: skip
def test_a_sentence_gives_the_questions_that_it_answers(sentence: str, expected: list[str]) -> None:
    assert questions(sentence, TITLE) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "It was completed in 1961.",
        "The dam was completed in 1961.",
        "The company was founded by Otto Brandt in 1887.",
        "This Orvel Dam was completed in 1961.",
        "Its Orvel Dam was completed in 1961.",
        "The Charter was signed in 1951.",
        "The National Bank was founded in 1951.",
        "The Norwegian was arrested in 1951.",
        "The former president of Norland was arrested in 1951.",
        "The Harwick crew landed in 1960.",
        "The Harwick mission was completed in 1960.",
        "Engineers were hired in 1950.",
        "Construction of the Orvel Dam began in 1951.",
        "Early Harwick was founded in 1700.",
        "Juan Ruiz received the letter in 1951.",
        "Juan Ruiz sold a house in 1951.",
        "Juan Ruiz sold the house to Otto Brandt in 1951.",
        "In 1564, Juan Ruiz built the first Norland fort, Fort Sel, on Lake Orvel.",
        "Juan Ruiz repeated his answer in 1951.",
    ],
)
def test_nothing_is_asked_that_needs_other_sentences(sentence: str) -> None:
    assert questions(sentence, TITLE) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The Orvel Dam may be completed in 1961.",
        "The Orvel Dam was not completed in 1961.",
        "The Orvel Dam was reportedly completed in 1961.",
        "The Orvel Dam was completed in 1961, Juan Ruiz said.",
        "According to Juan Ruiz, the Orvel Dam was completed in 1961.",
        "If the Orvel Dam was completed in 1961, Norland was late.",
        "The Orvel Dam is planned to open in 2031.",
        '"The Orvel Dam was completed in 1961," Ruiz wrote.',
        'Kepler-9 was renamed "Sel" in 1999.',
        "Was the Orvel Dam completed in 1961?",
        "The Orvel Dam was completed in 1961",
        "The Orvel Dam was completed in the same year.",
        "The Orvel Dam was completed after the flood of Harwick, which came in 1961.",
        "The Orvel Dam was discussed in 1961 newspapers.",
        "The Orvel Dam was surrounded on 3 May 1961.",
        "Few people know whether Norland launched Kepler-9 in 1999.",
        "Juan Ruiz was the first mayor to sign neither treaty.",
        "Elena Petrova was launched on 3 May 1960.",
        "Juan Ruiz joined in 1951.",
        "Juan Ruiz was the first sailor who crossed Lake Orvel alone.",
        "The Church of Harwick was established by Royal Charter.",
        "Norland signed the Harwick Accords.",
        "Elena Petrova was a teacher.",
        "Lake Orvel was voted in 2006 as the finest lake of Norland.",
        "The Orvel Dam was completed in 1961 " + "and it was admired by all the people of Norland " * 9 + "for long.",
        "Juan Ruiz of the Harwick Academy was elected president of the Free City of Orvel in 1961.",
    ],
)
def test_nothing_is_asked_that_the_sentence_does_not_surely_answer(sentence: str) -> None:
    assert questions(sentence, TITLE) == []


def test_a_single_capitalised_word_is_a_name_only_where_that_is_known() -> None:
    sentence = "Zarya was built in Moscow."
    assert questions(sentence, "Modules") == []
    assert questions(sentence, "Modules", {"Zarya"}) == ["Where was Zarya built?"]
    assert questions(sentence, "How the module Zarya came about") == ["Where was Zarya built?"]
    assert questions(sentence, "How The Module Zarya Came About") == []  # all words of this title have capitals


def test_the_title_may_explain_what_a_common_noun_means() -> None:
    sentence = "The harbour bridge was painted in 1950."
    assert questions(sentence, TITLE) != []
    assert questions(sentence, "Bridges of Norland") == []


WORDS = """The the a was were launched built by on in 3 May 1961 , . and who Juan Ruiz Kepler-9 first largest lake is has
twelve members consists of because lasted days for from Lisbon ( ) ’s 's its not – ; : " became president Zarya's""".split()


@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join).map("{}.".format)),
    st.text(max_size=60),
)
def test_every_question_is_short_and_whole(sentence: str, title: str) -> None:
    found = questions(sentence, title, {"Zarya"})
    assert len(set(found)) == len(found)
    for question in found:
        assert question[0].isupper()
        assert question.endswith("?")
        assert question.count("?") == 1
        assert len(question.split()) <= MAX_WORDS == 12
        assert not re.search(r"[\"“”()«»;:,]|\bnot\b", question)


@pytest.mark.parametrize(
    "unit", ["The ", "Juan Ruiz, who ", "was launched on ", "in 1961 ", "a, ", "( ", " ", "’s ", "12 "]
)
def test_long_sentences_take_linear_time(unit: str) -> None:
    for opening in ("", "The Orvel Dam was built ", "In 1961, "):
        began = time.perf_counter()
        questions(opening + unit * 100_000 + ".", TITLE)
        questions((opening + unit * 400)[:398] + ".", unit * 10_000)
        assert time.perf_counter() - began < 2


# suggest


def passage(number: int, text: str, article: str = "", language: str = "en", title: str = TITLE) -> Passage:
    article = article or f"article-{number}"
    document = Document(article, f"{article}.md", text, 0, "", title, language=language)
    return Passage(number, document, 0, len(text), 0.5)


DAM = "The Orvel Dam was completed in 1961. The Orvel Dam cost about 300 million euros."
LAKE = "Lake Orvel is the deepest lake in Norland. Lake Orvel lies in the Sel Mountains."
TUNNEL = "The Harwick Tunnel was designed by Otto Brandt. The Harwick Tunnel was opened in 1899."


def test_the_first_ones_are_of_different_articles_and_question_words() -> None:
    found = suggest([passage(1, DAM), passage(2, TUNNEL), passage(3, LAKE)], [])
    assert found == [
        "When was the Orvel Dam completed?",
        "Who designed the Harwick Tunnel?",
        "What is the deepest lake in Norland?",
    ]


def test_question_words_are_spread_even_where_articles_are() -> None:
    later = "The Harwick Tunnel was opened in 1899. The Harwick Tunnel was designed by Otto Brandt."
    found = suggest([passage(1, DAM), passage(2, later)], [], most=2)
    assert found == ["When was the Orvel Dam completed?", "Who designed the Harwick Tunnel?"]


def test_those_behind_are_spread_among_themselves() -> None:
    found = suggest([passage(1, DAM), passage(2, TUNNEL), passage(3, LAKE)], [], candidates=9)
    assert found[:3] == suggest([passage(1, DAM), passage(2, TUNNEL), passage(3, LAKE)], [])
    assert found[3:] == [
        "How much did the Orvel Dam cost?",
        "When was the Harwick Tunnel opened?",
        "Where does Lake Orvel lie?",
    ]


def test_chunks_of_one_article_count_as_one() -> None:
    found = suggest([passage(1, DAM, "a"), passage(2, LAKE, "a"), passage(3, TUNNEL, "b")], [], most=2)
    assert found == ["When was the Orvel Dam completed?", "Who designed the Harwick Tunnel?"]


def test_one_sentence_is_asked_about_once_before_others_are() -> None:
    born = "Maria Lindqvist was born in Uppsala on 2 June 1881. Maria Lindqvist died on 9 May 1950."
    found = suggest([passage(1, born)], [])
    assert found == [
        "When was Maria Lindqvist born?",
        "When did Maria Lindqvist die?",
        "Where was Maria Lindqvist born?",
    ]


def test_those_near_the_last_question_come_first() -> None:
    far, near = passage(1, DAM), passage(2, LAKE)
    asked = ["What did the Orvel Dam cost?", "How cold is lake Orvel?"]
    assert suggest([far, near], asked, most=1) == ["What is the deepest lake in Norland?"]
    assert suggest([far, near], [], most=1) == ["When was the Orvel Dam completed?"]


def test_a_name_in_common_is_nearer_than_another_word() -> None:
    verb, name = passage(1, "Soyuz 91 was launched in 1971."), passage(2, "Kepler-9 weighs 300 kilograms.")
    assert suggest([verb, name], ["Why was Kepler-9 launched?"], most=1) == ["How much does Kepler-9 weigh?"]


@pytest.mark.parametrize(
    "asked",
    [
        "When was the Orvel Dam completed?",
        "when was the orvel dam completed",
        "In which year was the Orvel Dam completed?",
        "Tell me when they completed the Orvel Dam",
        "When was the famous Orvel Dam completed?",
        "What was the year in which the Orvel Dam was completed?",
    ],
)
def test_what_was_asked_is_not_suggested_in_other_words(asked: str) -> None:
    completed = [passage(1, "The Orvel Dam was completed in 1961.")]
    assert suggest(completed, [asked]) == []
    assert suggest(completed, [asked, "And who painted Salzburg?"]) == []


@pytest.mark.parametrize(
    "asked",
    [
        "Who completed the Orvel Dam?",
        "When was the Harwick Dam completed?",
        "When was the Orvel Dam 2 completed?",
        "What is the Orvel Dam?",
        "Orvel Dam?",
        "When was the Orvel Dam destroyed?",
    ],
)
def test_other_questions_about_the_same_thing_may_follow(asked: str) -> None:
    completed = [passage(1, "The Orvel Dam was completed in 1961.")]
    assert suggest(completed, [asked, "And why?"]) == ["When was the Orvel Dam completed?"]


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ("When did Juan Ruiz become director of Harwick College?", True),
        ("When did Maria Ruiz become head of Harwick College?", False),
    ],
)
def test_another_name_makes_another_question_and_a_synonym_does_not(asked: str, same: bool) -> None:
    became = [passage(1, "Juan Ruiz became head of Harwick College in 2004.")]
    assert (suggest(became, [asked, "And why?"]) == []) is same


def test_the_sentence_that_answers_the_last_question_is_not_asked_about() -> None:
    text = "Kepler-9 was launched from Wallops Island on 3 May 1999. Kepler-9 weighs 300 kilograms."
    assert suggest([passage(1, text)], ["When was Kepler-9 launched?"]) == ["How much does Kepler-9 weigh?"]
    assert suggest([passage(1, text)], ["What is Kepler-9?"], most=1) == ["When was Kepler-9 launched?"]


def test_names_are_learned_from_the_passages() -> None:
    told = "Zarya was built in Moscow. Before that, Zarya had another name."
    assert suggest([passage(1, told)], []) == ["Where was Zarya built?"]
    assert suggest([passage(1, "Zarya was built in Moscow. It had another name.")], []) == []
    assert suggest([passage(1, "Partners were chosen in 1999. All Partners and some partners were paid.")], []) == []


def test_fragments_and_other_languages_give_nothing() -> None:
    fragment = "Kepler weighs 300."
    assert questions(fragment, TITLE, {"Kepler"}) == ["How much does Kepler weigh?"]
    assert suggest([passage(1, f"{fragment} The Kepler flew.")], []) == []
    assert suggest([passage(1, "## The Orvel Dam was completed in 1961.")], []) == []
    assert suggest([passage(1, DAM, language="de")], []) == []
    assert suggest([], ["When?"]) == []


def test_the_same_sentence_in_two_passages_counts_once() -> None:
    assert suggest([passage(1, DAM), passage(2, DAM)], [], candidates=9) == suggest([passage(1, DAM)], [], candidates=9)


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_no_more_than_wanted_are_given(most: int) -> None:
    assert len(suggest([passage(1, DAM), passage(2, TUNNEL), passage(3, LAKE)], [], most)) == most


@given(
    st.lists(
        st.lists(st.sampled_from([*DAM.split(), *LAKE.split(), *TUNNEL.split(), "\n", '"']), max_size=40), max_size=4
    ),
    st.lists(st.text(max_size=40), max_size=3),
    st.integers(0, 5),
)
def test_suggestions_differ_and_are_the_same_each_time(texts: list[list[str]], asked: list[str], most: int) -> None:
    passages = [passage(number, " ".join(words)) for number, words in enumerate(texts)]
    found = suggest(passages, asked, most, candidates=most + 2)
    assert found == suggest(passages, asked, most, candidates=most + 2)
    assert len(set(found)) == len(found) <= most + 2
    assert not set(found) & set(asked)
    assert all(question.endswith("?") for question in found)


def test_suggestions_come_from_mended_sentences_outside_of_boilerplate() -> None:
    text = "The Orvel Dam was com-\npleted in 1961. The Orvel Bridge was opened in 1932."
    begin = text.index("The Orvel Bridge")
    source = Document("a", "a.txt", text, 0, "", TITLE, boilerplate=((begin, len(text)),))
    assert suggest([Passage(1, source, 0, len(text), 1.0)], []) == ["When was the Orvel Dam completed?"]
