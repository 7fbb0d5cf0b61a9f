"""Which model is meant: the one identity by which answers, weights in memory and neighbours are distinguished."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs

from llmstep.catalog.store import path_of
from llmstep.settings import RemoteSettings, Settings

if TYPE_CHECKING:
    from llmstep.catalog.resolve import ModelChoice


@attrs.frozen(kw_only=True)
class ModelKey:
    """Two requests with the same key are answered by the same model in the same way."""

    model: str
    """Name, hub id or folder; folders are absolute. `auto` as long as nothing was chosen."""
    device: str
    dtype: str
    trust_remote_code: bool
    template: str = ""
    """Of the prompt; empty for the catalog's, or where only the weights are meant."""
    engine: str = ""
    """Where the model runs; empty for this process, or where only the weights are meant."""
    server: RemoteSettings | None = None
    """The server that has the model; None where there is none."""

    @classmethod
    def of(cls, settings: Settings) -> ModelKey:
        """The key of the model that settings mean."""
        model = settings.model.strip()
        if model[:1] in ("/", ".", "~"):
            model = str(path_of(model).resolve())
        return cls(
            model=model,
            device=settings.device,
            dtype=settings.dtype,
            trust_remote_code=settings.trust_remote_code,
            template=settings.template,
            engine="" if settings.in_process else settings.engine,
            server=None if settings.in_process else settings.remote,
        )

    def chosen(self, choice: ModelChoice) -> ModelKey:
        """The key once the model has been looked up, without what the weights do not depend on."""
        return attrs.evolve(
            self, model=choice.source, trust_remote_code=choice.trust_remote_code, template="", engine="", server=None
        )

    def at(self, url: str, model: str, settings: Settings) -> ModelKey:
        """The key of a model by its name at a server."""
        return attrs.evolve(self, model=f"{url} {model}", server=settings.remote)

    @property
    def digest(self) -> str:
        """The key as 32 hexadecimal digits, for other processes; empty where this process has no model to lend."""
        if self.engine:
            return ""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()[:32]
