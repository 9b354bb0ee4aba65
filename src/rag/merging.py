"""The packaged writer with its adapter laid into the weights: read half again as fast as the two side by side.

llama.cpp computes an adapter as two more products beside each of the model's, in half precision and for every token.
Added to the weights once, it costs nothing. The sums are kept in 8 bits, which lose almost nothing of weights that had
4; the file is made on the machine that uses it, since it is three times as large as what it is made of may be shipped.
"""

import os
from pathlib import Path

import numpy as np

from rag.models import file_sha256


def merged(model: Path, adapter: Path, key: str, folder: Path) -> Path:
    """A GGUF file of the model with its adapter in it, from the folder or made now, which takes seconds.

    Its name ends in its own sha256; a file that is not what its name says is made anew.

    Args:
        model: GGUF file.
        adapter: GGUF file of a low-rank adapter of that model.
        key: names both, so that others get other files.
        folder: kept between runs.

    Raises:
        OSError: the folder cannot be written.
        ValueError: they are no GGUF files, or do not fit each other.
    """
    for found in sorted(folder.glob(f"{key}-*.gguf")):
        if found.stem == f"{key}-{file_sha256(found)}":
            return found
        found.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{key}.{os.getpid()}.tmp"
    try:
        _merge(model, adapter, partial)
        return partial.replace(folder / f"{key}-{file_sha256(partial)}.gguf")
    finally:
        partial.unlink(missing_ok=True)


def _merge(model: Path, adapter: Path, out: Path) -> None:
    """Write W + α/r · B·A for each W that has an adapter (Hu et al. 2021, section 4.1), all else as it is."""
    import gguf

    base, lora = gguf.GGUFReader(str(model)), gguf.GGUFReader(str(adapter))
    alpha = lora.get_field(gguf.Keys.Adapter.LORA_ALPHA)
    architecture = base.get_field(gguf.Keys.General.ARCHITECTURE)
    if alpha is None or architecture is None:
        raise ValueError("one of them is not what it should be: a model, or its low-rank adapter")
    low_rank = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in lora.tensors}
    writer = gguf.GGUFWriter(str(out), architecture.contents())
    for name, field in base.fields.items():
        if not name.startswith("GGUF.") and name != gguf.Keys.General.ARCHITECTURE:
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    eight_bits = gguf.GGMLQuantizationType.Q8_0
    for tensor in base.tensors:
        data, kind = tensor.data, tensor.tensor_type
        down, up = low_rank.pop(f"{tensor.name}.lora_a", None), low_rank.pop(f"{tensor.name}.lora_b", None)
        if down is not None and up is not None:
            whole = gguf.quants.dequantize(data, kind) + np.float32(alpha.contents() / len(down)) * (up @ down)
            data, kind = gguf.quants.quantize(whole.astype(np.float32), eight_bits), eight_bits
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    if low_rank:
        raise ValueError(f"the model has no {next(iter(low_rank))}")
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
