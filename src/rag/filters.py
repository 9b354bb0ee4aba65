"""Which articles may answer: those of some publishers, of some time, or both.

A filter is chosen beside the question or typed with it: "What happened to Mir? (only CGTN, 2021)". Reading a typed one
errs on the side of the question: a year or a name in it is what it asks about, unless the words around it speak of
articles or sources, and stand at its edge or in brackets.
"""

import calendar
import datetime
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from rag.errors import UsageError
from rag.wording import content_stems, tokens

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ISO = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


class Published(Protocol):
    """What a filter looks at."""

    @property
    def publisher(self) -> str | None: ...

    @property
    def published(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """Admits articles of any of the publishers, published within the dates; an empty one admits all.

    Dates are years, months or days in ISO 8601, both inclusive: ``since="2021", until="2021"`` is the whole year.

    Raises:
        UsageError: a date is none.
    """

    publishers: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for date in (self.since, self.until):
            if date is not None and days(date) is None:
                problem = f"{date!r} is not a date"
                raise UsageError(problem, "Write a year, a month or a day: 2021, 2021-06 or 2021-06-18.")

    def __bool__(self) -> bool:
        return bool(self.publishers or self.since or self.until)

    def admits(self, document: Published) -> bool:
        """Whether an article may answer: all days that its date can mean lie within the filter's.

        An article without a date, or with one that cannot be read, is not admitted by dates.
        """
        if self.publishers and _key(document.publisher or "") not in _keys(self.publishers):
            return False
        if not (self.since or self.until):
            return True
        found = _days_of(document.published or "")
        if found is None:
            return False
        return (not self.since or _first_day(self.since) <= found[0]) and (
            not self.until or found[1] <= _last_day(self.until)
        )


NO_FILTER = Filter()
"""Admits every article."""


def days(date: str) -> tuple[str, str] | None:
    """First and last day of a year, month or day in ISO 8601; ``None`` for anything else."""
    match = _ISO.fullmatch(date)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None, "the pattern requires it"
    try:
        first = datetime.date(year, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        return None
    last = first
    if month is None:
        last = first.replace(month=12, day=31)
    elif day is None:
        last = first.replace(day=calendar.monthrange(year, month)[1])
    return first.isoformat(), last.isoformat()


def describe(filter: Filter) -> str:
    """A filter in words: "only articles of CGTN, 2021", "only articles since May 2020". Nothing for an empty one.

    In brackets behind a question, ``parse`` reads it back.
    """
    if not filter:
        return ""
    since, until = (_worded(date) if date else "" for date in (filter.since, filter.until))
    if since and since == until:
        when = since if filter.publishers else f"from {since}"
    elif since and until:
        when = f"from {since} to {until}"
    else:
        when = f"since {since}" if since else f"until {until}" if until else ""
    *others, last = filter.publishers or ("",)
    whose = f"of {', '.join(others)} or {last}" if others else f"of {last}" if last else ""
    return f"only articles {', '.join(part for part in (whose, when) if part)}"


def combine(one: Filter, other: Filter) -> Filter:
    """Admits what both admit."""
    if not (one and other):
        return one or other
    wanted = _keys(other.publishers)
    publishers = one.publishers or other.publishers
    if one.publishers and other.publishers:
        both = f"both {' or '.join(one.publishers)} and {' or '.join(other.publishers)}"
        # No article is of two publishers: the name for that admits none, and says why.
        publishers = tuple(name for name in one.publishers if _key(name) in wanted) or (both,)
    starts = [date for date in (one.since, other.since) if date]
    ends = [date for date in (one.until, other.until) if date]
    return Filter(publishers, max(starts, key=_first_day, default=None), min(ends, key=_last_day, default=None))


def named(names: Iterable[str], publishers: Sequence[str]) -> tuple[str, ...]:
    """Those of the publishers that are meant by these names; case, "the" and punctuation do not matter.

    Raises:
        UsageError: one of the names is of no publisher.
    """
    known = _by_key(tuple(publishers))
    found: dict[str, None] = {}
    for name in names:
        if _key(name) not in known:
            raise UsageError(f"The index has no article of {name!r}", _nearest(name, known))
        found |= dict.fromkeys(known[_key(name)])
    return tuple(found)


def parse(question: str, publishers: Sequence[str]) -> tuple[str, Filter]:
    """A question without the words that choose articles, and the filter that they mean.

    "According to articles published before June 2024, who flew?", "Who flew? (only CGTN)", "Only 2021: who flew?". The
    words are looked for in brackets, at the beginning and at the end, and must hold "only", "article", "source" or
    "published". Without any, the question comes back as it is.

    Args:
        question: as typed.
        publishers: those of the index; no other ones are recognised.
    """
    rest, filter = question, NO_FILTER
    if len(question) > _MAX_LENGTH or not _TRIGGER.search(question):
        return rest, filter
    # A publisher called "only" or "The Source" would make every typed filter unreadable.
    known = {key: names for key, names in _by_key(tuple(publishers)).items() if not _OWN_WORDS.issuperset(key)}
    for take in (_in_brackets, _at_beginning, _at_end):
        while found := take(rest, known):
            rest, typed = found
            filter = combine(filter, typed)
    return rest, filter


# Dates and publishers


def _first_day(date: str | None) -> str:
    found = days(date or "")
    return found[0] if found else ""


def _last_day(date: str | None) -> str:
    found = days(date or "")
    return found[1] if found else ""


@lru_cache(maxsize=50_000)
def _days_of(published: str) -> tuple[str, str] | None:
    """As ``days``, also where a time of day follows, and for dates in words: "June 18, 2021"."""
    found = days(re.split(r"(?<=-[0-9]{2})[T ]", published.strip(), maxsplit=1)[0])
    if found:
        return found
    items = _items(published, {})
    return days(items[0].values[0]) if [item.symbol for item in items] == ["DATE"] else None


def _worded(date: str) -> str:
    """``2021-06-18`` → "18 June 2021"."""
    year, *rest = date.split("-")
    month = [_MONTHS[int(rest[0]) - 1]] if rest else []
    return " ".join([*(str(int(day)) for day in rest[1:]), *month, year])


def _neighbour(date: str, by: int) -> str:
    """The year, month or day before (-1) or after (1) one of the same length."""
    edge = _first_day(date) if by < 0 else _last_day(date)
    return (datetime.date.fromisoformat(edge) + datetime.timedelta(by)).isoformat()[: len(date)]


@lru_cache(maxsize=50_000)
def _key(publisher: str) -> tuple[str, ...]:
    """What two spellings of a publisher have in common: "The Astana Times" → ("astana", "times")."""
    words = tuple(word.casefold() for word in tokens(publisher))
    return tuple(word for word in words if word != "the") or words or (publisher.strip(),)


@lru_cache(maxsize=100)
def _keys(publishers: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(_key(name) for name in publishers if name.strip())


_ByKey = Mapping[tuple[str, ...], tuple[str, ...]]


@lru_cache(maxsize=4)
def _by_key(publishers: tuple[str, ...]) -> _ByKey:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for name in publishers:
        if name.strip():
            found[_key(name)] = (*found.get(_key(name), ()), name)
    return found


def _nearest(name: str, known: _ByKey) -> str:
    if not known:
        return "None of its articles names a publisher."
    spelled = {" ".join(key): names[0] for key, names in known.items()}
    close = difflib.get_close_matches(" ".join(_key(name)), spelled, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(spelled[key] for key in close)}?"
    return f"Known are {', '.join(list(spelled.values())[:5])}{', …' if len(spelled) > 5 else '.'}"


# Typed filters. A question is read as symbols: its words in lower case, its marks, and PUBLISHER and DATE.

_TRIGGER = re.compile(r"\b(?:only|articles?|sources?|published)\b", re.IGNORECASE)

_OF_PUBLISHERS = r"(?:the )?PUBLISHER(?: s)?(?:(?: ,| and| or| , and| , or) (?:the )?PUBLISHER(?: s)?)*"
_WHEN = (
    r"(?:between DATE and DATE|(?:from )?DATE (?:to|until|till|-|–|—) DATE|from DATE on(?:wards?)?"
    r"|(?:in|from|of|on|during|dated|since|after|before|until|till|up to) DATE)"
)
_WHOSE_AND_WHEN = (
    rf"(?:(?: published)? (?:of|from|by|in) {_OF_PUBLISHERS})?"
    rf"(?:(?: ,)?(?: published)? {_WHEN}| , DATE)?"
    rf"(?:(?: published)? (?:of|from|by) {_OF_PUBLISHERS})?"
)
_SOME = r"(?:the |all the |all )?"
_ONE_OR_SOME = r"(?:the |all the |all |a |an )?"
_ARTICLES = rf"{_ONE_OR_SOME}(?:{_OF_PUBLISHERS} )?(?:articles?|sources?){_WHOSE_AND_WHEN}"
_LEAD = r"(?:in|from|of|by|using|with|according to|based on)"
_IN_ARTICLES = (
    rf"(?:only )?(?:in|using|according to|based on)"
    rf" (?:{_SOME}(?:articles|sources)|{_ONE_OR_SOME}{_OF_PUBLISHERS} (?:articles?|sources?)){_WHOSE_AND_WHEN}(?: only)?"
)
_ONLY_IN_PUBLISHER = rf"only in {_OF_PUBLISHERS}(?:(?: ,)? (?:{_WHEN}|DATE))?"
_CHOSEN = (
    rf"(?:{_LEAD} )?{_ARTICLES}",
    rf"(?:{_LEAD} )?{_OF_PUBLISHERS}(?:(?: ,)?(?: published)? (?:{_WHEN}|DATE))?",
    rf"(?:published )?(?:{_WHEN}|DATE)",
)

_UNMISTAKABLE = re.compile(rf"{_IN_ARTICLES}|{_ONLY_IN_PUBLISHER}")
"""Needs nothing to set it apart from the question."""
_SET_APART = re.compile(
    rf"(?:(?:and |but )?only (?:{'|'.join(_CHOSEN)})|(?:{'|'.join(_CHOSEN)}) only|{_LEAD} {_ARTICLES})"
)
"""Needs a comma, a full stop or the like between itself and the question."""
_ALONE = re.compile(rf"{_ARTICLES}|published (?:(?:by|in) {_OF_PUBLISHERS}(?: {_WHEN})?|{_WHEN})|{_SET_APART.pattern}")
"""Needs brackets, or a colon behind it."""
_ASKS = frozenset(
    """who whom whose what which when where why how did does do is are was were has have had can could will would
    name list tell describe explain give""".split()
)
_OWN_WORDS = frozenset(
    """only article articles source sources published of from by in on and or between to until till since after before
    during dated using according based with up all a an but onward onwards s""".split()
)
_DENIES = frozenset("not never nor except without t than".split())
_SEPARATORS = frozenset(",;:.?!–—-")
_ENDS_NAME = frozenset(";:?!–—()[]")
_MAX_LENGTH = 5_000
"""Characters. Longer texts are no questions."""
_LONGEST = 40
"""Symbols of a typed filter; longer ones are not looked for."""

_TOKEN = re.compile(r"[12][0-9]{3}-[0-9]{2}(?:-[0-9]{2})?(?![\w-])|[^\W_]+|[^\w\s'’‘\"“”]|_")
_MONTH_NUMBERS = {name.casefold(): number for number, name in enumerate(_MONTHS, 1)}
_MONTH_NUMBERS |= {name[:3]: number for name, number in _MONTH_NUMBERS.items()} | {"sept": 9}
_MONTH = rf"(?P<month>{'|'.join(_MONTH_NUMBERS)})"
_YEAR = r"(?P<year>[12][0-9]{3})"
_DATES = tuple(
    re.compile(rf"{form}(?= |$)")
    for form in (
        r"(?P<iso>[12][0-9]{3}-[0-9-]+)",
        rf"(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH} {_YEAR}",
        rf"{_MONTH} (?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)? (?:, )?{_YEAR}",
        rf"{_MONTH} {_YEAR}",
        _YEAR,
    )
)
_DATE_TOKENS = 4


@dataclass(frozen=True, slots=True)
class _Item:
    """A word, a mark, a date or a publisher of a question."""

    symbol: str
    values: tuple[str, ...]
    """Names of a publisher, or an ISO date."""
    start: int
    end: int


def _items(text: str, known: _ByKey) -> list[_Item]:
    found = [(match.group().casefold(), *match.span()) for match in _TOKEN.finditer(text)]
    words = [word for word, _, _ in found]
    longest = max(map(len, known), default=0)
    items = []
    position = 0
    while position < len(words):
        symbol, values, end = "DATE", *_date_at(words, position)
        if not values:
            symbol, values, end = "PUBLISHER", *_publisher_at(words, position, known, longest)
        if not values:
            symbol, end = words[position], position + 1
        items.append(_Item(symbol, values, found[position][1], found[end - 1][2]))
        position = end
    return items


def _date_at(words: Sequence[str], position: int) -> tuple[tuple[str, ...], int]:
    """The date that begins at a word, if one does, and where it ends."""
    if words[position][0].isdigit() or words[position] in _MONTH_NUMBERS:
        text = " ".join(words[position : position + _DATE_TOKENS])
        for form in _DATES:
            if match := form.match(text):
                part = match.groupdict()
                numbers = (_MONTH_NUMBERS.get(part.get("month") or "", 0), int(part.get("day") or 0))
                date = part.get("iso") or "-".join([part["year"], *(f"{number:02}" for number in numbers if number)])
                if days(date):
                    return (date,), position + match.group().count(" ") + 1
    return (), position


def _publisher_at(words: Sequence[str], position: int, known: _ByKey, longest: int) -> tuple[tuple[str, ...], int]:
    """The publisher with the longest name that begins at a word, if one does, and where it ends."""
    names, end = tuple[str, ...](), position
    key = tuple[str, ...]()
    at = position
    while at < len(words) and len(key) < longest and words[at] not in _ENDS_NAME:
        if words[at].isalnum() and words[at] != "the":
            key = (*key, words[at])
            if key in known:
                names, end = known[key], at + 1
        elif not key:
            break
        at += 1
    return names, end


def _read(items: Sequence[_Item], pattern: re.Pattern[str]) -> Filter | None:
    """What these items mean together, if the pattern admits them."""
    if len(items) > _LONGEST:
        return None
    symbols = " ".join(item.symbol for item in items)
    publishers = [name for item in items if item.symbol == "PUBLISHER" for name in item.values]
    dates = [item.values[0] for item in items if item.symbol == "DATE"]
    if not (publishers or dates) or not pattern.fullmatch(symbols):
        return None
    return Filter(tuple(dict.fromkeys(publishers)), *_range(symbols, dates))


def _range(symbols: str, dates: Sequence[str]) -> tuple[str | None, str | None]:
    """From when until when, both inclusive."""
    if not dates:
        return None, None
    first, last = dates[0], dates[-1]
    if len(dates) > 1:
        return first, last
    if re.search(r"since DATE|from DATE on(?:wards?)?\b", symbols):
        return first, None
    if "after DATE" in symbols:
        return _neighbour(first, 1), None
    if "before DATE" in symbols:
        return None, _neighbour(first, -1)
    if re.search(r"(?:until|till|up to) DATE", symbols):
        return None, first
    return first, first


_Found = tuple[str, Filter] | None
"""The rest of a question and what was typed with it."""


def _in_brackets(question: str, known: _ByKey) -> _Found:
    items = _items(question, known)
    opened = None
    for position, item in enumerate(items):
        if item.symbol in ("(", "["):
            opened = position
        elif item.symbol in (")", "]") and opened is not None:
            typed = _read(_bare(items[opened + 1 : position]), _ALONE)
            before, behind = question[: items[opened].start].rstrip(), question[item.end :].lstrip()
            rest = _joined(before, behind)
            if typed and _says_something(rest):
                return rest, typed
            opened = None
    return None


def _at_beginning(question: str, known: _ByKey) -> _Found:
    items = _items(question, known)
    for length in range(min(_LONGEST, len(items) - 1), 0, -1):
        behind = items[length]
        if behind.symbol in _SEPARATORS:
            pattern = _ALONE if behind.symbol == ":" else _SET_APART
            typed = _read(items[:length], pattern) or _read(items[:length], _UNMISTAKABLE)
            start = behind.end
        elif behind.symbol in _ASKS and items[0].symbol != "only":
            typed, start = _read(items[:length], _UNMISTAKABLE), behind.start
        else:
            continue
        rest = question[start:].lstrip()
        if typed and _says_something(rest):
            return rest, typed
    return None


def _at_end(question: str, known: _ByKey) -> _Found:
    items = _items(question, known)
    phrase = _bare(items)
    for start in range(max(1, len(phrase) - _LONGEST), len(phrase)):
        before = items[start - 1].symbol
        rest = _joined(question[: phrase[start].start].rstrip(" ,;:–—-"), question[phrase[-1].end :].strip()[-1:])
        typed = None if before in _DENIES else _read(phrase[start:], _UNMISTAKABLE)
        if typed and content_stems(rest):
            return rest, typed
        if before in _SEPARATORS:
            typed = _read(phrase[start:], _SET_APART)
            if typed and _says_something(rest):
                return rest, typed
    return None


def _bare(items: Sequence[_Item]) -> Sequence[_Item]:
    """Without the marks at the end."""
    length = len(items)
    while length and items[length - 1].symbol in _SEPARATORS:
        length -= 1
    return items[:length]


def _joined(before: str, behind: str) -> str:
    if not before:
        return behind.lstrip(" ,;:.–—-")
    if not behind or (before[-1] in ".?!" and behind[0] in ".?!"):
        return before
    return f"{before}{behind}" if behind[0] in ",;:.?!" else f"{before} {behind}"


def _says_something(text: str) -> bool:
    return any(char.isalnum() for char in text)
