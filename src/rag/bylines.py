"""What one line says of an article's origin: dates, the dateline of an agency, the names of its writers.

Only the beginning of a line is looked at, so that the cost does not grow with its length.
"""

import datetime
import re
from dataclasses import dataclass

MAX_LINE = 200
"""Characters. A longer line is a paragraph; only its beginning can say where it comes from."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,september sept sep,october oct,"
        "november nov,december dec".split(","),
        1,
    )
    for name in names.split()
}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_DATES = tuple(
    re.compile(rf"(?<!\w){pattern}(?!\d)", re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark){_DAY}(?:T\d\d:?\d\d(?::?\d\d(?:\.\d{{1,6}})?)?)?Z?",
        rf"{_YEAR}\s?年\s?(?P<month>\d{{1,2}})\s?月\s?(?P<day>\d{{1,2}})\s?日",
        rf"(?P<day>\d{{1,2}})(?P<mark>[./-])(?P<month>\d{{1,2}})(?P=mark){_YEAR}",
        rf"{_DAY}(?:\sof\s|[\s.-]{{1,2}}){_MONTH}(?:,?[\s-]{{1,2}}{_YEAR})?",
        rf"{_MONTH}\s{{1,2}}{_DAY}(?:,?\s{{1,2}}{_YEAR}(?!:))?",
    )
)

AGENCIES = {
    name.lower().replace(" ", ""): name
    for name in (
        "AAP,AFP,Anadolu,ANI,ANSA,Antara,AP,APP,Associated Press,BBC,BelTA,Bernama,Bloomberg,BNS,Business Wire,"
        "Canadian Press,CGTN,China Daily,CNA,CNN,CNS,CP,dpa,DW,ECNS,EFE,GlobeNewswire,Global Times,IANS,Interfax,IRNA,"
        "ITAR-TASS,Kazinform,KCNA,Kyodo,Kyodo News,Lusa,MENA,NTB,PA,PA Media,PAP,People's Daily,PR Newswire,"
        "Prensa Latina,Press Association,PTI,Reuters,RFE/RL,RIA,RIA Novosti,RT,SANA,SPA,SpaceNews,Sputnik,TASS,UN News,"
        "UPI,VNA,VOA,WAM,Xinhua,Xinhuanet,Yonhap"
    ).split(",")
}
"""Names under which agencies and broadcasters sign, by their letters in lower case."""
_AGENCY = "|".join(sorted((re.escape(name) for name in AGENCIES.values()), key=len, reverse=True))
# Cities after which some papers put a colon; "NASA:" and the initials of an interviewer look alike otherwise.
_CITIES = (
    "AMSTERDAM|ANKARA|ASTANA|ATHENS|BANGKOK|BEIJING|BENGALURU|BERLIN|BRUSSELS|CAIRO|CANBERRA|CHENNAI|COLOMBO|DHAKA|DUBAI|"
    "GENEVA|HELSINKI|HONG KONG|HYDERABAD|ISLAMABAD|ISTANBUL|JAKARTA|JERUSALEM|KARACHI|KATHMANDU|KOLKATA|KUALA LUMPUR|KYIV|"
    "LAHORE|LONDON|MADRID|MANILA|MOSCOW|MUMBAI|NAIROBI|NEW DELHI|NEW YORK|OSLO|OTTAWA|PARIS|PRAGUE|RIYADH|ROME|SEOUL|"
    "SHANGHAI|SINGAPORE|STOCKHOLM|SYDNEY|TAIPEI|TEHRAN|TOKYO|VIENNA|WARSAW|WASHINGTON|ZURICH"
)

_UPPER = "A-ZÀ-ÖØ-ÞĀĆČĐĒĞĪİŁŃŌŐŘŚŠŞŪŰŹŻŽ"
_PLACE = rf"[{_UPPER}][\w.'’-]{{1,24}}(?:[ /][{_UPPER}][\w.'’-]{{0,24}}){{0,3}}"
_PLACES = rf"{_PLACE}(?:, {_PLACE}){{0,2}}"
_NAMED_DAY = r"(?:(?:[A-Z][a-z]{2,8}|[A-Z]{3,9})\.? \d{1,2}|\d{1,2} (?:[A-Z][a-z]{2,8}|[A-Z]{3,9})\.?)(?:,? \d{4})?"
_DASH = r"(?:\.? ?--+|\.? ?[—–]| -|:|\.-)"
_DATELINES = tuple(
    re.compile(pattern)
    for pattern in (
        # ROTTERDAM, March 3 (Xinhua) -- | Bengaluru, July 5 (PTI)
        rf"(?:{_PLACES},? )?{_NAMED_DAY} \([^()]{{2,40}}\)(?:{_DASH})?\s*",
        # TERMEZ, Uzbekistan (Reuters) - | (Reuters) -
        rf"(?:{_PLACES} ?)?\((?:{_AGENCY})\) ?{_DASH}\s*",
        # MOSCOW, February 12. /TASS/.
        rf"{_PLACES},? {_NAMED_DAY}\.? ?/[^/]{{2,40}}/\.?(?: ?{_DASH})?\s*",
    )
)
_FIRST_DATELINES = tuple(
    re.compile(pattern)
    for pattern in (
        # GENEVA, 11 April 2024 –
        rf"{_PLACES},? \(?{_NAMED_DAY}\)?(?: --+| ?[—–]| -) \s*",
        rf"{_PLACES},? \(?{_NAMED_DAY}\)?(?: --+| ?[—–]| -|:) ?(?=\S)",
        # WASHINGTON —
        rf"[{_UPPER}][{_UPPER}.'’-]{{3,24}}(?:[ /][{_UPPER}.]{{2,24}}){{0,2}}(?:, {_PLACE})? (?:--|[—–]) ?(?=[\"“'‘{_UPPER}])",
        # JIUQUAN - | TERMEZ, Uzbekistan:
        rf"[{_UPPER}][{_UPPER}.'’-]{{4,24}}(?:[ /][{_UPPER}.]{{2,24}}){{0,2}}(?:, {_PLACE})? - (?=[\"“'‘{_UPPER}])",
        rf"[{_UPPER}][{_UPPER}.'’-]{{3,24}}(?:[ /][{_UPPER}.]{{2,24}}){{0,2}}, {_PLACE}: (?=[\"“'‘{_UPPER}])",
        rf"(?:{_CITIES}): ",
    )
)
_OPEN_AGENCY = re.compile(rf"\(?({_AGENCY})\)", re.IGNORECASE)
_IN_DATELINE = re.compile(r"[(/]([^()/]{2,40})[)/]")

_PUBLISHED = r"(?:first |originally )?(?:published|posted|created|issued|released|uploaded)|publication date|dated?"
_UPDATED = r"(?:last |latest )?(?:updated|modified|update|revised)"
_LABEL = re.compile(
    rf"(?:(?P<published>{_PUBLISHED})|(?P<updated>{_UPDATED}))\b(?: (?:on|at|date))?\s*:?", re.IGNORECASE
)
_TIME = re.compile(
    r"(?<![\d.])\d{1,2}[:.]\d{2}(?::\d{2})?(?!\d)\s*(?:[ap]\.?m\b\.?)?|\b\d{1,2}\s?[ap]\.?m\b\.?", re.IGNORECASE
)
_UNCLEAR_DATE = re.compile(r"(?<![\d/-])\d{1,2}([/-])\d{1,2}\1(?:\d{4}|\d{2})(?![\d/-])")
_AROUND_DATES = re.compile(
    r"\b(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|[A-Z]{1,3}[SD]T|GMT|UTC|CEST?|MSK|BJT|HKT|JST|"
    r"hrs?|at|on|and|(?:vol(?:ume)?|no|issue)\b\.?\s?\d{1,5})\b\.?|[+-]\d\d:?\d\d|\W+|_+",
    re.IGNORECASE,
)

_BY = re.compile(
    r"(?:(?:written|reported|posted|submitted|contributed|uploaded|words|text|story|report|interview|article|compiled|edited|reviewed|translated) )?"
    r"by\s*:?\s+|(?:authors?|writers?|reporters?|editors?|edited by|web editor|translator|source|byline)\s*:\s*",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[.!?]$")
_INITIAL = re.compile(r"\b(?:[A-Z]|[JS]r)\.$")
_NOT_WRITER = re.compile(r"(?:web )?edit|translat|review|source", re.IGNORECASE)
_SENT_IN = re.compile(r"(?:posted|submitted|uploaded)\b", re.IGNORECASE)
_ROLE = re.compile(
    r"\b(?:writers?|reporters?|correspondents?|editors?|contributors?|columnist|journalist|producer|bureau|staff|desk|analyst|"
    r"author|chief|freelance|intern|team|opinion|newsroom)\b",
    re.IGNORECASE,
)
_ROLE_ALONE = re.compile(
    rf"(?:(?P<agency>{_AGENCY}) )?(?:(?:Chief|Senior|Special|Staff|Foreign|Political|Business|Science|Sports|Medical|Space|Health|"
    r"National|World) ){0,3}(?:Writer|Reporter|Correspondent|Editor|Journalist|Analyst|Contributor)s?"
)
_BETWEEN_NAMES = re.compile(r"\s*(?:,|;|&|\band\b|\bwith\b)\s*")
_OUTLET = re.compile(r"\s+(?:[|·•–—]|-|for|of|from|at|in)\s+|\s*[|·•]\s*")
_PARTICLES = frozenset("de da di del della der den du dos van von zu la le el al bin ibn ten ter y e".split())
_NO_NAME = frozenset(
    """the a an of in on and or for news world today breaking international global daily monday tuesday wednesday thursday
    friday saturday sunday new north south east west san saint st. los las fort port cape university company""".split()
) | (_MONTHS.keys())
_SITE = re.compile(
    r"(?:Agency|Bulletin|Chronicle|Courier|Daily|Dispatch|Examiner|Gazette|Globe|Guardian|Herald|Independent|Journal|Mail|"
    r"Mirror|Monitor|Network|News|Newspaper|Observer|Online|Post|Press|Radio|Review|Standard|Star|Sun|Telegraph|Times|Today|"
    r"Tribune|Voice|Weekly|Wire)$"
)
_MOST_NAMES = 6
_MOST_WORDS = 20
"""Of a line that says nothing but when."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date as it is written in a line; one without a year has ``year`` 0."""

    start: int
    end: int
    year: int
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class DateLine:
    """A line that says nothing but when, and perhaps from which agency."""

    day: Day | None
    """The first date that is not one of updating; ``None`` for a time alone."""
    updated: Day | None
    labelled: bool
    """Whether it says that this is a date of publication or updating."""
    publisher: str | None


