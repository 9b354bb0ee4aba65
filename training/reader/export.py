"""Export a trained reader to ``models/reader``: ``python training/reader/export.py --weights FILE --out DIR``.

The weights become int8, one scale for each output channel; activations are quantised while running.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from model import Reader
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file

from rag.models import EMBEDDING


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
        quantize_dynamic(
            str(full),
            str(out / "reader.onnx"),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # without it, sums overflow on processors that lack VNNI
        )
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
