"""Is a written sentence carried by its evidence? Decided by words alone, so that anyone can follow it.

A sentence is carried by one evidence sentence when it is a shortening of it: every content word and name
comes from the evidence, its title or the question (a name that only the question has stands in place of a pronoun);
every number from the evidence (or from a question that does not itself assert it); the shared words stand in the same
order; nothing that could change the meaning (a negation, a "may", a "planned", a competing name or number in between)
was left out, unless an aside between commas was left out whole. That turns down many true rewordings. They are replaced by the quote itself, which is always true to the
source.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.records import Verdict
from rag.wording import FUNCTION_WORDS, MONTHS, NUMBER_WORDS, content_stems, names, numbers, stem, stems, tokens

_MIN_IN_ORDER = 0.75

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
maintains accused predicted predicts estimated fears feared thinks thought hinted assume assuming pledged promised vowed
urged demanded agreed due provided pending view opinion""".split()
)
_RELATIVES = frozenset("which who whom whose where".split())
_NO_ASIDE = frozenset("and or but nor yet so if unless until till while whereas than rather as because though".split())
_PRONOUN = re.compile(r"\W*(?:he|she|it|they|his|her|its|their|this|these|that|those)\b", re.IGNORECASE)
# Begins where a run of spaces does, and not inside it, or a long run would be looked through from each of its spaces.
_MARKER = re.compile(r"(?<!\s)\s*\[\d[\d, ]*\]")
_CLAUSE_END = re.compile(r"(?<!\s)(?:\s*\[\d[\d, ]*\])+[,;]?\s*")
_APPOSITION = re.compile(r"(?:an?|the|his|her|its|their|built|born|known|made|held|led|sent|won|\w+ed)\b")
_CONTRAST = re.compile(r";\s+|,\s+but\s+")
_CONDITION = re.compile(r"\W*(?:if|unless|when|should|had|were)\b", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+")
# ", Y and Z", ", Y, and Z" or " and a z"; not ", and …" or " and Z …", with which a clause mostly begins.
_ITEM = (
    r"(?!(?:and|or|as|which|who|where|when|while|after|before|but|if|with|because|so)\b)[^\s,.;:]+(?: [^\s,.;:]+){0,5}?"
)
_LIST_GOES_ON = re.compile(
    rf"(?:, {_ITEM})+,? (?:and|or) {_ITEM}(?=[,.;:]|$)| (?:and|or) (?:[a-z]\S*? ){{0,2}}[a-z]\S*?(?=[,.;:]|$)"
)
_OPENERS = frozenset("did does do was were is are has have had can could will would should may might".split())


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome for one sentence: how it is carried, and by which evidence (0-based)."""

    verdict: Verdict
    evidence: int


def check_sentence(sentence: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> Check | None:
    """Find the first evidence sentence that carries ``sentence``; ``None`` if none does.

    Args:
        sentence: as written, without markers.
        evidence: the sentences it may be carried by, best first.
        titles: of the document of each evidence sentence.
        question: standalone.
    """
    for position, source in enumerate(evidence):
        if is_quoted(sentence, source):
            return Check("quoted", position)
    for position, (source, title) in enumerate(zip(evidence, titles, strict=True)):
        if is_carried(sentence, source, title, question):
            return Check("supported", position)
    return None


def may_be_carried(beginning: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> bool:
    """Whether the words written so far leave a chance that the sentence will be carried.

    A word that stands in no evidence, title or question settles it early, so that nobody waits for the rest.
    The last word may be unfinished and is not looked at.
    """
    complete = beginning[: max(beginning.rfind(" "), 0)]
    known = set(content_stems(" ".join([*evidence, *titles, question])))
    return set(content_stems(complete)) <= known and set(numbers(complete)) <= set(
        numbers(" ".join([*evidence, question]))
    )


def is_quoted(sentence: str, source: str) -> bool:
    """Whether the sentence is the source sentence, but for white space and its closing punctuation."""
    return _plain(sentence) != "" and _plain(sentence) == _plain(source)


def check_clauses(written: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> list[Check] | None:
    """Find what carries a sentence as it was written, with its markers, which are not believed.

    A sentence that no evidence carries whole may be carried clause by clause, where a clause ends at its marker.

    Returns:
        One check for the sentence, or one for each clause; ``None`` if anything is not carried.
    """
    whole = check_sentence(without_markers(written), evidence, titles, question)
    if whole is not None:
        return [whole]
    *clauses, rest = _CLAUSE_END.split(written)
    clauses = clauses[1:] if clauses and not clauses[0] else clauses
    if len(clauses) < 2 or tokens(rest):  # words after the last marker belong to no clause
        return None
    checks = [check_sentence(" ".join(clause.split()), evidence, titles, question) for clause in clauses]
    return None if None in checks else [check for check in checks if check]


def without_markers(written: str) -> str:
    """The words alone."""
    return " ".join(_MARKER.sub("", written).split())


def is_carried(sentence: str, source: str, title: str, question: str) -> bool:
    """Whether the sentence is a shortening of the source that keeps its meaning; see the module's text."""
    if _cuts_a_list(sentence, source) or _shouts(sentence, f"{source} {title} {question}"):
        return False
    return any(_is_shortening(sentence, part, title, question) for part in (source, *_parts(source)))


def _parts(source: str) -> Iterator[str]:
    """What is left of a source when asides or its other main clauses are left out.

    An aside is a stretch between commas that is a relative clause (", which …"), or stands alone in the middle and
    limits nothing: an apposition, a participle. Beginnings, numbers and what a conjunction joins are none. A clause
    after a semicolon or ", but" stands by itself: what limits the other one says nothing of it, unless it opens with
    a condition.
    """
    clauses = _CONTRAST.split(source)
    for clause in [source, *(clauses if len(clauses) > 1 and not _CONDITION.match(source) else [])]:
        if clause != source:
            yield clause
        pieces = re.split(r",\s+", clause)
        asides = [number for number in range(1, len(pieces)) if _is_aside(pieces, number)]
        # All of them, the separate ones, and each alone.
        apart = [number for number in asides if number - 1 not in asides or _opens_with(pieces[number], _RELATIVES)]
        for left_out in dict.fromkeys([tuple(apart), *((number,) for number in asides)]):
            if left_out:
                yield ", ".join(piece for number, piece in enumerate(pieces) if number not in left_out)


def _is_aside(pieces: Sequence[str], number: int) -> bool:
    piece = pieces[number]
    if _opens_with(piece, _RELATIVES):
        return True
    limits = _opens_with(piece, _NO_ASIDE) or _limits(piece) or _negated(piece)
    # A number may belong to a list with gaps: "Russia in 2019, China in 2020, …".
    numbered = numbers(piece) and not _APPOSITION.match(piece)
    return not (limits or numbered) and number < len(pieces) - 1


def _opens_with(piece: str, words: frozenset[str]) -> bool:
    return (tokens(piece) or [""])[0].lower() in words


def _shouts(sentence: str, known: str) -> bool:
    """Whether a word is written in capitals that is nowhere else."""
    return any(word.isupper() and len(word) > 1 for word in set(tokens(sentence)) - set(tokens(known)))


def _is_shortening(sentence: str, source: str, title: str, question: str) -> bool:
    said, known = content_stems(sentence), content_stems(source)
    asked = set(content_stems(question))
    if not said or set(said) - set(known) - asked - set(content_stems(title)):
        return False
    if not set(said) - asked:  # it only says the question again
        return False
    if _names_another(sentence, source, title, question):
        return False
    if not _numbers_carried(sentence, source, question) or _negated(sentence) != _negated(source):
        return False
    if _limits(source) - _limits(sentence):
        return False
    shared = sum(word in set(known) for word in said)
    if shared == 0 or _in_order(said, known) < _MIN_IN_ORDER * shared or _moves_a_noun(sentence, source):
        return False
    return not _skips_a_rival(sentence, source)


def _names_another(sentence: str, source: str, title: str, question: str) -> bool:
    """Whether a name is put where the source names something else, or names change their places.

    "It fell in 2001" may become "Mir fell in 2001", if the question or the title speak of Mir; "Salyut 7 fell in 1991"
    may not. "Lu interviewed Bochkov" must not become "Bochkov interviewed Lu".
    """
    written = [stem(name.lower()) for name in names(sentence) if name.isalpha() and name.lower() not in MONTHS]
    known = stems(source)
    if set(written) - set(known):
        return not _PRONOUN.match(source)
    if "by" in {*known, *stems(sentence)}:  # the one or the other is in the passive
        return False
    order = [word for word in known if word in set(written)]
    return _in_order(written, order) < len(written)


def _moves_a_noun(sentence: str, source: str) -> bool:
    """Whether a common word stands before or behind others than in the source: "Tito flew; the price was high" must not
    become "The price of Tito flew". It may in the passive.
    """
    if "by" in {*stems(sentence), *stems(source)}:
        return False
    known = _common(source)
    said = [word for word in _common(sentence) if word in set(known)]
    return _in_order(said, known) < len(said)


def _common(text: str) -> list[str]:
    """Stems of content words that are no names and no numbers."""
    return content_stems(" ".join(token for token in tokens(text) if token.islower()))


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!\"'”’ ").lstrip("\"'“‘ ")


