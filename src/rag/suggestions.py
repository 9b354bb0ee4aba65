"""Questions to ask next, made from sentences by rules: "Salyut 1 was launched in 1971." → "When was Salyut 1 launched?".

A sentence gives a question only where its beginning can be taken apart for sure: a subject that is understood without
the sentences before it, a verb of a list, and a time, a place, a number or an agent right where it is expected. Most
sentences give none. No model is asked; whether the articles answer a suggestion is for the chat to try.
"""

import re
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass

from rag.prose import prose
from rag.records import Passage
from rag.sentences import split_sentences
from rag.wording import FUNCTION_WORDS, MONTHS, NUMBER_WORDS, content_stems, names, numbers, stems, tokens

MAX_WORDS = 12
"""Of a question."""
_LONGEST = 400
"""Characters. A longer sentence is too tangled to be taken apart."""
_ALIKE = 0.7
"""Share of common content words from which on two questions of one kind ask the same."""
_SAME_ARTICLE, _SAME_KIND, _SAME_SENTENCE = 0.6, 0.3, 1.0
"""What a suggestion loses for each one beside it of the same article, question word or sentence; a sentence that has
all words of the last question is worth 1."""

# Verbs

_IRREGULAR = """bear bore born; beat beat beaten; become became become; begin began begun; break broke broken;
bring brought brought; build built built; buy bought bought; choose chose chosen; come came come; cost cost cost;
draw drew drawn; fall fell fallen; find found found; fly flew flown; give gave given; go went gone; grow grew grown;
have had had; hold held held; lead led led; leave left left; lie lay lain; lose lost lost; make made made; meet met met;
overthrow overthrew overthrown; pay paid paid; put put put; read read read; rise rose risen; run ran run; sell sold sold;
send sent sent; set set set; sink sank sunk; spend spent spent; stand stood stood; steal stole stolen;
strike struck struck; take took taken; win won won; withdraw withdrew withdrawn; write wrote written"""
_FORMS = {base: (past, participle) for base, past, participle in (verb.split() for verb in _IRREGULAR.split(";"))}
_WITH_OBJECT = frozenset(
    """abandon abolish absorb accept acquire adopt announce annex appoint approve arrest assassinate attack attend award
    ban beat become begin break build buy cancel capture cede celebrate choose close complete compose conclude conquer
    create cross crown defeat deliver demolish deploy depose destroy discover dissolve double elect end enter establish
    exceed execute expand explore extend film form found gain give grant hire host impose inherit install introduce invade
    invent issue join kill launch leave liberate lose make marry meet murder name occupy open overthrow paint pass patent
    perform photograph premiere present produce propose publish purchase ratify reach read receive recognise recognize
    record reject release relocate remove rename renovate replace restore reveal revoke sanction sell send sign start
    steal strike succeed sue suspend take test transfer translate unveil veto visit win write""".split()
)
"""Verbs that tell what happened to something at some time."""
_WITHOUT_OBJECT = frozenset(
    """arrive begin break burn close collapse come crash die dock emigrate end enter erupt expire explode fall fly go join
    land launch leave lift merge move open premiere resign retire return rise sink splash start surrender take touch
    travel undock withdraw""".split()
)
"""Verbs that tell what happened at some time by themselves, or with a particle or a place: "lifted off"."""
_BY_THEMSELVES = frozenset(
    "begin close collapse crash die end erupt expire explode land open premiere resign retire sink start surrender".split()
)
_DONE_BY_SOMEBODY = frozenset(
    """adopt approve build chair command commission contribute create design develop direct discover draft establish
    finance found fund head introduce invent lead manage manufacture operate organise organize own propose provide publish
    ratify run sign sponsor supply write""".split()
)
_MAKES = frozenset(
    "build chair command create design develop direct discover draft establish found head invent manufacture write".split()
)
"""Those of them that are done once, by one side."""
_OTHERS = "comprise consist contain employ last live remain stay weigh".split()
_BE = frozenset("is are was were".split())
_STATES = frozenset(
    """accompanied aimed based called composed considered delayed determined divided estimated expected followed
    intended interested involved joined known limited located meant needed pleased prepared regarded related required
    said scheduled situated supposed surrounded united used worried""".split()
)
"""Participles that tell no event one asks the time of."""
_UNFINISHED = frozenset(
    """brought called declared elected found given had held kept led left made moved named placed put ranked run seen sent
    set shown taken turned used voted""".split()
)
"""Participles that tell none without the words behind them."""
_LASTING = frozenset(
    "based chaired financed funded headed headquartered led located managed operated organised organized owned run situated".split()
)
"""Participles that do not show whether it is over."""


def _past(base: str) -> str:
    """The simple past: ``begin`` → ``began``, ``carry`` → ``carried``."""
    if base in _FORMS:
        return _FORMS[base][0]
    if base == "ban":
        return "banned"
    if base.endswith("e"):
        return f"{base}d"
    return f"{base[:-1]}ied" if re.search(r"[^aeiou]y$", base) else f"{base}ed"


def _participle(base: str) -> str:
    return _FORMS[base][1] if base in _FORMS else _past(base)


def _present(base: str) -> str:
    """The present of he, she and it: ``carry`` → ``carries``."""
    if re.search(r"[^aeiou]y$", base):
        return f"{base[:-1]}ies"
    return f"{base}es" if base.endswith("sh") else f"{base}s"


