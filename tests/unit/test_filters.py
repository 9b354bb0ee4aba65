"""A filter admits what it says, and is read from a question only where nothing else can well be meant."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import UsageError
from rag.filters import NO_FILTER, Filter, combine, days, describe, named, parse

PUBLISHERS = ("Ask the Articles", "CGTN", "RT", "The Astana Times", "The Herald", "U.S. News")


@dataclass(frozen=True)
class Article:
    publisher: str | None = None
    published: str | None = None


def of(*names: str, since: str | None = None, until: str | None = None) -> Filter:
    return Filter(names, since, until)


def within(date: str) -> Filter:
    return Filter((), date, date)


TYPED = [
    ("Who flew? (only 2021)", "Who flew?", within("2021")),
    ("Who flew (only 2021)?", "Who flew?", within("2021")),
    ("(only 2021) Who flew?", "Who flew?", within("2021")),
    ("(Only 2021): Who flew?", "Who flew?", within("2021")),
    ("Who [2021 only] flew to Mir?", "Who flew to Mir?", within("2021")),
    ("Who flew (only CGTN), and who paid (only 2021)?", "Who flew, and who paid?", of("CGTN", since="2021", until="2021")),
    ("only 2021: who flew?", "who flew?", within("2021")),
    ("Only 2021. Who flew?", "Who flew?", within("2021")),
    ("Who flew? Only 2021.", "Who flew?", within("2021")),
    ("Who flew, only 18 May 2021?", "Who flew?", within("2021-05-18")),
    ("Who flew? (only May 18th, 2021)", "Who flew?", within("2021-05-18")),
    ("Who flew? (only Sept 2021)", "Who flew?", within("2021-09")),
    ("Who flew? (only 2021-05)", "Who flew?", within("2021-05")),
    ("Who flew only in articles from 2021?", "Who flew?", within("2021")),
    ("Who flew, but only in articles from 2021?", "Who flew?", within("2021")),
    ("Who flew in articles from 2021 only?", "Who flew?", within("2021")),
    ("Who flew in articles since 2020?", "Who flew?", of(since="2020")),
    ("In articles since 2020, who flew?", "who flew?", of(since="2020")),
    ("In articles since 2020 who flew?", "who flew?", of(since="2020")),
    ("Articles from 2020 on: who flew?", "who flew?", of(since="2020")),
    ("According to articles published before June 2024, who flew?", "who flew?", of(until="2024-05")),
    ("Who flew according to articles published after 31 December 2020?", "Who flew?", of(since="2021-01-01")),
    ("Who flew? (published until 2020)", "Who flew?", of(until="2020")),
    ("Who flew? (only between 2020 and May 2021)", "Who flew?", of(since="2020", until="2021-05")),
    ("Who flew? (only 2020–2021)", "Who flew?", of(since="2020", until="2021")),
    ("Who flew? (only CGTN)", "Who flew?", of("CGTN")),
    ("Who flew? Only cgtn.", "Who flew?", of("CGTN")),
    ("Who flew, only according to US News and the Herald?", "Who flew, only according to US News and the Herald?", of()),
    ("Who flew, only according to U. S. News and the Herald?", "Who flew?", of("U.S. News", "The Herald")),
    ("Who flew in CGTN articles?", "Who flew?", of("CGTN")),
    ("Who flew according to CGTN's article of May 2021?", "Who flew?", of("CGTN", since="2021-05", until="2021-05")),
    ("Using sources published by RT in 2021, who flew?", "who flew?", of("RT", since="2021", until="2021")),
    ("Who flew only in the Herald since May 2021?", "Who flew?", of("The Herald", since="2021-05")),
    ("Only Ask the Articles: who flew?", "who flew?", of("Ask the Articles")),
    ("Who flew? (only CGTN, RT or Astana Times, 2021)", "Who flew?", of("CGTN", "RT", "The Astana Times", since="2021", until="2021")),
    ("Only 2021: who flew in CGTN articles?", "who flew?", of("CGTN", since="2021", until="2021")),
    ("Why? (only CGTN)", "Why?", of("CGTN")),
]  # fmt: skip

MEANT = """What happened in 2021?
Which treaty was signed before 1990?
Who flew since May 2020 (2021)?
Why did Mir fly only in 2001?
Which station flew only before 1990?
Only in 2001 did Mir fall?
Only in CGTN did he read of it?
Who flew, only 2021 being known?
What was written in articles since 2020 about Mars?
According to articles from 2021 on Mars, who flew?
Who flew? (only 2021 and Mir)
What did CGTN report in 2021?
Who praised only CGTN?
What was published in 2021?
What was published by CGTN in 2021?
How many sources published in 2021?
What is the only source published before 1990?
Which articles of the treaty were signed in 1967?
What does article VI say since 1967?
Where is the mistake in the article of 2021?
What was said, but not in articles since 2020?
How many articles are there?
Who flew? (only BBC)
Who flew, only in January?
Who flew? (only 2021-13)
Who flew? (only 31 April 2021)
only 2021
(only 2021)
Only 2021:
in articles since 2020
What in articles since 2020?
And in CGTN articles?""".splitlines()


@pytest.mark.parametrize(("question", "rest", "filter"), TYPED, ids=[case[0] for case in TYPED])
def test_a_filter_is_read_at_the_edges_and_in_brackets(question: str, rest: str, filter: Filter) -> None:
    assert parse(question, PUBLISHERS) == (rest, filter)


@pytest.mark.parametrize("question", MEANT)
def test_what_the_question_is_about_is_no_filter(question: str) -> None:
    assert parse(question, PUBLISHERS) == (question, NO_FILTER)


def test_publishers_of_other_indexes_are_words_like_others() -> None:
    assert parse("Who flew? (only CGTN)", ()) == ("Who flew? (only CGTN)", NO_FILTER)
    assert parse("Who flew? (only Herald)", ("Herald", "The Herald")) == ("Who flew?", of("Herald", "The Herald"))


WORDS = """who flew to Mir in 2021 since before May 18 from the of by and or , . : ; ? – - CGTN's RT Herald "Astana
Times" 2020-05 until between on not""".split()
TRIGGERS = "only articles article sources published Only ( ) [ ] (only only) in".split()


