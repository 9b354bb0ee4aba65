"""Exported conversations: exact results, foreign words that stay words, and one entry for each article."""

import base64
import dataclasses
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.chat.conversation import Exchange
from rag.chat.export import FORMATS, NAME_LIMIT, bibtex, file_name, html, markdown, ris
from rag.records import Answer, AnswerSentence, Citation

MIR = Citation(
    number=1,
    document="mir-1a2b3c4d",
    title="The fall of Mir",
    path="sub/mir_station.md",
    url="https://example.org/mir?a=1&b=2",
    publisher="CGTN",
    published="2021-06-18",
    start=10,
    end=32,
    quote="Mir flew from\r\n\r\n1986.",
)
FELL = dataclasses.replace(MIR, number=2, start=40, end=60, quote="It fell in 2001.")
SALYUT = Citation(1, "salyut-5e6f7a8b", "Salyut 1", "salyut.txt", None, None, "spring 1971", 0, 9, "It flew.")

HOSTILE = (
    "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:z) <img src=//evil.example> [1] [^1] "
    "http://evil.example www.evil.example `code` **bold** _it_ ~~no~~ $x^2$ a | b &copy; # \" ' } @misc{x, \\end"
)


def exchange(
    question: str,
    sentences: tuple[AnswerSentence, ...] = (),
    citations: tuple[Citation, ...] = (),
    *,
    unanswered: tuple[str, ...] = (),
    searched: str = "",
    only: str = "",
    asked: str = "2026-11-05T10:00:59+00:00",
) -> Exchange:
    searched = searched or question
    text = "" if sentences else "The articles do not say. The nearest passages are listed as sources."
    answer = Answer(question, searched, None, not sentences, 0.5, text, sentences, citations, (), unanswered)
    return Exchange(
        1,
        question,
        "write",
        asked=asked,
        standalone_question=searched,
        filter=only,
        citations=citations,
        answer=answer,
    )


CONVERSATION = (
    exchange(
        "When did Mir fly?",
        (AnswerSentence("Mir flew from 1986!", "quoted", (1,)), AnswerSentence("It fell later.", "supported", (2, 1))),
        (MIR, FELL),
    ),
    exchange(
        "And Salyut?\n",
        (
            AnswerSentence("It flew.", "weak", (1,), as_of="1971"),
            AnswerSentence("It fell in 2001.", "quoted", (2, 2), as_of="2021", cut=(True, True)),
        ),
        (SALYUT, FELL),
        unanswered=("who paid?",),
        searched="When did Salyut fly?",
        only="only articles of 2021",
        asked="2026-11-06T01:30:00+02:00",
    ),
    exchange("Why?", asked="yesterday"),
)

MARKDOWN = """\
# Stations in orbit

## When did Mir fly?

*Asked on 5 November 2026 at 10:00 UTC*

Mir flew from 1986\\![^1] It fell later.[^2][^1] *(Worded anew, and carried by its source)*

## And Salyut?

*Asked on 5 November 2026 at 23:30 UTC*

Searched only articles of 2021

Searched for: When did Salyut fly?

As of 1971: It flew.[^3] *(Only weakly carried by its source: read the quote)* As of 2021: … It fell in 2001. …[^2]

*The articles do not say: “who paid?”*

## Why?

*The articles do not say.*

[^1]: The fall of Mir — CGTN, 18 June 2021, <https://example.org/mir?a=1&b=2>, sub/mir\\_station.md:10-32

    > Mir flew from
    >
    > 1986\\.

[^2]: The fall of Mir — CGTN, 18 June 2021, <https://example.org/mir?a=1&b=2>, sub/mir\\_station.md:40-60

    > It fell in 2001.

[^3]: Salyut 1 — spring 1971, salyut.txt:0-9

    > It flew.
"""

