"""llmstep on Ray Serve: copies of one model behind one address.

    RAY_SERVE_SESSION_ID_HEADER_KEY=x-llmstep-client serve run deploy/ray/llmstep.yaml

Each replica is a whole llmstep: templates, cache, tokens, and the fair queue. A client's requests go to one replica,
which is chosen by a hash of the name that the client sends, so that the queue sees all of them and the cache knows what
the client has asked. When replicas come or go, only those clients move whose replica has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.config import RequestRouterConfig

from llmstep.app import App
from llmstep.cli.options import read_token
from llmstep.http.app import create_app
from llmstep.settings import Settings

STICKY = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"


@serve.deployment(
    max_ongoing_requests=256,  # more than llmstep's queue takes: who waits does so there, where it is fair
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 4},
    request_router_config=RequestRouterConfig(request_router_class=STICKY),
    health_check_period_s=5,
    graceful_shutdown_timeout_s=30,
)
@serve.ingress()
class Llmstep:
    """One replica.

    Args:
        settings: As in the editor, without `llmstep.`: `{"model": "starter", "http.host": "0.0.0.0"}`.
        token_file: See `llmstep serve --token-file`.
        at_once: See `llmstep serve --at-once`.
    """

    async def __init__(self, settings: dict[str, Any], token_file: str = "", at_once: int = 0) -> None:
        self.llmstep = App(Settings.decode(settings), lean_premises=False)
        self.token = read_token(Path(token_file) if token_file else None)
        self.at_once = at_once
        await self.llmstep.engine.load()  # a replica without its model gets no requests

    def __serve_build_asgi_app__(self) -> Any:
        app = self.llmstep
        return create_app(app.engine, app.settings, token=self.token, at_once=self.at_once, premises=app.premises)


def build(args: dict[str, Any]) -> serve.Application:
    """The application that `llmstep.yaml` names, with its `args`."""
    return Llmstep.bind(args.get("settings", {}), args.get("token_file", ""), int(args.get("at_once", 0)))