_FINITE = {
    **{_past(base): ("did", base) for base in [*_FORMS, *_WITH_OBJECT, *_WITHOUT_OBJECT, *_DONE_BY_SOMEBODY, *_OTHERS]},
    **{_present(base): ("does", base) for base in ["lie", "cost", "take", *_OTHERS]},
    **{base: ("do", base) for base in ["have", *_OTHERS] if base not in {"last", "live"}},
    **{form: (form, "") for form in _BE},
    "has": ("does", "have"),
}
"""Verbs of a statement, each with what its question needs: ``launched`` → ``did``, ``launch``."""
_BASES = {_participle(base): base for base in _DONE_BY_SOMEBODY}
_PARTICIPLES = frozenset(participle for _, participle in _FORMS.values())
_GOES_ON = _BE | {"entered", "landed", "returned", "arrived"} | {past for past, part in _FORMS.values() if past != part}
"""Verbs that open another statement behind "was launched in 1971 and", since they are no second participle."""
_SINGLES_OUT = {"was", "were"} | {_past(base) for base in _WITH_OBJECT | _DONE_BY_SOMEBODY}
_TURNS = _WITH_OBJECT - frozenset("become begin end gain give join leave lose make reach take win".split())
"""Verbs whose object makes the subject of a good question."""

# Nouns and names

_PEOPLE = frozenset(
    """actor actress admiral architect artist astronaut astronauts astronomer athlete author biologist boxer businessman
    businesswoman captain ceo chairman chairwoman chancellor chemist citizen commander composer conductor cosmonaut
    cosmonauts director doctor economist emperor empress engineer engineers explorer footballer founder general governor
    head historian human humans inventor journalist judge king lawyer leader man manager mathematician mayor men minister
    monarch musician novelist officer painter passenger passengers patient people person philosopher physician physicist
    pilot player poet politician pope president prince princess programmer queen sailor scientist secretary senator singer
    soldier sultan teacher tourist traveller tsar winner woman women writer""".split()
)
_THINGS = frozenset(
    """accelerator accord act agency agreement aircraft airline airport airship album alliance arm association asteroid
    award bank base battle body book bridge building bureau canal capital capsule castle cathedral charter
    church city club comet commission committee company conference constellation convention corporation cosmodrome council
    country court currency database denomination desert device dish disease district docking drone drug edition election
    element engine expedition experiment factory festival film flight forest foundation framework galaxy game group
    hospital hotel initiative institute institution instrument island laboratory lake lander landing language law library
    lighthouse locomotive machine magazine medal memorandum metal method mission module moon mountain movement museum
    network newspaper novel observatory ocean opera orbiter orchestra organisation organization painting palace park
    parliament partnership party peninsula plane planet plant poem port prize probe program programme project protein
    protocol province railway ray region republic reservoir resolution river road robot rocket round rover satellite
    school sea series service ship shuttle software song spacecraft spaceplane spaceport spacewalk species stadium star
    state station statue submarine suite system telescope temple theatre theory tournament tower town treaty tribe tunnel
    university vaccine vehicle vessel village virus volcano war website yacht""".split()
)
_NOUNS = _PEOPLE | _THINGS
_GOVERNING = frozenset("army constitution government leadership navy parliament presidency senate".split())
"""Each country has one, so that its adjective makes a name of them: "the Soviet government"."""
_OF_SOME_COUNTRY = frozenset("National State Federal Royal Central Supreme General House Senate".split())
"""Names that begin so are shared by several."""
_CHANGING = frozenset("area crew delegation flight group launch mission side staff team".split())
"""Even with a name before them, these may mean several."""
_ALONE = frozenset("atmosphere earth equator internet moon press sea sun universe world".split())
"""With "the" but no name, these are understood anywhere."""
_VAGUE = frozenset(
    "aim case fact goal half idea lack majority members number part question rest result side use".split()
)
_RANKS = frozenset(
    """first last only second third fourth fifth sixth seventh eighth ninth tenth biggest brightest busiest closest deepest
    earliest fastest heaviest highest largest longest most nearest oldest richest smallest strongest tallest youngest""".split()
)
_ROLES = frozenset(
    """architect author captain capital chair chairman chairwoman chancellor chief commander composer director founder
    governor head headquarters inventor king leader mayor president queen""".split()
)
"""Of a named thing, there is one at a time."""
_NATIONALITY = re.compile(r"(?:[a-z]ans?|ese|ish|ench|utch|oviets?|reek|wiss|azakh|raqi|raeli|audi|mirati|stani)$")
_BETWEEN_NAMES = frozenset("of the for and de da di von van der den del la le al bin".split())
_NO_NAME = (
    FUNCTION_WORDS
    | NUMBER_WORDS
    | frozenset(
        """additionally afterwards article chapter currently dear earlier early eventually figure finally first following
        formerly furthermore historically human initially instead interestingly ironically last late later like local many
        meanwhile modern moreover new next note officially old originally overall part phase previously recently second
        section see similarly soon subsequently table today together tomorrow traditionally unlike yesterday
        young""".split()
    )
)
"""Words that have a capital at the beginning of a sentence, and are then no name."""
_PRONOUNS = frozenset(
    """both each former he her here herself him himself his how it its itself latter ones one same she so such that their
    them themselves there these they this those what when where which who whom whose why another other""".split()
)
_PREPOSITIONS = frozenset(
    "across against around as at between by during for from in into near off on out over through to under with within".split()
)
_HEAD_ENDS = _PREPOSITIONS | frozenset("and of that when where which who whose".split())
_INSIDE = _PREPOSITIONS | _RANKS | {"a", "an", "and", "be", "of", "own", "the"}
"""Function words that a phrase may hold without referring to what was said before."""
_NEXT_CLAUSE = frozenset("after although because before but until when while".split())
_SOFT = frozenset("also eventually finally later soon then".split())