BODY = """\
<body>
<h1 dir="auto">Stations in orbit</h1>
<section>
<h2 dir="auto">When did Mir fly?</h2>
<p class="about">Asked on 5 November 2026 at 10:00 UTC</p>
<p dir="auto"><span>Mir flew from 1986!</span><sup dir="ltr"><a id="mark-1-1" href="#note-1" role="doc-noteref">[1]</a></sup> <bdi>It fell later.</bdi><sup dir="ltr"><a id="mark-2-1" href="#note-2" role="doc-noteref">[2]</a><a id="mark-1-2" href="#note-1" role="doc-noteref">[1]</a></sup> <bdi class="verdict">(Worded anew, and carried by its source)</bdi></p>
</section>
<section>
<h2 dir="auto">And Salyut?</h2>
<p class="about">Asked on 5 November 2026 at 23:30 UTC</p>
<p class="about">Searched <bdi>only articles of 2021</bdi></p>
<p class="about">Searched for: <bdi>When did Salyut fly?</bdi></p>
<p dir="auto"><bdi>As of 1971:</bdi> <span>It flew.</span><sup dir="ltr"><a id="mark-3-1" href="#note-3" role="doc-noteref">[3]</a></sup> <bdi class="verdict">(Only weakly carried by its source: read the quote)</bdi> <bdi>As of 2021:</bdi> <bdi>… It fell in 2001. …</bdi><sup dir="ltr"><a id="mark-2-2" href="#note-2" role="doc-noteref">[2]</a></sup></p>
<p class="remark">The articles do not say: “who paid?”</p>
</section>
<section>
<h2 dir="auto">Why?</h2>
<p class="remark">The articles do not say.</p>
</section>
<section role="doc-endnotes">
<h2>Sources</h2>
<ol>
<li id="note-1">
<cite dir="auto">The fall of Mir</cite> — <bdi>CGTN</bdi>, <bdi>18 June 2021</bdi>, <a href="https://example.org/mir?a=1&amp;b=2" rel="noopener noreferrer" dir="ltr">https://example.org/mir?a=1&amp;b=2</a>, <span dir="ltr">sub/mir_station.md:10-32</span> <a class="back" href="#mark-1-1" role="doc-backlink" aria-label="Back to mention 1">↩\ufe0e</a> <a class="back" href="#mark-1-2" role="doc-backlink" aria-label="Back to mention 2">↩\ufe0e</a>
<blockquote dir="auto">Mir flew from<br><br>1986.</blockquote>
</li>
<li id="note-2">
<cite dir="auto">The fall of Mir</cite> — <bdi>CGTN</bdi>, <bdi>18 June 2021</bdi>, <a href="https://example.org/mir?a=1&amp;b=2" rel="noopener noreferrer" dir="ltr">https://example.org/mir?a=1&amp;b=2</a>, <span dir="ltr">sub/mir_station.md:40-60</span> <a class="back" href="#mark-2-1" role="doc-backlink" aria-label="Back to mention 1">↩\ufe0e</a> <a class="back" href="#mark-2-2" role="doc-backlink" aria-label="Back to mention 2">↩\ufe0e</a>
<blockquote dir="auto">It fell in 2001.</blockquote>
</li>
<li id="note-3">
<cite dir="auto">Salyut 1</cite> — <bdi>spring 1971</bdi>, <span dir="ltr">salyut.txt:0-9</span> <a class="back" href="#mark-3-1" role="doc-backlink" aria-label="Back to mention 1">↩\ufe0e</a>
<blockquote dir="auto">It flew.</blockquote>
</li>
</ol>
</section>
</body>
</html>
"""

BIBTEX = """\
@misc{mir-1a2b3c4d,
  title = {{The fall of Mir}},
  publisher = {{CGTN}},
  howpublished = {{CGTN}},
  date = {2021-06-18},
  year = {2021},
  url = {https://example.org/mir?a=1&b=2},
  urldate = {2026-11-05},
}

@misc{salyut-5e6f7a8b,
  title = {{Salyut 1}},
  note = {Dated spring 1971},
  urldate = {2026-11-05},
}
"""

RIS = """\
TY  - ELEC
ID  - mir-1a2b3c4d
TI  - The fall of Mir
PB  - CGTN
PY  - 2021
DA  - 2021/06/18/
UR  - https://example.org/mir?a=1&b=2
Y2  - 2026/11/05/
ER  -\x20

TY  - GEN
ID  - salyut-5e6f7a8b
TI  - Salyut 1
N1  - Dated spring 1971
Y2  - 2026/11/05/
ER  -\x20
"""


def hostile_citation(text: str, number: int = 1, document: str = "x-1") -> Citation:
    return Citation(number, document, text, text, text, text, text, 1, 2, text)


def hostile_exchange(text: str) -> Exchange:
    sentences = (AnswerSentence(text, "weak", (1,), as_of=text), AnswerSentence(text, "quoted", (1,)))
    return exchange(text, sentences, (hostile_citation(text),), unanswered=(text,), searched=f"x {text}", only=text)


