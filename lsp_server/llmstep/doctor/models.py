"""Models on this machine, and the cache they are in."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import platformdirs

from llmstep.errors import LlmstepError
from llmstep.progress import format_bytes
from llmstep.settings import Settings
from llmstep.wire.state import Finding


def models(settings: Settings) -> Finding:
    """The models of the catalog that are here, and the one that the settings mean."""
    from llmstep.catalog.registry import all_records
    from llmstep.catalog.resolve import resolve
    from llmstep.catalog.store import is_cached, size_bytes

    here = [record for record in all_records() if is_cached(record)]
    sizes = {record.name: size_bytes(record) for record in here}
    text = ", ".join(f"{name} ({format_bytes(size)})" if size else name for name, size in sizes.items())
    details: dict[str, Any] = {"here": sizes, "setting": settings.model}
    try:
        chosen = resolve(settings)
    except LlmstepError as error:
        return Finding("models", "missing", error.message[:-1], error.hint, details)
    details["chosen"] = chosen.name
    text = f"here: {text or 'none'}; used: {chosen.name}"
    if chosen.record is not None and chosen.record.bundled and not is_cached(chosen.record):
        return Finding("models", "missing", text, "The bundled starter model is gone; install llmstep again.", details)
    if is_cached(chosen.record or chosen.source):
        return Finding("models", "ok", text, "", details)
    if _offline():
        advice = "Unset HF_HUB_OFFLINE to have it downloaded, or set llmstep.model to starter."
        return Finding("models", "missing", f"{text}, which is not on this machine", advice, details)
    advice = "Download it with: llmstep models download " + settings.model
    return Finding("models", "note", f"{text}, which is not on this machine yet", advice, details)


def recommendation() -> Finding:
    """The model that is recommended for this machine, by the rule of `auto` and of the editor's picker."""
    from llmstep.catalog.recommended import recommended_way
    from llmstep.engine.served.launches import this_machine

    hardware = this_machine()
    way = recommended_way(hardware)
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
        return Finding("recommended", "ok", f"{text}; no other fits", "", details)
    engine = f", llmstep.engine {way.engine}" if way.engine != "inProcess" else ""
    sizes = f"needs about {format_bytes(way.needed_bytes)}, a download of about {format_bytes(way.download_bytes)}"
    return Finding("recommended", "ok", f"{text}{engine}; {sizes}", "", details)


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def cache() -> Finding:
    """Where downloads go, and what llmstep has compiled or packed, with their sizes."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    flags = {
        name: os.environ[name]
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT")
        if name in os.environ
    }
    own = platformdirs.user_cache_path("llmstep")
    sizes = {str(each): _size(each) for each in (folder, own)}
    text = ", ".join(f"{each} ({format_bytes(size)})" for each, size in sizes.items())
    text += "".join(f", {name}={value}" for name, value in flags.items())
    details = {"folder": str(folder), "offline": _offline(), "environment": flags, "bytes": sizes}
    above = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not os.access(above, os.W_OK):
        advice = "Set HF_HOME to a folder you may write to; downloads go there."
        return Finding("cache", "note", f"{text} (not writable)", advice, details)
    return Finding("cache", "ok", text, "", details)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; links, of which the hub's cache has one a file, are not followed."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total