# Times, places and numbers

_MONTH = "|".join(sorted(month.capitalize() for month in MONTHS))
_YEAR = r"(?:1\d|20)\d\d(?!\d|[.,]\d)"
_DATE = (
    rf"(?:\d{{1,2}} (?:{_MONTH})(?: {_YEAR})?|(?:{_MONTH}) \d{{1,2}}(?!\d)(?:, {_YEAR})?"
    rf"|(?:(?:early|late|mid) )?(?:(?:{_MONTH}) )?(?:of )?{_YEAR}|the (?:(?:early|late|mid)[ -])?(?:1\d|20)\d0s)"
)
_WHEN = re.compile(rf"\b(?:on|in) {_DATE}(?![\w-])")
_LEAD = re.compile(rf"(?:On|In) {_DATE}(?![\w-]),? ")
_AFTER_DATE = re.compile(
    r"$|[,;:]| [–—] | (?:and|but|from|at|in|by|with|aboard|during|after|before|when|because|as|to|under|for)\b"
)
_PLACE = rf"(?:in|at|on|near) (?:the )?(?!(?:{_MONTH})\b)[A-Z]\w"
_ABOUT = r"(?:(?:about|around|some|nearly|almost|roughly|approximately|exactly|more than|over|at least|up to) )?"
_COUNT = (
    rf"{_ABOUT}(?:\d[\d,.]*(?: (?:hundred|thousand|million|billion))?"
    rf"|(?:{'|'.join(sorted(NUMBER_WORDS - {'half', 'twice', 'dozen', 'zero', 'one'}))}))"
)
_TIME = rf"{_COUNT} (?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?)\b"
_COUNTED = (
    r"((?!more |other |further |additional |times)(?:[a-z-]+ ){0,2}?"
    r"(?!metres|kilometres|miles|tonnes|dollars|euros|years|percent)(?:[a-z-]+s|people|men|women))"
)

_REPORTED = re.compile(
    r"\b(?:plan(?:s|ned|ning)?|expect\w*|hope[sd]?|hoping|likely|unlikely|probabl[ey]|perhaps|possibl[ey]|maybe|allege\w*"
    r"|reported(?:ly)?|suppose\w*|intend\w*|claim\w*|believe\w*|thought|according|said|says|saying|told|meant|aim(?:s|ed)?"
    r"|wants?|wanted|scheduled|potential\w*|rumou?r\w*|apparent\w*|seem\w*|argue\w*|estimate\w*|would-be|considered"
    r"|hypothe\w*|legend\w*|myth\w*|fiction\w*|I|we|you|my|our|your)\b"
)
"""Words of hedges and reports, anywhere in a sentence. What somebody hopes or says is not what happened."""
_DOUBTED = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|without|hardly|cannot|may|might|could|would|should|will|shall|can"
    r"|if|unless|whether|due)\b|n[’']t\b"
)
"""Words of negations and conditions, where they belong to the statement that is asked about."""
_ODD = re.compile(r"[\"“”„‘«»*_|<>#@{}\[\]()?!/\\]|(?<!\w)['’]|\.\.")


@dataclass(frozen=True, slots=True)
class Clause:
    """A statement taken apart: "In 1998 Zarya was launched from Baikonur"."""

    time: str
    """``In 1998``, or nothing."""
    subject: str
    """``Zarya``, as it stands inside a question."""
    said: str
    """The first word of the verb: ``was``."""
    helper: str
    """What a question has before the subject: ``was``, ``did``."""
    main: str
    """What it has behind it: ``launched``, ``launch``; nothing behind a bare "was"."""
    rest: str
    """``from Baikonur``."""

    @property
    def passive(self) -> bool:
        return self.helper in _BE and bool(self.main)

    @property
    def equates(self) -> bool:
        """Whether it says what the subject is."""
        return self.helper in _BE and not self.main

    def ask(self, opening: str, complement: str = "") -> str:
        return f"{opening} {self.helper} {self.subject} {self.main} {complement}"