class Page(HTMLParser):
    """Start tags with their attributes, and the text within each tag that was open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1][0] if self.tags else "", data))

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attrs in self.tags for key, value in attrs if key == name]


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def words(inline: Token) -> str:
    return "".join("\n" if token.type == "softbreak" else token.content for token in inline.children or [])


def paragraphs(text: str) -> list[str]:
    """What a reader sees of each heading and paragraph."""
    return [words(token) for token in parsed(text) if token.type == "inline"]


def footnotes(text: str) -> tuple[str, list[str]]:
    """The document before its footnotes, and the Markdown within each of them."""
    before, *notes = re.split(r"^\[\^\d+\]: ", text, flags=re.MULTILINE)
    return before, [re.sub(r"^ {4}", "", note, flags=re.MULTILINE) for note in notes]


def folded(text: str) -> str:
    """One line, as every format shows a title."""
    unseen = "".join(chr(code) for code in (*range(33), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xD800, 0xE000)))
    turning = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return re.sub(f"[{unseen}]+", " ", re.sub(f"[{turning}]", "", text)).strip()


def visible(text: str) -> str:
    """A quote, as every format shows it."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


foreign = st.text(st.one_of(st.sampled_from("\\`*_[](){}<>&!#-+.1a:/|~^$@\"'=% \r\n\t"), st.characters()), max_size=40)


def test_markdown_of_a_small_conversation() -> None:
    assert markdown(CONVERSATION, "Stations in orbit") == MARKDOWN


def test_html_of_a_small_conversation() -> None:
    text = html(CONVERSATION, "Stations in orbit")
    assert text.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    assert "<title>Stations in orbit</title>" in text
    assert text[text.index("<body>") :] == BODY


def test_bibtex_and_ris_of_a_small_conversation() -> None:
    assert FORMATS["bib"].write(CONVERSATION, "x") == BIBTEX
    assert FORMATS["ris"].write(CONVERSATION, "x") == RIS.replace("\n", "\r\n")


def test_articles_are_consulted_when_they_last_answer() -> None:
    one, other = (
        exchange("?", (AnswerSentence("x", "quoted", (2,)),), (MIR, FELL), asked=f"2026-11-0{day}T00:00:00+00:00")
        for day in (1, 2)
    )
    assert "urldate = {2026-11-02}" in FORMATS["bib"].write([one, other], "")
    undated = dataclasses.replace(one, asked="?")
    assert "urldate" not in FORMATS["bib"].write([undated], "")
    assert "urldate" not in bibtex([MIR], {MIR.document: "today}"})
    assert "Y2" not in ris([MIR])


def test_nothing_asked() -> None:
    assert markdown([], " ") == "# Conversation\n\nNothing has been asked.\n"
    text = html([], "")
    assert '<h1 dir="auto">Conversation</h1>\n<p>Nothing has been asked.</p>\n</body>' in text
    assert "Sources" not in text
    assert FORMATS["bib"].write([], "x") == FORMATS["ris"].write([], "x") == bibtex([]) == ris([]) == ""


@pytest.mark.parametrize(
    ("stopped", "problem", "remark"),
    [
        (True, "", "Stopped before the answer was complete."),
        (False, "No model in /home/me/models.", "An error kept this question from being answered."),
        (False, "", "The answer was not complete yet."),
    ],
)
def test_what_had_come_before_the_end_is_kept(stopped: bool, problem: str, remark: str) -> None:
    unfinished = Exchange(1, "When?", "write", citations=(MIR,), stopped=stopped, problem=problem)
    unfinished.sentences.append(AnswerSentence("In 1986.", "quoted", (1, 7)))
    text = markdown([unfinished], "x")
    assert f"In 1986.[^1]\n\n*{remark}*\n\n[^1]: The fall of Mir" in text
    assert f'</sup></p>\n<p class="remark">{remark}</p>' in html([unfinished], "x")
    assert "/home/me" not in text + html([unfinished], "x")


def test_an_edited_article_keeps_both_its_quotes() -> None:
    edited = dataclasses.replace(MIR, quote="Mir flew from 1987.")
    turns = [exchange("?", (AnswerSentence("x", "quoted", (1,)),), (citation,)) for citation in (MIR, edited, MIR)]
    text = markdown(turns, "x")
    assert re.findall(r"^x(\[.*)$", text, re.MULTILINE) == ["[^1]", "[^2]", "[^1]"]
    assert "> Mir flew from 1987." in text


