"""Where the model runs, which models are on this machine, and the cache they are in."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import platformdirs

from llmstep.doctor import missing, note, ok
from llmstep.engine.served.launches import choose, llama_server, prefers_llama_cpp, this_machine, vllm_serve
from llmstep.errors import LlmstepError
from llmstep.progress import format_bytes
from llmstep.settings import Settings
from llmstep.wire.state import Finding


def engine(settings: Settings) -> Finding:
    """The engine of the settings; a server is asked for its models, and not for a step."""
    kind, url = settings.engine, settings.remote.url
    details: dict[str, Any] = {"engine": kind, "url": url}
    if settings.in_process:
        where, why = _in_process(settings)
        where = f"the model runs in {where}"
        return ok("engine", f"{where}, because {why}", **details, where=where, why=why)
    if settings.starts_server and not url:
        command = settings.remote.command or (vllm_serve() if kind == "vllm" else llama_server())
        if command:
            return ok("engine", f"llmstep starts {kind} when it is needed: {command[0]}", **details)
        install = f"Install it with `pip install 'llmstep[{'vllm' if kind == 'vllm' else 'gguf'}]'`"
        advice = f"{install}, or set llmstep.remote.command to what starts it."
        return missing("engine", f"{kind} is not installed", advice, **details)
    try:
        model, template = asyncio.run(_model_at_server(settings))
    except LlmstepError as error:
        return missing("engine", error.message[:-1], error.hint, **details)
    server = {"llmstep": "another llmstep", "openai": "an OpenAI-compatible server"}.get(kind, kind)
    text = f"{server}{f' at {url}' if url else ''} answers; model {model}"
    text += f", template {template}" if template else ""
    return ok("engine", text, **details, model=model, template=template)


def _in_process(settings: Settings) -> tuple[str, str]:
    """In what a model runs that llmstep runs, and why there."""
    from llmstep.catalog.gguf import is_gguf
    from llmstep.catalog.resolve import resolve
    from llmstep.catalog.store import cached_weights
    from llmstep.decoder import why_unsupported
    from llmstep.engine import device as devices
    from llmstep.engine import own_decoder

    itself, torch = "llmstep itself", "llmstep itself, with PyTorch"
    if prefers_llama_cpp(settings):
        named = is_gguf(settings.model)
        why = f"{settings.model} is a GGUF file" if named else "the model is faster there, or fits only there"
        return "llama.cpp's server, which llmstep starts", why
    asked = "llmstep.engine is inProcess" if settings.engine == "inProcess" else "no server is set"
    try:
        choice = resolve(settings)
        found = cached_weights(choice.source)
    except LlmstepError:  # the finding about models says it
        return itself, asked
    bundled = choice.record is not None and choice.record.bundled
    device = "cpu" if bundled and settings.device == "auto" else devices.without_torch(settings.device)
    if device is None:
        return itself, f"{asked}; PyTorch is asked for a GPU when it is loaded"
    if not own_decoder.suits(settings, device):
        return torch, f"llmstep.dtype is {settings.dtype}"
    if found is None:
        return itself, f"{asked}; the decoder is chosen once the model is on this machine"
    if why_unsupported(found[0]):
        return torch, f"{asked}, and llmstep's own decoder does not support the model"
    return f"{itself}, with its own decoder on the CPU", f"{asked}, and that decoder supports the model"


async def _model_at_server(settings: Settings) -> tuple[str, str | None]:
    """The model of the server, and the template that it is asked with where that is chosen here."""
    from llmstep.engine.remote.questions import template_of
    from llmstep.engine.router import SERVERS

    made = SERVERS[settings.engine](settings)
    try:
        model = str(await made.load())
        return model, None if settings.engine == "llmstep" else template_of(settings, model).name
    finally:
        await made.close()


def models(settings: Settings) -> Finding:
    """The models of the catalog that are here, and the one that the settings mean."""
    from llmstep.catalog.registry import all_records
    from llmstep.catalog.store import is_cached, known_of

    known = map(known_of, all_records())
    sizes = {each["name"]: each["size_bytes"] for each in known if each["cached"]}
    here = ", ".join(f"{name} ({format_bytes(size)})" if size else name for name, size in sizes.items())
    details: dict[str, Any] = {"here": sizes, "setting": settings.model}
    try:
        chosen = choose(settings)
    except LlmstepError as error:
        return missing("models", error.message[:-1], error.hint, **details)
    details["chosen"] = chosen.name
    text = f"here: {here or 'none'}; used: {chosen.name}"
    bundled = chosen.record is not None and chosen.record.bundled
    if is_cached(chosen.name if bundled else chosen.source):
        return ok("models", text, **details)
    if bundled:
        return missing("models", text, "The bundled starter model is gone; install llmstep again.", **details)
    if _offline():
        advice = "Unset HF_HUB_OFFLINE to have it downloaded, or set llmstep.model to starter."
        return missing("models", f"{text}, which is not on this machine", advice, **details)
    advice = f"Download it with: llmstep models download {settings.model}"
    return note("models", f"{text}, which is not on this machine yet", advice, **details)


def recommendation() -> Finding:
    """The model that is recommended for this machine, by the rule of `auto` and of the editor's picker."""
    from llmstep.catalog.recommended import recommended

    hardware = this_machine()
    way = recommended(hardware)
    details: dict[str, Any] = {
        "model": way.record.name,
        "engine": way.engine,
        "device": hardware.device,
        "needed_bytes": way.needed_bytes,
        "free_bytes": hardware.memory_bytes,
        "download_bytes": way.download_bytes,
    }
    text = f"{way.record.name} for {hardware.device} with {format_bytes(hardware.memory_bytes or 0)} free"
    if way.record.bundled:
        return ok("recommended", f"{text}; no other fits", **details)
    text += f", llmstep.engine {way.engine}" if way.engine != "inProcess" else ""
    sizes = f"needs about {format_bytes(way.needed_bytes)}, a download of about {format_bytes(way.download_bytes)}"
    return ok("recommended", f"{text}; {sizes}", **details)


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def cache() -> Finding:
    """Where downloads go, and what llmstep has compiled or packed, with their sizes."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT")
    flags = {name: os.environ[name] for name in names if name in os.environ}
    sizes = {str(each): _size(each) for each in (folder, platformdirs.user_cache_path("llmstep"))}
    text = ", ".join(f"{each} ({format_bytes(size)})" for each, size in sizes.items())
    text += "".join(f", {name}={value}" for name, value in flags.items())
    details: dict[str, Any] = {"folder": str(folder), "offline": _offline(), "environment": flags, "bytes": sizes}
    above = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if os.access(above, os.W_OK):
        return ok("cache", text, **details)
    advice = "Set HF_HOME to a folder you may write to; downloads go there."
    return note("cache", f"{text} (not writable)", advice, **details)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; links, of which the hub's cache has one a file, are not followed."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total
