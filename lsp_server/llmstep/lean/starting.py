"""The start of a Lean server. It may take long; each way in which it can go wrong has a sentence of its own."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from pygls.exceptions import JsonRpcException

from llmstep.errors import LeanCrashedError, LeanError, LeanTimeoutError
from llmstep.lean import protocol
from llmstep.progress import Progress, ProgressSink

if TYPE_CHECKING:
    from llmstep.lean.client import LeanClient
    from llmstep.settings import BuildImports

OLDEST: Final = (4, 8)
"""The first version of Lean that takes all that llmstep sends: `server.reportDelayMs` came with it."""

_UNKNOWN_OPTION: Final = re.compile(r"unknown (?:configuration )?option[^\w]*([\w.]+)")
_PROGRESS_SECONDS: Final = 5.0
"""How often a wait for the start gives progress when Lean says nothing new."""


@attrs.frozen
class ServerOptions:
    """What a server may and should do, beyond its command."""

    start_seconds: float = 1800.0
    """Longest wait for the start."""
    build_imports: BuildImports = "never"
    """Whether Lean builds imports that are out of date when a document is opened."""
    variables: tuple[str, ...] = ()
    """Names of environment variables that it is given beside those that it needs."""
    memory_bytes: int | None = None
    """Most private memory of one of its processes."""


async def wait_for(
    starting: asyncio.Task[LeanClient],
    seconds: float,
    last_words: Callable[[], str],
    progress: ProgressSink,
    where: str,
) -> LeanClient:
    """Waits for a start, which others may wait for too and which outlives every wait for it.

    Progress says now and then how long it lasts. LeanTimeoutError says what the process said last, and `where` to look.
    """
    loop = asyncio.get_running_loop()
    began = shown = loop.time()
    while not starting.done():
        left = began + seconds - loop.time()
        words = last_words()
        if left <= 0:
            raise LeanTimeoutError(
                f"Lean is still starting after {_span(seconds)}. " + (f"It said last: {words}" if words else
                                                                      "It has said nothing."),
                hint=f"Ask again to wait on, restart Lean to begin anew, or {where} in a terminal to see more.",
            )  # fmt: skip
        await asyncio.wait((starting,), timeout=min(left, _PROGRESS_SECONDS))
        if loop.time() - shown >= _PROGRESS_SECONDS and not starting.done():
            shown = loop.time()
            progress(Progress("goal", f"Starting Lean, {shown - began:.0f} s: {last_words() or 'it says nothing yet'}"))
    return starting.result()


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"


async def begin(client: LeanClient, command: Sequence[str], root: Path, variables: Sequence[str]) -> None:
    """Starts a server process and waits, without a limit, until it is ready for documents.

    LeanError says that it cannot be run, ends, or is no Lean server.
    """
    words = f"The command `{' '.join(command)}`"
    look = f"Run it in {root} to see more, or set llmstep.lean.command."
    await client.spawn(command, root, variables)
    asking = asyncio.ensure_future(client.request("initialize", protocol.initialize_params(root), math.inf))
    try:
        await asyncio.wait((asking, client.noise), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            noise = client.noise.result()
            raise LeanError(f"{words} prints text instead of a Lean server's messages: {noise}", hint=look)
        _check_answer(asking.result(), words, look)
    except LeanCrashedError as error:
        raise _why_it_ended(client, error.message, words, look) from error
    except JsonRpcException as error:
        raise LeanError(f"{words} is no Lean server: it answers `initialize` with an error: {error.message}",
                        hint=look) from error  # fmt: skip
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    client.notify("initialized", {})


def _check_answer(answer: object, words: str, look: str) -> None:
    if not isinstance(answer, dict) or not isinstance(answer.get("capabilities"), dict):
        raise LeanError(f"{words} is no Lean server: its answer to `initialize` has no capabilities.", hint=look)
    info = answer.get("serverInfo")
    name = str(info.get("name", "")) if isinstance(info, dict) else ""
    if name and "lean" not in name.lower():
        raise LeanError(f"{words} is no Lean server but {name[:60]}.", hint=look)


def _why_it_ended(client: LeanClient, message: str, words: str, look: str) -> LeanError:
    unknown = next((found for line in client.stderr if (found := _UNKNOWN_OPTION.search(line))), None)
    if unknown is not None:
        oldest = ".".join(map(str, OLDEST))
        return LeanError(
            f"{words} does not know the option {unknown[1]}: the project's Lean is older than {oldest},"
            " the first that llmstep supports.",
            hint="Use a newer toolchain for the project, or correct llmstep.lean.command if the option is yours.",
        )
    return LeanError(message.replace("The Lean server", words, 1), hint=look)
