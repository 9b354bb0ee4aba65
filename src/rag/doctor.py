"""``rag doctor``: proves in a few seconds that this installation works, or says what to mend.

Nothing of the user's is changed: a question is answered from an article of our own, in a temporary folder, while
connections to other machines are refused and counted.
"""

import contextlib
import dataclasses
import errno
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs

from rag import __version__, models
from rag.assembly import Assembly, cache_folder
from rag.errors import IndexMissingError, RagError
from rag.records import Answer
from rag.settings import Settings, usable_cores

State = Literal["ok", "warning", "failed"]

DISTRIBUTION = "ask-the-articles"
LEAST_PYTHON = (3, 11)
LEAST_ROOM, ENOUGH_ROOM = 200_000_000, 2_000_000_000
"""Bytes free on a disk: below the first nothing can be built, below the second there may be trouble soon."""

_ARTICLE = """---
title: The doctor's article
---

The lighthouse of Sandholm, a small town on the coast, was built in 1907 by Ingrid Halvorsen and her brother. Its lamp can be seen from thirty kilometres away.

Every spring the keepers paint the tower white and red. Visitors may climb its 212 steps on Sundays.
"""
_QUESTION = "When was the lighthouse of Sandholm built?"
_EXPECTED = "1907"
_SETUP = "Run `make setup`, or reinstall the project."
_PATIENCE = 10.0
"""Seconds for the writer, so that the whole takes less than twenty."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check, in a line."""

    name: str
    state: State
    found: str
    remedy: str = ""
    """What to do about it; empty if all is well."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Checkup:
    """What the checks share, so that each model is loaded once."""

    settings: Settings
    assembly: Assembly


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check; none of them stops the others, whatever it meets."""
    checkup = _Checkup(settings, Assembly(settings))
    for name, check in _CHECKS.items():
        began = time.perf_counter()
        findings = _run(check, checkup)
        spent = (time.perf_counter() - began) / max(1, len(findings))
        for finding in findings:
            yield dataclasses.replace(finding, name=" ".join(filter(None, (name, finding.name))), seconds=spent)


def _run(check: "_Check", checkup: _Checkup) -> list[Finding]:
    """What a check finds, or what kept it from finding anything."""
    try:
        return list(check(checkup))
    except RagError as error:
        return [Finding("", "failed", error.problem, error.remedy)]
    except Exception as error:  # a damaged package may raise anything, and the other checks are wanted too
        return [Finding("", "failed", f"{type(error).__name__}: {' '.join(str(error).split())}", _SETUP)]


def as_object(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for machines."""
    return {
        "ok": not any(finding.state == "failed" for finding in findings),
        "version": __version__,
        "seconds": round(sum(finding.seconds for finding in findings), 2),
        "checks": [dataclasses.asdict(item) | {"seconds": round(item.seconds, 3)} for item in findings],
    }


def as_line(finding: Finding) -> str:
    """A finding for people; its remedy on a second line."""
    remedy = f"\n{'':<9}→ {finding.remedy}" if finding.remedy else ""
    return f"{finding.state:<9}{finding.name:<40}{finding.found}{remedy}"


def conclusion(findings: Sequence[Finding]) -> str:
    """The last line."""
    failed, warned = (sum(item.state == state for item in findings) for state in ("failed", "warning"))
    seconds = sum(finding.seconds for finding in findings)
    if failed:
        return f"{failed} of {len(findings)} checks failed ({seconds:.1f} s)."
    besides = f", with {warned} warnings" if warned > 1 else ", with 1 warning" if warned else ""
    return f"Everything needed works{besides} ({seconds:.1f} s)."


def _python(checkup: _Checkup) -> Iterator[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        least = ".".join(map(str, LEAST_PYTHON))
        yield Finding("", "failed", found, f"Install Python {least} or newer and run `make setup`.")
    else:
        yield Finding("", "ok", found)


def _packages(checkup: _Checkup) -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wrong, right = [], 0
    for text in importlib.metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            right += 1
        else:
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if wrong:
        yield Finding("", "failed", "; ".join(wrong), _SETUP)
    else:
        yield Finding("", "ok", f"{right} as needed")


def _models(checkup: _Checkup) -> Iterator[Finding]:
    for model in models.ALL:
        try:
            models.verify(model)
        except RagError as error:
            yield Finding(model.name, "failed", error.problem, error.remedy)
        else:
            yield Finding(model.name, "ok", f"sha256 {model.sha256[:12]}… as measured")


def _index(checkup: _Checkup) -> Iterator[Finding]:
    try:
        snapshot = checkup.assembly.snapshot()
    except IndexMissingError as error:
        yield Finding("", "warning", error.problem, error.remedy)
        return
    snapshot.check_model(checkup.assembly.embedder)
    manifest = snapshot.manifest
    skipped = f", {manifest.skipped:,} files skipped" if manifest.skipped else ""
    counts = f"{manifest.documents:,} documents, {manifest.chunks:,} chunks{skipped}"
    yield Finding("", "ok", f"{snapshot.name}: {counts}, hashes as in its manifest")


def _question(checkup: _Checkup) -> Iterator[Finding]:
    with offline() as attempts:
        yield from _run(_answered, checkup)
    if attempts:
        reached = ", ".join(sorted(set(attempts)))
        yield Finding("offline", "failed", f"something tried to reach {reached}", "Please report this: nothing should.")
    else:
        yield Finding("offline", "ok", "nothing outside this machine was reached for")


def _answered(checkup: _Checkup) -> Iterator[Finding]:
    """One known question to one known article, with the user's own settings but none of his articles."""
    with tempfile.TemporaryDirectory(prefix="rag-doctor-") as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        (folder / "corpus" / "sandholm.md").write_bytes(_ARTICLE.encode())
        served = checkup.settings.writer_url  # a server of the user's choice is not ours to ask
        mode = "quote" if served else checkup.settings.mode
        settings = dataclasses.replace(
            checkup.settings,
            corpus=folder / "corpus",
            index=folder / "index",
            mode=mode,
            refuse_below=0.0,
            writer_timeout=min(checkup.settings.writer_timeout, _PATIENCE),
        )
        assembly = Assembly(settings)
        with contextlib.suppress(RagError):  # loaded once; the same error comes again below, where it is reported
            assembly.embedder = checkup.assembly.embedder
        assembly.build_index(rebuild=True, progress=lambda stage, done, total: None)
        answer = assembly.answerer.answer(_QUESTION)
    wrong = _not_carried(answer)
    if wrong:
        yield Finding("", "failed", wrong, "Reinstall the models with `make setup`.")
    elif answer.notice:
        yield Finding("", "warning", answer.notice, 'Mend the writer, or set mode = "quote".')
    else:
        how = "quoted; the writer on its server was not asked" if served else f"by {answer.model}"
        yield Finding("", "ok", f"“{answer.text}”, its quote exact ({how})")


def _not_carried(answer: Answer) -> str:
    """What is wrong with the answer to the known question; empty if nothing."""
    if answer.refused or not answer.sentences:
        return "the known question was not answered"
    for citation in answer.citations:
        if _ARTICLE[citation.start : citation.end] != citation.quote:
            return f"the quote {citation.quote!r} does not stand where it says"
    numbers = {citation.number for citation in answer.citations}
    if not all(sentence.citations and set(sentence.citations) <= numbers for sentence in answer.sentences):
        return "a sentence is without its citation"
    if _EXPECTED not in answer.sentences[0].text:
        return f"the known question was answered with {answer.text!r}"
    return ""


@contextlib.contextmanager
def offline() -> Iterator[list[str]]:
    """Refuse connections of this process to other machines; gives the list of those that were tried."""
    attempts: list[str] = []
    connect = socket.socket.connect

    def guarded(self: Any, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            attempts.append(str(address[0]))
            raise ConnectionRefusedError(errno.ECONNREFUSED, "rag doctor lets nothing out")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]
    try:
        yield attempts
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]


