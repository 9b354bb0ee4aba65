"""The command line in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path


def rag(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``rag`` with these arguments."""
    command = [sys.executable, "-m", "rag", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ), check=False)
