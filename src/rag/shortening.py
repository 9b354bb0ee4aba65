"""Is a sentence its source with whole pieces left out? Decided by words and punctuation, so that anyone can follow it.

Every word is the source's, in its form and in its order (articles may come and go, and a name may stand in place of an
opening pronoun). What is left out is a piece that the source itself sets apart: an opening date, an
aside between commas or brackets, a clause behind a comma or semicolon. Between two words that are kept, and at both
ends, nothing else may be missing: "Opponents of the dam blocked the road" must not become "The dam blocked the road".
What limits a claim (a "may", a "said", a negation) is never left out, but for relative clauses and the other of two
main clauses, which limit nothing outside themselves.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.sentences import split_sentences
from rag.wording import MONTHS, stem, tokens

_NEGATIONS = frozenset("no not never none nothing nobody neither nor without cannot".split())
_CONTRACTED = ("n't", "n’t")
# Stems of words that limit, attribute or date a claim; leaving one out can turn it into another claim.
_LIMITS = frozenset(
    stem(word)
    for word in """may might could would should will plan plans planned proposed proposal consider considering expect
    expected intend intends hope hopes suggest suggested possible possibly probably likely unlikely want wants aim aims
    threaten threatened claim claimed alleged allegedly reportedly according said says told believe believed warned
    offered asked requested if unless until before after almost nearly about roughly around approximately least most
    only except former formerly once initially originally tried attempt attempted failed refused denied cancelled
    canceled postponed delayed scheduled target argued argues insisted insists noted notes stressed contends asserted
    maintains accused predicted predicts estimated fears feared thinks thought hinted assume assuming pledged promised
    vowed urged demanded agreed due provided pending view opinion wrote writes testified suspected suspects doubt doubts
    rumoured presumably apparently supposedly wrongly falsely myth legend appears seems reports reported announced added
    explained recalled""".split()
)
_ARTICLES = frozenset(("a", "an", "the"))
_WORD = re.compile(r"[$€£¥]?[-−]?\d+(?:[.,]\d+)*(?:\s?%|s\b)?|[^\W_]+(?:[-'’.][^\W_]+)*|[^\w\s]")
_TOKEN = re.compile(r"[^\W_]+")
# ", Y and Z", ", Y, and Z" or " and a z"; not ", and …" or " and Z …", with which a clause mostly begins.
_ITEM = (
    r"(?!(?:and|or|as|which|who|where|when|while|after|before|but|if|with|because|so)\b)[^\s,.;:]+(?: [^\s,.;:]+){0,5}?"
)
_LIST_GOES_ON = re.compile(
    rf"(?:, {_ITEM})+,? (?:and|or) {_ITEM}(?=[,.;:]|$)| (?:and|or) (?:[a-z]\S*? ){{0,2}}[a-z]\S*?(?=[,.;:]|$)"
)
_NEXT_ITEM = re.compile(r", (?:[A-Z]\S*(?: [A-Z]\S*)*?|\S+?),? (?:and|or) ")
_QUOTES = re.compile('["“”„«»]')
_SETS_APART = re.compile(r"[,;:()\[\]—–]")
_PRONOUN = re.compile(r"\W*(?:he|she|it|they|his|her|its|their|this|these|that|those)\b", re.IGNORECASE)
_POSSESSIVE = frozenset("his her its their".split())
_RELATIVES = frozenset("which who whom whose where".split())
_CONNECTIVES = frozenset(
    """however moreover meanwhile furthermore additionally also finally nevertheless nonetheless therefore thus then later
    indeed instead similarly likewise today so""".split()
)
_CONNECTING = re.compile(
    r"(?:For (?:example|instance)|As a (?:result|response|consequence)|In (?:addition|fact|turn))$"
)
_MONTH = "|".join(month.capitalize() for month in sorted(MONTHS))
_DATE = (
    rf"(?:the )?(?:(?:early|late|mid|summer|spring|autumn|winter|of) )*(?:\d{{1,2}} )?(?:(?:{_MONTH}) ?)?(?:\d{{4}}s?)?"
)
_WHEN = re.compile(rf"(?:In|On|At|By|During|Since) {_DATE}$")
_SCENE = re.compile(
    r"(?:In|On|At|During|From) (?:(?:the|early|late|mid|summer|spring|autumn|winter|of|its|same|year) )*(?:\d|[A-Z])"
)
# Participles that tell what once happened to a thing; others set a condition: "used in large doses, the drug kills".
_DONE = (
    "built|born|founded|launched|opened|elected|appointed|named|called|designed|written|published|owned|led|established"
)
_PARTICIPLE = re.compile(rf"(?:{_DONE}) \w", re.IGNORECASE)
_APPOSITION = re.compile(
    rf"(?:an?|the|his|her|its|their|{_DONE}|\w+ing)\b"
    r"|(?!(?:in|on|to|at|for|by|of|with)\b)[a-z]+(?: [a-z]+){0,3} (?:of|at|for)\b"
)
"""How an aside opens that says more of what stands before it: "a pilot", "built in 1986", "head of the agency"."""
_MEASURE = re.compile(rf"\b(?!\d{4}\b)\d[\d,.]*(?! (?:{_MONTH}))\b")
_GOES_ON = frozenset(
    """and but while whereas although though with when where because so in on at under from to by for mostly mainly as
    including""".split()
)
"""What may open a short piece at the end; another short piece there may be an item of a list or who said it."""
_SHORT = 5
_LONGEST_ASIDE = 40
_MOST_WORDS = 120
_MOST_TRIED = 60
_MOST = 12
"""Shortenings to choose from. Sentences with more are rare, and a writer must look at all at each word."""
_CHOICE = re.compile(r"\b(?:between|both|either|neither|from)\b", re.IGNORECASE)
_CONDITION = re.compile(r"\W*(?:if|unless|when|should|had|were)\b", re.IGNORECASE)
_SUBORDINATE = frozenset(
    "if unless when while whereas although though because since after before until once as".split()
)
_VERB = re.compile(
    r"(?:[a-z]+ed|was|were|is|are|has|had|did|became|began|broke|brought|built|came|cut|drew|fell|flew|found|gave|got|held"
    r"|kept|led|left|lost|made|met|paid|put|ran|rose|said|sank|sat|saw|sent|set|sold|spent|stood|told|took|went|won|wrote)$"
)
_OPENS_PHRASE = _SUBORDINATE | frozenset(
    "in on at by from to with as under for during according despite among of over without within through".split()
)
_MAIN = frozenset("and but while whereas although though".split())
_AUXILIARIES = frozenset("is are was were be been has have had do does did will would can could may might".split())
_PLACES = frozenset("near from at in off over into aboard by".split())


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, in lower case and as written, with the marks and the article that stand before it."""

    form: str
    written: str
    marks: str
    article: str
    start: int
    """Where it stands in the text, its article included."""
    end: int

    @property
    def apart(self) -> bool:
        return bool(_SETS_APART.search(self.marks))


