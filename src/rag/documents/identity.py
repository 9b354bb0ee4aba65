"""Names of documents."""

import hashlib
import re
from pathlib import PurePosixPath


def document_id(path: str) -> str:
    """A readable name that is safe in a URL and unique: the file's stem and a hash of its whole path.

    The number of an article in a file of several (``table.csv#3``) is part of the readable name.
    """
    name = PurePosixPath(path).name
    pieces = [PurePosixPath(piece).stem for piece in name.split("#")]
    readable = re.sub(r"[^a-z0-9]+", "-", " ".join(pieces).lower()).strip("-")
    shortened = readable[-48:] if len(pieces) > 1 else readable[:48]
    return f"{shortened.strip('-') or 'document'}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
