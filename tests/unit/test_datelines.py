"""Title, author, publisher and date of an article are read from its head, and nothing is guessed."""

import pytest
from news import NewsText, news_texts

from rag.bylines import byline, date_line, dateline
from rag.datelines import Header, read_header

BODY = "The crew of the second ship waited for nine days until the storm was over."


@pytest.mark.parametrize("item", news_texts(), ids=lambda item: item.name)
def test_labelled_texts(item: NewsText) -> None:
    header = read_header(item.text)
    assert (header.title, header.author) == (item.title, item.author)
    assert (header.publisher, header.published) == (item.publisher, item.published)


@pytest.mark.parametrize(
    ("lines", "published"),
    [
        (["Xinhua) 13:49, June 18, 2021"], "2021-06-18"),
        (["Published: 18 June 2021", "Updated: 20 June 2021"], "2021-06-18"),
        (["Updated 6:02 PM EDT, Fri June 18, 2021"], "2021-06-18"),
        (["Updated 19 June 2021", f"OSLO, June 18 (AP) — {BODY}"], "2021-06-18"),
        (["Updated 1 January 2022", f"OSLO, Dec. 31 (AP) — {BODY}"], "2021-12-31"),
        (["18.06.2021"], "2021-06-18"),
        (["2021-06-18T10:00Z"], "2021-06-18"),
        (["06/18/2021"], "2021-06-18"),
        (["06/07/2021"], None),
        ([f"OSLO, June 18 (AP) — {BODY}"], None),
        (["31 June 2021"], None),
        (["2021年6月18日"], "2021-06-18"),
        (["By Jane Roe | 18th of June 2021"], "2021-06-18"),
        ([BODY, "18 June 2021"], None),
    ],
    ids=[
        "agency", "published before updated", "updated alone", "day of the dateline", "day of the year before", "dots", "ISO",
        "month first", "two meanings", "no year", "no such day", "Chinese", "byline", "below the article",
    ],
)  # fmt: skip
def test_dates(lines: list[str], published: str | None) -> None:
    assert read_header("\n\n".join(["Storm keeps crew in the harbour", *lines])).published == published


def test_where_it_was_found() -> None:
    header = read_header(f"# Storm over Oslo\n\nBy Jane Roe\n\nOSLO, May 3, 2021 (AP) — {BODY}")
    assert header == Header(
        "Storm over Oslo",
        "Jane Roe",
        "AP",
        "2021-05-03",
        (("title", "first heading"), ("author", "byline"), ("publisher", "dateline"), ("published", "dateline")),
    )
    paper = read_header(f"Harbour Times\n\nStorm keeps the crew ashore\n\n{BODY}")
    assert (paper.title, paper.publisher) == ("Storm keeps the crew ashore", "Harbour Times")
    assert paper.found == (("title", "first line"), ("publisher", "first line"))


def test_an_article_without_a_head_has_none() -> None:
    assert read_header(f"{BODY}\n\n{BODY}") == Header()
    assert read_header("") == Header()


def test_a_title_is_repaired() -> None:
    assert read_header(f"The \ufb01rst coopera\u00adtion in space\n\n{BODY}").title == "The first cooperation in space"


@pytest.mark.parametrize(
    ("line", "author", "publisher"),
    [
        ("By Jane Roe", "Jane Roe", None),
        ("By JANE ROE and JOHN DOE", "Jane Roe and John Doe", None),
        ("By Jane Roe, John Doe and Ann Poe", "Jane Roe, John Doe and Ann Poe", None),
        ("Jane Roe, Staff Writer", "Jane Roe", None),
        ("By Jane Roe for Space News", "Jane Roe", "SpaceNews"),
        ("By Jane Roe | Reuters", "Jane Roe", "Reuters"),
        ("By Xinhua writers Tan Jing, Zhou Zhou", "Tan Jing and Zhou Zhou", "Xinhua"),
        ("By The Associated Press", None, "Associated Press"),
        ("Source: Xinhua", None, "Xinhua"),
        ("(Editor: huaxia)", None, None),
        ("Written by Ludwig van der Berg", "Ludwig van der Berg", None),
    ],
)
def test_bylines(line: str, author: str | None, publisher: str | None) -> None:
    signed = byline(line)
    assert signed is not None
    assert (signed.author, signed.publisher) == (author, publisher)


@pytest.mark.parametrize(
    "line",
    [
        "By Monday the crew had docked.",
        "By Land and Sea",
        "Salyut, Mir and Skylab",
        "Moscow, Astana",
        "By 1972",
        "By the Sea",
        "",
    ],
)
def test_no_bylines(line: str) -> None:
    assert byline(line) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ST. PETERSBURG, June 17 (Xinhua) -- Given", "ST. PETERSBURG, June 17 (Xinhua) -- "),
        ("TERMEZ, Uzbekistan (Reuters) - A rocket", "TERMEZ, Uzbekistan (Reuters) - "),
        ("(Reuters) - A rocket", "(Reuters) - "),
        ("MOSCOW, February 12. /TASS/. The rent", "MOSCOW, February 12. /TASS/. "),
        ("LONDON, June 3, 2020 /PRNewswire/ -- The", "LONDON, June 3, 2020 /PRNewswire/ -- "),
        (
            "Washington, D.C., June 17, 2021 (GLOBE NEWSWIRE) -- The",
            "Washington, D.C., June 17, 2021 (GLOBE NEWSWIRE) -- ",
        ),
        ("Mir (Russia) — a station", None),
        ("Baikonur, Kazakhstan – The site", None),
        ("NASA — the agency", None),
        ("OSLO, June 17 (Xinhua) --", None),
    ],
)
def test_datelines(line: str, found: str | None) -> None:
    begun = dateline(line, first=True)
    assert (line[: begun.end] if begun else None) == found


def test_some_datelines_only_open_an_article() -> None:
    for line in ("WASHINGTON — The senators", "GENEVA, 11 April 2024 – Nine agencies", "NEW DELHI: The gauges"):
        assert dateline(line) is None
        assert dateline(line, first=True) is not None


@pytest.mark.parametrize(
    "line", ["May 5 people", "1998", "July 1975", "Sep 14 - Jan 26", "9 am – 4:30 pm, 5:00 pm", "Page 1 of 2"]
)
def test_no_date_lines(line: str) -> None:
    assert date_line(line) is None
