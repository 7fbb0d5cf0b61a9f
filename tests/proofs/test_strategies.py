"""Which strategy `auto` takes: by the record of the model, by its name, by what is known of it otherwise."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from scripted_model import PLAN

from llmstep.proofs.prover import chosen, style_of
from llmstep.settings import Settings

# The model's name, other settings, how it is asked for whole proofs, and the strategy.
MODELS: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("auto", {}, None, "search"),
    ("starter", {}, None, "search"),
    ("bfs-prover-v2-7b", {"engine": "openai"}, None, "search"),
    ("deepseek-prover-v2", {}, "plan", "write"),
    ("Goedel-LM/Goedel-Prover-V2-8B", {}, "plan", "write"),
    ("AI-MO/Kimina-Prover-Distill-1.7B", {"engine": "vllm"}, "think", "write"),
    ("/models/Goedel-Prover-V2-8B.Q4_K_M.gguf", {"engine": "llama.cpp"}, "plan", "write"),
    ("hf.co/mradermacher/Kimina-Prover-Distill-8B-GGUF:Q4_K_M", {"engine": "ollama"}, "think", "write"),
    ("some-chat-model", {"engine": "openai"}, "chat", "write"),
    ("some-chat-model", {"engine": "openai", "template": "instruct"}, "chat", "write"),
    ("some-step-model", {"engine": "openai", "template": "pythia"}, None, "search"),
    ("some/model", {"template": "instruct-file"}, "chat", "write"),
    ("some/model", {}, None, "search"),
]


@pytest.mark.parametrize(("name", "more", "style", "strategy"), MODELS)
def test_what_auto_takes(name: str, more: dict[str, Any], style: str | None, strategy: str) -> None:
    settings = Settings.decode({"model": name, **more})
    assert style_of(settings, name) == style
    assert chosen(PLAN, style) == strategy  # type: ignore[arg-type]
    for wanted in ("search", "write", "sketch"):
        assert chosen(attrs.evolve(PLAN, strategy=wanted), style) == wanted  # type: ignore[arg-type]
    assert chosen(attrs.evolve(PLAN, tactics="list"), style) == "search"  # type: ignore[arg-type]
