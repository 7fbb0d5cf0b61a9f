"""ReProver's encoder: a text as one vector, so that a goal lies near the premises that help with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForTextEncoding, AutoTokenizer

from llmstep.engine import device as devices
from llmstep.engine.reports import first_line, quiet
from llmstep.errors import ModelLoadError
from llmstep.hub.download import fetch

MODEL = "kaiyuy/leandojo-lean4-retriever-byt5-small"
"""The retriever of ReProver."""
MAX_TOKENS = 1024
"""Longer texts are cut at their end, as in the retriever's training."""


class Encoder:
    """A T5 encoder with its tokenizer, from a hub id or a folder; 0 threads leaves their number to torch.

    Raises ModelError where it cannot be found, downloaded or loaded.
    """

    def __init__(self, model: str = MODEL, device: str = "cpu", threads: int = 0) -> None:
        self.name = model
        self.device = devices.place(device, "float32").device  # type: ignore[arg-type]
        folder = fetch(model)
        if threads:
            torch.set_num_threads(threads)
        try:
            with quiet():
                config = AutoConfig.from_pretrained(folder, local_files_only=True)
                self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                encoder = AutoModelForTextEncoding.from_pretrained(
                    folder, config=config, dtype=torch.float32, local_files_only=True
                )
        except Exception as error:
            raise ModelLoadError(
                f"The retriever {model} cannot be loaded ({first_line(error)}).",
                hint=f"Give a T5 encoder with its tokenizer, such as {MODEL}.",
            ) from error
        self.model: Any = encoder.to(self.device).eval().requires_grad_(False)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def embed(
        self, texts: Sequence[str], batch_size: int = 16, done: Callable[[int], None] = lambda _: None
    ) -> torch.Tensor:
        """Vectors of length 1: the mean over a text's tokens, its end token included. Shape [texts, width], float32.

        Args:
            done: Called after every batch with the number of texts that are done.
        """
        vectors = torch.empty(len(texts), int(self.model.config.hidden_size))
        # Batches of like length waste least; the longest first, so that memory runs out at once if at all.
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = self.tokenizer(
                [texts[index] for index in chosen],
                padding="longest",
                max_length=MAX_TOKENS,
                truncation=True,
                return_tensors="pt",
            ).to(self.device)
            hidden = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(2)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            vectors[chosen] = torch.nn.functional.normalize(mean, dim=1).cpu()
            done(start + len(chosen))
        return vectors
