"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyneural.tensor import Tensor

from .optimizer import Group, Optimizer


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients, one fused kernel call a step.

    Sources: Tieleman & Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012; ``centered``:
    Graves 2013, arXiv:1308.0850. ``weight_decay`` times the parameter is added to the gradient.

    Args:
        params: tensors, or dicts of parameter groups.
        lr, eps, weight_decay, momentum: at least 0; ``eps`` is added to the root.
        alpha: decay of the running mean, in [0, 1].
        centered: divide by an estimate of the standard deviation instead.
        maximize: go up instead of down.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def check_group(self, group: Group) -> None:
        for key in ("lr", "eps", "weight_decay", "momentum"):
            self.check_number(group, key, 0.0)
        self.check_number(group, "alpha", 0.0, 1.0)

    def update(self, group: Group, params: list[Tensor], grads: list[Tensor]) -> None:
        def buffers(key: str, wanted: Any = True) -> list[Any]:
            return [self.buffer(each, key).array for each in params] if wanted else []

        params[0].device.kernels.rmsprop_step(
            [each.array for each in params],
            [each.array for each in grads],
            buffers("square_avg"),
            buffers("momentum_buffer", group["momentum"]),
            buffers("grad_avg", group["centered"]),
            **{key: group[key] for key in self.defaults},
        )
