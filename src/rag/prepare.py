"""The last step of the set-up: ``python -m rag.prepare`` checks the models and makes what is made of them."""

import sys

from rag import models
from rag.assembly import cache_folder, taught_writer
from rag.embedding import exported_graph
from rag.errors import RagError


def main() -> int:
    """Verify the models and make what answering needs, so that the first question does not wait for it."""
    try:
        for model in models.ALL:
            models.verify(model)
            print(f"{model.name}: sha256 {model.sha256} verified")
        exported_graph(models.EMBEDDING.path.parent, models.EMBEDDING.sha256, cache_folder())
        taught_writer()
    except RagError as error:
        print(f"rag: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"rag: no merged writer can be kept ({error}); it will be slower", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
