"""The reader: the embedding model's encoder with a span head, and how texts become its input."""

from dataclasses import dataclass
from pathlib import Path

import torch
from data import Group
from tokenizers import Tokenizer
from transformers import AutoModel

from rag.reading import Encoded, encode


class Reader(torch.nn.Module):
    """Question and passage → start and end logits of each token; the first token stands for "not here".

    Extractive reading with a null answer as in Devlin et al. 2019 (BERT), section 4.3.
    """

    def __init__(self, base: Path, dropout: float = 0.1) -> None:
        super().__init__()
        # Plain attention: torch's fused kernel is slow backwards in bfloat16 on a CPU, and ONNX Runtime fuses it anyway.
        self.encoder = AutoModel.from_pretrained(str(base), attn_implementation="eager", local_files_only=True)
        self.dropout = torch.nn.Dropout(dropout)
        self.span = torch.nn.Linear(self.encoder.config.hidden_size, 2)

    def forward(
        self, input_ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of shape ``(texts, tokens)`` each."""
        hidden = self.encoder(
            input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask
        ).last_hidden_state
        logits = self.span(self.dropout(hidden)).float()
        return logits[..., 0], logits[..., 1]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An example as numbers: its input, and the token positions of the answers (0 for none)."""

    encoded: Encoded
    spans: tuple[tuple[int, int], ...]


def prepare(tokenizer: Tokenizer, group: Group) -> list[Prepared]:
    """Tokenise the passages of one question exactly as the product does; spans that are cut off become "not here"."""
    prepared = []
    for example in group:
        encoded = encode(tokenizer, example.question, example.passage.title, example.passage.text)
        spans = []
        for start, end in example.spans:
            first = next((i for i, (a, b) in enumerate(encoded.offsets) if a <= start < b), None)
            last = next((i for i, (a, b) in enumerate(encoded.offsets) if a < end <= b), None)
            if first is not None and last is not None:
                spans.append((encoded.passage_start + first, encoded.passage_start + last))
        prepared.append(Prepared(encoded, tuple(spans) or ((0, 0),)))
    return prepared


def collate(batch: list[Prepared]) -> dict[str, torch.Tensor]:
    """Padded tensors; ``allowed`` marks the passage's tokens and the first one, ``starts``/``ends`` the answers."""
    width = max(len(item.encoded.ids) for item in batch)
    shape = (len(batch), width)
    tensors = {name: torch.zeros(shape, dtype=torch.long) for name in ("input_ids", "token_type_ids", "attention_mask")}
    tensors |= {name: torch.zeros(shape, dtype=torch.bool) for name in ("allowed", "starts", "ends")}
    for row, item in enumerate(batch):
        length, start = len(item.encoded.ids), item.encoded.passage_start
        tensors["input_ids"][row, :length] = torch.tensor(item.encoded.ids)
        tensors["token_type_ids"][row, :length] = torch.tensor(item.encoded.types)
        tensors["attention_mask"][row, :length] = 1
        tensors["allowed"][row, start : start + len(item.encoded.offsets)] = True
        tensors["allowed"][row, 0] = True
        for first, last in item.spans:
            tensors["starts"][row, first] = True
            tensors["ends"][row, last] = True
    return tensors


def loss(starts: torch.Tensor, ends: torch.Tensor, batch: dict[str, torch.Tensor], sizes: list[int]) -> torch.Tensor:
    """Mean negative log-likelihood of any right start and any right end (marginal over the annotated answers).

    Once within each passage, and once over all passages of a question, where a token counts by how far it lies
    above its passage's "not here": the margin by which the product compares passages (shared normalisation, Clark
    and Gardner 2018, with the null answer as the common reference).

    Args:
        starts: logits of shape ``(passages, tokens)``; ``ends`` likewise.
        batch: what ``collate`` made.
        sizes: how many consecutive passages belong to each question.
    """
    passages = batch["allowed"].clone()
    passages[:, 0] = False
    total = torch.zeros(())
    for logits, right in ((starts, batch["starts"]), (ends, batch["ends"])):
        log_probabilities = torch.log_softmax(logits.masked_fill(~batch["allowed"], -1e4), -1)
        alone = -torch.logsumexp(log_probabilities.masked_fill(~right, -1e9), -1).mean()
        above = logits - logits[:, :1]
        every = torch.logsumexp(above.masked_fill(~passages, -1e9), -1).split(sizes)
        hit = torch.logsumexp(above.masked_fill(~(right & passages), -1e9), -1).split(sizes)
        none = torch.zeros(1)
        together = torch.stack(
            [
                torch.logsumexp(torch.cat([none, all_]), 0)
                - (torch.logsumexp(hits, 0) if hits.max() > -1e8 else none[0])
                for all_, hits in zip(every, hit, strict=True)
            ]
        ).mean()
        total = total + (alone + together) / 4
    return total
