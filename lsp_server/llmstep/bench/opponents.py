"""What a request is compared with: other ways to answer it with the same weights."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.engine.loaded import LoadedModel
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import SamplingParams

GENERATE = "upstream-generate"
HALF = "generate-bfloat16"
LLAMA_CPP = {"llama.cpp": "Q4_K_M", "llama.cpp-q8": "Q8_0"}
OPPONENTS = (GENERATE, HALF, "ctranslate2", *LLAMA_CPP)


def opponent(
    name: str, loaded: LoadedModel, sampling: SamplingParams, *, fixed: bool, threads: int
) -> Callable[[EncodedPrompt], None]:
    """Another way to answer.

    Args:
        name: One of `OPPONENTS`.
        loaded: The model; where it has no module of transformers, one is read from its files in float32.
        sampling: How to draw.
        fixed: Whether every sample has `sampling.max_new_tokens` tokens.
        threads: CPU threads.

    Raises:
        RequestError: It is not installed, or cannot run the model.
    """
    if name in LLAMA_CPP:
        return _llama_cpp(loaded, sampling, quantization=LLAMA_CPP[name], fixed=fixed, threads=threads)
    if name == "ctranslate2":
        return _ctranslate2(loaded, sampling, fixed=fixed, threads=threads)
    if loaded.model is None:
        loaded = in_full(loaded)
    if loaded.model.device.type == "meta":
        raise RequestError(
            f"The weights of {loaded.plan.name} are there in {loaded.plan.placement.dtype} only.",
            hint="Compare in another format.",
        )
    if name == GENERATE:
        return lambda prompt: _generate(loaded, prompt, sampling, fixed=fixed)
    halved = attrs.evolve(loaded, model=_in_half(loaded.model))
    return lambda prompt: _generate(halved, prompt, sampling, fixed=fixed)


def in_full(loaded: LoadedModel) -> LoadedModel:
    """The same model as a module of transformers in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig

    auto = AutoModelForCausalLM if loaded.start_id is None else AutoModelForSeq2SeqLM
    module = auto.from_pretrained(loaded.plan.folder, dtype=torch.float32).eval().requires_grad_(False)
    module.generation_config = GenerationConfig()
    return attrs.evolve(loaded, model=module)


def _in_half(model: Any) -> Any:
    """A copy of a module in bfloat16, made parameter by parameter: whole copies in float32 would not fit beside it."""
    import torch

    halves = {
        id(each): torch.nn.Parameter(each.detach().to(torch.bfloat16), requires_grad=False)
        for each in model.parameters()
    }
    copied = copy.deepcopy(model, dict(halves))
    copied.config.dtype = torch.bfloat16
    return copied


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


def _ctranslate2(
    loaded: LoadedModel, sampling: SamplingParams, *, fixed: bool, threads: int
) -> Callable[[EncodedPrompt], None]:
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


def _llama_cpp(
    loaded: LoadedModel, sampling: SamplingParams, *, quantization: str, fixed: bool, threads: int
) -> Callable[[EncodedPrompt], None]:
    """llama.cpp with random weights, which end no sample by themselves."""
    if not fixed:
        raise RequestError(
            "The comparison with llama.cpp is of samples with a fixed number of tokens.", hint="Give --fixed-tokens."
        )
    from llmstep.bench.llama_cpp import asker

    ask = asker(loaded.plan.folder, sampling, quantization=quantization, threads=threads)

    def check(prompt: EncodedPrompt) -> None:
        found = ask(prompt.input_ids)
        if [len(each) for each in found] != [sampling.max_new_tokens] * sampling.count:
            raise RequestError("llama.cpp drew another number of tokens.", hint="Compare with something else.")

    return check
