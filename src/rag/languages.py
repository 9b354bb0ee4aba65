"""Which language a text is in, and what readers are told where the models in use do not know it."""

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "und"
"""ISO 639's code for a text whose language is not determined. Sentences are then split as in English."""

_LOOKED_AT = 2000
"""Characters. More makes no text clearer, and takes a millisecond for each thousand."""
_SURE = 0.6
"""Probability from which a language is named. None of the English questions of the gold set is taken for another."""
_FEWEST = 20
"""Characters of an article; less is a heading or a name."""
# Words of questions that no other language has; where one stands, nothing need be loaded to know.
_ENGLISH = re.compile(
    r"\b(?:what|when|where|which|who|whom|whose|why|how|did|does|the|this|these|those|there|and|with|were|about)\b",
    re.IGNORECASE,
)
_LATIN = re.compile(r"[A-Za-z]")
_LETTER = re.compile(r"[^\W\d_]")

_NAMES = dict(
    pair.split(":")
    for pair in (
        "af:Afrikaans ar:Arabic az:Azerbaijani be:Belarusian bg:Bulgarian bn:Bengali bs:Bosnian ca:Catalan cs:Czech "
        "cy:Welsh da:Danish de:German el:Greek en:English eo:Esperanto es:Spanish et:Estonian eu:Basque fa:Persian "
        "fi:Finnish fr:French ga:Irish gl:Galician gu:Gujarati he:Hebrew hi:Hindi hr:Croatian hu:Hungarian hy:Armenian "
        "id:Indonesian is:Icelandic it:Italian ja:Japanese ka:Georgian kk:Kazakh ko:Korean ky:Kyrgyz lt:Lithuanian "
        "lv:Latvian mk:Macedonian ml:Malayalam mn:Mongolian mr:Marathi ms:Malay nb:Norwegian ne:Nepali nl:Dutch "
        "nn:Norwegian no:Norwegian pa:Punjabi pl:Polish pt:Portuguese ro:Romanian ru:Russian sk:Slovak sl:Slovenian "
        "sq:Albanian sr:Serbian sv:Swedish sw:Swahili ta:Tamil te:Telugu tg:Tajik th:Thai tk:Turkmen tl:Tagalog "
        "tr:Turkish tt:Tatar uk:Ukrainian ur:Urdu uz:Uzbek vi:Vietnamese zh:Chinese"
    ).split()
)

_REMEDY = "A multilingual model can be set: see docs/languages.md."


def detect(text: str) -> str:
    """ISO 639-1 code of an article's language, ``UNKNOWN`` where it is not clear. Offline; the first call loads a model."""
    text = text[:_LOOKED_AT].strip()
    return _likeliest(text) if len(_LETTER.findall(text)) >= _FEWEST else UNKNOWN


def of_question(question: str) -> str:
    """As ``detect`` for a text as short as a question: English unless another language is clear.

    Names alone, or a few words that several languages have, count as English.
    """
    if _ENGLISH.search(question) or not _LETTER.search(question):
        return "en"
    found = _likeliest(question)
    if not _LATIN.search(question):
        return found if found != "en" else UNKNOWN
    return "en" if found == UNKNOWN or len(question.split()) < 3 else found


def known(language: str) -> bool:
    """Whether the models that come with the project know a language: English, also as ``en-GB``."""
    return language.replace("_", "-").partition("-")[0].lower() == "en"


def name(language: str) -> str:
    """English name of a language; its code where it is a rare one."""
    code = language.replace("_", "-").partition("-")[0].lower()
    return "unknown" if code in ("", UNKNOWN) else _NAMES.get(code, language)


def question_notice(question: str, *, multilingual: bool) -> str:
    """What to say beside the answer to a question that the models in use may not understand; nothing if they do.

    Args:
        question: as typed, without filters.
        multilingual: whether another embedding model is set than the one that comes with the project.
    """
    language = "en" if multilingual else of_question(question)
    if known(language):
        return ""
    said = (
        f"The question seems to be in {name(language)}"
        if name(language) != "unknown"
        else "The question is not in English"
    )
    return (
        f"{said}, but the models in use know English only: articles that answer it may not have been found. {_REMEDY}"
    )


def corpus_notice(articles: Mapping[str, int], *, multilingual: bool) -> str:
    """What to say of an index that holds articles in languages that the models in use do not know; nothing if none.

    Args:
        articles: how many of each language, by its code.
        multilingual: as above.
    """
    others = _by_name(
        {code: count for code, count in articles.items() if not known(code) and code not in ("", UNKNOWN)}
    )
    if multilingual or not others:
        return ""
    named = ", ".join(f"{count:,} in {language}" for language, count in others.items())
    if len(others) == 1:
        named = next(iter(others))
    are, they = ("article is", "It is") if sum(others.values()) == 1 else ("articles are", "They are")
    return (
        f"{sum(others.values()):,} {are} not in English ({named}). The models in use know English only. {they} found by "
        f"words shared with a question, and may be missed. {_REMEDY}"
    )


def summary(articles: Mapping[str, int]) -> str:
    """How many articles are in which language, most first: ``English 31, German 2``."""
    return ", ".join(f"{language} {count:,}" for language, count in _by_name(articles).items())


def _by_name(articles: Mapping[str, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for code, count in articles.items():
        counts[name(code)] = counts.get(name(code), 0) + count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _likeliest(text: str) -> str:
    language, probability = _identifier().classify(text)
    return str(language) if probability >= _SURE else UNKNOWN


@functools.lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Those of two letters are the languages that sentencex and browsers know; the others are mostly their dialects.
    identifier.set_languages([label for label in identifier.labels if len(label) == 2])
    return identifier
