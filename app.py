"""Open the chat: ``python app.py`` is ``rag serve``; it takes the same options."""

import sys

from rag.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
