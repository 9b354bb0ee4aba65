"""The language model with its adapter, as it is trained: weights from the packaged GGUF, tokens as llama.cpp makes them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from data import Example
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from rag.models import WRITER
from rag.prompts import answer_messages

disable_progress_bar()
LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Tokens of a prompt and of its answer, the end mark included."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def load_base(dtype: torch.dtype) -> torch.nn.Module:
    """The model that the adapter will run on: the packaged file's 4-bit weights, made whole again.

    transformers 5.23 leaves them packed unless told otherwise; its kernels for that compute in float32 only.
    """
    return AutoModelForCausalLM.from_pretrained(
        str(WRITER.path.parent),
        gguf_file=WRITER.path.name,
        quantization_config=GgufConfig(dequantize=True),
        attn_implementation="eager",  # torch's fused kernel is slow backwards in bfloat16 on a CPU
        dtype=dtype,
    )


def load_tokenizer() -> PreTrainedTokenizerBase:
    """The tokenizer inside the packaged file, with its chat template."""
    return AutoTokenizer.from_pretrained(str(WRITER.path.parent), gguf_file=WRITER.path.name)


def with_adapter(base: torch.nn.Module, rank: int, alpha: int) -> PeftModel:
    """The model with a new adapter on all linear layers; only the adapter is trained, in float32."""
    return get_peft_model(base, LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(LINEAR_LAYERS)))


def read_adapter(base: torch.nn.Module, folder: Path, trained: bool = False) -> PeftModel:
    """The model with an adapter from disk."""
    return PeftModel.from_pretrained(base, str(folder), is_trainable=trained)


def prompt_text(tokenizer: PreTrainedTokenizerBase, example: Example) -> str:
    """A prompt by the file's own chat template, which llama.cpp uses too (``export.py --prove`` compares them)."""
    chat = answer_messages(example.question, example.sources)
    return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))


def encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> Encoded:
    """Tokens of an example."""
    prompt = tokenizer(prompt_text(tokenizer, example), add_special_tokens=False).input_ids
    answer = tokenizer(example.answer, add_special_tokens=False).input_ids
    return Encoded(prompt, [*answer, tokenizer.eos_token_id])


def answer_loss(model: PeftModel, batch: list[Encoded], padding: int) -> tuple[torch.Tensor, int]:
    """Summed negative log-likelihood of the answers' tokens, and their number.

    Only the positions that predict an answer's token go through the output layer, a fifth of the model's arithmetic.
    """
    width = max(map(len, batch))
    ids = torch.full((len(batch), width), padding)
    attended = torch.zeros_like(ids)
    predicting = torch.zeros_like(ids, dtype=torch.bool)
    for row, item in enumerate(batch):
        ids[row, : len(item)] = torch.tensor(item.prompt + item.answer)
        attended[row, : len(item)] = 1
        predicting[row, len(item.prompt) - 1 : len(item) - 1] = True
    with torch.autocast("cpu", torch.bfloat16):
        causal = model.get_base_model()
        hidden = causal.model(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state
        logits = causal.lm_head(hidden[predicting])
    wanted = torch.tensor([token for item in batch for token in item.answer])
    return torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"), len(wanted)
