"""Arrays as rows in front of the loops of `rows.py`, for layer and for group normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes, memory
from . import rows

Array = Any


def normalise(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    y: Array,
    mean: Array,
    rstd: Array,
    shape: tuple[int, int, int],
    centred: bool,
    eps: float,
) -> None:
    """Normalise ``x``, seen as ``shape`` (samples, groups, length), with parameters of (groups * length) elements."""
    if x.size == 0:
        # Of no element there is no mean; a statistic of nothing else exists.
        mean.fill(math.nan)
        rstd.fill(math.nan)
        return
    results = [each if each.flags.c_contiguous else memory.scratch(each.shape, each.dtype) for each in (y, mean, rstd)]
    rows.forward(
        np.ascontiguousarray(x).reshape(shape),
        parameter(weight, 1.0, shape[1:], x.dtype),
        parameter(bias, 0.0, shape[1:], x.dtype),
        results[0].reshape(shape),
        results[1].reshape(shape[:2]),
        results[2].reshape(shape[:2]),
        centred,
        float(eps),
    )
    for result, each in zip(results, (y, mean, rstd), strict=True):
        if result is not each:
            each[...] = result


def differentiate(
    grad: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    rstd: Array,
    dx: Array,
    shape: tuple[int, int, int],
    centred: bool,
) -> Array:
    """Write ``dx``; the gradients of weight and bias as float64 (2, groups * length)."""
    samples, groups, length = shape
    width = groups * length
    if x.size == 0:
        return np.zeros((2, width))
    height = rows.height_of(width)
    target = dx if dx.flags.c_contiguous else memory.scratch(dx.shape, dx.dtype)
    totals = memory.scratch((2, width), dtypes.float64)
    rows.backward(
        np.ascontiguousarray(grad).reshape(shape),
        np.ascontiguousarray(x).reshape(shape),
        parameter(weight, 1.0, shape[1:], x.dtype),
        np.ascontiguousarray(mean, x.dtype).reshape(shape[:2]),
        np.ascontiguousarray(rstd, x.dtype).reshape(shape[:2]),
        target.reshape(shape),
        memory.scratch((2, -(-samples // height), *shape[1:]), x.dtype),
        totals,
        height,
        centred,
    )
    if target is not dx:
        dx[...] = target
    return totals


def parameter(given: Array | None, missing: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A weight or bias as a contiguous array of ``shape``, full of ``missing`` if not given."""
    if given is None:
        return np.full(shape, missing, dtype)
    return np.ascontiguousarray(given, dtype).reshape(shape)
