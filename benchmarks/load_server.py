"""The chat as ``load.py`` serves it: on a free port of 127.0.0.1, with a stub engine or the real models."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rag.chat.engine import Engine
from rag.chat.local import LocalEngine
from rag.chat.serving import bind, make_server
from rag.settings import Settings
from stub_engine import StubEngine

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=["stub", "real"])
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--waiting", type=int, default=32)
    parser.add_argument("--mode", choices=["write", "quote"], default="write")
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--history", default="off")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder, bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        corpus = Path(folder, "corpus")
        settings = Settings(
            corpus=corpus,
            index=Path(folder, "index"),
            history=options.history,
            manage=True,
            port=port,
            mode=options.mode,
            answers_at_once=options.at_once,
            waiting=options.waiting,
            requests_per_minute=10_000_000,
        )
        engine: Engine = StubEngine(options.tokens, options.rate)
        if options.engine == "real":
            shutil.copytree(ROOT / "corpus", corpus)
            engine = LocalEngine(settings)
            while (status := engine.status()).state == "preparing":
                time.sleep(0.2)
            if status.state == "failed":
                sys.exit(status.message)
        server = make_server(engine, settings)
        print(f"http://127.0.0.1:{port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


if __name__ == "__main__":
    main()
