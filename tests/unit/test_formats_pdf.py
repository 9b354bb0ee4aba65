"""Lines of a PDF become paragraphs; heads, feet and page numbers are marked, hyphens at line ends understood."""

from collections.abc import Iterable

import pytest

from rag.documents.canonical import TextBuilder
from rag.documents.pdf import Line, assemble


def page_of(rows: Iterable[tuple[str, float] | str], page: int = 0, *, top: float = 700.0) -> list[Line]:
    """Full lines of ten-point type below each other; a row may say how far it is indented."""
    lines = []
    for number, row in enumerate(rows):
        text, left = row if isinstance(row, tuple) else (row, 50.0)
        lines.append(Line(text, page, left, left + 5 * len(text), top - 12 * number, 10.0))
    return lines


def paragraphs(builder: TextBuilder) -> list[str]:
    return builder.text.strip().split("\n\n")


def marked(builder: TextBuilder) -> list[str]:
    return [builder.text[start:end] for start, end in builder.boilerplate]


FULL = "This line of the article is exactly as long as all of the others in it"

OTHER = "Here is one more line that is not the same but goes up to the same end"


def test_lines_are_joined_and_gaps_part_paragraphs() -> None:
    lines = page_of([FULL, FULL, "and this one ends it."])
    below = page_of([FULL, "and this is the end."], top=640)
    builder, _ = assemble([lines + below])
    assert paragraphs(builder) == [f"{FULL} {FULL} and this one ends it.", f"{FULL} and this is the end."]


def test_an_indented_line_begins_a_paragraph() -> None:
    rows = [(FULL, 62.0), FULL, FULL + ".", (FULL, 62.0), FULL]
    builder, _ = assemble([page_of(rows)])
    assert paragraphs(builder) == [f"{FULL} {FULL} {FULL}.", f"{FULL} {FULL}"]


def test_a_short_last_line_ends_a_paragraph() -> None:
    builder, _ = assemble([page_of([FULL, "It ends here.", FULL, FULL])])
    assert paragraphs(builder) == [f"{FULL} It ends here.", f"{FULL} {FULL}"]


def test_items_of_a_list_stay_apart_and_whole() -> None:
    rows = [
        "• The first item of the list goes on over the end of a whole line and",
        ("then ends", 60.0),
        "• The second item",
    ]
    builder, _ = assemble([page_of([FULL, *rows])])
    assert paragraphs(builder) == [
        FULL,
        "• The first item of the list goes on over the end of a whole line and then ends",
        "• The second item",
    ]


def test_a_paragraph_goes_on_over_the_page_and_its_heads_follow() -> None:
    last = "What stands on the second page is another text of about the same size"
    first = [*page_of(["The Daily 1"], 0, top=780), *page_of([FULL, OTHER], 0), *page_of(["Page 1"], 0, top=40)]
    second = [*page_of(["The Daily 2"], 1, top=780), *page_of(["ends here.", last], 1), *page_of(["Page 2"], 1, top=40)]
    builder, _ = assemble([first, second])
    assert paragraphs(builder) == ["The Daily 1", f"{FULL} {OTHER} ends here.", "Page 1", "The Daily 2", last, "Page 2"]
    assert marked(builder) == ["The Daily 1", "Page 1", "The Daily 2", "Page 2"]
    assert [(builder.text[offset:][:9], label) for offset, label in builder.anchors] == [
        ("This line", "p. 1"),
        ("ends here", "p. 2"),
    ]


def test_a_head_that_appears_once_is_seen_by_its_distance() -> None:
    second = [*page_of(["A chapter of its own 2"], 1, top=780), *page_of([OTHER, OTHER], 1)]
    builder, _ = assemble([page_of([FULL, FULL]), second])
    assert marked(builder) == ["A chapter of its own 2"]


@pytest.mark.parametrize("number", ["7", "- 7 -", "Page 7", "7 of 12", "p. 7/12"])
def test_a_page_number_alone_is_marked(number: str) -> None:
    builder, _ = assemble([[*page_of([FULL, FULL]), *page_of([number], top=40)]])
    assert marked(builder) == [number]


def test_a_number_in_the_text_is_not_marked() -> None:
    builder, _ = assemble([page_of([FULL, "1986", FULL])])
    assert marked(builder) == []


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("the exam-", "ple shows", "the example shows"),
        ("a well-", "known story", "a well-known story"),
        ("Franco-", "German talks", "Franco-German talks"),
        ("since COVID-", "19 came", "since COVID-19 came"),
        ("the mother-in-", "law said", "the mother-in-law said"),
        ("the re-", "search went", "the research went"),
    ],
)
def test_hyphens_at_line_ends(first: str, second: str, joined: str) -> None:
    builder, _ = assemble([page_of([first, second])])
    assert builder.text == joined + "\n"


def test_how_a_word_is_written_elsewhere_decides_about_its_hyphen() -> None:
    builder, _ = assemble([page_of([f"A night-train left, {FULL}", "and a night-", "train came."])])
    assert "a night-train came." in builder.text
    other, _ = assemble([page_of([f"A wellknown man, {FULL}", "and a well-", "known man."])])
    assert "a wellknown man." in other.text


def test_a_hyphen_that_the_reader_took_out_is_put_back_where_it_belongs() -> None:
    lines = page_of(["a well", "known story"])
    lines[0].hyphenated = True
    builder, _ = assemble([lines])
    assert builder.text == "a well-known story\n"


def test_the_largest_type_of_the_first_page_is_the_title() -> None:
    lines = page_of(["Two lines of a", "headline", FULL, FULL])
    lines[0].size = lines[1].size = 18.0
    lines[1].base = lines[0].base - 21
    _, title = assemble([lines])
    assert title == "Two lines of a headline"
    _, none = assemble([page_of([FULL, FULL])])
    assert none is None


def test_two_columns_are_read_one_after_the_other() -> None:
    left = page_of(["The left column begins with", "this and goes on into the"], top=700)
    right = page_of([("right column, where it ends.", 300.0), ("A second paragraph follows", 300.0)], top=700)
    builder, _ = assemble([[*left, *right]])
    assert "this and goes on into the right column, where it ends." in builder.text