@dataclass(frozen=True, slots=True)
class _Sense:
    """What a question asks, for comparing it with others."""

    kind: str
    """Its question word; nothing where that may be anything."""
    words: frozenset[str]
    named: frozenset[str]
    """Those of its words that are names or numbers."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    question: str
    sense: _Sense
    article: str
    sentence: str
    near: float
    """See ``_near``."""


def questions(sentence: str, title: str, known: Collection[str] = ()) -> list[str]:
    """Questions that a sentence answers, each understood by itself; mostly none.

    Args:
        sentence: one sentence, as written.
        title: of its article, which tells names too, and what "the lunar station" is.
        known: words that are names although nothing but a capital shows it, as "Zarya".
    """
    text = _plain(sentence)
    if text is None:
        return []
    found = list(_who_did(text))
    for clause in _clauses(text, known, title):
        for rule in (_when, _fixed, _who, _which, _what, _measure, _why):
            found.extend(rule(clause))
    if not found or _REPORTED.search(text):
        return []
    asked = (" ".join(question.split()).rstrip(" ,") + "?" for question in found)
    return [question for question in dict.fromkeys(asked) if _is_fit(question)]


def suggest(
    passages: Sequence[Passage], asked: Sequence[str], most: int = 3, candidates: int | None = None
) -> list[str]:
    """Questions to ask next that the passages answer, best first.

    Those near the last question come first, but not its own answer; any ``most`` in a row are spread over different
    articles and question words.

    Args:
        passages: best first; only their citable English sentences count.
        asked: all questions of the conversation, oldest first. None of them comes back in other words.
        most: how many are shown together.
        candidates: how many to give, for a chat that tries each before it shows ``most``.
    """
    left = _candidates(passages, [_sense(question) for question in asked])
    chosen: list[_Candidate] = []
    wanted = most if candidates is None else candidates
    while left and len(chosen) < wanted:
        beside = chosen[len(chosen) - len(chosen) % max(1, most) :]
        best = max(left, key=lambda item: _worth(item, beside, chosen))  # the first of equals, so in the given order
        chosen.append(best)
        left = [item for item in left if not _asks_same(item.sense, best.sense)]
    return [item.question for item in chosen]


def _candidates(passages: Sequence[Passage], asked: Sequence[_Sense]) -> list[_Candidate]:
    english = [passage for passage in passages if passage.document.language.startswith("en")]
    known = _names_in([prose(passage.document, passage.start, passage.end).text for passage in english])
    topic = asked[-1].words if asked else frozenset()
    said_of_topic = bool(asked and asked[-1].kind and topic > asked[-1].named)
    found: dict[str, _Candidate] = {}
    for passage in english:
        document, title = passage.document, passage.document.title
        title_words = set(content_stems(title))
        text = document.text[: passage.end]
        for sentence in split_sentences(text, passage.start, boilerplate=document.boilerplate):
            quote = prose(document, sentence.start, sentence.end).text
            made = questions(quote, title, known) if sentence.citable else []
            words = set(content_stems(quote)) if made else set()
            if said_of_topic and topic <= words:  # it answers what was just asked
                continue
            near = _near(asked[-1], words | title_words) if asked else 0.0
            for question in made:
                sense = _sense(question)
                if not any(_asks_same(sense, before) for before in asked):
                    found.setdefault(question, _Candidate(question, sense, document.id, quote, near))
    return list(found.values())


def _near(asked: _Sense, words: Set[str]) -> float:
    """Share of the words of a question that a sentence has; a name counts double, a number says little by itself."""
    weights = {word: 1 + (word in asked.named) for word in asked.words if not word.isdigit()}
    return sum(weight for word, weight in weights.items() if word in words) / max(1, sum(weights.values()))


def _worth(item: _Candidate, beside: Sequence[_Candidate], chosen: Sequence[_Candidate]) -> float:
    worth = item.near
    worth -= _SAME_ARTICLE * sum(item.article == other.article for other in beside)
    worth -= _SAME_KIND * sum(item.sense.kind == other.sense.kind for other in beside)
    return worth - _SAME_SENTENCE * sum(item.sentence == other.sentence for other in chosen)


def _sense(question: str) -> _Sense:
    named = {stem for word in [*names(question), *numbers(question)] for stem in stems(word)}
    words = frozenset(content_stems(question))
    match = re.search(
        r"\b(?:who|when|where|why|how (?:many|much|long)|(?:what|which) (?:year|date|day))", question.lower()
    )
    kind = match.group() if match else ""
    return _Sense("when" if kind.startswith("wh") and " " in kind else kind, words, words & named)


def _asks_same(one: _Sense, other: _Sense) -> bool:
    """Whether a question asks what another one asks: about the same names and numbers, with mostly the same words."""
    if (one.kind and other.kind and one.kind != other.kind) or not one.named <= other.words:
        return False
    if any(word.isdigit() for word in one.words ^ other.words):  # Salyut 6 is not Salyut 7
        return False
    return one.words <= other.words or len(one.words & other.words) >= _ALIKE * len(one.words | other.words)


def _names_in(texts: Collection[str]) -> set[str]:
    """Words that are written with a capital inside sentences, and never without."""
    capital = {word for text in texts for word in re.findall(r"(?<=[a-z,] )[A-Z][\w’'-]*\w", text)}
    small = {word for text in texts for word in re.findall(r"\b[a-z]\w+", text)}
    return {word for word in capital if word.lower() not in small and not _NATIONALITY.search(word.removesuffix("s"))}


def _names_of_title(title: str) -> set[str]:
    """Capitalised words of a title that is written like a sentence."""
    words = tokens(title)
    if not any(word[0].islower() and word not in FUNCTION_WORDS for word in words):
        return set()
    return {word for word in words[1:] if word[0].isupper()}


def _plain(sentence: str) -> str | None:
    """The sentence without its full stop and what stands in parentheses; None where it cannot be taken apart."""
    if len(sentence) > _LONGEST:
        return None
    text = re.sub(r"^(?:[-*+•]|\d{1,3}[.)]) ", "", " ".join(sentence.split()))
    text = re.sub(r" \([^()]*\)", "", text)
    if not re.search(r"[\w%]\w\.$", text) or _ODD.search(text):
        return None
    return text[:-1]


def _is_fit(question: str) -> bool:
    words = question.split()
    if not 3 <= len(words) <= MAX_WORDS or not question[0].isupper():
        return False
    return not re.search(r"[,;:–—]", question) and not _DOUBTED.search(question)


# Taking a sentence apart


def _clauses(text: str, known: Collection[str], title: str) -> Iterator[Clause]:
    """What a sentence says of its first subject, and aside of it."""
    lead = _LEAD.match(text)
    words = re.split(r"[;:]", text[lead.end() :] if lead else text)[0].split()
    time = lead.group().strip(" ,") if lead else ""
    subject, aside = _opening(words)
    if aside and _stands_alone(subject, known, title):
        yield from _said_aside(_inside(subject), aside)
    verb = _verb_at(words)
    if verb is None or _DOUBTED.search(" ".join(words[:verb])):
        return
    before = " ".join(words[:verb])
    subject = (before.replace(f", {' '.join(aside)},", "") if aside else before).split()
    while subject and subject[-1] in _SOFT:
        subject.pop()
    clear = _stands_alone(subject, known, title)
    for said, helper, main, rest in _predicates(words[verb:]):
        clause = Clause(time, _inside(subject), said, helper, main, rest)
        if clear:
            yield clause
        else:
            yield from _turned(clause, known, title)
        time = ""


def _inside(subject: Sequence[str]) -> str:
    """A subject as it stands inside a sentence."""
    return " ".join(["the", *subject[1:]] if subject[:1] == ["The"] else subject)


def _opening(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The first words and what is set off by commas behind them, where their verb follows."""
    commas = [i for i, word in enumerate(words[:24]) if word.endswith(",")][:2]
    if len(commas) < 2:
        return [], []
    first, second = commas
    following = words[second + 1] if second + 1 < len(words) else ""
    if not following[:1].islower() or following in {"and", "or", "but", "the", "a", "an"}:
        return [], []
    return [*words[:first], words[first][:-1]], [*words[first + 1 : second], words[second][:-1]]


