"""llama.cpp as what a request is compared with: its own server, with the same shape and as many samples and tokens."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmstep.bench import random_gguf
from llmstep.decoder.folder import ModelFolder
from llmstep.engine.remote.connection import Connection
from llmstep.engine.remote.place import Place
from llmstep.engine.remote.refusals import Passing
from llmstep.engine.served.child import Child, Launch
from llmstep.engine.served.launches import llama_launch, llama_server
from llmstep.errors import LlmstepError, RequestError

if TYPE_CHECKING:
    from llmstep.types import SamplingParams

_MAX_PROMPT = 4096
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
    command = llama_server()
    if not command:
        raise RequestError(
            "Neither the package xllamacpp nor a llama-server is installed.", hint="pip install xllamacpp gguf"
        )
    loop, child = asyncio.new_event_loop(), Child()
    ending = contextlib.ExitStack()
    atexit.register(ending.close)
    file = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="llmstep-bench-"))) / "model.gguf"
    ending.callback(loop.close)
    ending.callback(lambda: loop.run_until_complete(child.stop()))
    random_gguf.write(ModelFolder(folder), file, quantization)
    context = _MAX_PROMPT + sampling.count * sampling.max_new_tokens
    model = f"random weights in {quantization}"
    launch = llama_launch(command, model, file, slots=sampling.count, context=context, threads=threads)
    server = Connection(loop.run_until_complete(_started(child, launch)), _SECONDS_FOR_ANSWER)
    ending.callback(lambda: loop.run_until_complete(server.close()))

    def ask(ids: Sequence[int]) -> list[list[int]]:
        body = {
            "prompt": list(ids),
            "n": sampling.count,
            "n_predict": sampling.max_new_tokens,
            "ignore_eos": True,
            "samplers": ["temperature"],
            "temperature": sampling.temperature,
            "cache_prompt": False,
            "return_tokens": True,
        }
        try:
            found = loop.run_until_complete(server.get("/completion", _SECONDS_FOR_ANSWER, body))
        except (Passing, LlmstepError) as failure:
            error = failure.error if isinstance(failure, Passing) else failure
            raise RequestError(
                f"llama.cpp refused the request: {error.message}", hint="Give a shorter prompt."
            ) from None
        return [each["tokens"] for each in (found if isinstance(found, list) else [found])]

    return ask


async def _started(child: Child, launch: Launch) -> Place:
    try:
        return await asyncio.wait_for(child.place(launch), _SECONDS_TO_START)
    except asyncio.TimeoutError:
        said = f"it is not ready after {_SECONDS_TO_START:g} seconds."
    except LlmstepError as error:
        said = error.message
    raise RequestError(f"llama.cpp did not start: {said}", hint="Compare with something else.")
