"""Which strategy a plan means for a model, and the plain search as one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstep.catalog.models import ProofStyle, style_by_name
from llmstep.catalog.registry import find_record
from llmstep.catalog.templates import guess_template
from llmstep.errors import RequestError

if TYPE_CHECKING:
    from llmstep.engine.interface import ModelEngine
    from llmstep.proofs.plan import Plan, Strategy
    from llmstep.settings import Settings

_GENERAL = ("instruct", "instruct-file")
"""Templates of models that were made for conversations of any kind."""


async def model_name(engine: ModelEngine) -> str:
    """The name of the model that the settings mean; a server that they leave the choice is asked for it.

    Raises:
        LlmstepError: The server does not answer.
    """
    settings = engine.settings
    if settings.in_process or settings.starts_server:
        return settings.model
    return settings.remote.model or await engine.load()


def style_of(settings: Settings, name: str) -> ProofStyle | None:
    """How a model is asked for whole proofs; None where it was made for single steps.

    Args:
        name: In the catalog, on the hub, or at its server.
    """
    record = find_record(name)
    if record is not None:
        return record.proofs or ("chat" if record.template in _GENERAL else None)
    if (style := style_by_name(name)) is not None:
        return style
    template = settings.template or guess_template(name, "causal")
    if template:
        return "chat" if template in _GENERAL else None
    # A model at a server of which nothing else is known can be talked to, and asked for no steps.
    here = settings.in_process or settings.starts_server or settings.engine == "llmstep"
    return None if here else "chat"


def chosen(plan: Plan, style: ProofStyle | None) -> Strategy:
    """The strategy that a plan means: `auto` writes with models that write whole proofs, and searches with others.

    Raises:
        RequestError: Fixed tactics alone are to write a proof.
    """
    if plan.strategy == "write" and plan.method.tactics == "list":
        raise RequestError(
            "The strategy write needs a model, and the tactics are the fixed list.",
            hint="Give the tactics both, or the strategy search.",
        )
    if plan.strategy != "auto":
        return plan.strategy
    return "write" if style is not None and plan.method.tactics != "list" else "search"