def test_sources_that_no_sentence_cites_are_left_out() -> None:
    turn = exchange("?", (AnswerSentence("x", "quoted", (1,)),), (SALYUT, FELL))
    for kind in FORMATS.values():
        text = kind.write([turn], "x")
        assert "Salyut 1" in text
        assert "Mir" not in text


def test_hostile_text_is_text_in_markdown() -> None:
    text = markdown([hostile_exchange(HOSTILE)], HOSTILE)
    before, notes = footnotes(text)
    assert len(notes) == 1
    # Our own markers are the only ones that are not escaped.
    assert re.findall(r"(?<!\\)\[[^\]]*\]", before) == ["[^1]", "[^1]"]
    shown = paragraphs(before)
    assert shown[:2] == [HOSTILE, HOSTILE]
    assert shown[3:5] == [f"Searched {HOSTILE}", f"Searched for: x {HOSTILE}"]
    assert shown[5].count(HOSTILE) == 3
    assert shown[6] == f"The articles do not say: “{HOSTILE}”"
    assert paragraphs(notes[0]) == [f"{HOSTILE} — {HOSTILE}, {HOSTILE}, {HOSTILE}:1-2", HOSTILE]
    for part in (before, *notes):
        known = {"heading", "paragraph", "blockquote", "em", "inline", "text", "text_special"}
        kinds = {re.sub(r"_(open|close)$", "", token.type) for token in flat(parsed(part))}
        assert kinds <= known
    # Nor does a bare address become a link where GitHub's rules hold.
    assert not re.search(r"(?<!\\)://|www\.", text)
    # What only other dialects take for markup: superscripts, formulas, tables, references, attributes.
    assert not re.search(r"(?<![\\[])[\^~$|@{}]", text)


@given(foreign, foreign, foreign)
@example("# a #", "1. a\n\n    b\n---\n- c", "Wow!")
@example("[^1]: a", "[^1]: b\n\n[^2]: c\n```\nd", "a) b")
@example("===", "a\n===\n\n|-|\n> b\\\nc  \nd", "\x00\x1b[1m\u202e")
def test_any_text_survives_as_text_in_markdown(title: str, quote: str, question: str) -> None:
    citation = dataclasses.replace(SALYUT, title=title, quote=quote)
    turn = exchange(question, (AnswerSentence(question, "quoted", (1,)),), (citation,))
    before, notes = footnotes(markdown([turn], title))
    heading, second, _, *answer = paragraphs(before)
    assert [heading, second] == [folded(title) or "Conversation", folded(question)]
    assert answer == [f"{folded(question)}[^1]"]
    (note,) = notes
    about, *shown = paragraphs(note)
    # Space at the ends of a title is none of its text.
    assert about == f"{folded(title)} — spring 1971, salyut.txt:0-9".strip()
    kept = visible(quote).strip()
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", kept)]
    assert "\n\n".join(shown) == re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    for part in (before, note):
        assert not [
            t.type for t in flat(parsed(part)) if re.match("html|link|image|code|fence|hr|.*list|table", t.type)
        ]


def test_html_carries_nothing_but_its_own_tags() -> None:
    hostile, tame = (Page(html([hostile_exchange(text)], text)) for text in (HOSTILE, "tame"))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert hostile.tags[1:] == tame.tags[1:]
    assert not {tag for tag, _ in hostile.tags} & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert [data for tag, data in hostile.texts if tag in ("h1", "h2", "cite", "blockquote", "title")][:4] == [
        HOSTILE,
        "\n",
        HOSTILE,
        "\n",
    ]
    assert not [name for _, attrs in hostile.tags for name, _ in attrs if name.startswith("on") or name == "style"]