def _numbers_carried(sentence: str, source: str, question: str) -> bool:
    asserts = (tokens(question.lower()) or [""])[0] in _OPENERS
    allowed = set(numbers(source)) | (set() if asserts else set(numbers(question)))
    spelt = set(stems(source)) | (set() if asserts else set(stems(question)))
    words = {token.lower() for token in tokens(sentence)} & NUMBER_WORDS
    return set(numbers(sentence)) <= allowed and all(stem(word) in spelt for word in words)


def _negated(text: str) -> bool:
    words = {token.lower() for token in tokens(text)}
    return bool(words & _NEGATIONS) or any(mark in text.lower() for mark in _CONTRACTED)


def _limits(text: str) -> frozenset[str]:
    # The month is no limit.
    return frozenset(stem(word.lower()) for word in tokens(text) if word != "May") & _LIMITS


def _skips_a_rival(sentence: str, source: str) -> bool:
    """Whether a name or number of the source that the sentence leaves out stands between words that it uses.

    "Salyut 1 flew in 1971 and Mir in 1986" must not become "Salyut 1 flew in 1986".
    """
    said = {stem(word.lower()) for word in tokens(sentence) if word.lower() not in FUNCTION_WORDS}
    words = tokens(source)
    places = [(position, stem(word.lower())) for position, word in enumerate(words) if stem(word.lower()) in said]
    if not places:
        return True
    # Up to where all words have occurred, and back to where all have again: one may be repeated outside.
    last = _complete(places)
    first = _complete([place for place in reversed(places) if place[0] <= last])
    for word in words[max(first, 1) : last + 1]:
        is_name = word[0].isupper() and word.lower() not in FUNCTION_WORDS
        is_number = any(char.isdigit() for char in word) or word.lower() in NUMBER_WORDS
        if (is_name or is_number) and stem(word.lower()) not in said:
            return True
    return False


def _complete(places: Sequence[tuple[int, str]]) -> int:
    """The first position by which every word has occurred."""
    missing = {word for _, word in places}
    for position, word in places:
        missing.discard(word)
        if not missing:
            return position
    raise AssertionError("a word is missing from its own places")


def _cuts_a_list(sentence: str, source: str) -> bool:
    """Whether the sentence ends in the middle of an enumeration, which is answered whole or not at all."""
    last = stem((tokens(sentence) or [""])[-1].lower())
    places = [match.end() for match in _TOKEN.finditer(source) if stem(match.group().lower()) == last]
    return bool(places) and _LIST_GOES_ON.match(source, places[-1]) is not None


def _in_order(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for a in left:
        diagonal = 0
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], diagonal + 1 if a == b else max(row[j], row[j - 1])
    return row[-1]
