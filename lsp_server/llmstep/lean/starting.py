"""The start of a Lean server. It may take long; each way in which it can go wrong has a sentence of its own."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pygls.exceptions import JsonRpcException

from llmstep.errors import LeanCrashedError, LeanError, LeanTimeoutError
from llmstep.lean import protocol
from llmstep.lean.client import LeanClient

OLDEST: Final = (4, 8)
"""The first version of Lean that takes all that llmstep sends: `server.reportDelayMs` came with it."""

_UNKNOWN_OPTION: Final = re.compile(r"unknown (?:configuration )?option[^\w]*([\w.]+)")


def still_starting(seconds: float, last_words: str, where: str) -> LeanTimeoutError:
    """The error of a wait for a start that lasted so many seconds; the start goes on."""
    span = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
    said = f"It said last: {last_words}" if last_words else "It has said nothing."
    return LeanTimeoutError(
        f"Lean is still starting after {span}. {said}",
        hint=f"Ask again to wait on, restart Lean to begin anew, or {where} in a terminal to see more.",
    )


async def begin(client: LeanClient, command: Sequence[str], root: Path) -> None:
    """Waits, without a limit, until a server process is ready for documents.

    LeanError says that it ends, or is no Lean server.
    """
    words = f"The command `{' '.join(command)}`"
    look = f"Run it in {root} to see more, or set llmstep.lean.command."
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
