"""Group normalisation with Numba: by planes (`planes.py`), or as rows of a weight an element where planes are small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes, memory
from ..layer_norm.launch import differentiate, normalise, parameter
from . import planes

Array = Any

SMALL_PLANE = 16  # elements below which a loop over a plane does not pay


def group_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    num_groups: int,
    eps: float = 1e-5,
    out: tuple[Array, Array, Array],
) -> None:
    n, c = x.shape[:2]
    size = math.prod(x.shape[2:])
    if size < SMALL_PLANE:
        scale, offset = (None if each is None else np.repeat(each, size) for each in (weight, bias))
        normalise(x, scale, offset, *out, (n, num_groups, c // num_groups * size), True, eps)
        return
    results = [each if each.flags.c_contiguous else memory.scratch(each.shape, each.dtype) for each in out]
    shape = (n * num_groups, c // num_groups, size)
    contiguous = np.ascontiguousarray(x)
    planes.forward(
        contiguous.reshape(shape[0], shape[1] * size),
        contiguous.reshape(shape),
        parameter(weight, 1.0, (num_groups, shape[1]), x.dtype),
        parameter(bias, 0.0, (num_groups, shape[1]), x.dtype),
        results[0].reshape(shape),
        results[1].reshape(-1),
        results[2].reshape(-1),
        float(eps),
    )
    for result, each in zip(results, out, strict=True):
        if result is not each:
            each[...] = result


def group_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, Array, Array]
) -> None:
    dx, dweight, dbias = out
    n, c = x.shape[:2]
    groups, size = mean.shape[1], math.prod(x.shape[2:])
    if size < SMALL_PLANE or n == 0:
        wide = None if weight is None else np.repeat(weight, size)
        totals = differentiate(grad, x, wide, mean, rstd, dx, (n, groups, c // groups * size), True)
        dweight[...], dbias[...] = totals.reshape(2, c, size).sum(2)
        return
    shape = (n * groups, c // groups, size)
    target = dx if dx.flags.c_contiguous else memory.scratch(dx.shape, dx.dtype)
    sums = memory.scratch((2, *shape[:2]), dtypes.float64)
    planes.backward(
        np.ascontiguousarray(grad).reshape(shape),
        np.ascontiguousarray(x).reshape(shape),
        parameter(weight, 1.0, (groups, shape[1]), x.dtype),
        np.ascontiguousarray(mean, x.dtype).reshape(-1),
        np.ascontiguousarray(rstd, x.dtype).reshape(-1),
        target.reshape(shape),
        sums,
    )
    if target is not dx:
        dx[...] = target
    dweight[...], dbias[...] = sums.reshape(2, n, c).sum(1)
