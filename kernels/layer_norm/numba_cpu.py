"""Normalisation over trailing dimensions with Numba, by rows (`launch.py`, `rows.py`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import memory
from .launch import differentiate, normalise

Array = Any


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: Any,
    eps: float = 1e-5,
    out: tuple[Array, Array, Array],
) -> None:
    y, mean, rstd = out
    normalise(x, weight, bias, y, mean, rstd, _rows(x, mean), True, eps)


def rms_norm(
    x: Array, weight: Array | None = None, *, normalized_shape: Any, eps: float, out: tuple[Array, Array]
) -> None:
    y, rstd = out
    normalise(x, weight, None, y, memory.scratch(rstd.shape, rstd.dtype), rstd, _rows(x, rstd), False, eps)


def layer_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, Array, Array]
) -> None:
    dx, dweight, dbias = out
    totals = differentiate(grad, x, weight, mean, rstd, dx, _rows(x, rstd), True)
    dweight[...], dbias[...] = totals.reshape(2, *dweight.shape)


def rms_norm_backward(grad: Array, x: Array, weight: Array | None, rstd: Array, *, out: tuple[Array, Array]) -> None:
    dx, dweight = out
    totals = differentiate(grad, x, weight, np.zeros(rstd.shape, rstd.dtype), rstd, dx, _rows(x, rstd), False)
    dweight[...] = totals[0].reshape(dweight.shape)


def _rows(x: Array, statistic: Array) -> tuple[int, int, int]:
    return math.prod(statistic.shape), 1, math.prod(x.shape[statistic.ndim :])
