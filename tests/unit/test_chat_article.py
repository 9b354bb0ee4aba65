"""The article beside the chat: every highlighted text is its quote, and nothing of an article becomes markup."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chat.article import Mark, article, place
from rag.records import Document

TEXT = (
    "---\ntitle: Mir\n---\n\n# The station\n\nBy our staff\n\nMir flew from 1986 to 2001. It was <b>big</b> & old.\n\n"
    "- Quant came in 1987.\n- Kristall came in 1990.\n\nIt fell into the sea.\n"
)


def document(text: str = TEXT, start: int | None = None) -> Document:
    begin = text.index("# The") if start is None else start
    return Document("d", "mir.md", text, begin, "", "Mir", "Herald", None, "2021-06-18", "https://example.org/mir")


def mark(quote: str, number: int = 1, text: str = TEXT) -> Mark:
    return Mark(number, text.index(quote), text.index(quote) + len(quote), quote)


class Shown(HTMLParser):
    """The text of the article, of each mark and the tags used."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.marks, self.tags = "", dict[str, str](), set[str]()
        self._numbers: list[str] = []
        self._inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.add(tag)
        self._inside |= given.get("class") == "article-text"
        self._numbers = (given.get("data-numbers") or "").split() if tag == "mark" else self._numbers

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._numbers = []

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text += data
            for number in self._numbers:
                self.marks[number] = self.marks.get(number, "") + data


@pytest.mark.parametrize(
    "quote",
    [
        "Mir flew from 1986 to 2001.",
        "It was <b>big</b> & old.",
        "- Kristall came in 1990.",
        "It was <b>big</b> & old.\n\n- Quant came in 1987.",
        "to 2001. It",
    ],
    ids=["sentence", "markup", "item", "two blocks", "any span"],
)
def test_the_mark_is_the_quote_and_the_text_the_article(quote: str) -> None:
    shown = Shown(article(document(), [mark(quote)]))
    assert shown.marks == {"1": quote}
    assert shown.text == TEXT[TEXT.index("# The") :]
    assert shown.tags == {"header", "h2", "h3", "p", "span", "a", "div", "mark"}


def test_marks_that_overlap_are_both_whole() -> None:
    one, other = mark("Mir flew from 1986 to 2001."), mark("to 2001. It was", 2)
    assert Shown(article(document(), [one, other])).marks == {"1": one.quote, "2": other.quote}


def test_fragments_and_headings_are_told_from_prose() -> None:
    html = article(document(), [])
    assert '<span class="fragment">By our staff</span>' in html
    assert '<h3><span class="sign"># </span>The station' in html
    assert '<p class="item"><span class="sign">- </span>Quant came' in html


def test_the_link_points_at_the_first_quote() -> None:
    assert "https://example.org/mir#:~:text=It%20fell%20into%20the%20sea." in article(
        document(), [mark("It fell into the sea.")]
    )


def test_a_quote_is_found_again_in_a_changed_article() -> None:
    old = mark("It fell into the sea.")
    changed = document(TEXT.replace("Quant came in 1987.", "Quant came early in 1987."))
    placed = place(changed, [old])
    assert placed.moved == (1,)
    assert Shown(article(changed, [old])).marks == {"1": old.quote}
    assert "quote [1] has moved within it" in article(changed, [old])


def test_a_quote_that_is_gone_is_said_to_be() -> None:
    gone = document(TEXT.replace("It fell", "Mir fell"))
    html = article(gone, [mark("It fell into the sea."), mark("Mir flew from 1986 to 2001.", 2)])
    assert Shown(html).marks == {"2": "Mir flew from 1986 to 2001."}
    assert "quote [1] has gone from it" in html
    assert "moved" not in html


def test_boilerplate_is_dimmed_and_named_for_screen_readers() -> None:
    text = "# Share\n\nMir flew <b>long</b>. Follow us: now.\n\nIt fell."
    spans = ((0, len("# Share")), (text.index("Follow"), text.index("\n\nIt fell")))
    found = dataclasses.replace(document(text, 0), boilerplate=spans)
    html = article(found, [mark("Follow us", text=text)])
    note = '<span class="boilerplate" role="note" aria-label="Not part of the article">'
    assert f'<p>{note}<span class="sign"># </span>Share</span>' in html, "a menu is no heading"
    assert f'{note}<mark data-numbers="1">Follow us</mark>: now.</span>' in html
    assert "neither searched nor quoted" in html
    assert Shown(html).text == text
    assert "legend" not in article(document(text, 0), [])


def test_pages_are_labels_that_are_no_text() -> None:
    at = TEXT.index("to 2001")
    found = dataclasses.replace(document(), anchors=((0, "p. 1"), (at, 'p. "2"')))
    html = article(found, [mark("Mir flew from 1986 to 2001.")])
    assert html.count('class="page-start"') == 2
    assert '<span class="page-start" data-place="p. 1"></span>' in html
    assert (
        '<span class="page-start" data-place="p. &quot;2&quot;"></span><mark data-numbers="1">to 2001.</mark>' in html
    )
    shown = Shown(html)
    assert shown.marks == {"1": "Mir flew from 1986 to 2001."}
    assert shown.text == TEXT[TEXT.index("# The") :]


ANY = st.text(alphabet=st.sampled_from(list("ab <>&\"'#-*.!?\n\r\t1é‮​漢[]()`")), max_size=120)


@given(ANY, st.data())
def test_any_text_and_any_span(text: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text)))
    spans = data.draw(st.lists(st.tuples(st.integers(begin, len(text)), st.integers(begin, len(text))), max_size=3))
    body = text[begin:].lstrip(" \t\r\n\f\v\ufeff\u00a0\u200b")
    first = len(text) - len(body)
    marks = [Mark(n, a, b, text[a:b]) for n, (a, b) in enumerate(spans) if first <= a < b]
    edges = st.lists(st.integers(begin, len(text)), max_size=6, unique=True).map(sorted)
    dim = data.draw(edges)
    laid_out = dataclasses.replace(
        document(text, begin),
        boilerplate=tuple(zip(dim[::2], dim[1::2], strict=False)),
        anchors=tuple((offset, "p. 1") for offset in data.draw(edges)),
    )
    shown = Shown(article(laid_out, marks).replace("\r", "&#13;"))
    assert shown.marks == {str(item.number): item.quote for item in marks}
    assert re.sub(r"\s", "", shown.text) == re.sub(r"\s", "", text[begin:])
    assert shown.tags <= {"header", "h2", "h3", "p", "span", "a", "div", "mark"}
