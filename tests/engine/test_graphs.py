"""Recording with CUDA graphs: on which stream work is done and what waits for what, with a stand-in for the device.

Whether a device can record the steps is for a machine with one to show.
"""

from __future__ import annotations

import contextlib
import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from llmstep.engine.gpu.graphs import CudaRecorder, Graphs

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = torch.device("cuda", 1)


class Device:
    """As much of `torch.cuda` as the recorder uses; `log` has what happens, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.refuses = False
        self.main = self.current = self._stream("main")
        self.cuda = SimpleNamespace(
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: self.log.append(f"replay on {self.current.name}")),
            Stream=lambda device: self._stream("side"),
            current_stream=lambda device=None: self.current,
            device=contextlib.nullcontext,
            graph=self._graph,
            graph_pool_handle=lambda: "pool",
            stream=self._on,
        )

    def _stream(self, name: str) -> Any:
        return SimpleNamespace(name=name, wait_stream=lambda other: self.log.append(f"{name} waits for {other.name}"))

    @contextlib.contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextlib.contextmanager
    def _graph(self, graph: Any, **options: Any) -> Iterator[None]:
        inspect.signature(torch.cuda.graphs.graph).bind(graph, **options)
        assert (options["pool"], options["stream"].name) == ("pool", "side")
        before, self.current = self.current, options["stream"]
        self.log.append("recording")
        yield
        if self.refuses:  # torch leaves the other stream in use then
            raise RuntimeError("operation not permitted when stream is capturing")
        self.current = before
        self.log.append("recorded")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    found = Device()
    monkeypatch.setattr("llmstep.engine.gpu.graphs.torch", SimpleNamespace(cuda=found.cuda))
    return found


class Out:
    """What stands for a tensor."""

    def record_stream(self, stream: Any) -> None:
        assert stream.name == "main"


def test_warm_up_record_replay(device: Device) -> None:
    """The side stream sees what was done before, and later work what it did; records run on the main one."""
    graphs = Graphs(CudaRecorder(DEVICE))
    outs = [Out(), Out()]
    left = list(outs)

    def work() -> Any:
        device.log.append(f"work on {device.current.name}")
        return left.pop(0)

    assert graphs.run("step", work) is outs[0]
    assert device.log == ["side waits for main", "work on side", "main waits for side"]
    device.log.clear()
    for _ in range(3):
        assert graphs.run("step", work) is outs[1]
    assert device.log == ["recording", "work on side", "recorded", *["replay on main"] * 3]
    assert device.current is device.main


def test_a_recording_that_fails(device: Device) -> None:
    graphs = Graphs(CudaRecorder(DEVICE))
    device.refuses = True

    def work() -> Any:
        device.log.append(f"work on {device.current.name}")
        return Out()

    graphs.run("step", work)
    device.log.clear()
    for _ in range(2):
        graphs.run("step", work)
    assert device.log == ["recording", "work on side", "work on main", "work on main"]
