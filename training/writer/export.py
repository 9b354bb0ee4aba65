"""Turn a trained adapter into a GGUF file: ``python training/writer/export.py --adapter DIR --out FILE``.

The layout is that of llama.cpp's ``convert_lora_to_gguf.py``. ``--prove`` exports a random adapter instead, and shows
that llama.cpp says the same with it as transformers, token by token, and that both make the same tokens of a prompt.
"""

import argparse
import hashlib
import json
import re
import tempfile
import urllib.request
from pathlib import Path

import gguf
import numpy as np
import torch
from data import Example
from model import LINEAR_LAYERS, encode, load_base, load_tokenizer, prompt_text, with_adapter
from peft import PeftModel
from runtime import load_server
from safetensors.torch import load_file

from rag.prompts import answer_messages

MOST_BYTES = 15 * 2**20
_NAMES = dict(
    zip(LINEAR_LAYERS, ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"), strict=True)
)
_KEY = re.compile(r"layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight$")


def export(adapter: Path, out: Path, heads: int = 9, key_heads: int = 3) -> None:
    """Write the adapter in a folder (``adapter_model.safetensors``, ``adapter_config.json``) as GGUF in half precision.

    Args:
        adapter: as peft saves it.
        out: the file.
        heads: attention heads of the model.
        key_heads: heads that keys and values have.
    """
    settings = json.loads((adapter / "adapter_config.json").read_text())
    writer = gguf.GGUFWriter(str(out), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(settings["lora_alpha"]))
    for name, tensor in sorted(load_file(adapter / "adapter_model.safetensors").items()):
        match = _KEY.search(name)
        if not match:
            raise SystemExit(f"{name}: not a linear layer's adapter")
        block, layer, side = match.groups()
        values = tensor.float().numpy()
        if side == "B" and layer in {"q_proj", "k_proj"}:
            values = permuted(values, heads if layer == "q_proj" else key_heads)
        writer.add_tensor(f"blk.{block}.{_NAMES[layer]}.weight.lora_{side.lower()}", values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if out.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{out} has {out.stat().st_size:,} bytes; at most {MOST_BYTES:,} are allowed")


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """The rows of a query or key matrix in llama.cpp's order, which has the two halves of a head's rotation interleaved."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def prove() -> None:
    """Compare transformers and llama.cpp, without an adapter and with a random one, and print the differences."""
    example = Example(
        "proof",
        "",
        "When was Salyut 1 launched?",
        (
            "Salyut 1 was the first space station.",
            "It was launched on 19 April 1971 – “DOS-1”.",
        ),
        "Salyut 1 was launched on 19 April 1971 [2].",
    )
    tokenizer = load_tokenizer()
    encoded = encode(tokenizer, example)
    torch.manual_seed(1)
    model = with_adapter(load_base(torch.float32), 16, 32).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    with tempfile.TemporaryDirectory() as work:
        model.save_pretrained(work, save_embedding_layers=False)
        export(Path(work), Path(work) / "adapter.gguf")
        for adapter in (None, Path(work) / "adapter.gguf"):
            server = load_server(adapter, threads=2)
            if adapter is None:
                compare_tokens(server.listening_address, tokenizer, example, encoded.prompt)
            answers = [row_of(server, encoded.prompt + encoded.answer[:given]) for given in range(len(encoded.answer))]
            report(model, adapter is not None, encoded.prompt, encoded.answer, answers)


def compare_tokens(address: str, tokenizer: object, example: Example, prompt: list[int]) -> None:
    """Raise unless llama.cpp's server makes the same text and the same tokens of the messages."""

    def post(path: str, body: object) -> dict:
        request = urllib.request.Request(
            address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    text = post("/apply-template", {"messages": answer_messages(example.question, example.sources)})["prompt"]
    ids = post("/tokenize", {"content": text, "parse_special": True, "add_special": False})["tokens"]
    assert text == prompt_text(tokenizer, example), text
    assert ids == prompt, (ids, prompt)
    print(f"the prompt's {len(ids)} tokens are the same")


def row_of(server: object, tokens: list[int]) -> dict[int, float]:
    """llama.cpp's twenty likeliest next tokens with their log-probabilities."""
    request = {"prompt": tokens, "n_predict": 1, "temperature": 0, "n_probs": 20, "repeat_penalty": 1.0}
    reply = server.handle_completions(request)
    likeliest = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return {item["id"]: item["logprob"] for item in likeliest}


@torch.no_grad()
def report(model: PeftModel, adapted: bool, prompt: list[int], answer: list[int], rows: list[dict[int, float]]) -> None:
    """Print how far apart the two are on the tokens of a given answer, and how much the adapter changes at all."""
    ids = torch.tensor([prompt + answer])
    with model.disable_adapter():
        plain = torch.log_softmax(model(input_ids=ids).logits[0, len(prompt) - 1 : -1], -1)
    ours = torch.log_softmax(model(input_ids=ids).logits[0, len(prompt) - 1 : -1], -1) if adapted else plain
    places = [(i, token, value) for i, row in enumerate(rows) for token, value in row.items()]
    apart = [abs(ours[i, token].item() - value) for i, token, value in places]
    moved = [abs(ours[i, token].item() - plain[i, token].item()) for i, token, _ in places]
    same = sum(int(ours[i].argmax()) == max(row, key=row.get) for i, row in enumerate(rows))
    print(
        f"{'with' if adapted else 'without'} the adapter: same likeliest token {same} of {len(rows)} times; "
        f"log-probabilities of the likeliest twenty apart by {np.mean(apart):.3f} in the mean, {np.max(apart):.2f} at most;"
        f" the adapter moves them by {np.mean(moved):.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adapter", type=Path, help="the folder adapter/ of a run of train.py")
    parser.add_argument("--out", type=Path, default=Path("models/writer/adapter.gguf"))
    parser.add_argument("--prove", action="store_true")
    options = parser.parse_args()
    if options.prove:
        prove()
    elif options.adapter:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        export(options.adapter, options.out)
        print(
            options.out, f"{options.out.stat().st_size:,} bytes", hashlib.sha256(options.out.read_bytes()).hexdigest()
        )
    else:
        parser.error("--adapter or --prove is needed")
