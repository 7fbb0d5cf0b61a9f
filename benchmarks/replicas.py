"""Fairness and memory over copies of a server: one, two to which clients stick, and two that take turns, behind nginx.

The servers have a stand-in for the model. First a client keeps a flood of requests under way, and another one asks now
and then. Then people ask, who come back to goals that they have asked for, and to some that all ask for.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.crowd import Crowd, Questions, Summary, serving
from benchmarks.proxies import proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KINDS = {"one copy": 1, "two, a client stays at one": 2, "two that take turns": 2}
_FLOOD = 40
_PEOPLE = 24


@attrs.frozen
class Outcome:
    """One arrangement."""

    name: str
    flood: Summary
    small: Summary
    """The client that asks now and then."""
    hits: float
    """Share of the people's requests that were answered from memory."""
    people: Summary


async def replicas(seconds: float, service: float = 0.2) -> list[Outcome]:
    """
    Args:
        seconds: How long each load lasts.
        service: What the stand-in takes for each request.
    """
    outcomes = []
    for name in KINDS:
        async with _arranged(name, service) as (url, root, _):
            beside = Crowd(url, verify=root)
            await asyncio.gather(beside.flood(_FLOOD, seconds), beside.closed(1, 1.0, seconds, "small"))
        async with _arranged(name, service) as (url, root, copies):
            people = Crowd(url, Questions(again=0.3, shared=0.2), verify=root)
            await people.closed(_PEOPLE, 4.0, seconds)
            remembered = [await _remembered(copy) for copy in copies]
        flood = [each for each in beside.got if each.client == "flood"]
        small = [each for each in beside.got if each.client != "flood"]
        hits = sum(remembered) / len(people.got)
        outcomes.append(Outcome(name, Summary.of(flood), Summary.of(small), hits, Summary.of(people.got)))
    return outcomes


@contextlib.asynccontextmanager
async def _arranged(name: str, service: float) -> AsyncIterator[tuple[str, str, tuple[str, ...]]]:
    """Address, certificate, and the addresses of the copies."""
    command = ("benchmarks.stand_in", "--seconds", str(service))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        copies = tuple([await stack.enter_async_context(serving(*command)) for _ in range(KINDS[name])])
        both = (copies[0], copies[-1])
        front = await stack.enter_async_context(proxy("nginx", folder, both, sticky="turns" not in name))
        yield front.url, front.root, copies


async def _remembered(url: str) -> float:
    async with httpx.AsyncClient(trust_env=False) as http:
        page = (await http.get(f"{url}/metrics")).text
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return next(sample.value for sample in samples if sample.name == "llmstep_remembered_total")
