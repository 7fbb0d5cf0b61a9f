"""`llmstep serve` before an engine that takes a fixed time for each request: for queues and proxies, without a model.

python -m benchmarks.stand_in [--port 0] [--seconds 0.05] [--at-once 1]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from typing import TYPE_CHECKING

import attrs

from llmstep.engine.interface import Completion, EngineStatus, Generation, ModelEngine, Written
from llmstep.errors import RequestError
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.progress import Progress, ProgressSink, silent
from llmstep.settings import HttpSettings, Settings
from llmstep.types import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmstep.engine.interface import Answer, Text, Turn
    from llmstep.types import PromptInput, SamplingParams


class StandIn(ModelEngine):
    """Answers every goal with `rfl` after `seconds`, and remembers what it has answered, as the real one does."""

    def __init__(self, settings: Settings, seconds: float) -> None:
        super().__init__(settings, EngineStatus("idle", last_ms=1000 * seconds))
        self.seconds = seconds
        self._answers: dict[object, Generation] = {}

    async def generate(
        self,
        ask: PromptInput,
        sampling: SamplingParams | None = None,
        *,
        progress: ProgressSink = silent,
    ) -> Generation:
        if progress is not None:
            progress(Progress("generate", "Generating", 0, 1))
        await asyncio.sleep(self.seconds)
        answer = Generation([Candidate(ask.prefix + "rfl", -0.5, 2)], f"stand-in {os.getpid()}", 1, 1000 * self.seconds)
        self._answers[ask, sampling] = attrs.evolve(answer, cached=True, elapsed_ms=0.0)
        return answer

    def known(self, ask: PromptInput, sampling: SamplingParams | None = None) -> Generation | None:
        return self._answers.get((ask, sampling))

    async def load(self, *, progress: ProgressSink = silent) -> str:
        """It is there."""
        del progress
        return self.status.model

    async def complete(
        self, text: Text, sampling: SamplingParams, *, on_written: Callable[[int, Written], None] | None = None
    ) -> Completion:
        del text
        written = []
        for number in range(sampling.count):
            await asyncio.sleep(self.seconds)
            written.append(Written("rfl", "stop", (("rfl", -0.5),), 2))
            if on_written is not None:
                on_written(number, written[-1])
        return Completion(written, f"stand-in {os.getpid()}", 1)

    async def converse(
        self, turns: Sequence[Turn], sampling: SamplingParams, *, progress: ProgressSink = silent
    ) -> Answer:
        del turns, sampling, progress
        raise RequestError("A stand-in has no conversations.", hint="Ask a real model.")

    async def unload(self) -> None:
        """Nothing is loaded."""

    async def close(self) -> None:
        """Nothing is open."""


async def main(port: int, seconds: float, at_once: int) -> None:
    settings = Settings(http=HttpSettings(port=port))
    app = create_app(StandIn(settings, seconds), settings, at_once=at_once)
    server = await serve(app, "127.0.0.1", port)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print(f"llmstep listens at {server.url} with a stand-in", flush=True)
    await ended.wait()
    await server.drain(25)
    await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--at-once", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(main(given.port, given.seconds, given.at_once))
