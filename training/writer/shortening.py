"""Rules that shorten a sentence without a new word: what can be left out around the part that answers.

Each rule takes a sentence and yields shorter ones. They are applied again and again; which results are kept
is decided by ``data.py`` with the product's own checker, so a rule may propose what is wrong now and then.
"""

import re
from collections.abc import Callable, Iterator

from english import AUXILIARIES, DETERMINERS, PREPOSITIONS, PRONOUNS, capitalised, has_verb, is_finite, opens_clause

_DATELINE = re.compile(r"[A-Z]{3,}[A-Z .,]*(?:\([A-Z][\w ]*\) ?)?[—–-]+ ")
_OPENER = re.compile(
    r"(?:(?:However|Additionally|Furthermore|Moreover|Meanwhile|Also|Thus|Hence|Therefore|Consequently|Similarly|Indeed|"
    r"In addition|In fact|In particular|In general|In turn|For example|For instance|As a result|On the other hand|Finally|"
    r"At the same time|Of course|Subsequently|Notably|Specifically|Interestingly|Nevertheless|Nonetheless),|"
    r"(?:And|But|Yet|Thus|Then|So),?) "
)
_LEAD = re.compile(
    r"(?:(?:While|Although|Though|Despite|Whereas|Unlike|Following|Born|Besides|Along with|In addition to|As|When|To|With|"
    r"Because|Rather than|Throughout|Having|Known as|Named|[A-Z][a-z]{3,}ing|[A-Z][a-z]+ed (?:by|in|on|at|from|as)|"
    r"(?:In|On|During|By|Since) (?:the )?(?:early |late |mid-?)?(?:[A-Z][a-z]+ )?(?:\d{1,2},? )?\d{4}s?)\b[^,;:()]*|Later|Soon|"
    r"At (?:the|that) time|Today), "
)
_SCENE = re.compile(rf"(?:{'|'.join(word.capitalize() for word in sorted(PREPOSITIONS))}|When|While|Although)\b[^,]*, ")
_PARENTHESIS = re.compile(r" ?\([^()]*\)")
_ASIDE = re.compile(
    r", (?:(?:which|who|whose|where) |(?:a|an|the) |also |(?:in|on|at|during) )[^,;:()\"]{3,90}, (?=(\w+))"
)
_COMMENT = re.compile(r",? (?:however|therefore|for example|for instance|in turn|in fact|of course|meanwhile),(?= )")
_TAIL = re.compile(
    r"; |(?: [–—] |—)|,? such as |, (?:which|who|whom|whose|where|while|whereas|although|though|because|with|including|"
    r"especially|particularly|mainly|mostly|for example|for instance|making|leading|resulting|causing|allowing|giving|"
    r"leaving|bringing|creating|[a-z]{3,}ing (?=(?:the|an?|its?|his|her|their|them|him|to|for|in|on|that|[A-Z\d]))|"
    r"[a-z]{3,}ed (?=(?:in|on|by|at|to|from|with|as|for) )|(?:an?|the) (?=[^,]*\.$))\b|"
    r",? (?:in order to|because|so that|despite|as well as|rather than|while|whereas|thus|thereby) |,? and (?=\w)"
)
_CONJUNCTION = re.compile(r",? (?:while|whereas|although|though|because|so that) ?")
_MAIN_CLAUSE_GOES_ON = re.compile(
    r"^[^;]*, (?:\w+ly |is |was |were |are |has |had |have |can |could |will |would |\w+ed )"
)
_SECOND = re.compile(r"; (?:however, |and |but )?|, (?:and|but|while|whereas|so) |(?: [–—] |—)")
_RELATIVE = re.compile(
    r"\b((?:[Tt]he )?[A-Z][\w.'’-]+(?: (?:of |the |de |von )*[A-Z][\w.'’-]+)*), (?:who|which) ([^;:()]+)"
)
_NUMBER_COMMA = re.compile(r"(?<=\d),(?=\d)|(?<=\d), (?=\d{4})")

Rule = Callable[[str], Iterator[str]]


def _without_beginning(sentence: str) -> Iterator[str]:
    """Datelines, connectives, and leading clauses that set the scene."""
    for pattern in (_DATELINE, _OPENER):
        if match := pattern.match(sentence):
            yield capitalised(sentence[match.end() :])
    if (match := _LEAD.match(sentence)) and opens_clause(sentence[match.end() :]):
        yield capitalised(sentence[match.end() :])