def is_shortening(sentence: str, source: str, known: str) -> bool:
    """Whether the sentence is the source with nothing but whole pieces left out, and no list broken off.

    Args:
        sentence: as written, without markers.
        source: one sentence, or several, of which each may stand alone that does not open with a pronoun.
        known: the question and the title, whose words may stand in place of the source's opening pronoun.
    """
    if _cuts_a_list(sentence, source):
        return False
    alone = [source[part.start : part.end] for part in split_sentences(source)]
    parts = [source, *(part for part in alone[1:] if not _PRONOUN.match(part)), *alone[:1]]
    return any(_is_cut(sentence, part, known) for part in (parts if len(alone) > 1 else [source]))


def _is_cut(sentence: str, source: str, known: str) -> bool:
    if not _QUOTES.search(sentence):
        source = _QUOTES.sub("", source)
    said, words = _words(sentence), _words(source)
    if not said or not words:
        return False
    said = _with_pronoun(said, words, source, known)
    kept = _places(said, words)
    if not kept or not _marks_are_kept(said, words, kept):
        return False
    first, last = kept[0], kept[-1]
    if first and words[last].written in _AUXILIARIES:  # "…, but two were" leans on what is left out
        return False
    middles = [(a + 1, b) for a, b in itertools.pairwise(kept) if b > a + 1]
    return (
        (first == 0 or _may_lead(words, first, source))
        and all(_may_stand_between(words, a, b, source) for a, b in middles)
        and (last + 1 == len(words) or _may_follow(words, last + 1, source))
    )


