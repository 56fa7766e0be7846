"""Negative log-likelihood with Numba: one gathering pass forward, one filling pass backward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import memory
from ..elementwise.loops import CHUNK, contiguous, into_strided
from ..elementwise.loops import compiled as exact
from ..softmax.rows import pieces, spread_kernel, strip

Array = Any

RUN = 64
"""Positions summed in a row before their sum joins the others: rounding errors grow with the longest run."""


@exact
def _chunks(arguments: Any, first: int, last: int) -> None:
    """Each chunk's losses and weights summed by themselves, so that the number of threads changes nothing."""
    x, target, weight, ignored, loss, partial = arguments
    inner = x.shape[2]
    kind = x.dtype.type
    for c in range(first, last):
        total, weights = 0.0, 0.0
        stop = min((c + 1) * CHUNK, target.size)
        for start in range(c * CHUNK, stop, RUN):
            run_total, run_weights = 0.0, 0.0
            for r in range(start, min(start + RUN, stop)):
                t = target[r]
                value, w = kind(0), kind(0)
                if t != ignored:
                    w = weight[t] if weight.size else kind(1)
                    value = -w * (x[r, t, 0] if inner == 1 else x[r // inner, t, r % inner])
                if loss.size:
                    loss[r] = value
                run_total += value
                run_weights += w
            total += run_total
            weights += run_weights
        partial[0, c], partial[1, c] = total, weights


@exact
def _backward_rows(arguments: Any, start: int, stop: int) -> None:
    grad, target, weight, ignored, scale, out = arguments
    kind = out.dtype.type
    for r in range(start, stop):
        to, t = out[r], target[r]
        to[:] = 0
        if t != ignored:
            g = grad[r] if grad.size > 1 else grad[0]
            w = weight[t] if weight.size else kind(1)
            to[t] = -w * (g / kind(scale))


@exact
def _backward_strips(arguments: Any, start: int, stop: int) -> None:
    grad, target, weight, ignored, scale, out = arguments
    kind = out.dtype.type
    for c in range(start, stop):
        o, first, last = strip(out, c)
        for l in range(out.shape[1]):
            out[o, l, first:last] = 0
        for i in range(first, last):
            t = target[o, i]
            if t != ignored:
                g = grad[o * out.shape[2] + i] if grad.size > 1 else grad[0]
                w = weight[t] if weight.size else kind(1)
                out[o, t, i] = -w * (g / kind(scale))


_kernel = spread_kernel("nll_loss", _chunks)
_backward_row_kernel = spread_kernel("nll_loss_backward_rows", _backward_rows)
_backward_strip_kernel = spread_kernel("nll_loss_backward_strips", _backward_strips)


def sizes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape (N, C, ...) or (C,) as (outer, classes, inner)."""
    if len(shape) == 1:
        return 1, shape[0], 1
    return shape[0], shape[1], math.prod(shape[2:])


def _weights(weight: Array | None, dtype: Any) -> Array:
    """The weights, an empty array for none."""
    return np.empty(0, dtype) if weight is None else contiguous(weight)


def nll_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    out: tuple[Array, Array],
) -> None:
    loss, total_weight = out
    if not loss.flags.c_contiguous:
        result = memory.scratch(loss.shape, loss.dtype)
        nll_loss(x, target, weight, ignore_index=ignore_index, reduction=reduction, out=(result, total_weight))
        loss[...] = result
        return
    chunks = -(-target.size // CHUNK)
    partial = np.empty((2, chunks))
    each = loss.reshape(-1) if reduction == "none" else np.empty(0, x.dtype)
    if chunks:
        _kernel(
            chunks,
            1,
            contiguous(x).reshape(sizes(x.shape)),
            contiguous(target).reshape(-1),
            _weights(weight, x.dtype),
            int(ignore_index),
            each,
            partial,
        )
    total, weights = (float(each) for each in partial.sum(axis=1))
    total_weight[...] = weights
    if reduction == "sum":
        loss[...] = total
    elif reduction == "mean":
        loss[...] = total / weights if weights else total * math.inf


def nll_loss_backward(
    grad: Array,
    target: Array,
    total_weight: Array,
    weight: Array | None = None,
    *,
    input_shape: tuple[int, ...],
    ignore_index: int = -100,
    reduction: str = "mean",
    out: Array,
) -> None:
    if not out.flags.c_contiguous:
        attributes: dict[str, Any] = {"ignore_index": ignore_index, "reduction": reduction}
        arrays = grad, target, total_weight, weight
        into_strided(nll_loss_backward, out, *arrays, input_shape=input_shape, **attributes)
    elif out.size:
        outer, classes, inner = sizes(out.shape)
        places = (outer,) if inner == 1 else (outer, inner)
        (_backward_row_kernel if inner == 1 else _backward_strip_kernel)(
            *pieces(outer, classes, inner),
            contiguous(grad).reshape(-1),
            contiguous(target).reshape(places),
            _weights(weight, out.dtype),
            int(ignore_index),
            float(total_weight) if reduction == "mean" else 1.0,
            out.reshape((*places[:1], classes, *places[1:])),
        )
