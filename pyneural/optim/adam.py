"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyneural.tensor import Tensor

from .optimizer import Group, Optimizer


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient, one fused kernel call a step.

    Source: Kingma & Ba 2015, arXiv:1412.6980. ``weight_decay`` times the parameter is added to the
    gradient; see `AdamW` for decay beside it.

    Args:
        params: tensors, or dicts of parameter groups.
        lr: at least 0.
        betas: decay of the running mean and of the running mean square, each in [0, 1).
        eps: added to the root of the mean square, at least 0.
        weight_decay: at least 0.
        maximize: go up instead of down.
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def check_group(self, group: Group) -> None:
        for key in ("lr", "eps", "weight_decay"):
            self.check_number(group, key, 0.0)
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"{self.name}: betas (={betas}) must be two numbers")
        for number, value in enumerate(betas):
            self.check_number({f"betas[{number}]": value}, f"betas[{number}]", 0.0, 1.0, below=True)

    def update(self, group: Group, params: list[Tensor], grads: list[Tensor]) -> None:
        by_step: dict[int, list[tuple[Tensor, Tensor]]] = {}
        for param, grad in zip(params, grads, strict=True):
            state = self.state.setdefault(param, {})
            step = state.get("step", 0) + 1
            by_step.setdefault(step, []).append((param, grad))
        for step, pairs in by_step.items():
            pairs[0][0].device.kernels.adam_step(
                [param.array for param, _ in pairs],
                [grad.array for _, grad in pairs],
                [self.buffer(param, "exp_avg").array for param, _ in pairs],
                [self.buffer(param, "exp_avg_sq").array for param, _ in pairs],
                step=step,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                eps=group["eps"],
                weight_decay=group["weight_decay"],
                decoupled=self.decoupled,
                maximize=group["maximize"],
            )
            for param, _ in pairs:
                self.state[param]["step"] = step


class AdamW(Adam):
    """Adam with weight decay beside the gradient: parameters shrink by ``lr * weight_decay`` of themselves a step.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101. Arguments as of `Adam`.
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)
