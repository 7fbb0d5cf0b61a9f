"""llama.cpp as what a request is compared with: its own server, with the same shape and as many samples and tokens."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from llmstep.bench import random_gguf
from llmstep.decoder.folder import ModelFolder
from llmstep.engine.served import guard
from llmstep.engine.served.launches import llama_server
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.types import SamplingParams

_LONGEST_PROMPT = 4096
_SECONDS_TO_START = 300.0
_SECONDS_FOR_ANSWER = 3600.0


def asker(
    folder: Path, sampling: SamplingParams, *, quantization: str, threads: int
) -> Callable[[Sequence[int]], list[list[int]]]:
    """Start llama.cpp's server; what is returned asks it for continuations of a prompt, and gives their tokens.

    The prompt is read anew each time, once for all samples. Log-probabilities are not asked for: the server sorts the
    whole vocabulary for each.

    Args:
        folder: A decoder-only model; llama.cpp gets random weights of its shape.
        quantization: `Q4_K_M` or `Q8_0`.

    Raises:
        RequestError: It is not installed, does not start, or refuses a request.
    """
    words = llama_server()
    if not words:
        raise RequestError(
            "Neither the package xllamacpp nor a llama-server is installed.", hint="pip install xllamacpp gguf"
        )
    place = tempfile.TemporaryDirectory(prefix="llmstep-bench-")
    file, log = Path(place.name) / "model.gguf", Path(place.name) / "log"
    random_gguf.write(ModelFolder(folder), file, quantization)
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    context = _LONGEST_PROMPT + sampling.count * sampling.max_new_tokens
    key = secrets.token_urlsafe(24)
    with log.open("wb") as opened:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", guard.__name__, *words, "--model", str(file), "--host", "127.0.0.1"),
                *("--port", str(port), "--parallel", str(sampling.count), "--ctx-size", str(context), "--kv-unified"),
                *("--threads", str(threads)),
            ],
            env={**os.environ, "LLAMA_API_KEY": key},
            stdin=subprocess.PIPE,
            stdout=opened,
            stderr=subprocess.STDOUT,
        )
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {key}"},
        timeout=_SECONDS_FOR_ANSWER,
        trust_env=False,
    )
    atexit.register(_end, process, client, place)
    _wait(process, client, log)

    def ask(ids: Sequence[int]) -> list[list[int]]:
        answer = client.post(
            "/completion",
            json={
                "prompt": list(ids),
                "n": sampling.count,
                "n_predict": sampling.max_new_tokens,
                "ignore_eos": True,
                "samplers": ["temperature"],
                "temperature": sampling.temperature,
                "cache_prompt": False,
                "return_tokens": True,
            },
        )
        if answer.is_error:
            raise RequestError(f"llama.cpp refused the request: {answer.text[:200]}.", hint="Give a shorter prompt.")
        found = answer.json()
        return [each["tokens"] for each in (found if isinstance(found, list) else [found])]

    return ask


def _wait(process: subprocess.Popen[bytes], client: httpx.Client, log: Path) -> None:
    """Until the server has the model in memory."""
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/health").is_success:
                return
        time.sleep(0.1)
    last = next(iter(log.read_text("utf-8", "replace").strip().splitlines()[-1:]), "it said nothing")
    raise RequestError(f"llama.cpp did not start: {last[:200]}.", hint="Compare with something else.")


def _end(process: subprocess.Popen[bytes], client: httpx.Client, place: tempfile.TemporaryDirectory[str]) -> None:
    client.close()
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    place.cleanup()
