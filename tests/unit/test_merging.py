"""The writer with its adapter in its weights."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from rag.merging import merged
from rag.models import file_sha256

WIDTH, RANK, ALPHA = 64, 4, 8.0
random = np.random.default_rng(1)
WEIGHT, OTHER, NORM = (random.normal(size=size).astype(np.float32) for size in ((32, WIDTH), (32, WIDTH), (WIDTH,)))
DOWN, UP = (random.normal(size=size).astype(np.float16) for size in ((RANK, WIDTH), (32, RANK)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_token_list(["a", "é", "\n"])
    writer.add_token_types([1, 2, 3])
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("blk.0.attn_q.weight", WEIGHT)
    writer.add_tensor("blk.0.attn_k.weight", OTHER)
    writer.add_tensor("blk.0.attn_norm.weight", NORM)
    return _written(writer, path)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return _adapter(tmp_path / "adapter.gguf", "blk.0.attn_q.weight")


def _adapter(path: Path, name: str) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, ALPHA)
    writer.add_tensor(f"{name}.lora_a", DOWN)
    writer.add_tensor(f"{name}.lora_b", UP)
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_adapter_is_added_and_all_else_stays(model: Path, adapter: Path, tmp_path: Path) -> None:
    made = gguf.GGUFReader(str(merged(model, adapter, "key", tmp_path / "cache")))
    tensors = {tensor.name: tensor for tensor in made.tensors}
    assert {name: tensor.tensor_type.name for name, tensor in tensors.items()} == {
        "blk.0.attn_q.weight": "Q8_0",
        "blk.0.attn_k.weight": "F32",
        "blk.0.attn_norm.weight": "F32",
    }
    q = tensors["blk.0.attn_q.weight"]
    wanted = WEIGHT + ALPHA / RANK * (UP.astype(np.float32) @ DOWN.astype(np.float32))
    error = np.abs(gguf.quants.dequantize(q.data, q.tensor_type) - wanted)
    assert error.max() <= np.abs(wanted).max() / 127
    assert np.abs(wanted - WEIGHT).max() > 10 * error.max(), "the adapter is no rounding error here"
    assert np.array_equal(tensors["blk.0.attn_k.weight"].data, OTHER)
    before = gguf.GGUFReader(str(model)).fields
    for name, field in before.items():
        if not name.startswith("GGUF."):
            found = made.get_field(name)
            assert found is not None
            assert (found.contents(), found.types) == (field.contents(), field.types)


def test_it_is_made_once_and_again_if_it_is_damaged(model: Path, adapter: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    made = merged(model, adapter, "key", cache)
    good, written = file_sha256(made), made.stat().st_mtime_ns
    assert merged(model, adapter, "key", cache).stat().st_mtime_ns == written
    made.write_bytes(made.read_bytes()[:-1])
    again = merged(model, adapter, "key", cache)
    assert file_sha256(again) == good
    assert list(cache.iterdir()) == [again], "no halves and no damaged ones are left"
    assert merged(model, adapter, "other", cache) != again


@pytest.mark.parametrize("swapped", [True, False], ids=["no adapter", "another model's"])
def test_what_does_not_fit_is_refused(model: Path, tmp_path: Path, swapped: bool) -> None:
    other = model if swapped else _adapter(tmp_path / "other.gguf", "blk.7.attn_q.weight")
    with pytest.raises(ValueError, match=r"low-rank adapter|blk\.7"):
        merged(model, other, "key", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
