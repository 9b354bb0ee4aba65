"""Index the same passages as a user of LangChain or LlamaIndex would; run by ``bench.py`` in an environment of theirs.

Reads one JSON object a line on stdin, ``{"framework": …, "model": folder, "texts": […], "threads": n}``, does the work
and answers with the seconds that it took, so that rounds of all competitors can take turns.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def langchain(model: str) -> Callable[[list[str]], Any]:
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings

    embeddings = HuggingFaceEmbeddings(
        model_name=model, model_kwargs={"device": "cpu"}, encode_kwargs={"normalize_embeddings": True}
    )
    return lambda texts: FAISS.from_texts(texts, embeddings)


def llama_index(model: str) -> Callable[[list[str]], Any]:
    import faiss
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.faiss import FaissVectorStore

    embedding = HuggingFaceEmbedding(model_name=model, device="cpu")

    def build(texts: list[str]) -> Any:
        storage = StorageContext.from_defaults(vector_store=FaissVectorStore(faiss_index=faiss.IndexFlatIP(384)))
        nodes = [TextNode(text=text) for text in texts]
        return VectorStoreIndex(nodes, storage_context=storage, embed_model=embedding)

    return build


def sentence_transformers(model: str) -> Callable[[list[str]], Any]:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(model, device="cpu", local_files_only=True)
    return lambda texts: plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def main() -> None:
    frameworks = {"langchain": langchain, "llama_index": llama_index, "sentence_transformers": sentence_transformers}
    ready: dict[str, Callable[[list[str]], Any]] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        torch.set_num_threads(wanted["threads"])
        name = wanted["framework"]
        if name not in ready:
            ready[name] = frameworks[name](wanted["model"])
            ready[name](wanted["texts"][:8])  # loading and warming up are not what is measured
        began = time.perf_counter()
        ready[name](wanted["texts"])
        print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    main()