@given(foreign, foreign)
@example("</title><script>", "</blockquote>\n\n<b>")
@example("\ud800", "\ud800\x00")
def test_any_text_survives_as_text_in_html(title: str, quote: str) -> None:
    citation = dataclasses.replace(SALYUT, title=title, quote=quote)
    page = Page(html([exchange(title, (AnswerSentence(title, "quoted", (1,)),), (citation,))], title))
    shown = {tag: "".join(data for within, data in page.texts if within == tag) for tag in ("title", "h1", "span")}
    assert shown["title"].strip() == (folded(title) or "Conversation")
    assert shown["h1"].strip() == (folded(title) or "Conversation")
    assert shown["span"].startswith(folded(title))
    quoted = "".join(data for within, data in page.texts if within in ("blockquote", "br"))
    assert re.sub(r"\s", "", quoted) == re.sub(r"\s", "", visible(quote))
    benign = Page(html([exchange("x", (AnswerSentence("x", "quoted", (1,)),), (SALYUT,))], "x"))
    assert [tag for tag in page.tags if tag[0] != "br"] == benign.tags


def test_html_needs_nothing_and_allows_nothing() -> None:
    page = Page(html(CONVERSATION, "x"))
    (style,) = [data for tag, data in page.texts if tag == "style" and data.strip()]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        "meta",
        (
            ("http-equiv", "Content-Security-Policy"),
            (
                "content",
                f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            ),
        ),
    ) in page.tags
    assert "@media print" in style
    assert "url(" not in style
    assert "@import" not in style
    assert not page.attributes("src")


def test_notes_are_linked_both_ways() -> None:
    page = Page(html(CONVERSATION, "x"))
    ids = page.attributes("id")
    links = [link.removeprefix("#") for link in page.attributes("href") if link.startswith("#")]
    assert len(ids) == len(set(ids))
    assert set(links) == set(ids)
    assert len([link for link in links if link.startswith("mark-")]) == len([i for i in ids if i.startswith("mark-")])


def test_right_to_left_text_has_its_direction() -> None:
    arabic = "انطلقت المحطة عام 1986."
    citation = dataclasses.replace(MIR, title="محطة", quote=arabic)
    turn = exchange(
        "متى؟", (AnswerSentence(arabic, "quoted", (1,)), AnswerSentence("In 1986.", "quoted", (1,))), (citation,)
    )
    text = html([turn], "محطة")
    # The first sentence is no <bdi>, or dir="auto" would not see it.
    assert f'<p dir="auto"><span>{arabic}</span><sup dir="ltr">' in text
    assert "<bdi>In 1986.</bdi>" in text
    for shown in (
        '<h1 dir="auto">محطة',
        '<h2 dir="auto">متى؟',
        '<cite dir="auto">محطة',
        f'<blockquote dir="auto">{arabic}',
    ):
        assert shown in text
    assert f"    > {arabic}\n" in markdown([turn], "x")
    assert "title = {{محطة}}" in bibtex([citation])
    assert file_name("محطة", "md") == "conversation.md"


def test_text_that_cannot_be_saved_or_turns_its_line_is_mended() -> None:
    broken = "a\ud800b\x00c\u202ed\u2028e"
    citation = dataclasses.replace(MIR, title=broken, publisher=broken, quote=broken)
    turn = exchange(broken, (AnswerSentence(broken, "quoted", (1,), as_of=broken),), (citation,))
    for kind in FORMATS.values():
        text = kind.write([turn], broken)
        text.encode("utf-8")
        assert "a b cd e" in text
        assert "\x00" not in text
    assert "> a\ufffdb\ufffdc\u202ed\u2028e" in markdown([turn], broken)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://user:word@example.org/",
        "https://example.org/> ![x](y)",
        "https://example.org/\u202ea",
        "https://example.org/\x01a",
        "//example.org",
        "",
    ],
)
def test_only_plain_web_addresses_are_given(url: str) -> None:
    turn = exchange("?", (AnswerSentence("x", "quoted", (1,)),), (dataclasses.replace(MIR, url=url),))
    assert "18 June 2021, sub/mir" in markdown([turn], "x")
    assert [link for link in Page(html([turn], "x")).attributes("href") if not link.startswith("#")] == []
    assert "url = " not in FORMATS["bib"].write([turn], "x")
    assert FORMATS["ris"].write([turn], "x").startswith("TY  - GEN\r\n")
    assert "UR" not in FORMATS["ris"].write([turn], "x")


def test_bibtex_takes_no_command_and_no_brace_from_an_article() -> None:
    citation = dataclasses.replace(MIR, title=r"50% \input{x} & #1_a ~ ^ $", url="https://example.org/{a}^_b%20")
    entry = bibtex([citation])
    special = r"50\% \textbackslash{}input\textbraceleft{}x\textbraceright{} \& \#1\_a \textasciitilde{} "
    assert special + r"\textasciicircum{} \$}}," in entry
    assert "url = {https://example.org/%7Ba%7D%5E_b%20}," in entry


