"""Gradients kept within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pyneural.autograd import no_grad
from pyneural.functional import abs, amax, clamp, matmul, pow, reshape, stack, sum
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import arguments


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that the norm of them taken together is at most ``max_norm``.

    Source: Pascanu et al. 2013, arXiv:1211.5063.

    Args:
        parameters: tensors; those without a gradient are passed over.
        max_norm: at least 0.
        norm_type: p of the p-norm, above 0; ``math.inf`` for the largest absolute value.
        error_if_nonfinite: raise where the norm is infinite or NaN, instead of scaling by it.

    Returns:
        The norm before, a 0-d tensor.

    Raises:
        ValueError: a bad ``max_norm`` or ``norm_type``.
        RuntimeError: a norm that is not finite, if asked for.
    """
    arguments.number("clip_grad_norm_", "max_norm", max_norm, 0.0)
    if not arguments.number("clip_grad_norm_", "norm_type", norm_type, 0.0):
        raise ValueError(f"clip_grad_norm_: norm_type (={norm_type}) must be above 0")
    grads = _gradients("clip_grad_norm_", parameters)
    with no_grad():
        if not grads:
            return Tensor(0.0)
        total: Tensor = _joined([_power_sum(each, norm_type).to(grads[0].device) for each in grads], norm_type)
        if error_if_nonfinite and not math.isfinite(total.item()):
            raise RuntimeError(f"clip_grad_norm_: the norm (={total.item()}) of {len(grads)} gradients is not finite")
        factor = clamp(max_norm / (total + 1e-6), max=1.0)
        for each in grads:
            each.mul_(factor.to(dtype=each.dtype, device=each.device))
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bring every element of every gradient, in place, into [-clip_value, clip_value]; ``clip_value`` at least 0."""
    arguments.number("clip_grad_value_", "clip_value", clip_value, 0.0)
    with no_grad():
        for each in _gradients("clip_grad_value_", parameters):
            each.clamp_(-clip_value, clip_value)


def _gradients(operation: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for place, each in enumerate(given):
        if not isinstance(each, Tensor):
            raise TypeError(f"{operation}: parameters[{place}] must be a tensor, not {type(each).__name__}")
    return [each.grad for each in given if each.grad is not None]


def _power_sum(grad: Tensor, p: float) -> Tensor:
    """The sum of the p-th powers of absolute values (their maximum for infinity), halves in float32."""
    if dtypes.is_half(grad.dtype):
        grad = grad.to(dtypes.float32)
    if not grad.numel():
        return grad.new_zeros(())  # type: ignore[no-any-return]
    if p == 2.0:
        flat = reshape(grad, (-1,))
        return matmul(flat, flat)
    return amax(abs(grad)) if p == math.inf else sum(abs(grad) if p == 1.0 else pow(abs(grad), p))


def _joined(parts: list[Tensor], p: float) -> Any:
    """The norm of everything from the parts of each gradient."""
    together = stack(parts)
    if p == math.inf:
        return amax(together)
    total = sum(together)
    return total if p == 1.0 else pow(total, 1.0 / p)
