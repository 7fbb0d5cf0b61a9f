"""Work over memory that stays where it is, recorded as CUDA graphs.

A step of a model is hundreds of small kernels, each of which the host has to start; a graph starts all of them at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import torch

_log = logging.getLogger(__name__)

Work = Callable[[], torch.Tensor]
"""Reads memory that stays where it is; gives the same tensor, filled anew, whenever its record is run."""


class Recorder(Protocol):
    """Makes records of work."""

    def warm_up(self, work: Work) -> torch.Tensor:
        """Run work for the first time, as it will be recorded."""

    def record(self, work: Work) -> Work:
        """Record work that was run before.

        Raises:
            RuntimeError: Something in it cannot be recorded.
        """


class CudaRecorder:
    """CUDA graphs; all share one pool of memory for what their kernels hand on, since only one runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)
        self._pool: Any = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Work) -> torch.Tensor:
        # Libraries reserve workspaces for each stream, which must not happen during the recording.
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                out = work()
            torch.cuda.current_stream().wait_stream(self._stream)
        out.record_stream(torch.cuda.current_stream(self._device))
        return out

    def record(self, work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            torch.cuda.stream(
                torch.cuda.current_stream(self._device)
            ),  # to which a recording that fails does not return
            # What other threads do with the device does not concern this recording.
            torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
        ):
            out = work()

        def replay() -> torch.Tensor:
            with torch.cuda.device(self._device):
                graph.replay()
            return out

        return replay


class Graphs:
    """Records by what they are records of.

    Args:
        recorder: None runs everything as it is.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self._records: dict[Hashable, Work | None] = {}

    def run(self, key: Hashable, work: Work) -> torch.Tensor:
        """Do work: as it is for the first time, recorded at the second, from the record after that."""
        if self._recorder is None:
            return work()
        if key not in self._records:
            out = self._recorder.warm_up(work)
            self._records[key] = None
            return out
        replay = self._records[key]
        if replay is None:
            try:
                replay = self._records[key] = self._recorder.record(work)
            except RuntimeError as error:
                _log.warning("llmstep: steps cannot be recorded as CUDA graphs and will be slower: %s", error)
                self._recorder = None
                self.clear()
                return work()
        return replay()

    def clear(self) -> None:
        """Give up all records, since the memory that they are about has moved."""
        self._records.clear()
