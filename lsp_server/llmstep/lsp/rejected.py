"""What a run that offers nothing has to say, in editors that have no panel for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from llmstep.lsp.known import shows_known
from llmstep.printable import printable

if TYPE_CHECKING:
    from llmstep.lsp.session import Session
    from llmstep.memory import SuggestionSet

SHOW = "Show rejected"


async def show(ls: Session, found: SuggestionSet) -> None:
    """Show the summary where there is no step to choose, with a button for what Lean said about each."""
    if found.suggestions or shows_known(ls):
        return
    message = f"No step was found: {printable(found.summary())}."
    window = ls.client_capabilities.window
    if not found.rejected or window is None or window.show_message is None:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, message))
        return
    asked = types.ShowMessageRequestParams(types.MessageType.Info, message, [types.MessageActionItem(SHOW)])
    chosen = await ls.window_show_message_request_async(asked)
    if chosen is not None and chosen.title == SHOW:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, listing(found)))


def listing(found: SuggestionSet) -> str:
    """The refused steps, a line each: the step, and Lean's reason."""
    lines = [f"{_one_line(each.text)}: {_one_line(each.reason)}" for each in found.rejected]
    return "\n".join(["Lean rejected:", *lines])


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
