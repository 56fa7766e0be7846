"""Cumulative sums with Numba: arrays as (outer, length, inner) in front of the loops of `loops.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check, dtypes, memory
from . import loops

Array = Any


def cumsum(x: Array, *, dim: int, out: Array) -> None:
    _scan(x, dim, False, out)


def cumsum_backward(grad: Array, *, dim: int, out: Array) -> None:
    _scan(grad, dim, True, out)


def _scan(x: Array, dim: int, reverse: bool, out: Array) -> None:
    if out.size == 0:
        return
    floating = dtypes.is_floating(x.dtype)
    source = np.ascontiguousarray(x) if floating else np.ascontiguousarray(x, dtypes.int64)
    target = out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    shape = x.shape or (1,)
    axis = check.dim("cumsum", dim, len(shape))
    outer, length, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    wide = dtypes.float64 if floating else dtypes.int64
    if inner > 1:
        layout = (outer, length, inner)
        loops.columns(source.reshape(layout), target.reshape(layout), np.zeros(1, wide), reverse)
    elif outer < loops.FEW and length > 2 * loops.RUN:
        totals = np.zeros((outer, -(-length // loops.RUN)), wide)
        loops.long_rows(source.reshape(outer, length), target.reshape(outer, length), totals, reverse)
    else:
        loops.rows(source.reshape(outer, length), target.reshape(outer, length), np.zeros(outer, wide), reverse)
    if target is not out:
        out[...] = target