def shortenings(source: str, holding: str = "") -> list[str]:
    """The source and what it may be shortened to, the longest first; at most ``_MOST``.

    Args:
        source: one sentence, or several.
        holding: words that each must keep.
    """
    words = _words(source)
    if not 0 < len(words) <= _MOST_WORDS:
        return [source]
    begins = [0, *(at for at in range(1, len(words)) if _may_lead(words, at, source))]
    ends = [len(words), *(at for at in range(1, len(words)) if _may_follow(words, at, source))]
    asides = [
        (a, b)
        for a in range(1, len(words))
        if words[a].apart
        for b in range(a + 1, min(len(words), a + _LONGEST_ASIDE))
        if _may_stand_between(words, a, b, source)
    ]
    found = {source.rstrip(".!?…"): None}
    for first, last, left_out in itertools.islice(_cuts(begins, ends, asides), _MOST_TRIED):
        text = _cut_out(source, words, first, last, left_out)
        whole_quotes = text.count('"') % 2 == 0 and text.count("“") == text.count("”")
        if holding in text and whole_quotes and is_shortening(text, source, ""):
            found[text] = None
    return sorted(found, key=len, reverse=True)[:_MOST]


def _cuts(
    begins: Sequence[int], ends: Sequence[int], asides: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, Sequence[tuple[int, int]]]]:
    """Where a shortening may begin and end, and which asides it leaves out: none, one, or all."""
    for first, last in itertools.product(begins, ends):
        inside = [(a, b) for a, b in asides if first < a and b < last]
        yield first, last, ()
        yield from ((first, last, (aside,)) for aside in inside)
        if len(inside) > 1:
            yield first, last, inside


def _cut_out(source: str, words: Sequence[_Word], first: int, last: int, left_out: Sequence[tuple[int, int]]) -> str:
    pieces, at = [], first
    for a, b in left_out:
        pieces.append(source[words[at].start : words[a - 1].end])
        at = b
    pieces.append(source[words[at].start : words[last - 1].end])
    text = " ".join(pieces)
    return text[:1].upper() + text[1:]


def limits(text: str) -> bool:
    """Whether something in the text limits, attributes or denies a claim."""
    # The month is no limit.
    return negated(text) or any(stem(word.lower()) in _LIMITS for word in tokens(text) if word != "May")


def negated(text: str) -> bool:
    """Whether something in the text is denied."""
    words = {token.lower() for token in tokens(text)}
    return bool(words & _NEGATIONS) or any(mark in text.lower() for mark in _CONTRACTED)


def _words(text: str) -> list[_Word]:
    found: list[_Word] = []
    marks = article = ""
    start: int | None = None
    for match in _WORD.finditer(text):
        mark = match.group()
        if not any(char.isalnum() for char in mark):
            marks += mark
            continue
        start = match.start() if start is None else start
        if mark.lower() in _ARTICLES:
            article = mark
        else:
            found.append(_Word(mark.lower(), mark, marks, article, start, match.end()))
            marks, article, start = "", "", None
    return found


