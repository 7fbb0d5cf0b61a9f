"""How a model in llama.cpp's server writes a chat: the server applies the rule that its GGUF file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from llmstep.engine.chat_form import SAID, ChatForm, chat_form, rule_values
from llmstep.engine.remote.connection import persistently
from llmstep.engine.remote.refusals import FailedError, StatusError

if TYPE_CHECKING:
    from llmstep.catalog.template import PromptTemplate
    from llmstep.engine.remote.connection import Connection

PATH = "/apply-template"
SECONDS = 15.0


async def llama_cpp_form(connection: Connection, template: PromptTemplate) -> ChatForm | None:
    """The markers of the model's turns; None where the server does not say them, as older ones do not.

    Raises:
        RemoteError: The server cannot be reached.
    """
    body = {"messages": [{"role": "user", "content": SAID}], "chat_template_kwargs": rule_values(template)}
    try:
        answer = await persistently(lambda: connection.get(PATH, SECONDS, body))
    except (StatusError, FailedError):
        return None
    written = answer.get("prompt") if isinstance(answer, dict) else None
    if not isinstance(written, str):
        return None
    form = chat_form(lambda _, *, answer, values: written if answer else None, template)
    # The server always begins the model's turn, and is asked once: whether the model thinks stays unknown.
    return form and attrs.evolve(form, thinks=True)
