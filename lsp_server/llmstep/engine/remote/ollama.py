"""Candidates of Ollama, by its own API: its OpenAI-compatible one puts every prompt into the model's chat template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from llmstep.catalog.registry import find_record
from llmstep.catalog.templates import guess_template
from llmstep.engine.remote.openai import SECONDS_FOR_MODELS, OpenAiEngine
from llmstep.errors import ModelNotFoundError
from llmstep.progress import ProgressSink, silent

if TYPE_CHECKING:
    from llmstep.engine.remote.connection import Connection
    from llmstep.engine.remote.questions import Api, Speech
    from llmstep.settings import Settings
    from llmstep.settings_store import SettingsStore

PORT = 11434
"""Where Ollama listens by default."""


class OllamaEngine(OpenAiEngine):
    """Asks Ollama, at its usual port unless `remote.url` says another."""

    def __init__(self, settings: Settings | SettingsStore) -> None:
        super().__init__(settings, "ollama")

    def _apis(self, settings: Settings) -> list[Api]:
        return ["ollama"]

    def _chat(self, speech: Speech) -> Speech:
        return attrs.evolve(speech, path="/api/chat", ollama=True)

    async def _connect(self, settings: Settings, progress: ProgressSink = silent) -> Connection:
        url = re.sub(r"/(v1|api)/*$", "", settings.remote.url.strip()) or f"http://127.0.0.1:{PORT}"
        remote = attrs.evolve(settings.remote, url=url)
        return await super()._connect(attrs.evolve(settings, engine="ollama", remote=remote), progress)

    async def _listed(self, connection: Connection) -> list[str]:
        """The names of its models, those first whose prompt template is known."""
        from llmstep.engine.remote.connection import persistently

        answer = await persistently(lambda: connection.get("/api/tags", SECONDS_FOR_MODELS))
        if not isinstance(answer, dict) or not isinstance(answer.get("models"), list):
            raise connection.unreadable()
        names = [str(each["name"]) for each in answer["models"] if isinstance(each, dict) and each.get("name")]
        if not names:
            raise ModelNotFoundError(
                f"Ollama at {connection.place.url} has no models.", hint="Get one with `ollama pull`."
            )
        return sorted(names, key=lambda name: find_record(name) is None and guess_template(name, "causal") is None)


def is_ollama(settings: Settings) -> bool:
    """Whether the server of `remote.url` is at Ollama's usual port."""
    return re.search(rf":{PORT}(/|$)", settings.remote.url) is not None
