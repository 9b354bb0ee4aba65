"""Messages (EML) with their attachments, and pages that a browser saved as one file (MHTML)."""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr

from rag.documents.article import Article, Content, Found, UnreadableFileError, facts, printable
from rag.documents.canonical import TextBuilder, tidy
from rag.documents.encodings import declared_encoding, decode
from rag.documents.web import read_page
from rag.records import SkippedFile

_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)
_MAX_PARTS = 1_000
_WRAPPED = (40, 80)
"""Characters of the longest line of a message whose lines were broken by a program."""


def read(content: Content) -> Iterator[Found]:
    """The message itself, then what is attached to it.

    Raises:
        UnreadableFileError: it is no message, or neither it nor an attachment has text.
    """
    message = _parse(content)
    if not any(message.get(name) for name in ("From", "Subject", "Date", "Received", "Message-ID")):
        raise UnreadableFileError("it is no message: it has no sender, subject or date")
    article = _body(content, message)
    if article is not None:
        yield article
    names: set[str] = set()
    for number, part in enumerate(message.iter_attachments() if message.is_multipart() else (), start=1):
        if number > _MAX_PARTS:
            raise UnreadableFileError(f"the attachments after {_MAX_PARTS:,} were not read")
        if part.get_content_maintype() in ("image", "audio", "video") or not isinstance(part, EmailMessage):
            continue
        name = part.get_filename() or f"{number}"
        name = f"{number} {name}" if name in names else name
        names.add(name)
        yield from _attachment(content, part, name)
    if article is None and not names:
        raise UnreadableFileError("there is no text in it")


def read_saved_page(content: Content) -> Iterator[Found]:
    """The page of an MHTML file; its pictures and frames are left alone.

    Raises:
        UnreadableFileError: it is none, or its page has no text.
    """
    message = _parse(content)
    location = str(message.get("Snapshot-Content-Location") or "")
    for part in _walk(message):
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            source = decode(_bytes(part), part.get_content_charset() or declared_encoding(_bytes(part)))
            url = location or str(part.get("Content-Location") or "")
            known = facts("MHTML header", url=url, title=str(message.get("Subject") or ""))
            yield read_page(source, content.path, content.sha256, known)
            return
    raise UnreadableFileError("there is no page in it")


def _parse(content: Content) -> EmailMessage:
    message = message_from_bytes(content.data, policy=policy.default)
    if not isinstance(message, EmailMessage):
        raise UnreadableFileError("it is no message")
    return message


def _walk(message: EmailMessage) -> Iterator[EmailMessage]:
    for number, part in enumerate(message.walk()):
        if number > _MAX_PARTS:
            return
        if isinstance(part, EmailMessage):
            yield part


def _bytes(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: EmailMessage) -> str:
    data = _bytes(part)
    return decode(data, part.get_content_charset() or declared_encoding(data))


def _body(content: Content, message: EmailMessage) -> Article | None:
    """The article of the message's own text, if it has any: the plain one before the one in HTML."""
    stated = _facts(message)
    plain = message.get_body(("plain",))
    if isinstance(plain, EmailMessage) and plain.get_content_type() == "text/plain":
        builder = _plain_text(_text(plain))
        if builder.text:
            return Article(content.path, builder.text, content.sha256, facts=stated, boilerplate=builder.boilerplate)
    page = message.get_body(("html",))
    if not isinstance(page, EmailMessage) or page.get_content_type() != "text/html":
        return None
    try:
        article = read_page(_text(page), content.path, content.sha256)
    except UnreadableFileError:
        return None
    return dataclasses.replace(article, facts={**article.facts, **stated})


def _facts(message: EmailMessage) -> dict[str, tuple[str, str]]:
    sender, address = parseaddr(_header(message, "From"))
    return facts(
        "message header",
        title=_REPLY.sub("", _header(message, "Subject")),
        author=sender or address,
        published=_header(message, "Date"),
        language=_header(message, "Content-Language"),
    )


def _header(message: EmailMessage, name: str) -> str:
    # The parser of headers fails on some that are damaged; what cannot be parsed is not there.
    try:
        return " ".join(str(message.get(name) or "").split())
    except Exception:
        return ""


def _plain_text(text: str) -> TextBuilder:
    """Paragraphs with their broken lines joined; the signature is marked as boilerplate."""
    builder = TextBuilder()
    body, mark, signature = text.replace("\r\n", "\n").partition("\n-- \n")
    longest = max((len(line) for line in body.split("\n")), default=0)
    is_wrapped = _WRAPPED[0] <= longest <= _WRAPPED[1]
    for paragraph in re.split(r"\n[ \t]*\n", body):
        builder.add(" ".join(paragraph.split("\n")) if is_wrapped and _flows(paragraph, longest) else paragraph)
    if mark:
        builder.append(tidy(signature), boilerplate=True)
    return builder


def _flows(paragraph: str, width: int) -> bool:
    """Whether every line was broken only because the next word did not fit on it."""
    lines = [line.strip() for line in paragraph.strip().split("\n")]
    return all(
        following and len(line) + 1 + len(following.split()[0]) > width - 8
        for line, following in itertools.pairwise(lines)
    )


def _attachment(content: Content, part: EmailMessage, name: str) -> Iterator[Found]:
    label = f"{content.path}#{name}"
    if name != printable(name):
        yield SkippedFile(printable(label), "its name holds characters that cannot be shown")
        return
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        data = inner.as_bytes() if isinstance(inner, EmailMessage) else b""
        name = name if name.lower().endswith(".eml") else f"{name}.eml"
    else:
        data = _bytes(part)
    try:
        yield content.member(name, data)
    except UnreadableFileError as error:
        yield SkippedFile(label, str(error))