def _with_pronoun(said: list[_Word], words: list[_Word], source: str, known: str) -> list[_Word]:
    """The sentence with the source's opening pronoun back in the place of the name that stands for it."""
    pronoun = words[0]
    if not _PRONOUN.match(source) or said[0].form == pronoun.form or len(words) < 2:
        return said
    allowed = {_bare(word) for word in _words(known)} | {"of"}
    for length in range(1, len(said)):
        name = said[:length]
        if said[length].form == words[1].form and all(_bare(word) in allowed for word in name):
            belongs = name[-1].form != _bare(name[-1])
            if belongs == (pronoun.form in _POSSESSIVE):
                return [pronoun, *said[length:]]
    return said


def _bare(word: _Word) -> str:
    """Without the ending of a possessor."""
    return re.sub(r"(?<=s)['’]$|['’]s$", "", word.form)


def _places(said: Sequence[_Word], words: Sequence[_Word]) -> list[int]:
    """Where in the source each word of the sentence stands, in order, with the fewest gaps; empty if one is missing."""
    infinite = float("inf")
    # costs[j]: fewest gaps so far if the word looked at stands at j.
    costs = [0.0 if word.form == said[0].form else infinite for word in words]
    steps: list[list[int]] = []
    for word in said[1:]:
        best, best_at = infinite, -1
        new, came = [infinite] * len(words), [-1] * len(words)
        for j in range(1, len(words)):
            if costs[j - 1] < infinite and word.form == words[j].form:
                new[j], came[j] = costs[j - 1], j - 1
            if word.form == words[j].form and best + 1 < new[j]:
                new[j], came[j] = best + 1, best_at
            # A gap that begins and ends where the source sets something apart is better than another.
            cost = costs[j - 1] + (0 if words[j].apart else 0.5)
            if cost < best:
                best, best_at = cost, j - 1
        costs = new
        steps.append(came)
    ends = [j for j, cost in enumerate(costs) if cost < infinite]
    if not ends:
        return []
    at = min(ends, key=lambda j: (costs[j], j + 1 < len(words) and not words[j + 1].apart))
    places = [at]
    for came in reversed(steps):
        at = came[at]
        places.append(at)
    return places[::-1]


def _marks_are_kept(said: Sequence[_Word], words: Sequence[_Word], kept: Sequence[int]) -> bool:
    """Whether the same marks stand between words that follow each other in both, and no word stands in capitals anew."""
    loud = any(word.written[1:] != words[at].written[1:] for word, at in zip(said, kept, strict=True))
    return (
        not loud
        and all(said[i + 1].marks == words[b].marks for i, (a, b) in enumerate(itertools.pairwise(kept)) if b == a + 1)
        and set(said[0].marks) <= set(words[kept[0]].marks)
    )


def _text(words: Sequence[_Word]) -> str:
    return " ".join(f"{word.article} {word.written}".strip() for word in words)


def _cuts_a_list(sentence: str, source: str) -> bool:
    """Whether the sentence ends in the middle of an enumeration, which is answered whole or not at all."""
    last = stem((tokens(sentence) or [""])[-1].lower())
    places = [match.end() for match in _TOKEN.finditer(source) if stem(match.group().lower()) == last]
    return bool(places) and _LIST_GOES_ON.match(source, places[-1]) is not None


def _may_lead(words: Sequence[_Word], first: int, source: str) -> bool:
    """Whether the sentence may begin here: with the other of two main clauses, or behind an opening date, participle or connective."""
    opening, begins = words[:first], words[first]
    if ";" in begins.marks or (opening[-1].form == "but" and opening[-1].apart):
        return not _CONDITION.match(source)
    text = _text(opening)
    if limits(text) or any(word.apart for word in opening[1:]):
        return False
    if _WHEN.match(text) and not begins.apart:
        return bool(begins.article) or begins.written[0].isupper()
    connects = _CONNECTING.match(text) or all(word.form in _CONNECTIVES for word in opening)
    if connects:
        return True
    # A place may limit what is said ("In Norway, it is legal"); a date pins it down.
    dated = _SCENE.match(text) is not None and any(char.isdigit() for char in text)
    return begins.marks == "," and (dated or _PARTICIPLE.match(text) is not None)