@dataclass(frozen=True, slots=True)
class Dateline:
    """The beginning of a first sentence that names place, day and agency."""

    end: int
    """Offset in the line at which the sentence begins."""
    day: Day | None
    publisher: str | None


@dataclass(frozen=True, slots=True)
class Byline:
    """A line that names who wrote, edited or sent an article."""

    author: str | None
    publisher: str | None
    day: Day | None
    opened: bool
    """Whether it opens with "By" or the like. ``Jane Roe, chief engineer`` may also be a caption or a heading."""


def days(line: str) -> list[Day]:
    """Dates in the first characters of a line, in order; ``06/07/2021``, which may be two days, is none."""
    found: list[Day] = []
    for pattern in _DATES:
        for match in pattern.finditer(line[:MAX_LINE]):
            if any(match.start() < other.end and other.start < match.end() for other in found):
                continue
            day = _day(match)
            if day is not None:
                found.append(day)
    return sorted(found, key=lambda day: day.start)


def _day(match: re.Match[str]) -> Day | None:
    parts = match.groupdict()
    month = parts["month"].lower().rstrip(".")
    first, second = int(parts["day"]), _MONTHS.get(month) or int(month)
    if parts.get("mark") in ("/", "-") and match.start("year") > match.start("day"):
        if second > 12:
            first, second = second, first
        elif first <= 12 and first != second:
            return None
    year = int(parts["year"] or 0)
    try:
        datetime.date(year or 2000, second, first)
    except ValueError:
        return None
    return Day(*match.span(), year, second, first) if not year or 1800 <= year < 2200 else None