def sentences(words: Sequence[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), max_size=14).map(" ".join)


@given(st.text(max_size=50) | sentences(WORDS + 2 * TRIGGERS), st.sampled_from([PUBLISHERS, (), ("", "the", "2021")]))
def test_no_question_breaks_it_and_something_is_left_to_ask(question: str, publishers: Sequence[str]) -> None:
    rest, filter = parse(question, publishers)
    assert (rest == question) is not bool(filter)
    if filter:
        assert len(rest) < len(question)
        assert any(char.isalnum() for char in rest)
        assert set(filter.publishers) <= set(publishers) or filter.publishers[0].startswith("both ")


@given(st.text(max_size=50) | sentences([*WORDS, "(", ")", "sourced", "publish", "lonely"]))
def test_without_its_words_no_question_is_changed(question: str) -> None:
    for word in ("only", "article", "source", "published"):
        question = question.replace(word, "").replace(word.title(), "")
    assert parse(question, PUBLISHERS) == (question, NO_FILTER)


_NEAR = st.sampled_from(["1960", "1960-03", "1960-03-09", "1960-12-31", "1961", "1961-06", "1961-06-30", "1962-01-01"])
_ANY = st.dates(datetime.date(1000, 1, 1), datetime.date(2999, 12, 31)).map(datetime.date.isoformat)
dates = _NEAR | st.builds(lambda day, length: day[:length], _ANY, st.sampled_from([4, 7, 10]))

filters = st.builds(
    Filter,
    st.lists(st.sampled_from(PUBLISHERS), unique=True, max_size=3).map(tuple),
    st.none() | dates,
    st.none() | dates,
)
articles = st.builds(Article, st.none() | st.sampled_from(PUBLISHERS), st.none() | dates)


@given(filters)
def test_a_description_is_read_back(filter: Filter) -> None:
    described = describe(filter)
    assert bool(described) is bool(filter)
    if filter:
        assert described.startswith("only articles ")
        assert parse(f"Who flew? ({described})", PUBLISHERS) == ("Who flew?", filter)


@given(filters, st.none() | st.sampled_from(PUBLISHERS), st.dates(datetime.date(1959, 1, 1), datetime.date(1964, 1, 1)))
def test_a_day_is_admitted_if_it_is_not_outside_the_described_dates(
    filter: Filter, publisher: str | None, day: datetime.date
) -> None:
    date = day.isoformat()
    expected = not filter.publishers or publisher in filter.publishers
    expected &= not filter.since or date[: len(filter.since)] >= filter.since
    expected &= not filter.until or date[: len(filter.until)] <= filter.until
    assert filter.admits(Article(publisher, date)) is expected
    _, described = parse(f"Who flew? ({describe(filter)})", PUBLISHERS)
    assert described.admits(Article(publisher, date)) is expected


@given(filters, filters, articles)
def test_two_filters_together_admit_what_both_admit(one: Filter, other: Filter, article: Article) -> None:
    assert combine(one, other).admits(article) is (one.admits(article) and other.admits(article))
    assert combine(one, NO_FILTER) == combine(NO_FILTER, one) == one


def test_filters_that_exclude_each_other_say_so() -> None:
    both = combine(of("CGTN", "RT", since="2020", until="2023"), of("The Herald", since="2021-05", until="2022"))
    assert describe(both) == "only articles of both CGTN or RT and The Herald, from May 2021 to 2022"
    assert not any(both.admits(Article(name, "2021-06-18")) for name in PUBLISHERS)


