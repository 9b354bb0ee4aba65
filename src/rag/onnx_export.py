"""Export a sentence-transformers model to ONNX, in a process of its own: ``python -m rag.onnx_export MODEL OUT``.

This is the only place on the default path that imports torch; it runs once for each set of weights.
"""

import argparse
import logging
import os
import warnings
from pathlib import Path


def export(model_folder: Path, out: Path, int8: bool = False) -> None:
    """Write token ids and mask → sentence embedding as one ONNX graph, with pooling and normalisation inside.

    Attention is exported in its plain form: ONNX Runtime recognises and fuses that one, which makes it about
    a fifth faster on a CPU than the scaled-dot-product form that torch prefers.

    Args:
        model_folder: a sentence-transformers model.
        out: file to write.
        int8: store the weights of matrix products as 8-bit integers, one scale for each column, and round what they
            are multiplied with on the fly. The products that leave each feed-forward layer stay as they are: their
            inputs have outliers, and rounding these costs as much as all others together.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(model_folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"attn_implementation": "eager", "use_safetensors": True},
    ).eval()

    class TokensToEmbedding(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            embedding: torch.Tensor = self.model(features)["sentence_embedding"]
            return embedding

    example = torch.ones(2, 8, dtype=torch.long)
    partial = out.with_suffix(f".{os.getpid()}.tmp")
    with warnings.catch_warnings():
        # The tracing exporter warns about its successor and about constants of the example's shape;
        # equality with sentence-transformers on other shapes is tested.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TokensToEmbedding(),
            (example, example),
            str(partial),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": {0: "texts", 1: "tokens"}, "attention_mask": {0: "texts", 1: "tokens"}},
            opset_version=17,
            dynamo=False,
        )
    if int8:
        _quantise(partial)
    partial.replace(out)


def _quantise(graph: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    left = [
        node.name
        for node in onnx.load(str(graph)).graph.node
        if node.op_type == "MatMul" and "/output/dense" in node.name and "attention" not in node.name
    ]
    logging.disable(logging.WARNING)  # it advises preprocessing, which changes nothing here
    quantize_dynamic(
        str(graph),
        str(graph),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # without it, sums overflow on processors that lack VNNI
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=left,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export a sentence-transformers model to ONNX.")
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--int8", action="store_true", help="with the weights of products as 8-bit integers")
    arguments = parser.parse_args()
    export(arguments.model, arguments.out, arguments.int8)
