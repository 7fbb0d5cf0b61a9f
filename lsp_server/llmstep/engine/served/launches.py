"""Servers that llmstep can start here for the model of the settings: with which command, and when `auto` takes one."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Literal

import attrs

from llmstep.cancel import CancelToken
from llmstep.catalog.gguf import choose_gguf, is_gguf
from llmstep.catalog.memory import needed_bytes, too_large
from llmstep.catalog.models import style_by_name
from llmstep.catalog.recommended import Hardware
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import ModelChoice, resolve
from llmstep.catalog.store import adapter_base
from llmstep.engine import device as devices
from llmstep.engine.device import cpu_threads, has_apple_gpu
from llmstep.engine.served.child import PORT, Launch
from llmstep.errors import LlmstepError, ModelError, ModelLoadError, SettingsError
from llmstep.progress import ProgressSink
from llmstep.settings import Settings

MAX_SLOTS = 32
"""Most samples at a time: each holds keys and values of its own."""
LARGE = 1_000_000_000
"""Parameters from which on a step is waited for where it is not fast."""
_SECONDS_FOR_DRIVER = 5.0


def vllm(settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Launch:
    """vLLM with the model of the settings, which is downloaded where it is not here; or a LlmstepError."""
    from llmstep.hub.download import fetch

    choice = resolve(settings)
    if choice.template.family != "causal":
        raise ModelError(
            f"The model {choice.name} is an encoder-decoder model, which vLLM does not run.",
            hint="Set llmstep.engine to inProcess, or llmstep.model to a decoder-only model.",
        )
    command = settings.remote.command or _installed(vllm_serve(), "vllm", "no program vllm", "vllm")
    folder = fetch(choice.source, progress=progress, cancel=cancel)
    if adapter_base(folder) is not None:
        raise ModelLoadError(
            f"The model {choice.name} is a LoRA adapter, which llmstep does not give to vLLM.",
            hint="Set llmstep.engine to inProcess, or merge it into its base with peft.",
        )
    dtype = ("--dtype", settings.dtype) if settings.dtype in ("float32", "bfloat16", "float16") else ()
    words = (*command, str(folder), "--served-model-name", choice.name, *dtype, "--host", "127.0.0.1", "--port", PORT)
    return Launch(
        name="vLLM",
        model=choice.name,
        words=words,
        key_variable="VLLM_API_KEY",
        path="/v1",
        health="/models",
        variables={"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
        template=choice.template,
        folder=folder,
    )


def llama_cpp(settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Launch:
    """llama.cpp's server with the GGUF file of the settings, downloaded where it is not here; or a LlmstepError."""
    from llmstep.hub.download import fetch

    choice = choose_gguf(settings)
    template = choice.template
    if template.family != "causal":
        raise ModelError(
            f"The template {template.name} is for encoder-decoder models, which llama.cpp does not run.",
            hint="Set llmstep.template to another one, or llmstep.engine to inProcess.",
        )
    missing = "neither the package xllamacpp nor a llama-server"
    command = settings.remote.command or _installed(llama_server(), "llama.cpp", missing, "gguf")
    file = choice.path or fetch(choice.source, progress=progress, cancel=cancel)
    size, free = file.stat().st_size, devices.free_bytes("cpu")
    # What the user's own command does with the memory is not known here.
    if needed_bytes(size) > free and not settings.remote.command:
        ways = ["choose a smaller file, with fewer bits for example"]
        raise too_large(choice.name, size, "GGUF", "llama.cpp", free, ways)
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelLoadError(f"The file {file} is no GGUF file.", hint="Download or convert the model again.")
    slots = min(settings.count, MAX_SLOTS)
    max_tokens = min(settings.max_new_tokens, template.max_new_tokens) + template.thinking_tokens
    record = find_record(choice.name)
    proves = record.proofs if record else style_by_name(choice.name)
    proof_tokens = settings.prove_tokens // (settings.prove_rounds + 1) if proves else 0
    context = template.max_prompt_tokens + slots * max_tokens + proof_tokens
    threads = cpu_threads(settings.threads, size)
    launch = llama_launch(command, choice.name, file, slots=slots, context=context, threads=threads)
    return attrs.evolve(launch, template=template)


