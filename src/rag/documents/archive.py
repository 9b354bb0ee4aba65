"""Zip files: archives of articles, and the containers that DOCX, EPUB and ODT are."""

import contextlib
import io
import zipfile
from collections.abc import Iterator

from rag.documents.article import Content, Found, UnreadableFileError, printable
from rag.records import SkippedFile

MAX_RATIO = 200
"""Unpacked to packed size. Text is packed to a fifth; what is packed to less than a two-hundredth is a bomb."""
_HARMLESS = 1_000_000
"""Bytes; whatever its ratio, this much can be unpacked."""
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


class Archive:
    """A zip file in memory whose members are unpacked within the budget of the file that it came in.

    Raises:
        UnreadableFileError: damaged, or more members than may be read.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content.data))
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
            raise UnreadableFileError("damaged: its zip directory cannot be read") from error
        self._members = [member for member in self._zip.infolist() if not member.is_dir()]
        if len(self._members) > content.budget.entries:
            raise UnreadableFileError(
                f"{len(self._members):,} files in it; the limit is {content.budget.entries:,} a file of the corpus"
            )
        content.budget.entries -= len(self._members)

    @property
    def names(self) -> list[str]:
        return [member.filename for member in self._members]

    def members(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        """Every member with its name as it was meant; the ones that cannot be told apart, too."""
        for member in self._members:
            name = member.filename
            if not member.flag_bits & _UTF8_NAME:
                # Many programs write UTF-8 without saying so.
                with contextlib.suppress(UnicodeError):
                    name = name.encode("cp437").decode("utf-8")
            yield name, member

    def read(self, member: str | zipfile.ZipInfo) -> bytes:
        """The bytes of a member.

        Raises:
            UnreadableFileError: missing, damaged, encrypted, or too large in one way or another.
        """
        try:
            info = self._zip.getinfo(member) if isinstance(member, str) else member
        except KeyError as error:
            raise UnreadableFileError(f"damaged: there is no {member} in it") from error
        if info.flag_bits & _ENCRYPTED:
            raise UnreadableFileError("password-protected")
        limit = min(self._content.max_bytes, max(_HARMLESS, MAX_RATIO * info.compress_size))
        try:
            with self._zip.open(info) as opened:
                data = opened.read(min(limit, self._content.budget.bytes) + 1)
        except MemoryError:
            raise
        except Exception as error:
            # zipfile's own errors, and those of every decompressor.
            raise UnreadableFileError("damaged: it cannot be unpacked") from error
        if len(data) > self._content.budget.bytes:
            self._content.budget.bytes = 0
            raise UnreadableFileError("too much to unpack from one file of the corpus")
        self._content.budget.bytes -= len(data)
        if len(data) > self._content.max_bytes:
            raise UnreadableFileError(
                f"more than {self._content.max_bytes:,} bytes unpacked, the limit (setting max_file_bytes)"
            )
        if len(data) > limit:
            raise UnreadableFileError(f"unpacks to more than {MAX_RATIO} times its size, as bombs do")
        return data


def read(content: Content) -> Iterator[Found]:
    """Every file of an archive; nothing is written to the disk, so names are mere labels.

    Raises:
        UnreadableFileError: the archive cannot be opened.
    """
    archive = Archive(content)
    seen: set[str] = set()
    for name, member in archive.members():
        parts = name.replace("\\", "/").split("/")
        if any(part.startswith((".", "__MACOSX")) and part != ".." for part in parts):
            continue
        path = f"{content.path}#{name}"
        if name != printable(name):
            yield SkippedFile(printable(path), "its name holds characters that cannot be shown")
        elif ".." in parts or not parts[0] or ":" in parts[0]:
            yield SkippedFile(path, "its name leads out of the archive")
        elif name in seen:
            yield SkippedFile(path, "another file of the archive has the same name")
        else:
            seen.add(name)
            try:
                yield content.member(name, archive.read(member))
            except UnreadableFileError as error:
                yield SkippedFile(path, str(error))


def refuse_definitions(archive: Archive) -> None:
    """Refuse office files whose XML defines entities: none has to, and parsers expand them.

    Raises:
        UnreadableFileError: a part has a document type definition.
    """
    for name, member in archive.members():
        if name.lower().endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(member).replace(b"\0", b""):
            raise UnreadableFileError("its XML defines entities, as no office program does")
