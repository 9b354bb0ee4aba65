"""The picture of dates: every article a dot at its date, every citation a number that covers no other."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chat.timeline import timeline

DATES = ["2019-04-02", "2021-06-18", "2021-06-20", None, "soon", "2025-09-24"]


def places(picture: str, pattern: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(pattern, picture)]


def test_dots_numbers_and_years() -> None:
    picture = timeline(DATES, {1: "2021-06-18", 2: "2025-09-24", 3: None}, 'Dates of "articles"')
    assert len(places(picture, r'<circle cx="(\d+)" cy="(\d+)" r="2.6">')) == 4
    assert re.findall(r'<g class="cited">.*?>(\d)</text></g>', picture) == ["1", "2"]
    assert re.findall(r'class="year"[^>]*>(\d+)<', picture) == [str(year) for year in range(2019, 2026)]
    assert 'aria-label="Dates of &quot;articles&quot;"' in picture


def test_articles_of_one_time_stand_above_each_other() -> None:
    dots = places(timeline(DATES, {}, ""), r'<circle cx="(\d+)" cy="(\d+)" r="2.6">')
    assert dots[1][0] == dots[2][0]
    assert dots[1][1] > dots[2][1]


@pytest.mark.parametrize("dates", [[], ["2021-06-18"], [None, "soon"]])
def test_without_two_dates_there_is_no_picture(dates: list[str | None]) -> None:
    assert timeline(dates, {1: "2021-06-18"}, "") == ""


@given(st.lists(st.integers(0, 20_000), min_size=2, max_size=40), st.lists(st.integers(0, 20_000), max_size=6))
def test_everything_lies_in_the_picture_and_no_number_covers_another(articles: list[int], cited: list[int]) -> None:
    days = [(date(1970, 1, 1) + timedelta(n)).isoformat() for n in articles]
    numbers = {n: (date(1970, 1, 1) + timedelta(day)).isoformat() for n, day in enumerate(cited, 1)}
    picture = timeline(days, numbers, "")
    left, top, width, height = map(float, re.findall(r'viewBox="([^"]+)"', picture)[0].split())
    circles = places(picture, r'<circle cx="(\d+)" cy="(\d+)"')
    assert all(left <= x <= left + width and top <= y <= top + height for x, y in circles)
    marks = places(picture, r'<circle cx="(\d+)" cy="(\d+)" r="8"')
    assert len(marks) == len(numbers)
    assert all(abs(a[0] - b[0]) >= 16 or a[1] != b[1] for n, a in enumerate(marks) for b in marks[:n])
