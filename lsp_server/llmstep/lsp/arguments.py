"""What commands take, which the protocol leaves to each server; the records are in `llmstep.wire.commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from llmstep.wire.reading import EDITORS, argument_error

if TYPE_CHECKING:
    from lsprotocol import types

T = TypeVar("T")


def read(cls: type[T], params: types.ExecuteCommandParams) -> T:
    """The one argument of a command.

    Raises:
        RequestError: A field is missing, unknown, or has a wrong type or value.
    """
    return EDITORS.read(cls, params.arguments[0] if params.arguments else {}, argument_error(params.command))
