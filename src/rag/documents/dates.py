"""Dates as files write them → ISO 8601, as exact as they are known."""

import datetime
import re
from email.utils import parsedate_to_datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = rf"({'|'.join(_MONTHS)})\b\.?"
_PDF = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")
_ISO = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})(?:\2(\d{1,2}))?)?(?=$|[T\s,])")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?=$|[T\s])")
_DOTTED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)")
_MONTH_FIRST = re.compile(rf"\b{_MONTH}\s+(?:(\d{{1,2}})(?:st|nd|rd|th)?,?\s+)?(\d{{4}})\b", re.IGNORECASE)
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})\b", re.IGNORECASE)
_IN_NAME = re.compile(r"(?<![0-9A-Za-z])((?:19|20)\d\d)([-_./]?)([01]\d)(?:\2([0-3]\d))?(?![0-9A-Za-z])")


def iso_date(value: str) -> str | None:
    """``2021-06-18``, ``2021-06`` or ``2021``; None where ``value`` says no date, or not which of two."""
    value = value.strip()[:100]
    if match := _PDF.match(value) or _COMPACT.match(value):
        return _iso(*match.groups())
    if match := _ISO.match(value):
        return _iso(match.group(1), match.group(3), match.group(4))
    if match := _DAY_FIRST.search(value):
        day, month, year = match.groups()
        return _iso(year, str(_MONTHS[month.lower()]), day)
    if match := _MONTH_FIRST.search(value):
        month, day, year = match.groups()
        return _iso(year, str(_MONTHS[month.lower()]), day)
    if match := _DOTTED.match(value):
        first, mark, second, year = match.groups()
        if mark == "." or int(first) > 12:
            return _iso(year, second, first)
        return _iso(year, first, second) if int(second) > 12 or first == second else _iso(year)
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except (ValueError, TypeError, IndexError):
        return None


def date_in_name(path: str) -> str | None:
    """The last date in a path: ``news/2021-06-18-mir.html``, ``2021/06/18/mir.html``, ``mir_20210618.pdf``."""
    for match in reversed(list(_IN_NAME.finditer(path))):
        year, mark, month, day = match.groups()
        if (day or mark) and (found := _iso(year, month, day)) and len(found) > 4:
            return found
    return None


def _iso(year: str, month: str | None = None, day: str | None = None) -> str | None:
    """As far as the parts make a date of the calendar."""
    if not 1400 <= int(year) <= 2200:
        return None
    if not month or not 1 <= int(month) <= 12:
        return year
    if not day or int(day) == 0:
        return f"{year}-{int(month):02}"
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return f"{year}-{int(month):02}"
