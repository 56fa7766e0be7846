"""Contracts of group normalisation, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..layer_norm.contract import epsilon, parameters

Array = Any

_SOURCE = "Wu and He, Group Normalization, ECCV 2018; torch.nn.functional.group_norm"
_CASES: tuple[tuple[tuple[int, ...], int], ...] = (  # the input's shape, groups
    ((3, 8), 2),
    ((2, 6, 5), 3),
    ((2, 4, 3, 3), 1),
    ((1, 3, 2, 2, 2), 3),
    ((0, 4, 3), 2),
    ((3, 6, 4, 5), 2),
    ((2, 3, 1), 1),
    ((70, 31), 1),
    ((5, 12, 17, 19), 4),
    ((3, 4, 70, 65), 2),
    ((133, 8, 3, 7), 4),
)


def _groups(operation: str, x: Array, num_groups: int) -> tuple[int, int]:
    """The shape (N, groups) of the statistics."""
    check.floating(operation, x=x)
    shape = x.shape
    if len(shape) < 2:
        raise ValueError(f"{operation}: x must have at least 2 dimensions, not {len(shape)} (shape {tuple(shape)})")
    if isinstance(num_groups, bool) or not isinstance(num_groups, (int, np.integer)):
        raise TypeError(f"{operation}: num_groups must be an int, not {type(num_groups).__name__}")
    if num_groups < 1 or shape[1] % num_groups:
        raise ValueError(
            f"{operation}: num_groups (={num_groups}) must be positive and divide the {shape[1]} channels of x "
            f"(shape {tuple(shape)})"
        )
    return shape[0], int(num_groups)


def _inputs(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[tuple[Array, int, str]]:
    for shape, groups in _CASES:
        yield (rng.standard_normal(shape) + 0.7).astype(dtype), groups, f"{shape} in {groups}"
    yield (rng.standard_normal((5, 3, 4)) + 0.7).astype(dtype).transpose(1, 2, 0), 2, "transposed"
    yield (rng.standard_normal((6, 8, 6, 8)) - 0.7).astype(dtype)[::-2, ::2, 1:], 2, "strided"


def _samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for x, groups, name in _inputs(rng, dtype):
        weight, bias = rng.standard_normal((2, x.shape[1])).astype(dtype)
        yield Sample((x, weight, bias), {"num_groups": groups, "eps": 1e-5}, name)
    x = (rng.standard_normal((2, 4, 3, 6)) + 0.7).astype(dtype)
    yield Sample((x,), {"num_groups": 2, "eps": 0.1}, "no parameters")
    yield Sample((x, x[0, :, 0, 0]), {"num_groups": 4, "eps": 1e-3}, "weight only")
    x = (rng.standard_normal((2, 6, 9, 9)) + 0.7).astype(dtype)
    x[:, :2], x[1, 3, 4, 4] = 0.0, np.nan
    yield Sample((x,), {"num_groups": 3, "eps": 1e-5}, "constant group, NaN in another")


def _wrong() -> Iterator[Wrong]:
    x, c = np.zeros((2, 4, 3), np.float32), np.ones(4, np.float32)
    yield Wrong((x,), {"num_groups": 3}, ValueError, r"num_groups \(=3\) must .* divide the 4 channels .*\(2, 4, 3\)")
    yield Wrong((x,), {"num_groups": 0}, ValueError, r"num_groups \(=0\)")
    yield Wrong((x,), {"num_groups": 2.0}, TypeError, "num_groups must be an int, not float")
    yield Wrong((x[0, 0],), {"num_groups": 1}, ValueError, r"at least 2 dimensions, not 1 \(shape \(3,\)\)")
    yield Wrong((x, c[:2]), {"num_groups": 2}, ValueError, r"weight must have shape \(4,\) .*, not \(2,\)")
    yield Wrong((x, None, c.astype(np.float64)), {"num_groups": 2}, TypeError, "float32 but bias has dtype float64")
    yield Wrong((x,), {"num_groups": 2, "eps": float("nan")}, ValueError, r"eps \(=nan\) must be a number")
    yield Wrong((x.astype(np.int32),), {"num_groups": 2}, TypeError, "x must have a floating dtype, not int32")


@operation(samples=_samples, wrong=_wrong, gradient=2, source=_SOURCE)
def group_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5
) -> tuple[Spec, Spec, Spec]:
    """Normalise groups of neighbouring channels of each image by their own mean and (population) variance.

    ``y = (x - mean) * rstd * weight + bias`` with ``rstd = 1 / sqrt(var + eps)``; weight and bias by channel.

    Args:
        x: floating, (N, C, ...).
        weight, bias: (C,) of x's dtype or its accumulator's (float32 for the halves), or None for 1 and 0.
        num_groups: divides C.
        eps: added to the variance.

    Returns:
        y of x's shape and dtype; mean and rstd (N, num_groups) of the accumulator's dtype.

    Raises:
        TypeError: if ``x`` is not floating, a parameter has another dtype, or ``num_groups`` is no int.
        ValueError: if ``num_groups`` does not divide C, ``x`` has fewer than 2 dimensions, a parameter has
            another shape, or ``eps`` is NaN.
    """
    groups = _groups("group_norm", x, num_groups)
    parameters("group_norm", x, (x.shape[1],), weight=weight, bias=bias)
    epsilon("group_norm", eps)
    statistic = Spec(groups, dtypes.accumulator(x.dtype))
    return Spec(x.shape, x.dtype), statistic, statistic


def _backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    wide = dtypes.accumulator(dtype)
    for x, groups, name in _inputs(rng, dtype):
        grad, weight = rng.standard_normal(x.shape).astype(dtype), rng.standard_normal(x.shape[1]).astype(dtype)
        rows = x.astype(np.float64).reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)
        mean, rstd = rows.mean(-1), 1 / np.sqrt(rows.var(-1) + 1e-5)
        yield Sample((grad, x, weight, mean.astype(wide), rstd.astype(wide)), {}, name)
        if name in ("(3, 8) in 2", "(5, 12, 17, 19) in 4"):
            yield Sample((grad, x, None, mean.astype(wide), rstd.astype(wide)), {}, f"{name}, no weight")


def _wrong_backward() -> Iterator[Wrong]:
    x, c, s = np.zeros((2, 4, 3), np.float32), np.ones(4, np.float32), np.ones((2, 2), np.float32)
    yield Wrong((x[:1], x, c, s, s), {}, ValueError, r"grad has shape \(1, 4, 3\) but x has shape \(2, 4, 3\)")
    yield Wrong((x, x, c, s, s[:1]), {}, ValueError, r"rstd must have shape \(2, 2\) .*, not \(1, 2\)")
    yield Wrong((x, x, c, s[0], s), {}, ValueError, r"mean must have 2 dimensions, not 1")
    yield Wrong((x, x, c, np.ones((2, 3), np.float32), s), {}, ValueError, r"num_groups \(=3\)")
    yield Wrong((x.astype(np.float64), x, c, s, s), {}, TypeError, "grad has dtype float64 but x has dtype float32")


@operation(samples=_backward_samples, wrong=_wrong_backward, source=_SOURCE)
def group_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Spec, Spec, Spec]:
    """The gradients of `group_norm`.

    With ``z = (x - mean) * rstd``, ``g = grad * weight`` and averages over a group:
    ``dx = rstd * (g - average(g) - z * average(g * z))``; over all but the channels
    ``dweight = sum(grad * z)``, ``dbias = sum(grad)``.

    Args:
        grad, x: of one shape (N, C, ...) and one floating dtype.
        weight: the forward's weight, (C,), or None.
        mean, rstd: the forward's results, (N, num_groups).

    Returns:
        dx of x's shape and dtype; dweight and dbias (C,) of mean's dtype.

    Raises:
        TypeError: if ``x`` is not floating or dtypes disagree.
        ValueError: if shapes disagree.
    """
    name = "group_norm_backward"
    check.same_shape(name, grad=grad, x=x)
    check.same_dtype(name, grad=grad, x=x)
    check.ndim(name, "mean", mean, 2)
    groups = _groups(name, x, mean.shape[1])
    parameters(name, x, (x.shape[1],), weight=weight)
    parameters(name, x, groups, mean=mean, rstd=rstd)
    parameter = Spec((x.shape[1],), mean.dtype)
    return Spec(x.shape, x.dtype), parameter, parameter