def _port(checkup: _Checkup) -> Iterator[Finding]:
    host, port = checkup.settings.host, checkup.settings.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 7860
            found = f"{port} on {host} is in use, perhaps by this chat itself"
            yield Finding("", "warning", found, f"Stop that program, or run: rag serve --port {other}")
        else:
            yield Finding(
                "", "failed", f"{host}:{port}: {error.strerror}", "Use --host 127.0.0.1 and a port above 1023."
            )
    else:
        yield Finding("", "ok", f"{port} on {host} is free")


def _folders(checkup: _Checkup) -> Iterator[Finding]:
    settings = checkup.settings
    if settings.corpus.is_dir():
        yield Finding("corpus", "ok", f"{settings.corpus} is there")
    else:
        found = f"{settings.corpus} is missing"
        yield Finding("corpus", "warning", found, "Create it, or name another one with the setting corpus.")
    folders: list[tuple[str, Path, State, str]] = [
        (
            "index",
            settings.index,
            "warning",
            "Allow writing it, or name another one with --index; until then `rag index` fails.",
        ),
        (
            "models",
            cache_folder(),
            "warning",
            "Allow writing it; models are put there at first use in the form that runs fastest.",
        ),
        ("temporary", Path(tempfile.gettempdir()), "failed", "Free it, or name another one in the variable TMPDIR."),
    ]
    if settings.history != "off":
        data = (
            platformdirs.user_data_path("ask-the-articles")
            if settings.history == "auto"
            else Path(settings.history).parent
        )
        folders.insert(2, ("conversations", data, "warning", "Allow writing it, or run the chat with --no-history."))
    for name, folder, state, remedy in folders:
        problem = _not_writable(folder)
        yield Finding(
            name, state if problem else "ok", problem or f"{folder} can be written", remedy if problem else ""
        )


def _not_writable(folder: Path) -> str:
    """Why no file can be made in a folder or, where it is not there yet, in the one it will be made in."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        return f"{existing} is no folder"
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return f"{existing} cannot be written: {error.strerror}"


def _disk(checkup: _Checkup) -> Iterator[Finding]:
    folder = checkup.settings.index.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free for the index"
    if free < ENOUGH_ROOM:
        yield Finding("", "failed" if free < LEAST_ROOM else "warning", found, "Make room on that disk.")
    else:
        yield Finding("", "ok", found)


def _cores(checkup: _Checkup) -> Iterator[Finding]:
    cores, threads = usable_cores(Settings()), usable_cores(checkup.settings)
    if threads > cores:
        yield Finding(
            "", "warning", f"{threads} threads on {cores} cores", "Set threads = 0; more than cores is slower."
        )
    else:
        yield Finding("", "ok", f"{threads} threads on {cores} cores")


_Check = Callable[[_Checkup], Iterator[Finding]]
_CHECKS: dict[str, _Check] = {
    "python": _python,
    "packages": _packages,
    "model": _models,
    "index": _index,
    "question": _question,
    "port": _port,
    "folder": _folders,
    "disk": _disk,
    "cores": _cores,
}
