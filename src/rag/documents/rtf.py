"""Rich text (RTF), by striprtf; title and author from its information group."""

import re
from collections.abc import Callable, Iterator

from rag.documents.article import Article, Content, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder
from rag.documents.docx import is_title

_INFO = re.compile(r"\{\\info\b(.{0,5000}?\})\s*\}", re.DOTALL)
_FIELD = r"\{{\\{name}\s+((?:[^{{}}]|\\[{{}}])*)\}}"
_TIME = re.compile(r"\{\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
_LEFT_OUT = re.compile(r"\{\\(?:header|footer|headerl|headerr|headerf|footerl|footerr|footerf)\b")


def read(content: Content) -> Iterator[Article]:
    """
    Raises:
        UnreadableFileError: no RTF, or without text.
    """
    source = content.data.decode("latin-1")
    if not source.lstrip().startswith("{\\rtf"):
        raise UnreadableFileError("it is no RTF file")
    if source.count("}") < source.count("{") // 2:
        raise UnreadableFileError("damaged: its groups are not closed")
    builder = TextBuilder()
    for paragraph in re.split(r"\n+", _plain(_without_running_heads(source))):
        builder.add(paragraph)
    if not builder.text:
        raise UnreadableFileError("there is no text in it")
    info = _INFO.search(source[:100_000])
    values = {name: _value(info.group(1), name) for name in ("title", "author")} if info else {}
    created = _TIME.search(source[:100_000])
    yield Article(
        content.path,
        builder.text,
        content.sha256,
        facts=facts("RTF information", title=is_title(values.get("title"))),
        hints=facts(
            "RTF information",
            author=values.get("author"),
            published=f"{created[1]}-{int(created[2]):02}-{int(created[3]):02}" if created else None,
        ),
    )


def _plain(source: str) -> str:
    from striprtf import striprtf

    convert: Callable[..., str] = striprtf.rtf_to_text
    return convert(source, errors="replace")


def _value(info: str, name: str) -> str:
    match = re.search(_FIELD.format(name=name), info)
    return " ".join(_plain("{\\rtf1\\ansi " + match.group(1) + "}").split()) if match else ""


def _without_running_heads(source: str) -> str:
    """The groups of running heads and feet cut out, which striprtf would take for paragraphs."""
    parts: list[str] = []
    position = 0
    while match := _LEFT_OUT.search(source, position):
        parts.append(source[position : match.start()])
        position = _end_of_group(source, match.start())
    return "".join(parts) + source[position:]


def _end_of_group(source: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(source, start):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0 and match.group() == "}":
            return match.end()
    return len(source)
