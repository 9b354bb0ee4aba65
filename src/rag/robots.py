"""What a website asks programs to leave alone: robots.txt as RFC 9309 has it.

The standard library's parser takes the first rule that fits, and knows no ``*`` within paths; sites write for the
longest rule and use both.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

MAX_BYTES = 500 * 1024
"""At least so much of a file must be read, and nobody's rules are longer."""

_LINE = re.compile(r"\s*([A-Za-z-]+)\s*:\s*([^#]*?)\s*(?:#.*)?")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


class Rule(NamedTuple):
    """A path with ``*`` for anything and ``$`` for the end, and what it says."""

    pattern: str
    allows: bool


@dataclass(slots=True)
class Robots:
    """The rules for one program on one site; without any, everything is allowed."""

    rules: list[Rule] = field(default_factory=list)
    delay: float = 0.0
    """Seconds that it asks to leave between requests."""

    def allows(self, path: str) -> bool:
        """Whether a path, with its query, may be fetched: the longest rule decides, and of two as long the friendlier."""
        fitting = [(len(rule.pattern), rule.allows) for rule in self.rules if _fits(rule.pattern, _encoded(path))]
        return max(fitting, default=(0, True))[1]


def parse(text: str, agent: str) -> Robots:
    """The rules for the program named ``agent`` or, where it is not named, those for all."""
    groups: dict[str, Robots] = {}
    current: list[Robots] = []
    in_names = False
    for line in text.lstrip("\ufeff").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        key, value = found[1].lower(), found[2]
        if key == "user-agent":
            current = [*(current if in_names else []), groups.setdefault(value.lower(), Robots())]
            in_names = True
            continue
        if key in ("allow", "disallow", "crawl-delay"):
            in_names = False
        for group in current:
            if key in ("allow", "disallow") and value:
                group.rules.append(Rule(_encoded(value), key == "allow"))
            elif key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
                group.delay = float(value)
    return groups.get(agent.lower()) or groups.get("*") or Robots()


def _encoded(path: str) -> str:
    """A path in which each character is written in the one way that addresses have."""
    return re.sub(r"%[0-9a-f]{2}", lambda found: found[0].upper(), quote(path, safe=_ASCII), flags=re.IGNORECASE)


def _fits(pattern: str, path: str) -> bool:
    # By hand: as a regular expression, a pattern of many stars could take for ever.
    ends = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not others:
        return not ends or path == first
    at = len(first)
    for part in others[:-1]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return path.endswith(others[-1]) and len(path) - len(others[-1]) >= at if ends else path.find(others[-1], at) >= 0
