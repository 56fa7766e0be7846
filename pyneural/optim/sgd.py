"""Stochastic gradient descent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pyneural.tensor import Tensor

from .optimizer import Group, Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum, one fused kernel call a step.

    With g the gradient plus ``weight_decay`` times the parameter: the buffer b becomes
    ``momentum`` b + (1 - ``dampening``) g (at first g), and the parameter moves by ``-lr`` b, or, with
    ``nesterov``, by ``-lr`` (g + ``momentum`` b). Source: Sutskever et al., ICML 2013.

    Args:
        params: tensors, or dicts of parameter groups.
        lr, momentum, weight_decay: at least 0.
        dampening: 0 if ``nesterov``, which also needs momentum.
        maximize: go up instead of down.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check_group(self, group: Group) -> None:
        for key in ("lr", "momentum", "weight_decay"):
            self.check_number(group, key, 0.0)
        self.check_number(group, "dampening", -math.inf)
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError(
                f"SGD: nesterov needs momentum (={group['momentum']}) above 0 and dampening (={group['dampening']}) 0"
            )

    def update(self, group: Group, params: list[Tensor], grads: list[Tensor]) -> None:
        attributes = {key: group[key] for key in self.defaults}
        pairs = list(zip(params, grads, strict=True))
        if not group["momentum"]:
            self._step(pairs, attributes, first=False)
            return
        fresh = [each for each in pairs if "momentum_buffer" not in self.state.get(each[0], {})]
        if not fresh:
            self._step(pairs, attributes, first=False)
            return
        new = {id(param) for param, _ in fresh}
        self._step(fresh, attributes, first=True)
        self._step([each for each in pairs if id(each[0]) not in new], attributes, first=False)

    def _step(self, pairs: list[tuple[Tensor, Tensor]], attributes: dict[str, Any], first: bool) -> None:
        if not pairs:
            return
        momenta = [self.buffer(param, "momentum_buffer").array for param, _ in pairs] if attributes["momentum"] else ()
        pairs[0][0].device.kernels.sgd_step(
            [param.array for param, _ in pairs], [grad.array for _, grad in pairs], momenta, first=first, **attributes
        )
