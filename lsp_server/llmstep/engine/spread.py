"""One model over several GPUs: whole layers go to each, and accelerate moves what they compute from one to the next.

A model that fits one device stays on one: layers on several devices work one after the other, so that dividing a model
makes room and no speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from llmstep.engine import device as devices
from llmstep.engine.loaded import ROOM
from llmstep.engine.plan import too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstep.engine.loaded import Plan

DeviceMap = dict[str, int]
"""CUDA device by name of a module; that of the empty name holds the whole model."""


def device_map(plan: Plan, skeleton: Callable[[], Any]) -> DeviceMap | None:
    """Where the parts of a model go; None when all goes to the placement's device.

    The current CUDA device is taken where the model fits it, else the one with the most free memory where it fits that,
    else all of them.

    Args:
        skeleton: Makes the model on the meta device.

    Raises:
        ModelTooLargeError: Its layers do not fit all devices together.
    """
    free = devices.cuda_free_bytes() if plan.placement.device == "cuda" else {}
    if len(free) < 2 or plan.weight_bytes * ROOM <= free[torch.cuda.current_device()]:
        return None
    freest = max(free, key=lambda index: free[index])
    if plan.weight_bytes * ROOM <= free[freest]:
        return {"": freest}
    divided = divide(skeleton(), {index: int(size / ROOM) for index, size in free.items()})
    if divided is None:
        raise too_large(plan, sum(free.values()))
    return divided


def roomiest(plan: Plan) -> torch.device:
    """The device for a model that is not divided: the current CUDA device where it fits it, else the freest."""
    if plan.placement.device != "cuda":
        return torch.device(plan.placement.device)
    free = devices.cuda_free_bytes()
    current = torch.cuda.current_device()
    if plan.weight_bytes * ROOM <= free[current]:
        return torch.device("cuda", current)
    return torch.device("cuda", max(free, key=lambda index: free[index]))


def divide(model: Any, limits: Mapping[int, int]) -> DeviceMap | None:
    """The layers of a model over devices, evenly, in their order; no layer is divided. None when they do not fit.

    Args:
        model: On the meta device, in the format that its weights will have.
        limits: Bytes for weights on each device.
    """
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    model.tie_weights()
    whole = sorted(model._no_split_modules or ())
    even = get_balanced_memory(model, dict(limits), no_split_module_classes=whole)
    for limit in (even, dict(limits)):  # evenly there may be no room left for the last layers
        found = infer_auto_device_map(model, max_memory=limit, no_split_module_classes=whole)
        if all(isinstance(place, int) for place in found.values()):
            return dict(found)
    return None


def is_divided(model: Any) -> bool:
    """Whether accelerate runs a model over several devices."""
    return len(set(getattr(model, "hf_device_map", {}).values())) > 1


def input_device(model: Any) -> torch.device:
    """Where a model takes tokens."""
    if is_divided(model):
        hook = model._hf_hook
        for each in getattr(hook, "hooks", [hook]):
            if (place := getattr(each, "execution_device", None)) is not None:
                return torch.device(place)
    device: torch.device = model.device
    return device
