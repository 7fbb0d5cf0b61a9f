"""What a server's status of 300 or above means, as an error for the user."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from llmstep.engine.remote.place import KEY_VARIABLE, Place
from llmstep.errors import BusyError, LlmstepError, RemoteError, RemoteRefusedError
from llmstep.strict_json import JsonError, loads

_PASSING = frozenset({408, 425, 500, 502, 503, 504})
_MAX_SAID = 200


class Passing(Exception):  # noqa: N818 - a reason to try again, which ends as `error`
    """A request failed in a way that may pass.

    Args:
        error: What the user gets when it does not.
        after: Seconds after which the server wants to be asked again; None when it does not say.
    """

    def __init__(self, error: LlmstepError, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error, self.after = error, after


class StatusError(RemoteRefusedError):
    """The server refuses the request as it is.

    Args:
        status: The HTTP status, 400 to 499.
        said: What the server says about it, one line.
    """

    def __init__(self, message: str, *, hint: str, status: int, said: str) -> None:
        super().__init__(message, hint=hint)
        self.status, self.said = status, said


class FailedError(RemoteError):
    """The server is there, and failed."""


def refusal(place: Place, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    """The exception for an answer that is none."""
    said = place.shown(_said(body))
    colon = f": {said}" if said else ""
    if status < 400:
        return RemoteRefusedError(
            f"The server at {place.url} sends to another address (status {status}), where llmstep does not follow.",
            hint="Set llmstep.remote.url to the address that it names.",
        )
    if status in (401, 403):  # what it says is not shown: it may repeat a part of the key
        return RemoteRefusedError(
            f"The server at {place.url} {'refuses the key' if place.key else 'wants a key'} (status {status}).",
            hint=f"Put the right key into the environment variable {KEY_VARIABLE} or a file"
            " (llmstep.remote.apiKeyFile).",
        )
    after = _retry_after(headers.get("retry-after", ""))
    if status == 429:
        hint = f"Try again in {math.ceil(after)} seconds." if after else "Try again in a while."
        return Passing(BusyError(f"The server at {place.url} takes no more requests now{colon}.", hint=hint), after)
    if status in _PASSING:
        error = FailedError(f"The server at {place.url} failed (status {status}){colon}.", hint="See its log.")
        return Passing(error, after)
    return StatusError(
        f"The server at {place.url} refuses the request (status {status}){colon}.",
        hint="See its log, and the settings under llmstep.remote.",
        status=status,
        said=said,
    )


def _retry_after(header: str) -> float | None:
    """The seconds; None where it names a date, or nothing."""
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _said(body: bytes) -> str:
    """What an error's body says, one line; empty where it is a page or nothing."""
    text = body.decode("utf-8", "replace").strip()
    try:
        text = message_of(loads(text))
    except (JsonError, RecursionError):
        text = "" if text.startswith("<") else text
    line = " ".join(text.split()).rstrip(".: ")
    return line if len(line) <= _MAX_SAID else line[: _MAX_SAID - 2] + " …"


def message_of(raw: Any) -> str:
    """The message in an error object, in the forms that servers use."""
    while isinstance(raw, dict):
        following = next((raw[name] for name in ("error", "detail", "message") if raw.get(name)), None)
        if following is None:
            break
        raw = following
    return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False) if raw else ""
