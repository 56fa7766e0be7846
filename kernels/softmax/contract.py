"""Contracts of softmax, log-softmax and their backward kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Spec, Wrong, operation
from ..samples import normal, rows, scaled

Array = Any

_steep = scaled(normal, 3.0)


def _one(name: str, x: Array, dim: int) -> Spec:
    check.floating(name, x=x)
    check.dim(name, dim, len(x.shape))
    return Spec(x.shape, x.dtype)


def _backward(name: str, grad: Array, y: Array, dim: int) -> Spec:
    if grad.shape != y.shape:
        check.same_shape(name, grad=grad, y=y)
    if grad.dtype != y.dtype:
        check.same_dtype(name, grad=grad, y=y)
    return _one(name, grad, dim)


def _wrong_one() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x,), {"dim": 2}, IndexError, r"dim \(=2\) must be in \[-2, 1\]")
    yield Wrong((x,), {"dim": 1.5}, TypeError, "dim must be an int, not float")
    yield Wrong((np.ones((2, 3), np.int64),), {"dim": 0}, TypeError, "x must have a floating dtype, not int64")


def _wrong_backward() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x, x.T), {"dim": 0}, ValueError, r"grad has shape \(2, 3\) but y has shape \(3, 2\)")
    yield Wrong((x, x.astype(float)), {"dim": 0}, TypeError, "grad has dtype float32 but y has dtype float64")
    yield Wrong((x, x), {"dim": -3}, IndexError, r"dim \(=-3\) must be in \[-2, 1\]")


@operation(
    samples=rows(_steep),
    wrong=_wrong_one,
    error="elementwise",
    ulps=16,  # the rounding of x - max, magnified by the exponential
    gradient=2,
    source="e^(x - max) / sum e^(x - max)",
)
def softmax(x: Array, *, dim: int) -> Spec:
    """Softmax of a floating array along ``dim``; a row of -inf, or with +inf or NaN in it, becomes NaN.

    Raises TypeError unless ``x`` is floating, IndexError where ``dim`` is out of range.
    """
    return _one("softmax", x, dim)


@operation(samples=rows(pairs=True), wrong=_wrong_backward, source="y (grad - sum(grad y))")
def softmax_backward(grad: Array, y: Array, *, dim: int) -> Spec:
    """Gradient of `softmax` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating,
    IndexError where ``dim`` is out of range.
    """
    return _backward("softmax_backward", grad, y, dim)


@operation(samples=rows(_steep), wrong=_wrong_one, gradient=2, source="x - max - ln sum e^(x - max)")
def log_softmax(x: Array, *, dim: int) -> Spec:
    """Logarithm of the softmax of a floating array along ``dim``; NaN where `softmax` is.

    Raises TypeError unless ``x`` is floating, IndexError where ``dim`` is out of range.
    """
    return _one("log_softmax", x, dim)


@operation(samples=rows(pairs=True), wrong=_wrong_backward, source="grad - e^y sum(grad)")
def log_softmax_backward(grad: Array, y: Array, *, dim: int) -> Spec:
    """Gradient of `log_softmax` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating,
    IndexError where ``dim`` is out of range.
    """
    return _backward("log_softmax_backward", grad, y, dim)
