"""Which command starts a server for a model: `vllm serve`, or llama.cpp's server."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.catalog.models import style_by_name
from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.engine.device import cpu_threads
from llmstep.engine.served.child import PORT, Launch
from llmstep.errors import ModelLoadError, SettingsError

if TYPE_CHECKING:
    from llmstep.settings import Settings

VLLM, LLAMA_CPP = "vLLM", "llama.cpp"
MAX_SLOTS = 32
"""Most samples at a time: each holds keys and values of its own."""


def vllm(settings: Settings, model: str, folder: Path) -> Launch:
    """vLLM with the model in a folder.

    Args:
        model: What it is called, here and by the server.

    Raises:
        SettingsError: There is no vLLM.
    """
    command = settings.remote.command or vllm_serve()
    if not command:
        raise SettingsError(
            "The setting llmstep.engine is vllm, and there is no program vllm.",
            hint="Install it with `pip install 'llmstep[vllm]'`, or set llmstep.remote.command to what starts it.",
        )
    named = ("--served-model-name", model)
    dtype = ("--dtype", settings.dtype) if settings.dtype in ("float32", "bfloat16", "float16") else ()
    return Launch(
        name=VLLM,
        model=model,
        words=(*command, str(folder), *named, *dtype, "--host", "127.0.0.1", "--port", PORT),
        key_variable="VLLM_API_KEY",
        path="/v1",
        health="/models",
        variables={"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
    )


def llama_cpp(settings: Settings, model: str, file: Path, template: PromptTemplate) -> Launch:
    """llama.cpp's server with a GGUF file, and a slot for each sample.

    Raises:
        SettingsError: There is neither xllamacpp nor `llama-server`.
        ModelLoadError: The file is none.
    """
    command = settings.remote.command or llama_server()
    if not command:
        raise SettingsError(
            "The setting llmstep.engine is llama.cpp, and there is neither the package xllamacpp nor a llama-server.",
            hint="Install it with `pip install 'llmstep[gguf]'`, or set llmstep.remote.command to what starts it.",
        )
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelLoadError(f"The file {file} is no GGUF file.", hint="Download or convert the model again.")
    slots = min(settings.count, MAX_SLOTS)
    max_tokens = min(settings.max_new_tokens, template.max_new_tokens) + template.thinking_tokens
    context = template.max_prompt_tokens + slots * max_tokens + _proof_tokens(settings, model)
    threads = cpu_threads(settings.threads, file.stat().st_size)
    return llama_launch(command, model, file, slots=slots, context=context, threads=threads)


def llama_launch(command: tuple[str, ...], model: str, file: Path, *, slots: int, context: int, threads: int) -> Launch:
    """llama.cpp's server with a GGUF file.

    Args:
        command: As `llama_server` gives it, or the user's own.
        slots: Samples at a time.
        context: Tokens of a prompt and of all samples together.
    """
    return Launch(
        name=LLAMA_CPP,
        model=model,
        words=(
            *(*command, "--model", str(file), "--host", "127.0.0.1", "--port", PORT),
            *("--parallel", str(slots), "--ctx-size", str(context), "--kv-unified", "--threads", str(threads)),
        ),
        key_variable="LLAMA_API_KEY",
    )


def _proof_tokens(settings: Settings, model: str) -> int:
    """Most tokens of one whole proof; none for a model of steps."""
    record = find_record(model)
    style = record.proofs if record else style_by_name(model)
    return settings.prove_tokens // (settings.prove_rounds + 1) if style else 0


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


def _program(name: str) -> str:
    """The path of an installed program, beside this Python or where the shell finds it; empty when there is none."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name) or ""
