"""Bytes → text: byte-order mark, strict UTF-8, the declared encoding, then charset-normalizer's guess."""

import re

from rag.documents.article import UnreadableFileError

_DECLARED = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE)
_MEANT = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252", "gb2312": "gb18030"}
"""What files that declare the one are written in; browsers read them so too."""


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of ``data``; ``declared`` is the encoding that the file or message names, if it does.

    Raises:
        UnreadableFileError: the bytes are no text in any encoding that can be recognised.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise UnreadableFileError("its UTF-16 text is damaged") from error
    if b"\x00" in data:
        raise UnreadableFileError("binary file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if declared:
        try:
            return data.decode(_MEANT.get(declared.lower(), declared))
        except (UnicodeDecodeError, LookupError):
            pass
    from charset_normalizer import from_bytes

    match = from_bytes(data).best()
    if match is None:
        raise UnreadableFileError("binary file or unknown encoding; save it as UTF-8")
    return data.decode(match.encoding)


def declared_encoding(markup: bytes) -> str | None:
    """What the opening of an HTML or XML file says about its encoding."""
    match = _DECLARED.search(markup[:4096])
    return (match.group(1) or match.group(2)).decode("ascii", "ignore") if match else None
