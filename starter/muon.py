"""The Muon optimizer: an update of a weight matrix is its momentum made orthogonal; everything else is left to AdamW.

The method is Keller Jordan's (https://kellerjordan.github.io/posts/muon, 2024), the scale of the update that of
Moonlight (arXiv:2502.16982), so that one learning rate serves both. `torch.optim.Muon` does the same in bfloat16, for
which many processors have no instructions: there it takes longer than all the rest of a step.
"""

from __future__ import annotations

from typing import Any

import torch

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Coefficients of the Newton-Schulz iteration."""
_ITERATIONS = 5
_SCALE = 0.2
"""Root mean square of an entry of the update, as AdamW's usually is."""


class Muon(torch.optim.AdamW):  # type: ignore[misc]
    """Muon for the groups with ``orthogonal=True`` (matrices), AdamW for the others."""

    param_groups: list[dict[str, Any]]

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float], momentum: float = 0.95):
        for group in groups:
            group.setdefault("orthogonal", False)
        super().__init__(groups, lr=lr, betas=betas)
        for group in self.param_groups:
            group["momentum"] = momentum

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> Any:
        """One update of all groups; the gradients stay."""
        groups = self.param_groups
        for group in groups:
            if group["orthogonal"]:
                self._update(group)
        self.param_groups = [group for group in groups if not group["orthogonal"]]
        try:
            return super().step(closure)
        finally:
            self.param_groups = groups

    def _update(self, group: dict[str, Any]) -> None:
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(weight)
                state["step"] = torch.tensor(0.0)  # AdamW asks every state for it when it is loaded
            average = state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
            update = orthogonal(weight.grad.lerp(average, group["momentum"]))
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(update, alpha=-group["lr"] * _SCALE * max(weight.shape) ** 0.5)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Nearly the nearest matrix whose singular values are all one, by Newton-Schulz; same shape ``[m, n]``."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=_B, alpha=_C), x, beta=_A)
    return x.T if tall else x
