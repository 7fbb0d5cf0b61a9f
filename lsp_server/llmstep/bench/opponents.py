"""What a request is compared with: other ways to answer it with the same weights."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import SamplingParams

Ask = Callable[["EncodedPrompt"], None]
GENERATE, CTRANSLATE2, LLAMA_CPP = OPPONENTS = ("upstream-generate", "ctranslate2", "llama.cpp")


def opponent(
    name: str, loaded: LoadedModel, sampling: SamplingParams, *, fixed: bool, threads: int
) -> AbstractContextManager[Ask]:
    """Another way to answer, which is there inside of `with`.

    Args:
        name: One of `OPPONENTS`.
        loaded: The model; where it has no module of transformers, one is read from its files in float32.
        sampling: How to draw.
        fixed: Whether every sample has `sampling.max_new_tokens` tokens.
        threads: CPU threads.
    """
    if name == LLAMA_CPP:
        if not fixed:  # random weights end no sample by themselves
            raise RequestError(
                "The comparison with llama.cpp is of samples with a fixed number of tokens.",
                hint="Give --fixed-tokens.",
            )
        from llmstep.bench.llama_cpp import asking

        return asking(loaded.plan.folder, sampling, threads=threads)
    if name == CTRANSLATE2:
        return contextlib.nullcontext(_ctranslate2(loaded, sampling, fixed=fixed, threads=threads))
    if loaded.model is None:
        loaded = with_module(loaded)
    return contextlib.nullcontext(lambda prompt: _generate(loaded, prompt, sampling, fixed=fixed))


def with_module(loaded: LoadedModel) -> LoadedModel:
    """The same model with a module of transformers, in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig

    auto = AutoModelForCausalLM if loaded.start_id is None else AutoModelForSeq2SeqLM
    module = auto.from_pretrained(loaded.plan.folder, dtype=torch.float32).eval().requires_grad_(False)
    module.generation_config = GenerationConfig()
    return attrs.evolve(loaded, model=module)


def _generate(loaded: LoadedModel, prompt: EncodedPrompt, sampling: SamplingParams, *, fixed: bool) -> None:
    """The call that upstream's servers make."""
    import torch
    from transformers import GenerationConfig

    ids = torch.tensor([prompt.input_ids], device=loaded.plan.placement.device)
    config = GenerationConfig(
        do_sample=True,
        temperature=sampling.temperature,
        top_k=0,
        num_return_sequences=sampling.count,
        max_new_tokens=sampling.max_new_tokens,
        min_new_tokens=sampling.max_new_tokens if fixed else None,
        eos_token_id=sorted(loaded.end_ids) or None,
        pad_token_id=loaded.pad_id,
        decoder_start_token_id=loaded.start_id,
    )
    with torch.inference_mode():
        out = loaded.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
    for each in out.tolist():
        loaded.tokenizer.decode(each)


def _ctranslate2(loaded: LoadedModel, sampling: SamplingParams, *, fixed: bool, threads: int) -> Ask:
    """CTranslate2 with weights in eight bits, converted from the same files.

    For time only: its converter takes the scale of T5 1.1's logits from `tie_word_embeddings`, which transformers 5
    sets for all of T5, so that what it draws is flatter than it should be.
    """
    try:
        import ctranslate2
    except ImportError:
        raise RequestError("CTranslate2 is not installed.", hint="pip install ctranslate2") from None
    if loaded.start_id is None and loaded.plan.config["model_type"] == "gpt_neox":
        raise RequestError(
            "CTranslate2 cannot convert GPT-NeoX of transformers 5.", hint="Compare with upstream-generate."
        )
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as folder:
        converted = Path(folder) / "converted"
        converter: Any = ctranslate2.converters.TransformersConverter(str(loaded.plan.folder), low_cpu_mem_usage=True)
        converter.convert(str(converted), quantization="int8")
        kind = ctranslate2.Generator if loaded.start_id is None else ctranslate2.Translator
        runs = kind(str(converted), compute_type="int8_float32", inter_threads=1, intra_threads=threads)
        words = json.loads(next(converted.glob("*vocabulary.json")).read_text("utf-8"))
    how = {
        "beam_size": 1,
        "num_hypotheses": sampling.count,
        "sampling_topk": 0,
        "sampling_temperature": sampling.temperature,
        "return_scores": True,
    }
    most, least = sampling.max_new_tokens, sampling.max_new_tokens if fixed else 1

    def ask(prompt: EncodedPrompt) -> None:
        tokens = [[words[number] for number in prompt.input_ids]]
        if loaded.start_id is None:
            runs.generate_batch(tokens, max_length=most, min_length=least, include_prompt_in_result=False, **how)
        else:
            runs.translate_batch(tokens, max_decoding_length=most, min_decoding_length=least, **how)

    return ask
