"""llama.cpp as the product runs it, with or without an adapter."""

from pathlib import Path
from typing import Any

import xllamacpp

from rag.models import WRITER


def load_server(adapter: Path | None, threads: int = 2) -> Any:
    """The packaged model in this process, as ``rag.writer`` loads it; ``adapter``: a GGUF file."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(WRITER.path)
    if adapter:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = -1
    return xllamacpp.Server(parameters)
