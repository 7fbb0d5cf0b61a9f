"""What ends a command: one plain sentence with a hint on stderr and an exit status, never a traceback.

The statuses: 0, 1 where nothing was found, 2 for wrong use, 3 where something failed (docs/reference/cli.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from typing import NoReturn

import typer

from llmstep.cli.say import colour
from llmstep.errors import LlmstepError, ModelNotFoundError, NoGoalError, RequestError, SettingsError
from llmstep.printable import printable

NOTHING_FOUND = 1
WRONG_USE = 2
FAILED = 3

SHOW = "LLMSTEP_TRACEBACK"
"""With this in the environment a fault of llmstep's own is shown in full."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def open_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr ones that lead nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def check_arguments(arguments: list[str]) -> None:
    for number, argument in enumerate(arguments, start=1):
        if not argument.isascii() and any("\ud800" <= letter <= "\udfff" for letter in argument):
            shown = argument.encode("utf-8", "backslashreplace").decode()
            raise RequestError(
                f"Argument {number} is not UTF-8: {shown[:100]}.", hint="Write it in UTF-8, or rename the file."
            )


def end(error: Exception) -> NoReturn:
    """Say what went wrong and leave. Nothing is said where our output is closed."""
    if isinstance(error, BrokenPipeError):
        _silence()
        sys.exit(FAILED)
    known = error if isinstance(error, LlmstepError) else _as_llmstep_error(error)
    with contextlib.suppress(OSError):  # nobody reads it
        typer.secho(printable(f"llmstep: {known}"), fg=typer.colors.RED, err=True, color=colour())
    _silence()
    sys.exit(status_of(known))


def status_of(error: LlmstepError) -> int:
    """The exit status that stands for an error."""
    if isinstance(error, NoGoalError):
        return NOTHING_FOUND
    wrong = (RequestError, SettingsError, ModelNotFoundError)
    return WRONG_USE if isinstance(error, wrong) else FAILED


def _as_llmstep_error(error: Exception) -> LlmstepError:
    if os.environ.get(SHOW):
        traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        from llmstep.engine.loaded import EXTRAS, missing

        if error.name in EXTRAS:
            return missing("This command", error.name)
    if isinstance(error, OSError) and error.strerror:
        named = error.filename is not None
        what = f"{error.filename} cannot be read or written" if named else "The output cannot be written"
        hint = "Make room there." if error.errno in _DISK else "Check that it is there and that you may use it."
        return LlmstepError(f"{what}: {error.strerror}.", hint=hint)
    if isinstance(error, UnicodeError):
        return LlmstepError("Something that was read or written is no UTF-8 text.", hint="Save the input as UTF-8.")
    if isinstance(error, MemoryError):
        return LlmstepError("There is not enough memory.", hint="Close other programs, or take a smaller model.")
    if isinstance(error, RecursionError):
        return LlmstepError("Something in the input is nested too deeply.", hint="Give an input with less nesting.")
    return LlmstepError(
        f"This is a fault of llmstep itself: {type(error).__name__}.", hint=f"Please report it; {SHOW}=1 shows where."
    )


def _silence() -> None:
    """Have the interpreter's last flush go nowhere."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
