"""Errors to a client that takes them in parts, and to one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from client import CAPABILITIES, Editor, editor

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("capable", [True, False])
async def test_a_wrong_setting(folder: Path, capable: bool) -> None:
    capabilities = {**CAPABILITIES, "experimental": {"llmstepMessages": capable}}
    parts: list[Any] = []
    made = Editor()
    made.client.feature("llmstep/message")(lambda params: parts.append(params))
    wrong = {"count": "five", "http": {"enabled": False}}
    async with editor(folder, made=made, options=wrong, capabilities=capabilities):
        await made.until(lambda: parts or made.messages)
    message, hint = "The setting llmstep.count is 'five'.", "It must be a whole number."
    if capable:
        [part] = parts
        assert (part.kind, part.code, part.message, part.hint) == ("error", "settings", message, hint)
        assert made.messages == []
    else:
        assert made.messages == [f"{message} {hint}"]
        assert parts == []