def date_line(line: str) -> DateLine | None:
    """Read a line such as ``Updated 6:02 PM EDT, Fri June 18, 2021``; ``None`` if it says anything else."""
    if len(line) > MAX_LINE or len(line.split()) > _MOST_WORDS or not any(char.isdigit() for char in line):
        return None
    found = days(line)
    labels = list(_LABEL.finditer(line))
    agency = _OPEN_AGENCY.search(line) or re.match(rf"({_AGENCY})\b", line)
    rest = line
    spans = [day_span for day in found if (day_span := (day.start, day.end))]
    spans += [label.span() for label in labels] + ([agency.span()] if agency else [])
    for start, end in sorted(spans, reverse=True):
        rest = f"{rest[:start]} {rest[end:]}"
    rest, unclear = _UNCLEAR_DATE.subn(" ", rest)
    rest, times = _TIME.subn(" ", rest)
    if _AROUND_DATES.sub("", rest) or not (found or unclear or times):
        return None
    if not labels and (len(found) > 1 or times > 1):  # from then until then
        return None
    published = updated = None
    for day in found:
        before = [label for label in labels if label.end() <= day.start]
        if before and before[-1]["updated"]:
            updated = updated or day
        else:
            published = published or day
    return DateLine(published, updated, bool(labels), agency_name(agency.group(1)) if agency else None)


