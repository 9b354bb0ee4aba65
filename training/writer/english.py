"""A little English grammar by word lists: enough to tell a clause from a list item, and to turn "did begin" into "began"."""

import re

DETERMINERS = frozenset("the a an its his her their this that these those some many most all both each".split())
PRONOUNS = frozenset("he she it they him them his her hers its their theirs this these those such i we you".split())
PREPOSITIONS = frozenset(
    """in on at by during since from between near around until after before over under across throughout within for
    of to with into onto through against among as about above below behind beyond along toward towards upon via
    outside inside off like than because""".split()
)
AUXILIARIES = frozenset(
    "is are was were be been has have had do does did can could will would may might must shall should".split()
)
_LOOSE_ENDS = PREPOSITIONS - {"in", "on", "off", "over", "through", "below", "above", "behind", "inside", "outside"}
DANGLING = (
    _LOOSE_ENDS | DETERMINERS | AUXILIARIES | frozenset("and or but nor which who whose where when while if".split())
)
"""Words that a sentence does not end with."""

_IRREGULAR = """arise arose arisen; beat beat beaten; become became become; begin began begun; bind bound bound;
break broke broken; bring brought brought; build built built; buy bought bought; catch caught caught; choose chose chosen;
come came come; cost cost cost; cut cut cut; deal dealt dealt; draw drew drawn; drive drove driven; eat ate eaten;
fall fell fallen; feel felt felt; fight fought fought; find found found; flee fled fled; fly flew flown; forbid forbade forbidden;
get got gotten; give gave given; go went gone; grow grew grown; hang hung hung; have had had; hear heard heard; hide hid hidden;
hit hit hit; hold held held; keep kept kept; know knew known; lay laid laid; lead led led; leave left left; lend lent lent;
let let let; lie lay lain; lose lost lost; make made made; mean meant meant; meet met met; pay paid paid; put put put;
read read read; ride rode ridden; ring rang rung; rise rose risen; run ran run; say said said; see saw seen; seek sought sought;
sell sold sold; send sent sent; set set set; shoot shot shot; show showed shown; sing sang sung; sink sank sunk; sit sat sat;
speak spoke spoken; spend spent spent; split split split; spread spread spread; stand stood stood; steal stole stolen;
strike struck struck; swear swore sworn; sweep swept swept; take took taken; teach taught taught; tell told told;
think thought thought; throw threw thrown; understand understood understood; wear wore worn; win won won; write wrote written;
withdraw withdrew withdrawn; overthrow overthrew overthrown; undergo underwent undergone; foresee foresaw foreseen"""
_FORMS = {base: (past, participle) for base, past, participle in (verb.split() for verb in _IRREGULAR.split(";"))}
_PASTS = frozenset(past for past, _ in _FORMS.values()) - {"read", "put", "set", "cost", "cut", "hit", "let", "lay"}
_PARTICIPLES = frozenset(participle for _, participle in _FORMS.values())
_PRESENTS = frozenset(
    """says includes contains remains uses provides makes takes gives holds lies runs shows means needs requires becomes
    begins works lives comes goes consists serves plays leads keeps offers allows produces occurs exists describes refers
    forms covers represents appears seems tends varies depends receives operates features states stands continues
    include contain remain use provide make take give need require become work live come go consist serve play keep
    offer allow produce occur exist describe refer represent appear seem tend vary depend receive operate
    feature argues considers calls believes suggests claims concludes notes reports writes helps causes creates follows
    determines depicts connects involves enables prevents protects reduces increases reflects results rises falls stays
    stems sells suffers supports teaches wants borders flows hosts houses owns publishes celebrates marks
    argue consider call believe suggest help cause create follow determine connect involve enable""".split()
)
_NOT_PASTS = frozenset(
    "need seed speed feed red bed shed hundred indeed united aged sacred naked based called named used".split()
)
"""Words in -ed that are no verb, or that as often as not open a shortened relative clause ("a city called …")."""


def past(base: str) -> str:
    """The simple past: ``begin`` → ``began``, ``carry`` → ``carried``. Final consonants are not doubled."""
    if base in _FORMS:
        return _FORMS[base][0]
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if re.search(r"[^aeiou]y$", base) else base + "ed"


def third_person(base: str) -> str:
    """The present of he, she and it: ``carry`` → ``carries``."""
    if base == "have":
        return "has"
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ies"
    return base + ("es" if re.search(r"(?:s|x|z|ch|sh|o)$", base) else "s")


def is_participle(word: str) -> bool:
    """Whether a word may follow "was" in a passive; adjectives in -ed count too."""
    return word in _PARTICIPLES or (
        word.endswith("ed") and len(word) > 4 and word.isalpha() and word not in {"hundred", "indeed"}
    )


def is_finite(word: str) -> bool:
    """Whether a word is probably the verb of a clause. Errs on the side of no."""
    word = word.lower()
    if word in AUXILIARIES - {"be", "been"} or word in _PASTS or word in _PRESENTS:
        return True
    return len(word) > 4 and word.endswith("ed") and word not in _NOT_PASTS


def has_verb(clause: str, within: int = 1000) -> bool:
    """Whether one of the first words of a clause is probably its verb.

    Words after "who", "which" and "that" belong to another clause and do not count.
    """
    skipping = 0
    for word in re.findall(r"[\w'’-]+", clause)[:within]:
        if word.lower() in {"who", "which", "that", "whose", "where", "when"}:
            skipping = 1
        elif is_finite(word):
            if not skipping:
                return True
            skipping = 0  # the next verb is the main clause's
    return False


def opens_clause(text: str) -> bool:
    """Whether a text begins with a subject and soon has its verb: "the station was …", not "the station, …"."""
    first = re.match(r"[\w'’-]+", text)
    if not first:
        return False
    known = first.group().lower() in DETERMINERS | PRONOUNS | {"there", "one", "several"}
    if not (known or text[0].isupper() or text[0].isdigit()):
        return False
    return has_verb(re.split(r"[,;:(–—]", text)[0], 9) and not is_finite(first.group())


def capitalised(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
