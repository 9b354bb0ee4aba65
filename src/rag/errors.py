"""All errors that a user can meet, with their remedies.

RagError
├── UsageError            the request itself cannot be served (exit status 2)
├── SettingsError         a settings file or value is wrong
├── CorpusError           the folder of articles is missing, unreadable or empty
├── IndexingError         building stopped; the index in use is untouched
│   └── IndexLockedError      another indexing run is active
├── IndexUnusableError    there is an index, but it cannot be read
│   ├── IndexMissingError     there is none yet
│   ├── IndexCorruptError     a file is damaged or incomplete
│   └── IndexMismatchError    it was built by another model or format
├── ModelError            a model is missing, damaged or failed
├── HistoryError          conversations cannot be kept, or not be read again
└── ServerError           the chat cannot be served, e.g. its port is taken
"""


class RagError(Exception):
    """Shown to the user as one line: what is wrong, then how to mend it. Exit status 1."""

    exit_status = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(f"{self.problem.rstrip('.')}. {self.remedy}".split())


class UsageError(RagError):
    """The question, option or input file cannot be used as given."""

    exit_status = 2


class SettingsError(RagError):
    """A settings file or a value in it is wrong."""


class CorpusError(RagError):
    """The folder of articles is missing, unreadable or holds nothing to index."""


class IndexingError(RagError):
    """Building an index stopped; the index that was in use is untouched."""


class IndexLockedError(IndexingError):
    """Another indexing run holds the lock."""


class IndexUnusableError(RagError):
    """The index cannot be used; the corpus is the source of truth and a rebuild mends it."""


class IndexMissingError(IndexUnusableError):
    """No index has been built in this folder."""


class IndexCorruptError(IndexUnusableError):
    """A file of the index is damaged, incomplete or does not belong to the others."""


class IndexMismatchError(IndexUnusableError):
    """The index was built by another embedding model, chunking or format."""


class ModelError(RagError):
    """A model is missing, has the wrong hash, or failed while working."""


class HistoryError(RagError):
    """The file of kept conversations is damaged, of a newer version, or cannot be written."""


class ServerError(RagError):
    """The chat cannot be served."""