def llama_launch(command: tuple[str, ...], model: str, file: Path, *, slots: int, context: int, threads: int) -> Launch:
    """llama.cpp's server with a GGUF file, so many samples at a time, and places for a prompt and all of them."""
    return Launch(
        name="llama.cpp",
        model=model,
        words=(
            *(*command, "--model", str(file), "--host", "127.0.0.1", "--port", PORT),
            *("--parallel", str(slots), "--ctx-size", str(context), "--kv-unified", "--threads", str(threads)),
        ),
        key_variable="LLAMA_API_KEY",
    )


def vllm_serve() -> tuple[str, ...]:
    """What starts vLLM here; empty when it is not installed."""
    program = _program("vllm")
    return (program, "serve") if program else ()


def llama_server() -> tuple[str, ...]:
    """What starts llama.cpp's server here: the package xllamacpp, else an installed program; empty for neither."""
    if importlib.util.find_spec("xllamacpp") is not None:
        return (sys.executable, "-m", "llmstep.engine.served.llama_main")
    program = _program("llama-server")
    return (program,) if program else ()


def _installed(command: tuple[str, ...], engine: str, missing: str, extra: str) -> tuple[str, ...]:
    if not command:
        raise SettingsError(
            f"The setting llmstep.engine is {engine}, and there is {missing}.",
            hint=f"Install it with `pip install 'llmstep[{extra}]'`, or set llmstep.remote.command to what starts it.",
        )
    return command


def _program(name: str) -> str:
    """The path of an installed program, beside this Python or where the shell finds it; empty when there is none."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name) or ""


def prefers_llama_cpp(settings: Settings) -> bool:
    """Whether llama.cpp's server is the better place for the model of the settings; docs/remote.md has the rule."""
    if settings.engine != "auto":
        return settings.engine == "llama.cpp"
    try:
        if is_gguf(settings.model):
            return True
        record = find_record(settings.model)
        if record is None or record.gguf is None or not llama_server():
            return False
        file = choose_gguf(settings).path
    except LlmstepError:
        return False
    if file is None or settings.device == "cuda" or (settings.device == "auto" and has_cuda()):
        return False
    parameters, free = record.parameters or 0, devices.free_bytes("cpu")
    return (
        (settings.device != "cpu" and has_apple_gpu())
        or (parameters >= LARGE and not has_byte_products())
        or needed_bytes(file.stat().st_size) <= free < (record.needed_bytes("cpu") or 0)
    )


def choose(settings: Settings) -> ModelChoice:
    """The model of the settings, as a GGUF file where llama.cpp's server is the better place; or a ModelError."""
    return choose_gguf(settings) if prefers_llama_cpp(settings) else resolve(settings)


def has_cuda() -> bool:
    return shutil.which("nvidia-smi") is not None


def has_byte_products() -> bool:
    """Whether the processor adds up products of bytes in one instruction, as far as LLVM knows."""
    try:
        from llvmlite.binding import get_host_cpu_features
    except ImportError:
        return False
    features = get_host_cpu_features()
    return any(features.get(name) for name in ("avx512vnni", "avxvnni", "dotprod"))


def this_machine() -> Hardware:
    """Device, free memory, and whether llama.cpp's server is installed.

    A GPU counts where its driver is: torch, which a plain installation lacks, is one of the steps to it.
    """
    device: Literal["cpu", "mps"] = "mps" if has_apple_gpu() else "cpu"
    on_gpus = _nvidia_free_bytes()
    if device == "cpu" and on_gpus:
        return Hardware("cuda", on_gpus, bool(llama_server()))
    return Hardware(device, devices.free_bytes(device), bool(llama_server()))


def _nvidia_free_bytes() -> int:
    """Free memory of all of NVIDIA's GPUs together; 0 where there is none, or its driver does not answer."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_FOR_DRIVER, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(int(line) << 20 for line in said.split() if line.isdecimal())