@pytest.mark.parametrize(
    ("published", "fields", "tags"),
    [
        ("2021", "  date = {2021},\n  year = {2021},\n", "PY  - 2021\r\nDA  - 2021///\r\n"),
        ("2021-06", "  date = {2021-06},\n  year = {2021},\n", "PY  - 2021\r\nDA  - 2021/06//\r\n"),
        ("June 50%", "  note = {Dated June 50\\%},\n", "N1  - Dated June 50%\r\n"),
        (None, "", ""),
    ],
)
def test_dates_of_every_length(published: str | None, fields: str, tags: str) -> None:
    citation = dataclasses.replace(SALYUT, published=published)
    assert bibtex([citation]) == f"@misc{{salyut-5e6f7a8b,\n  title = {{{{Salyut 1}}}},\n{fields}}}\n"
    assert ris([citation]) == f"TY  - GEN\r\nID  - salyut-5e6f7a8b\r\nTI  - Salyut 1\r\n{tags}ER  - \r\n"


@given(st.lists(st.tuples(foreign, foreign), max_size=6))
@example(
    [("a b", "x"), ("a-b", "x"), ("a_b", "x"), ("A-b", "x"), ("a-b", "y"), ("", "x"), ("ä", "\nER  - \n@misc{x,\n}")]
)
def test_one_entry_for_each_article(found: list[tuple[str, str]]) -> None:
    citations = [hostile_citation(text, number, document) for number, (document, text) in enumerate(found, 1)]
    articles = len({document for document, _ in found})
    bib = bibtex(citations).splitlines()
    keys = [line for line in bib if line.startswith("@")]
    assert len(set(keys)) == len(keys) == bib.count("}") == articles
    assert all(re.fullmatch(r"@misc\{[a-z0-9-]+,", key) for key in keys)
    assert all(re.fullmatch(r"@misc.*|  [a-z]+ = \{.*\},|\}|", line) for line in bib)
    assert all(line.count("{") == line.count("}") for line in bib if line.startswith(" "))
    lines = ris(citations).split("\r\n")
    assert len([line for line in lines if line.startswith("TY  - ")]) == lines.count("ER  - ") == articles
    assert all(re.fullmatch(r"([A-Z][A-Z0-9]  - [^\x00-\x1f\x7f-\x9f]*)?", line) for line in lines)


def test_keys_do_not_depend_on_what_else_is_cited() -> None:
    odd = dataclasses.replace(MIR, document="Ünïcode ID")
    (key,) = re.findall(r"@misc\{(.*),", bibtex([odd]))
    assert re.findall(r"@misc\{(.*),", bibtex([SALYUT, odd, MIR])) == ["salyut-5e6f7a8b", key, "mir-1a2b3c4d"]
    assert f"ID  - {key}\r\n" in ris([odd])


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("When did Mir fly?", "when-did-mir-fly.md"),
        ("Élan — ﬁve Ünits/2\\..", "elan-five-units-2.md"),
        ("../../etc/passwd", "etc-passwd.md"),
        ("", "conversation.md"),
        ("Когда?", "conversation.md"),
        ("CON", "conversation-con.md"),
        ("lpt1", "conversation-lpt1.md"),
        ("console", "console.md"),
        ("a" * 56 + " b", "a" * 56 + ".md"),
        ("a\x00\nb", "a-b.md"),
    ],
)
def test_file_names(title: str, name: str) -> None:
    assert file_name(title, "md") == name


@given(st.text(), st.sampled_from(sorted(FORMATS)))
def test_any_file_name_is_safe(title: str, format: str) -> None:
    name = file_name(title, format)
    assert re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.{format}", name)
    assert len(name) <= NAME_LIMIT == 60


def test_formats_are_known_by_their_endings() -> None:
    assert {name: kind.media_type for name, kind in FORMATS.items()} == {
        "md": "text/markdown",
        "html": "text/html",
        "bib": "application/x-bibtex",
        "ris": "application/x-research-info-systems",
    }
    label, _, write = FORMATS["md"]
    assert label == "Markdown"
    assert write(CONVERSATION, "Stations in orbit") == MARKDOWN
    with pytest.raises(ValueError, match="no format"):
        file_name("x", "exe")
