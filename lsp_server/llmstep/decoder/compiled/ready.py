"""Has the compiled code in memory: from the user's cache, where it is whole, else made anew.

Compiling takes half a minute at the first use on a machine. Another process does it, since numba holds the
interpreter's lock meanwhile, and this one may have an editor to answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from llmstep.decoder.compiled.compiler import PLACE, folder
from llmstep.decoder.interface import Progress

_log = logging.getLogger(__name__)
_SUMS = "sums.json"
"""Hashes of the files of a folder, by name; written last."""
_NAMES = re.compile(r"([0-9a-f]{8}-)?[0-9a-f]{16}(\.\d+)?")
"""Folders of compiled code; those of earlier releases do not name an installation."""
_USUAL_SECONDS = 40.0
_LONGEST_SECONDS = 3600.0
_POLL_SECONDS = 0.1
_ready: set[str] = set()


def ready(progress: Progress = lambda what, share: None) -> None:
    """Have the compiled functions in memory.

    Args:
        progress: Called while they are compiled.
    """
    place = folder()
    if str(place) in _ready:
        return
    if not is_whole(place):
        shutil.rmtree(place, ignore_errors=True)
        _make(place, progress)
    try:
        compile_now()
    except Exception:  # whatever code of another make may do when it is read
        _log.exception("llmstep: the compiled code in %s is made anew", place)
        shutil.rmtree(place, ignore_errors=True)
        compile_now()
    _ready.add(str(place))


def is_whole(place: Path) -> bool:
    """Whether a folder has all the code that was put there, as it was."""
    try:
        sums = json.loads((place / _SUMS).read_text("utf-8"))
        return bool(sums) and sums == _hashes(place)
    except (OSError, ValueError):
        return False


def seal(place: Path) -> None:
    """Take down what is in a folder."""
    (place / _SUMS).write_text(json.dumps(_hashes(place)), "utf-8")


def _hashes(place: Path) -> dict[str, str]:
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != _SUMS)
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _make(place: Path, progress: Progress) -> None:
    """Compile in another process, and put the result in place at once."""
    made = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        made.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import build; build()"],
            env={**os.environ, PLACE: str(made)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            share = (time.monotonic() - started) / _USUAL_SECONDS
            progress("Compiling the decoder for this processor, once", share / (1 + share))
            time.sleep(_POLL_SECONDS)
        if is_whole(made):
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
            if not os.environ.get(PLACE):
                _remove_old(place)
    shutil.rmtree(made, ignore_errors=True)


def _remove_old(place: Path) -> None:
    """Remove what other versions of this installation have left, and what was never finished."""
    installation = place.name.partition("-")[0]
    for each in place.parent.iterdir():
        if each == place or not _NAMES.fullmatch(each.name):
            continue
        making = "." in each.name and time.time() - each.stat().st_mtime < _LONGEST_SECONDS
        if not making and each.name.partition("-")[0] in (installation, each.name.partition(".")[0]):
            shutil.rmtree(each, ignore_errors=True)


def build() -> None:
    """Compile into the folder that the environment names."""
    compile_now()
    seal(folder())


def compile_now() -> None:
    """Compile the functions, or read them from the user's cache, by running nothing."""
    from llmstep.decoder.compiled.operations import LINE, run
    from llmstep.decoder.compiled.packing import pack
    from llmstep.decoder.compiled.program import OPERATION, SLOTS
    from llmstep.decoder.compiled.rowwise import choose

    run(np.zeros(0, OPERATION), np.zeros(SLOTS, np.int64), np.zeros((1, LINE), np.int64), 0, 0, 0)
    pack(False, 0, 0, 1, 0, 0)
    choose(0, 1, 1, 1.0, np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.float32))
