"""llama.cpp as what a request is compared with: its own server, with the same shape and as many samples and tokens."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
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
    from llmstep.engine.prompt import EncodedPrompt
    from llmstep.types import SamplingParams

_MAX_PROMPT = 4096
_SECONDS_TO_START = 300.0
_SECONDS_FOR_ANSWER = 3600.0


@contextlib.contextmanager
def asking(folder: Path, sampling: SamplingParams, *, threads: int) -> Iterator[Callable[[EncodedPrompt], None]]:
    """llama.cpp's server, which ends with the measurement; what is given asks it for the samples of a prompt.

    The prompt is read anew each time, once for all samples. Log-probabilities are not asked for: the server sorts the
    whole vocabulary for each.

    Args:
        folder: A decoder-only model; llama.cpp gets random weights of its shape.

    Raises:
        RequestError: It is not installed, does not start, refuses a request, or draws another number of tokens.
    """
    command = llama_server()
    if not command:
        raise RequestError(
            "Neither the package xllamacpp nor a llama-server is installed.", hint="pip install xllamacpp gguf"
        )
    child, context = Child(), _MAX_PROMPT + sampling.count * sampling.max_new_tokens
    with tempfile.TemporaryDirectory(prefix="llmstep-bench-") as place, closing(asyncio.new_event_loop()) as loop:
        file = Path(place) / "model.gguf"
        random_gguf.write(ModelFolder(folder), file)
        launch = llama_launch(command, "random weights", file, slots=sampling.count, context=context, threads=threads)
        try:
            server = Connection(loop.run_until_complete(_started(child, launch)), _SECONDS_FOR_ANSWER)
            try:
                yield lambda prompt: loop.run_until_complete(_ask(server, prompt.input_ids, sampling))
            finally:
                loop.run_until_complete(server.close())
        finally:
            loop.run_until_complete(child.stop())


async def _ask(server: Connection, ids: Sequence[int], sampling: SamplingParams) -> None:
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
        found = await server.get("/completion", _SECONDS_FOR_ANSWER, body)
    except (Passing, LlmstepError) as failure:
        error = failure.error if isinstance(failure, Passing) else failure
        raise RequestError(f"llama.cpp refused the request: {error.message}", hint="Give a shorter prompt.") from None
    samples = found if isinstance(found, list) else [found]
    if [len(each["tokens"]) for each in samples] != [sampling.max_new_tokens] * sampling.count:
        raise RequestError("llama.cpp drew another number of tokens.", hint="Compare with something else.")


async def _started(child: Child, launch: Launch) -> Place:
    try:
        return await asyncio.wait_for(child.place(launch), _SECONDS_TO_START)
    except asyncio.TimeoutError:
        said = f"it is not ready after {_SECONDS_TO_START:g} seconds."
    except LlmstepError as error:
        said = error.message
    raise RequestError(f"llama.cpp did not start: {said}", hint="Compare with something else.")
