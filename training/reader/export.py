"""Export a trained reader to ``models/reader``: ``python training/reader/export.py --weights FILE --out DIR``.

The weights become int8, one scale for each output channel; activations are quantised while running, but for the
inputs of each layer's last product, whose outliers would cost 3 points of exact match.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from model import Reader
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file

from rag.models import EMBEDDING


def store_as_int8(graph: onnx.GraphProto, products: list[str]) -> None:
    """Keep the weights of these products as int8 that is made float again when they are used."""
    stored = {item.name: item for item in graph.initializer}
    for node in [node for node in graph.node if node.name in products]:
        name = next(name for name in node.input if name in stored)
        weights = numpy_helper.to_array(stored[name])
        scales = np.abs(weights).max(0) / 127
        rounded = np.round(weights / scales).astype(np.int8)
        graph.initializer.remove(stored[name])
        graph.initializer.extend(
            [
                numpy_helper.from_array(rounded, f"{name}_int8"),
                numpy_helper.from_array(scales.astype(np.float32), f"{name}_scales"),
                numpy_helper.from_array(np.zeros(scales.shape, np.int8), f"{name}_zero"),
            ]
        )
        inputs = [f"{name}_int8", f"{name}_scales", f"{name}_zero"]
        made = helper.make_node("DequantizeLinear", inputs, [name], name=f"{node.name}_weights", axis=1)
        graph.node.insert(list(graph.node).index(node), made)


def export(weights: Path, out: Path) -> None:
    """Write ``reader.onnx`` (int8), ``tokenizer.json`` and ``reader.json`` with the hashes."""
    base = EMBEDDING.path.parent
    model = Reader(base).eval()
    model.load_state_dict(load_file(weights))
    out.mkdir(parents=True, exist_ok=True)
    example = torch.ones(2, 8, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    names = ["input_ids", "token_type_ids", "attention_mask"]
    with tempfile.TemporaryDirectory() as work, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the tracing exporter's successor and constants of the example's shape
        full = Path(work) / "reader.onnx"
        torch.onnx.export(
            model,
            (example, example, example),
            str(full),
            input_names=names,
            output_names=["starts", "ends"],
            dynamic_axes=dict.fromkeys([*names, "starts", "ends"], axes),
            opset_version=17,
            dynamo=False,
        )
        quantised = Path(work) / "quantised.onnx"
        last = [
            node.name
            for node in onnx.load(str(full)).graph.node
            if node.op_type == "MatMul" and "/output/dense" in node.name and "attention" not in node.name
        ]
        quantize_dynamic(
            str(full),
            str(quantised),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # without it, sums overflow on processors that lack VNNI
            nodes_to_exclude=last,
        )
        graph = onnx.load(str(quantised))
        store_as_int8(graph.graph, last)
        onnx.save(graph, str(out / "reader.onnx"))
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    sums = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in ("reader.onnx", "tokenizer.json")}
    facts = {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "sha256": sums}
    (out / "reader.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="a checkpoint of train.py")
    parser.add_argument("--out", type=Path, default=Path("models/reader"))
    options = parser.parse_args()
    export(options.weights, options.out)