@pytest.mark.parametrize(
    ("filter", "publisher", "published", "admitted"),
    [
        (NO_FILTER, None, None, True),
        (of("CGTN"), "CGTN", None, True),
        (of("the Herald"), "HERALD", None, True),
        (of("US News"), "U.S. News", None, False),
        (of("CGTN"), "CGTN Europe", None, False),
        (of("CGTN"), None, None, False),
        (of("the"), None, None, False),
        (of(""), None, None, False),
        (of("!"), "!", None, True),
        (of("!"), "?", None, False),
        (within("2021"), None, "2021", True),
        (within("2021"), None, "2021-12-31", True),
        (within("2021"), None, "2022-01-01", False),
        (within("2021-02"), None, "2021-02-28", True),
        (within("2021-02"), None, "2021", False),
        (of(since="2021-02"), None, "2021", False),
        (of(since="2021"), None, "2021", True),
        (of(until="2021-06-18"), None, "2021-06-18T23:59:59Z", True),
        (of(until="2021-06-18"), None, "2021-06-18 10:00", True),
        (of(until="2021-06-18"), None, "June 18, 2021", True),
        (of(until="2021-06-17"), None, "18 June 2021", False),
        (of(since="0001"), None, None, False),
        (of(since="0001"), None, "yesterday", False),
        (of(since="0001"), None, "2021-13-01", False),
        (of("CGTN", since="2021"), "CGTN", "2020", False),
        (of("CGTN", since="2021"), "RT", "2021", False),
        (of(since="2022", until="2021"), None, "2021-06-18", False),
    ],
)
def test_what_is_admitted(filter: Filter, publisher: str | None, published: str | None, admitted: bool) -> None:
    assert filter.admits(Article(publisher, published)) is admitted


@pytest.mark.parametrize(
    ("date", "first", "last"),
    [
        ("2021", "2021-01-01", "2021-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-12", "2023-12-01", "2023-12-31"),
        ("2021-06-18", "2021-06-18", "2021-06-18"),
    ],
)
def test_years_and_months_are_all_their_days(date: str, first: str, last: str) -> None:
    assert days(date) == (first, last)


@pytest.mark.parametrize(
    "date",
    ["", "21", "2021-6", "2021-13", "2021-02-29", "2021-00", "0000", "2021-06-18T10", "18 June 2021", "２０２１"],
)
def test_what_is_no_date_is_refused_with_examples(date: str) -> None:
    assert days(date) is None
    for filter in ({"since": date}, {"until": date}):
        with pytest.raises(UsageError) as caught:
            Filter(**filter)  # type: ignore[arg-type]
        assert repr(date) in caught.value.problem
        assert "2021-06" in caught.value.remedy


@pytest.mark.parametrize(
    ("filter", "described"),
    [
        (NO_FILTER, ""),
        (of("CGTN"), "only articles of CGTN"),
        (of("CGTN", since="2021", until="2021"), "only articles of CGTN, 2021"),
        (of("CGTN", "RT", "The Herald", since="2020"), "only articles of CGTN, RT or The Herald, since 2020"),
        (within("2021"), "only articles from 2021"),
        (within("2021-06-08"), "only articles from 8 June 2021"),
        (of(until="2021-06"), "only articles until June 2021"),
        (of(since="2020", until="2021-06"), "only articles from 2020 to June 2021"),
    ],
)
def test_descriptions(filter: Filter, described: str) -> None:
    assert describe(filter) == described


def test_publishers_are_named_as_people_write_them() -> None:
    assert named(["cgtn", "HERALD", "ask articles", "cgtn"], PUBLISHERS) == ("CGTN", "The Herald", "Ask the Articles")
    assert named(["herald"], ["Herald", "The Herald"]) == ("Herald", "The Herald")
    assert named([], ()) == ()


@pytest.mark.parametrize(
    ("name", "publishers", "remedy"),
    [
        ("CGTM", PUBLISHERS, "Did you mean CGTN?"),
        ("Astana", PUBLISHERS, "Did you mean The Astana Times?"),
        ("Xinhua", PUBLISHERS, "Known are Ask the Articles, CGTN, RT, The Astana Times, The Herald, …"),
        ("Xinhua", ("CGTN", "RT"), "Known are CGTN, RT."),
        ("", ("CGTN", "RT"), "Known are CGTN, RT."),
        ("CGTN", (), "None of its articles names a publisher."),
    ],
)
def test_an_unknown_publisher_is_answered_with_the_nearest(name: str, publishers: Sequence[str], remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        named([name], publishers)
    assert repr(name) in caught.value.problem
    assert caught.value.remedy == remedy
