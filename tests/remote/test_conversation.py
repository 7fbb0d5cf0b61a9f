"""An answer in a conversation, from every kind of engine: its text, its thought, its end, and what servers refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from scripted_model import Reply, ScriptedModel

from llmstep.engine.engine import Engine
from llmstep.engine.router import EngineRouter
from llmstep.errors import ContextLengthError, LlmstepError, ModelNotFoundError
from llmstep.progress import ProgressSink, silent
from llmstep.settings import RemoteSettings, Settings
from llmstep.types import SamplingParams

if TYPE_CHECKING:
    from llmstep.engine.interface import Answer

TURNS = [("system", "You prove."), ("user", "Prove it: ∀ x, x = x")]
SAMPLING = SamplingParams(1, 0.7, 0.95, 400, 5)


async def answered(model: ScriptedModel, kind: Any = "openai", progress: ProgressSink = silent) -> Answer:
    url = model.url if kind == "openai" else model.url.removesuffix("/v1")
    engine = EngineRouter(Settings(engine=kind, remote=RemoteSettings(url=url, timeout_seconds=20)))
    try:
        return await engine.converse(TURNS, SAMPLING, progress=progress)
    finally:
        await engine.close()


async def test_what_is_asked_and_answered() -> None:
    steps: list[int] = []
    with ScriptedModel([Reply("by rfl, ⟨x⟩", thought="hm hm hm hm hm")]) as model:
        answer = await answered(model, progress=lambda update: steps.append(update.done))
    assert (answer.text, answer.thought, answer.finish) == ("by rfl, ⟨x⟩", "hm hm hm hm hm", "stop")
    assert answer.model == model.name
    assert answer.tokens == 3, "pieces, since this server does not count"
    assert steps == sorted(steps)
    [asked] = model.asked
    assert asked["messages"] == [{"role": role, "content": said} for role, said in TURNS]
    assert json.loads(asked["generation_config"])["do_sample"], "transformers serve takes the likeliest otherwise"
    assert (asked["max_tokens"], asked["temperature"], asked["top_p"], asked["seed"]) == (400, 0.7, 0.95, 5)


async def test_a_server_that_does_not_stream() -> None:
    with ScriptedModel([Reply("done", thought="long", finish="length")]) as model:
        model.streams = False
        answer = await answered(model)
    assert (answer.text, answer.thought, answer.finish, answer.tokens) == ("done", "long", "length", 77)


async def test_ollama_gets_a_context_that_is_long_enough() -> None:
    with ScriptedModel([Reply("done", thought="long")]) as model:
        answer = await answered(model, "ollama")
    assert (answer.text, answer.thought, answer.finish, answer.tokens) == ("done", "long", "stop", 55)
    options = model.asked[0]["options"]
    assert options["num_predict"] == 400
    assert options["num_ctx"] > 400


async def test_fields_that_a_server_refuses_are_left_out() -> None:
    with ScriptedModel(["done"]) as model:
        model.refused = {"seed", "max_tokens"}
        answer = await answered(model)
    assert answer.text == "done"
    assert model.asked[0]["max_completion_tokens"] == 400
    assert "seed" not in model.asked[0]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply("This model's maximum context length is 20 tokens.", status=400), ContextLengthError),
        (Reply("no", status=401), LlmstepError),
        (Reply("no such model", status=404), LlmstepError),
    ],
)
async def test_refusals(reply: Reply, error: type[LlmstepError]) -> None:
    with ScriptedModel([reply]) as model, pytest.raises(error):
        await answered(model)


async def test_a_model_that_is_not_there() -> None:
    with ScriptedModel([Reply("no such model", status=404)]) as model:
        remote = RemoteSettings(url=model.url, model="another")
        engine = EngineRouter(Settings(engine="openai", remote=remote))
        with pytest.raises(ModelNotFoundError, match="has no model another"):
            await engine.converse(TURNS, SAMPLING)
        await engine.close()


async def test_the_model_in_this_process() -> None:
    engine = Engine(Settings(model="starter", device="cpu"))
    answer = await engine.converse([("user", "⊢ True")], SamplingParams(1, 0.0, 1.0, 12))
    assert answer.model == "starter"
    assert 1 <= answer.tokens <= 12
    assert answer.finish in ("stop", "length")
    await engine.close()
