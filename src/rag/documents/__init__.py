"""Files → Documents: one module a format, found by ``registry``, finished in one place by ``finish``.

The text of a plain-text or Markdown file is the decoded file. Of every other format it is made once, when the file is
read, from what the format holds; quotes point into it. Parsers of those formats work in a process of their own.
"""

from rag.documents.article import UnreadableFileError
from rag.documents.encodings import decode
from rag.documents.files import corpus_files, left_alone, read_document, read_documents, read_file
from rag.documents.identity import document_id
from rag.documents.registry import SUFFIXES

__all__ = [
    "SUFFIXES",
    "UnreadableFileError",
    "corpus_files",
    "decode",
    "document_id",
    "left_alone",
    "read_document",
    "read_documents",
    "read_file",
]