def _may_stand_between(words: Sequence[_Word], start: int, end: int, source: str) -> bool:
    """Whether an aside may be left out: a relative clause, or one that limits nothing and is no item of a list."""
    aside, goes_on = words[start:end], words[end]
    if not _closes(aside[0].marks, goes_on.marks) or _NEXT_ITEM.match(source, aside[-1].end):
        return False
    if not any(word.apart for word in words[1:start]) and (
        words[0].form in _OPENS_PHRASE or _PARTICIPLE.match(_text(words[:start])) or words[0].form in _CONNECTIVES
    ):
        return False  # behind an opening phrase comes the subject
    if any(word.apart for word in aside[1:]):  # an aside in an aside, or a stretch of a list
        return False
    if aside[0].form in _RELATIVES:
        return True
    text = _text(aside)
    if all(word.form in _CONNECTIVES for word in aside) or text == "for example":
        return True
    if limits(text):
        return False
    if "(" in aside[0].marks and ")" in goes_on.marks:
        return True
    if _MEASURE.search(text) and not aside[0].article:  # "gold, heated to 1,064 degrees, melts"
        return False
    return bool(_APPOSITION.match(text)) and goes_on.form not in ("and", "or", "nor")


def _closes(opening: str, closing: str) -> bool:
    """Whether marks end what marks began: comma and comma, bracket and bracket, dash and dash."""
    if re.search("[;:]", closing):
        return False
    if "(" in opening or "[" in opening:
        return ")" in closing or "]" in closing
    if re.search("[—–]", opening):
        return bool(re.search("[—–]", closing))
    return "," in opening and "," in closing


def _may_follow(words: Sequence[_Word], start: int, source: str) -> bool:
    """Whether the sentence may end here: where the source sets the rest apart, or goes on with a date or an "and"."""
    rest, before = words[start:], words[:start]
    opens, text = rest[0], _text(rest)
    comma = max((at for at, word in enumerate(before) if word.apart and at), default=0)
    if any(word.written in _AUXILIARIES for word in (before[-1], before[comma - 1])):
        return False
    if opens.apart and comma and _may_stand_between(words, comma, start, source):
        return False  # the clause goes on behind this aside
    if before[0].form in _SUBORDINATE and not any(word.apart for word in before[1:]):
        return False  # the main clause is still to come
    if ";" in opens.marks:
        return True
    goes_on = any(word.apart for word in rest[1:])
    if opens.apart and goes_on and opens.form not in _MAIN:  # it may be an aside, behind which the clause goes on
        return False
    if opens.apart and (opens.form in _RELATIVES or text == "for example"):
        return True
    if opens.apart and opens.form == "and" and any(word.apart for word in before[-2:]):  # it may be a list
        return False
    # What another main clause limits is its own.
    if limits(_text(rest[:2]) if opens.apart and opens.form == "and" else text):
        return False
    if opens.apart:
        return (
            len(rest) > _SHORT
            or opens.form in _GOES_ON
            or opens.form[0].isdigit()
            or opens.article.lower() in ("a", "an")
        )
    if negated(_text(before)):
        return False
    after_date = before[-1].form.isdigit() or before[-1].form in MONTHS
    if opens.form == "and":
        chosen = _CHOICE.search(_text(before)) is not None
        clause = len(rest) > 2 and (bool(rest[1].article) or bool(_VERB.match(rest[1].written)) or after_date)
        return clause and not chosen and not goes_on and rest[1].form not in MONTHS and not rest[1].form[0].isdigit()
    if opens.form in ("while", "although"):
        return True
    if len(rest) > 1 and opens.form in _PLACES and after_date and rest[1].written[0].isupper():
        return True
    date = _text(list(itertools.takewhile(lambda word: word is opens or not word.apart, rest)))
    return (
        opens.form in ("in", "on", "at")
        and bool(_WHEN.match(date[:1].upper() + date[1:]))
        and any(char.isdigit() for char in date)
    )
