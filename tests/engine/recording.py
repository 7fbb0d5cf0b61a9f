"""What a CUDA graph does, on the CPU: the operations of some work are run again on the very same memory.

Python is not run again, so that whatever the work took from it stays as it was when it was recorded, as in a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable


class _Log(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(function), "the host would wait for the device"
        out = function(*arguments, **(options or {}))
        self.calls.append((function, arguments, options or {}, out))
        return out


class Recording:
    """A recorder for `llmstep.engine.gpu.graphs.Graphs`, which counts.

    Attributes:
        warmed: Work that was run for the first time.
        recorded: Records made.
        replayed: Times that records were run.
    """

    def __init__(self) -> None:
        self.warmed = self.recorded = self.replayed = 0

    def warm_up(self, work: Callable[[], torch.Tensor]) -> torch.Tensor:
        self.warmed += 1
        return work()

    def record(self, work: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        self.recorded += 1
        with _Log() as log:
            out = work()

        def replay() -> torch.Tensor:
            self.replayed += 1
            for call in log.calls:
                _again(*call)
            return out

        return replay


def _again(function: Any, arguments: tuple[Any, ...], options: dict[str, Any], out: Any) -> None:
    if function._schema.is_mutable:
        function(*arguments, **options)
        return
    memory = {_memory(each) for each in (*arguments, *options.values()) if isinstance(each, torch.Tensor)}
    outs = out if isinstance(out, (list, tuple)) else [out]
    if any(_memory(each) in memory for each in outs):  # a view, which shows what is there now
        return
    new = function(*arguments, **options)
    for old, each in zip(outs, new if isinstance(new, (list, tuple)) else [new], strict=True):
        old.copy_(each)


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