def dateline(line: str, first: bool = False) -> Dateline | None:
    """Recognise ``ROTTERDAM, March 3 (Xinhua) --`` at the beginning of a line that goes on behind it.

    Args:
        line: a paragraph, or its beginning.
        first: whether it is the first one of its article. Only there is ``OSLO –`` or ``Oslo, 3 March 2021 –`` a dateline.
    """
    head = line[:MAX_LINE]
    for pattern in (*_DATELINES, *(_FIRST_DATELINES if first else ())):
        match = pattern.match(head)
        if match is None or match.end() >= len(line):
            continue
        day = next(iter(days(match.group())), None)
        if day is None and pattern in (_DATELINES[0], *_FIRST_DATELINES[:2]):
            continue
        signed = _IN_DATELINE.search(match.group())
        return Dateline(match.end(), day, agency_name(signed.group(1)) if signed else None)
    return None


def agency_name(signed: str) -> str:
    """The usual spelling of an agency, or the name as it is signed."""
    name = signed.strip().removeprefix("The ")
    return AGENCIES.get(name.lower().replace(" ", ""), name)


def is_agency(name: str) -> bool:
    """Whether a known agency signs so."""
    return name.strip().removeprefix("The ").lower().replace(" ", "") in AGENCIES


def byline(line: str) -> Byline | None:
    """Read ``By Jane Roe, Staff Writer``, ``Jane Roe, Reuters`` or ``(Editor: huaxia)``; ``None`` if it is no byline."""
    line = line.strip().strip("()[]*_").strip()
    if len(line) > MAX_LINE // 2 or not line:
        return None
    if is_agency(line):
        return Byline(None, agency_name(line), None, False)
    role = _ROLE_ALONE.fullmatch(line)
    if role is not None:
        return Byline(None, agency_name(role["agency"]) if role["agency"] else None, None, False)
    opening = _BY.match(line)
    if opening is None:
        return _signed(line, None, opened=False) if "," in line or "|" in line else None
    rest, day = _without_date(line[opening.end() :])
    if _NOT_WRITER.match(line):
        is_source = opening.group().lower().startswith("source")
        is_label = ":" in opening.group() and rest[:1].isalpha() and len(rest.split()) <= 8 and rest[-1] not in ".?!"
        publisher = agency_name(rest) if is_source and len(rest.split()) <= 4 else None
        return Byline(None, publisher, day, True) if is_label or _signed(rest, day, opened=True) else None
    if day and _SENT_IN.match(opening.group()) and not is_name(rest):
        return Byline(None, None, day, True)
    return _signed(rest[:-1] if rest.endswith(".") and is_name(rest[:-1]) else rest, day, opened=True)