def _without_middle(sentence: str) -> Iterator[str]:
    """Parentheses, comments, and asides between two commas that a verb follows."""
    for match in _PARENTHESIS.finditer(sentence):
        yield sentence[: match.start()] + sentence[match.end() :]
    for match in _COMMENT.finditer(sentence):
        yield sentence[: match.start()] + sentence[match.end() :]
    for match in _ASIDE.finditer(sentence):
        if is_finite(match.group(1)):
            # After an odd number of commas the aside stood in another one, whose second comma this is.
            inside = _NUMBER_COMMA.sub("", _SCENE.sub("", sentence[: match.start()])).count(",") % 2
            yield sentence[: match.start()] + ", "[1 - inside :] + sentence[match.end() :]


def _without_end(sentence: str) -> Iterator[str]:
    """The main clause without the clauses that follow it."""
    for match in _TAIL.finditer(sentence):
        head, tail = sentence[: match.start()], sentence[match.end() :]
        if not has_verb(head) or _MAIN_CLAUSE_GOES_ON.search(tail):
            continue  # nothing stands before it yet, or the main clause goes on after it
        if any(part.startswith(("and ", "or ")) for part in tail.split(", ")[:-1]):
            continue  # the list ends before the sentence does
        if match.group().startswith((", a", ", the")) and " and " in tail:
            continue  # the end of a list
        if _CONJUNCTION.fullmatch(match.group()) and not opens_clause(tail.lstrip()):
            continue
        if match.group().strip(", ") == "and" and not _ends_a_statement(head, tail, match.group()[0] == ","):
            continue
        yield head.rstrip(",") + "."


def _ends_a_statement(head: str, tail: str, comma: bool) -> bool:
    """Whether "and" joins two statements. After other commas it might end a list, which must stay whole."""
    if "," in _NUMBER_COMMA.sub("", _LEAD.sub("", head)):
        return False
    first = re.match(r"[\w'’-]+", tail)
    if first and is_finite(first.group()):
        return comma or first.group().lower() in {"is", "was", "were", "are", "has", "had", "became", "remains"}
    return comma and opens_clause(tail)


def _second_statement(sentence: str) -> Iterator[str]:
    """The later one of two statements, or what a relative clause says of a name."""
    for match in _SECOND.finditer(sentence):
        if has_verb(sentence[: match.start()]) and opens_clause(sentence[match.end() :]):
            yield capitalised(sentence[match.end() :])
    for match in _RELATIVE.finditer(sentence):
        said = match.group(2).split(", ")[0]  # after a comma the main clause may go on
        if is_finite(said.split()[0]):
            yield capitalised(f"{match.group(1)} {said.rstrip('.,')}.")


def _shared_subject(sentence: str) -> Iterator[str]:
    """The later one of two things said of a short subject: "Mir was built in orbit and fell in 2001"."""
    words = sentence.split()
    verb = next((i for i, word in enumerate(words[:7]) if i and is_finite(word)), None)
    if verb is None or any(char in " ".join(words[:verb]) for char in ",;:("):
        return
    if words[0].lower() in PRONOUNS or any(
        word.lower() in {"who", "which", "that", "and", "to", "of"} for word in words[:verb]
    ):
        return
    for i in range(verb + 2, len(words) - 2):
        follows = words[i + 2].lower()
        if words[i].lower() == "and" and is_finite(words[i + 1]) and not words[i + 1][0].isupper():
            auxiliary = words[i + 1].lower() in AUXILIARIES
            participle = words[verb].lower() in AUXILIARIES  # "was built and launched": the second verb needs the "was"
            if auxiliary or (
                not participle and follows in DETERMINERS | {"in", "on", "at", "to", "by", "from", "as", "into"}
            ):
                yield " ".join([*words[:verb], *words[i + 1 :]])


RULES: dict[str, Rule] = {
    "beginning": _without_beginning,
    "middle": _without_middle,
    "end": _without_end,
    "second": _second_statement,
    "subject": _shared_subject,
}


def shortenings(
    sentence: str, keep: Callable[[str], bool], steps: int = 4, most: int = 80
) -> dict[str, tuple[str, ...]]:
    """All that the rules make of a sentence in a few steps, with the rules used.

    Args:
        sentence: to shorten; it is part of the result.
        keep: whether a text still has what it must have, such as the answer.
        steps: how many rules are applied one after the other.
        most: results after which no further ones are looked for.
    """
    found: dict[str, tuple[str, ...]] = {sentence: ()}
    edge = [sentence]
    for _ in range(steps):
        fresh = []
        for text in edge:
            for name, rule in RULES.items():
                for raw in rule(text):
                    shorter = " ".join(raw.split()).replace(" ,", ",").replace(" .", ".")
                    if len(found) < most and shorter not in found and keep(shorter):
                        found[shorter] = (*found[text], name)
                        fresh.append(shorter)
        edge = fresh
    return found