def _said_aside(subject: str, aside: Sequence[str]) -> Iterator[Clause]:
    """ "Sputnik 1, the first artificial satellite," and "Sputnik 1, launched in 1957," say that it was."""
    was = "were" if " and " in subject else "was"
    if _is_participle(aside[0]) and aside[0] not in _LASTING:
        yield Clause("", subject, was, was, aside[0], " ".join(aside[1:]))
    elif set(aside[1:3]) & _RANKS:
        yield Clause("", subject, was, was, "", " ".join(aside))


def _verb_at(words: Sequence[str]) -> int | None:
    """Where the verb of the first subject stands; what is set off by commas between them is passed over."""
    commas = 0
    for i, word in enumerate(words[:24]):
        if i and commas != 1 and word in _FINITE:
            return i
        commas += word.endswith(",")
    return None


def _predicates(words: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """What is said of one subject: "was launched in 1971 and fell in the same year" says two things."""
    starts = [0]
    for i, word in enumerate(words[:-1]):
        if word in {"who", "which", "that", "where", "when", "while", "but"}:
            break
        goes_on = words[i + 1] in (_GOES_ON if words[starts[-1]] in _BE else _FINITE)
        if word == "and" and i and goes_on:
            starts.append(i + 1)
        elif word == "and" and words[i - 1].endswith(","):
            break  # another subject follows
    for start, end in zip(starts, [*(start - 1 for start in starts[1:]), len(words)], strict=True):
        said, *rest = words[start:end]
        helper, main = _FINITE[said]
        if said in _BE:
            while rest and rest[0] in _SOFT:
                rest.pop(0)
            size = 2 if rest[:1] == ["first"] else 1
            if len(rest) >= size and _is_participle(rest[size - 1]):
                main, rest = " ".join(rest[:size]), rest[size:]
        yield said, helper, main, " ".join(rest).rstrip(" ,")


def _is_participle(word: str) -> bool:
    return word in _PARTICIPLES or (word.endswith("ed") and len(word) > 3 and word.isalpha() and word.islower())


def _turned(clause: Clause, known: Collection[str], title: str) -> Iterator[Clause]:
    """ "A rocket launched Webb in 2021" says that Webb was launched in 2021."""
    if clause.main not in _TURNS:
        return
    words = clause.rest.split()
    size = next((i for i, word in enumerate(words) if word in _PREPOSITIONS), 0)
    if size and _stands_alone(words[:size], known, title) and not re.search(r"s$|['’]s ", " ".join(words[:size])):
        was = "were" if "and" in words[:size] else "was"
        rest = " ".join(words[size:])
        yield Clause(clause.time, " ".join(words[:size]), was, was, _participle(clause.main), rest)


# Is a phrase understood by itself?


def _is_capital(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()


def _stands_alone(words: Sequence[str], known: Collection[str], title: str) -> bool:
    """Whether a noun phrase is understood by itself: it is a name, or has one, or the title explains it."""
    if not 0 < len(words) <= 8 or any(not word or word.endswith(",") or word.lower() in _PRONOUNS for word in words):
        return False
    for i, word in enumerate(words[:-1]):
        if word.endswith(("'s", "’s")):
            owned = [part.lower() for part in words[i + 1 :]]
            plain = not any(part in FUNCTION_WORDS or part in NUMBER_WORDS or not part[0].isalpha() for part in owned)
            return plain and len(owned) <= 4 and _stands_alone([*words[:i], word[:-2]], known, title)
    if words[0].lower() == "the":
        return _is_definite(words[1:], known, title)
    return all(_is_name(part.split(), known, title) for part in " ".join(words).split(" and "))


def _is_name(words: Sequence[str], known: Collection[str], title: str) -> bool:
    """ "Vladimir Titov", "NASA", "Kvant-1", "Roberto Vittori of Italy" """
    if not words or words[0].lower() in _NO_NAME or not words[0][0].isupper() or not _is_capital(words[-1]):
        return False
    if not all(_is_capital(word) or word in _BETWEEN_NAMES or word in _PEOPLE for word in words):
        return False
    if len(words) > 1 and words[1] not in _BETWEEN_NAMES:
        return True
    word = words[0]  # only its capital would tell that it is a name
    return (
        word in known
        or word in _names_of_title(title)
        or (word[-1] != "s" and any(char.isupper() or char.isdigit() for char in word[1:]))
    )


def _is_definite(words: Sequence[str], known: Collection[str], title: str) -> bool:
    """What follows "the": "Soviet shuttle Buran", "core module of Mir", "Apollo programme"."""
    size = next((i for i, word in enumerate(words) if word in {"of", "for", "on", "and", "in"}), len(words))
    head, rest = words[:size], words[size + 1 :]
    if not 0 < len(head) <= 5 or any(word in FUNCTION_WORDS or word.endswith("ly") for word in head):
        return False
    capitals = [i for i, word in enumerate(head) if _is_capital(word)]
    if size == len(words):
        content = content_stems(" ".join(head))
        explained = len(content) > 1 and set(content) <= set(content_stems(title))
        return explained or _has_own_name(head, capitals)
    if capitals and not _has_own_name(head, capitals, alone=False):
        return False
    if not rest or words[size] in {"and", "in"} or (words[size] == "on" and not capitals) or head[-1] in _VAGUE:
        return False
    only_names = all(_is_capital(word) or word in _BETWEEN_NAMES for word in rest) and rest[0] != "and"
    return _is_capital(rest[-1]) and (only_names or _stands_alone(rest, known, title))


def _has_own_name(head: Sequence[str], capitals: Sequence[int], alone: bool = True) -> bool:
    """Whether words behind "the" hold a name that tells which one is meant.

    Args:
        head: the words.
        capitals: which of them have a capital.
        alone: no "of …" follows, which would tell it too.
    """
    if not capitals or any(i and not _is_capital(head[i - 1]) and head[i - 1] not in _NOUNS for i in capitals):
        return False
    if not _is_capital(head[-1]) and head[-1] not in _NOUNS | _GOVERNING:
        return False
    if not alone:
        return True
    if len(head) == 1 and head[0].lower().removesuffix("s") in _NOUNS:
        return False  # "the Agreement" has its capital only out of respect
    own = head[0] not in _OF_SOME_COUNTRY and any(not _NATIONALITY.search(head[i]) for i in capitals)
    return head[-1] in _GOVERNING or (own and head[-1] not in _CHANGING)


def _is_clear(words: Sequence[str]) -> bool:
    """Whether nothing in a phrase refers to what was said before it."""
    clear = not words or words[-1] not in _CHANGING
    for word in (word.rstrip(",") for word in words):
        lowered = word.lower()
        if lowered in _PRONOUNS or lowered in _FINITE or word in {"later", "earlier", "ago", "again", "more", "part"}:
            return False
        if lowered in FUNCTION_WORDS and lowered not in _INSIDE:
            return False
        if _is_capital(word) or word in _ALONE or word in _RANKS:
            clear = True
        elif word in _INSIDE and word not in {"of", "own"}:
            if not clear:
                return False
            clear = word != "the"
    return clear


def _has_name(words: Sequence[str]) -> bool:
    """Whether one of them is a name, not just a month or a number."""
    return any(word[0].isupper() and word.lower().strip(",.") not in MONTHS for word in words)


def _phrase(rest: str) -> str:
    """The first words behind a verb up to the end of their clause; nothing where that cannot be told."""
    kept: list[str] = []
    words = rest.split()
    for i, word in enumerate(words):
        following, after = [*words[i + 1 : i + 3], "", ""][:2]
        if word in {"and", "or"}:
            if following in _FINITE or following in {"still", "a", "an"} or (following == "the" and after.islower()):
                break
            name = after if following == "the" else following
            if not (kept and name and _is_capital(kept[-1]) and _is_capital(name)):
                return ""
        elif word in _NEXT_CLAUSE:
            break
        kept.append(word)
        if word[-1] in ",;:":
            break
    return " ".join(kept).rstrip(",;:")


def _until_date(rest: str) -> str:
    match = _WHEN.search(rest)
    return rest[: match.start()].strip(" ,") if match else rest


def _before_date(clause: Clause) -> str | None:
    """What stands between the verb and the time; None where there is no time or it belongs to something else."""
    match = _WHEN.search(clause.rest)
    if match:
        before = clause.rest[: match.start()].rstrip().removesuffix(",")
        return before if _AFTER_DATE.match(clause.rest[match.end() :]) and "," not in before else None
    if not clause.time or not clause.rest:
        return "" if clause.time else None
    before = _phrase(clause.rest)
    cut = clause.rest[len(before) :].startswith(",")
    named_behind = cut and set(before.split()) & (_RANKS | {"a", "an"})
    return before if before and not named_behind else None


def _complement(clause: Clause, before: str) -> str | None:
    """What of it a question keeps; None where it is unclear or too much."""
    words = before.split()
    if len(words) > 9 or not (clause.passive or clause.helper == "did"):
        return None
    if not words:
        return "" if (clause.passive and clause.main not in _UNFINISHED) or clause.main in _BY_THEMSELVES else None
    if clause.passive:
        by_the_way = {"aboard", "at", "by", "in", "with"} | (
            {"atop", "from", "on"} if clause.main == "launched" else set()
        )
        if words[0] in by_the_way and clause.main not in _UNFINISHED:
            return None if any(word in _FINITE or word in {"as", "to"} for word in words) else ""
        return before if _is_clear(words) else None
    if words[0] in {"off", "down", "up", "place"}:
        if clause.main not in _WITHOUT_OBJECT:
            return None
        return words[0] if len(words) == 1 or words[1] in {"at", "from", "in", "near", "on"} else None
    if words[0] in _PREPOSITIONS:
        fits = clause.main in _WITHOUT_OBJECT and ((_is_clear(words) and _has_name(words)) or before == "into force")
        return before if fits else None
    return before if clause.main in _WITH_OBJECT and _is_object(clause.main, words) else None


def _is_object(main: str, words: Sequence[str]) -> bool:
    """Whether words behind a verb are an object that tells enough."""
    if words[0] in {"its", "his", "her", "their"}:
        words = words[1:]
        return bool(words) and _is_clear(words) and (_has_name(words) or bool(set(words) & (_RANKS | {"own"})))
    if not _is_clear(words):
        return False
    if words[0] in {"a", "an"}:
        return _has_name(words) or len([word for word in content_stems(" ".join(words)) if word.isalpha()]) > 2
    if words[0] == "the":
        return _has_name(words) or bool(set(words) & _RANKS)
    return words[0][0].isupper() or (main == "become" and words[0] in _PEOPLE and _has_name(words))


# Rules: each looks for one kind of answer in a clause


def _when(clause: Clause) -> Iterator[str]:
    """ "… was launched on 19 April 1971", "On 6 June 1971 … lifted off" """
    if clause.said not in {"was", "were"} and clause.helper != "did":
        return
    if clause.equates or clause.main in _STATES or _may_be_a_traveller(clause):
        return
    before = _before_date(clause)
    complement = None if before is None else _complement(clause, before)
    if complement is not None:
        yield clause.ask("When", complement)


def _may_be_a_traveller(clause: Clause) -> bool:
    """Of somebody, one asks otherwise when he was launched. Digits, capitals and "the" show a thing."""
    is_thing = re.search(r"^the |\d|['’]s\b|^[A-Z]+$", clause.subject) and not set(clause.subject.split()) & _PEOPLE
    return clause.main == "launched" and not is_thing


_FIXED: list[tuple[str, str, str, str]] = [
    ("based born buried founded headquartered held located signed situated staged built", _PLACE, "Where", ""),
    ("launched", r"(?:(?!from |and )[^ ,]+ ){0,6}?from (?:the )?[A-Z]\w", "Where", "from"),
    ("lie land crash", _PLACE, "Where", ""),
    ("take", rf"place {_PLACE}", "Where", "place"),
    ("have contain comprise employ", rf"{_COUNT} {_COUNTED}(?=$|,| (?:and|in|on|at|for|with)\b)", r"How many \1", ""),
    ("last", rf"(?:for )?{_TIME}", "How long", ""),
    ("stay live remain", rf"(together|(?:in|on|at|aboard) [^,]+?) for {_TIME}", "How long", r"\1"),
    ("spend", rf"{_TIME} ((?:in|on|at|aboard) (?:the )?[\w-]+(?: [A-Z]\w+)*)", "How long", r"\1"),
    ("weigh", _COUNT, "How much", ""),
    ("cost", rf"{_ABOUT}[$€£]?\d", "How much", ""),
    ("is", rf"{_COUNT} [a-z]+ (long|tall|high|wide|deep)\b", r"How \1", ""),
    ("consist", "of ", "What", "of"),
    ("used", r"(?:to|for) [a-z]", "What", "for"),
]
"""What a verb must be followed by, and what goes before and behind its clause in the question."""
_FIXED_FOR = {verb: rule for verbs, *rule in _FIXED for verb in verbs.split()}


def _fixed(clause: Clause) -> Iterator[str]:
    """ "… is based in Paris", "… has 17 articles", "… lasted 237 days" """
    rule = _FIXED_FOR.get("is" if clause.equates else clause.main)
    if rule is None or _may_be_a_traveller(clause):
        return
    pattern, opening, complement = rule
    match = re.match(pattern, re.sub(rf"^{_WHEN.pattern}\s*", "", clause.rest))
    if match and _is_clear(match.expand(complement).split()):
        yield clause.ask(match.expand(opening), match.expand(complement))


def _who(clause: Clause) -> Iterator[str]:
    """ "… was built by Lavochkin", "Sergei Korolev founded …" """
    if clause.passive and clause.main in _BASES:
        agent = re.match(r"by (?:the )?(?:[\w-]+ ){0,2}?([A-Z][\w.’'-]*(?: [A-Z][\w.’'-]*)*)", clause.rest)
        if agent and agent.group(1).split()[-1] not in {"Act", "Charter", "Decree", "Law", "Order", "Treaty"}:
            verb = _present(_BASES[clause.main]) if clause.helper in {"is", "are"} else _past(_BASES[clause.main])
            yield f"Who {verb} {clause.subject}"
    elif clause.helper == "did" and clause.main in _MAKES:
        found = _until_date(clause.rest)
        words = found.split()
        whole = _phrase(found) == found and words and words[0] not in _PREPOSITIONS | {"a", "an"}
        if whole and _is_clear(words) and _has_name(words) and not re.search(r"\d", clause.subject):
            yield f"Who {clause.said} {found}"


def _who_did(text: str) -> Iterator[str]:
    """ "Alexei Leonov, who made the first spacewalk, …" """
    for match in re.finditer(r"\b[A-Z]\w+, who (\w+ [^,;:–]+)(?=,|$)", text):
        words = _until_date(match.group(1)).split()
        if len(words) < 3 or words[0] not in _SINGLES_OUT or (words[0] in _BE and words[1] not in {"the", "first"}):
            continue
        if "and" not in words and _is_clear(words[1:]) and (_has_name(words) or "first" in words):
            yield f"Who {' '.join(words)}"


def _which(clause: Clause) -> Iterator[str]:
    """ "… was the first satellite in orbit around Mars", "… is the president of Ghana" """
    if not clause.equates and clause.said != "became":
        return
    phrase = _phrase(_until_date(clause.rest))
    words = phrase.split()
    if len(words) < 4 or not (words[0] == "the" or words[0].endswith(("'s", "’s"))):
        return
    rank = 2 if words[1] in {"world's", "world’s"} else 1
    singled_out = words[rank] in _RANKS and len(words) > rank + 2
    role = words[0] == "the" and words[1] in _ROLES and words[2] == "of" and _has_name(words)
    asks = _asks_for(words[rank + singled_out :])
    if asks and (singled_out or role) and _is_clear(words[rank:]) and words[-1] not in {"time", "ever", "yet", "far"}:
        yield f"{asks} {clause.said} {phrase}"


def _asks_for(words: Sequence[str]) -> str | None:
    """Whether a noun phrase is asked for with "who" or with "what", by its head; None where that is unclear."""
    head = ""
    for word in words:
        if word in _HEAD_ENDS or word.endswith("ing") or (head in _NOUNS and _is_participle(word)):
            break
        head = word
    if head in _PEOPLE | {"chair", "chief"} or (head[:1].isupper() and _NATIONALITY.search(head)):
        return "Who"
    return "What" if head in _THINGS else None


def _what(clause: Clause) -> Iterator[str]:
    """ "Kvant-1 is an astrophysics laboratory", "The capital of Ghana is Accra" """
    if not clause.equates:
        return
    asks = None
    words = clause.rest.split(",")[0].split()
    if words[:1] in (["a"], ["an"], ["the"]) and clause.said in {"is", "was"} and not set(words[1:3]) & _RANKS:
        asks = _asks_for(words[1:])
        asks = None if asks == "Who" and (words[0] == "the" or clause.said == "was") else asks
    if clause.said in {"are", "were"} and re.match(r"a (?:set|series|group|family) of ", clause.rest):
        asks = "What"
    if clause.subject.startswith("the ") and all(map(_is_capital, re.sub(r" (?:and|of) ", " ", clause.rest).split())):
        asks = _asks_for(clause.subject.split()[1:])
    if asks:
        yield clause.ask(asks)


def _measure(clause: Clause) -> Iterator[str]:
    """ "Mir had a mass of 130 tonnes" """
    measures = "area|budget|capacity|diameter|height|length|mass|population|volume|weight|width"
    match = re.match(rf"an? ((?:[a-z]+ )?(?:{measures})) of (?:between )?{_COUNT}", clause.rest)
    if clause.main == "have" and match:
        yield f"What {'was' if clause.helper == 'did' else 'is'} the {match.group(1)} of {clause.subject}"


def _why(clause: Clause) -> Iterator[str]:
    """ "… was cancelled because money ran out" """
    match = re.search(r"(?:^|,? )(?:because|in order to|so that) ", clause.rest)
    if match is None or clause.equates or clause.said in {"is", "are"} or clause.helper in {"do", "does"}:
        return
    before = clause.rest[: match.start()]
    complement = None if "," in before else _complement(clause, before)
    if complement is not None:
        yield clause.ask("Why", complement)
