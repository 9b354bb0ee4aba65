"""Words, stems, names and numbers of a text: what lexical comparison needs, in one place."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

FUNCTION_WORDS = frozenset(
    """a about above after again against all also although am an and another any are around as at be because been
    before being below between both but by can cannot could did do does doing done down during each either else ever
    every few for from further had has have having he her here hers herself him himself his how however i if in into
    is it its itself just let me might more most much must my myself no nor not now of off on once only or other our
    ours out over own per please rather same shall she should since so some such tell than that the their theirs them
    themselves then there these they this those though through thus to too under until up upon us very via was we were
    what when where whether which while who whom whose why will with within without would yes yet you your yours s t
    d ll m re ve don didn doesn isn wasn aren weren""".split()
)

NUMBER_WORDS = frozenset(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion
    dozen half twice""".split()
)

MONTHS = frozenset("january february march april may june july august september october november december".split())


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("porter")


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Porter stem of a lower-case word without its accents; the chunks are indexed by the same stems."""
    plain = "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))
    return str(_stemmer().stemWord(plain)) or plain


def tokens(text: str) -> list[str]:
    """Runs of letters and digits, as written: ``"U.S. crew T-11"`` → ``["U", "S", "crew", "T", "11"]``."""
    return _WORD.findall(text)


def stems(text: str) -> list[str]:
    """Stems of all words in order."""
    return [stem(word.lower()) for word in tokens(text)]


def content_stems(text: str) -> list[str]:
    """Stems of all words that are not function words, in order."""
    return [stem(word) for word in (token.lower() for token in tokens(text)) if word not in FUNCTION_WORDS]


def numbers(text: str) -> list[str]:
    """Numbers in digits, without thousands separators: ``"1,600 kg in 1975"`` → ``["1600", "1975"]``."""
    return [re.sub(r",(?=\d{3})", "", number).rstrip(".,") for number in _NUMBER.findall(text)]


def names(text: str) -> list[str]:
    """Capitalised words and words with digits that are not function words, in order, as written.

    The first word of a sentence counts too: whether it is a name cannot be told from its capital alone.
    """
    return [
        word
        for word in tokens(text)
        if (word[0].isupper() or any(char.isdigit() for char in word)) and word.lower() not in FUNCTION_WORDS
    ]