def _without_date(line: str) -> tuple[str, Day | None]:
    """A byline without the date at its end: ``Jane Roe on 3 May 2021`` → ``Jane Roe``."""
    day = next(iter(days(line)), None)
    if day is None or date_line(line[day.start :]) is None:
        return line, None
    return re.sub(r"\W*(?:\bon)?\W*$", "", line[: day.start]), day


def _signed(line: str, day: Day | None, *, opened: bool) -> Byline | None:
    """Names of people, followed by their roles and outlets, of which none may be missing where no "By" opens the line."""
    writers = re.match(rf"({_AGENCY}) (?:staff )?writers? (?=[{_UPPER}])", line)
    people, *outlets = _OUTLET.split(line[writers.end() :] if writers else line, maxsplit=1)
    names: list[str] = []
    others: list[str] = []
    for piece in filter(None, _BETWEEN_NAMES.split(people)):
        is_other = others or _ROLE.search(piece) or is_agency(piece) or _SITE.search(piece) or not is_name(piece)
        (others if is_other else names).append(piece)
    known = [piece for piece in [*others, *outlets] if is_agency(piece) or (_SITE.search(piece) and piece[0].isupper())]
    if any(piece not in known and not _ROLE.search(piece) for piece in others) or len(names) > _MOST_NAMES:
        return None
    if any(_ENDS.search(piece) and not _INITIAL.search(piece) for piece in [*names, *outlets]):
        return None
    if not names and (outlets or not opened or not others):
        return None
    if not opened and not others:
        return None
    signed_by = agency_name(writers.group(1)) if writers else agency_name(known[0]) if known else None
    return Byline(_joined(names) if names else None, signed_by, day, opened)


def is_name(text: str) -> bool:
    """Whether two to five capitalised words may be a person's name."""
    words = text.split()
    if not 2 <= len(words) <= 5 or len(text) > 50 or any(char.isdigit() or char in ":;!?" for char in text):
        return False
    if words[0].lower() in _NO_NAME or words[-1].lower() in _NO_NAME:
        return False
    return all(word[0].isupper() or word.lower() in _PARTICLES for word in words) and words[0][0].isupper()


def name_list(line: str) -> str | None:
    """The writers that a line of nothing but names lists; ``None`` for any other line."""
    pieces = [piece for piece in _BETWEEN_NAMES.split(line.strip()) if piece] if len(line) <= MAX_LINE else []
    return _joined(pieces) if pieces and len(pieces) <= _MOST_NAMES and all(map(is_name, pieces)) else None


def written_name(name: str) -> str:
    """A name that is written in capitals, as names are written: ``DALE PORTER`` → ``Dale Porter``."""
    return name.title() if name.isupper() else name


def _joined(names: list[str]) -> str:
    written = [written_name(name) for name in names]
    return " and ".join(filter(None, (", ".join(written[:-1]), written[-1])))


def is_site_name(line: str) -> bool:
    """Whether a line is the name of a paper: at most five capitalised words, of which the last one says so."""
    words = line.split()
    if not 2 <= len(words) <= 5 or not all(word[0].isupper() or word in ("of", "the", "and") for word in words):
        return False
    return bool(_SITE.search(line)) and words[0] not in (
        "Breaking",
        "Latest",
        "Top",
        "More",
        "Good",
        "Bad",
        "World",
        "Search",
    )
