"""Losses with Numba: cross-entropy reads the logits once forward and once backward, and keeps no softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import memory
from ..elementwise.loops import compiled as exact
from ..elementwise.loops import contiguous, into_strided
from ..softmax.rows import (
    STRIP,
    compiled,
    exponential_sum,
    pieces,
    row_max,
    spread_kernel,
    strip,
    strip_exponential_sums,
    strip_top,
)
from ..vector import exp, log
from .nll import nll_loss, nll_loss_backward, sizes

Array = Any


@compiled
def _smoothed_sum(x: Array, top: Any, weight: Array) -> Any:
    """The sum of ``w (top - x)`` over a row; an empty ``weight`` stands for ones."""
    total = x.dtype.type(0)
    if weight.size:
        for i in range(x.size):
            total += weight[i] * (top - x[i])
    else:
        for i in range(x.size):
            total += top - x[i]
    return total


@compiled
def _keep_exponentials(x: Array, top: Any, out: Array) -> Any:
    """``e**(x - top)`` into ``out``, and their sum.

    Two loops: the compiler makes two versions of one that reads and writes, for arrays that might overlap,
    and a sum's rounding would depend on where its arrays lie.
    """
    for i in range(x.size):
        out[i] = exp(x[i] - top)
    total = x.dtype.type(0)
    for i in range(x.size):
        total += out[i]
    return total


@exact
def _row_loss(row: Array, t: int, top: Any, log_sum: Any, weight: Array, weight_sum: float, smoothing: float) -> Any:
    kind = row.dtype.type
    own = log_sum + (top - row[t])
    if weight.size:
        own *= weight[t]
    if smoothing > 0:
        every = _smoothed_sum(row, top, weight) + kind(weight_sum) * log_sum
        own = kind(1 - smoothing) * own + kind(smoothing / row.size) * every
    return own


@exact
def _at_target(p: Any, own: Any, spread_over: Any, weight: Array, weight_sum: float, t: int) -> Any:
    """The gradient at the target: ``p - 1`` first, for beside a ``p`` near 1 the other terms' rounding is large."""
    kind = type(p)
    slope = own * (p - kind(1))
    if spread_over != 0:  # an infinite p times no smoothing is not a number
        slope += spread_over * (p * kind(weight_sum) - (weight[t] if weight.size else kind(1)))
    return slope


@exact
def _rows(arguments: Any, start: int, stop: int) -> None:
    x, target, weight, weight_sum, ignored, smoothing, loss, lse = arguments
    for r in range(start, stop):
        row, t = x[r], target[r]
        top = row_max(row)
        log_sum = log(exponential_sum(row, top))
        lse[r] = top + log_sum
        loss[r] = 0 if t == ignored else _row_loss(row, t, top, log_sum, weight, weight_sum, smoothing)


@exact
def _rows_with_gradient(arguments: Any, start: int, stop: int) -> None:
    x, target, weight, weight_sum, ignored, smoothing, scale, loss, lse, out = arguments
    kind = x.dtype.type
    for r in range(start, stop):
        row, to, t = x[r], out[r], target[r]
        top = row_max(row)
        total = _keep_exponentials(row, top, to)
        log_sum = log(total)
        lse[r] = top + log_sum
        if t == ignored:
            loss[r] = 0
            to[:] = 0
            continue
        loss[r] = _row_loss(row, t, top, log_sum, weight, weight_sum, smoothing)
        own = kind(scale) * kind(1 - smoothing)
        if weight.size:
            own *= weight[t]
        spread_over = kind(scale) * kind(smoothing / row.size)
        factor = (own + spread_over * kind(weight_sum)) / total
        p = to[t] / total
        if smoothing > 0 and weight.size:
            for i in range(to.size):
                to[i] = factor * to[i] - spread_over * weight[i]
        else:
            for i in range(to.size):
                to[i] = factor * to[i] - spread_over
        to[t] = _at_target(p, own, spread_over, weight, weight_sum, t)


@exact
def _strip_loss(arguments: Any, c: int, top: Array, total: Array) -> None:
    """Losses and logsumexps of a strip of positions; their largest logits and sums of exponentials stay in buffers."""
    x, target, weight, weight_sum, ignored, smoothing, loss, lse = arguments
    kind = x.dtype.type
    classes = x.shape[1]
    o, first, last = strip(x, c)
    width = last - first
    every = np.zeros(width, x.dtype)
    strip_top(x[o, :, first:last], top[:width])
    strip_exponential_sums(x[o, :, first:last], top[:width], total[:width], np.empty_like(every))
    if smoothing > 0:
        for l in range(classes):
            row, w = x[o, l, first:last], weight[l] if weight.size else kind(1)
            for i in range(width):
                every[i] += w * (top[i] - row[i])
    for i in range(width):
        t, log_sum = target[o, first + i], log(total[i])
        lse[o, first + i] = top[i] + log_sum
        if t == ignored:
            loss[o, first + i] = 0
            continue
        own = log_sum + (top[i] - x[o, t, first + i])
        if weight.size:
            own *= weight[t]
        if smoothing > 0:
            own = kind(1 - smoothing) * own + kind(smoothing / classes) * (every[i] + kind(weight_sum) * log_sum)
        loss[o, first + i] = own


@exact
def _strips(arguments: Any, start: int, stop: int) -> None:
    kept = np.empty((2, STRIP), arguments[0].dtype)
    for c in range(start, stop):
        _strip_loss(arguments, c, kept[0], kept[1])


@exact
def _backward_rows(arguments: Any, start: int, stop: int) -> None:
    grad, x, target, lse, weight, weight_sum, ignored, smoothing, out = arguments
    kind = x.dtype.type
    for r in range(start, stop):
        row, to, t, g, kept = x[r], out[r], target[r], grad[r], lse[r]
        if t == ignored:
            to[:] = 0
            continue
        own = g * kind(1 - smoothing)
        if weight.size:
            own *= weight[t]
        spread_over = g * kind(smoothing / row.size)
        factor = own + spread_over * kind(weight_sum)
        if smoothing > 0 and weight.size:
            for i in range(to.size):
                to[i] = factor * exp(row[i] - kept) - spread_over * weight[i]
        else:
            for i in range(to.size):
                to[i] = factor * exp(row[i] - kept) - spread_over
        to[t] = _at_target(exp(row[t] - kept), own, spread_over, weight, weight_sum, t)


@exact
def _strip_gradient(arguments: Any, c: int, shift: Array, total: Array) -> None:
    """The gradient of a strip of positions, whose probabilities are ``e**(x - shift) / total``."""
    grad, x, target, weight, weight_sum, ignored, smoothing, out = arguments
    kind = x.dtype.type
    classes = x.shape[1]
    o, first, last = strip(x, c)
    width = last - first
    factors = np.empty((3, width), x.dtype)
    own, spread_over, factor = factors[0], factors[1], factors[2]
    for i in range(width):
        t, g = target[o, first + i], grad[o, first + i]
        own[i] = g * kind(1 - smoothing)
        if weight.size and t != ignored:
            own[i] *= weight[t]
        spread_over[i] = g * kind(smoothing / classes)
        factor[i] = (own[i] + spread_over[i] * kind(weight_sum)) / total[i]
    for l in range(classes):
        row, to = x[o, l, first:last], out[o, l, first:last]
        w = weight[l] if weight.size else kind(1)
        for i in range(width):
            to[i] = factor[i] * exp(row[i] - shift[i]) - spread_over[i] * w
    for i in range(width):
        t = target[o, first + i]
        if t == ignored:
            out[o, :, first + i] = 0
        else:
            p = exp(x[o, t, first + i] - shift[i]) / total[i]
            out[o, t, first + i] = _at_target(p, own[i], spread_over[i], weight, weight_sum, t)


@exact
def _backward_strips(arguments: Any, start: int, stop: int) -> None:
    grad, x, target, lse, weight, weight_sum, ignored, smoothing, out = arguments
    ones = np.ones(STRIP, x.dtype)
    for c in range(start, stop):
        o, first, last = strip(x, c)
        given = (grad, x, target, weight, weight_sum, ignored, smoothing, out)
        _strip_gradient(given, c, lse[o, first:last], ones)


@exact
def _strips_with_gradient(arguments: Any, start: int, stop: int) -> None:
    x, target, weight, weight_sum, ignored, smoothing, scale, loss, lse, out = arguments
    kept = np.empty((2, STRIP), x.dtype)
    for c in range(start, stop):  # the gradient while the strip is still in the cache
        _strip_loss((x, target, weight, weight_sum, ignored, smoothing, loss, lse), c, kept[0], kept[1])
        _strip_gradient((scale, x, target, weight, weight_sum, ignored, smoothing, out), c, kept[0], kept[1])


_row_kernel = spread_kernel("cross_entropy_rows", _rows)
_strip_kernel = spread_kernel("cross_entropy_strips", _strips)
_row_kernel_with_gradient = spread_kernel("cross_entropy_rows_with_gradient", _rows_with_gradient)
_strip_kernel_with_gradient = spread_kernel("cross_entropy_strips_with_gradient", _strips_with_gradient)
_backward_row_kernel = spread_kernel("cross_entropy_backward_rows", _backward_rows)
_backward_strip_kernel = spread_kernel("cross_entropy_backward_strips", _backward_strips)


def _shapes(logits: Array) -> tuple[tuple[int, int, int], tuple[int, ...], tuple[int, ...]]:
    """Outer, classes and inner of logits, and the shapes in which kernels take them and what each position has."""
    outer, classes, inner = sizes(logits.shape)
    if inner == 1:
        return (outer, classes, inner), (outer, classes), (outer,)
    return (outer, classes, inner), (outer, classes, inner), (outer, inner)


def _weights(logits: Array, weight: Array | None, classes: int) -> tuple[Array, float]:
    """The weights, an empty array for none, and their sum."""
    if weight is None:
        return np.empty(0, logits.dtype), float(classes)
    return contiguous(weight), float(weight.sum(dtype=np.float64))


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: tuple[Array, Array],
) -> None:
    loss, lse = out
    if not (loss.flags.c_contiguous and lse.flags.c_contiguous):
        results = memory.scratch(loss.shape, loss.dtype), memory.scratch(lse.shape, lse.dtype)
        attributes: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        cross_entropy(logits, target, weight, out=results, **attributes)
        loss[...], lse[...] = results
    elif target.size:
        (outer, classes, inner), shape, places = _shapes(logits)
        (_row_kernel if inner == 1 else _strip_kernel)(
            *pieces(outer, classes, inner),
            contiguous(logits).reshape(shape),
            contiguous(target).reshape(places),
            *_weights(logits, weight, classes),
            int(ignore_index),
            float(label_smoothing),
            loss.reshape(places),
            lse.reshape(places),
        )


def cross_entropy_with_gradient(
    logits: Array,
    target: Array,
    scale: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: tuple[Array, Array, Array],
) -> None:
    if not all(each.flags.c_contiguous for each in out):
        results = tuple(memory.scratch(each.shape, each.dtype) for each in out)
        attributes: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        cross_entropy_with_gradient(logits, target, scale, weight, out=results, **attributes)  # type: ignore[arg-type]
        for each, result in zip(out, results, strict=True):
            each[...] = result
    elif logits.size:
        loss, lse, gradient = out
        (outer, classes, inner), shape, places = _shapes(logits)
        (_row_kernel_with_gradient if inner == 1 else _strip_kernel_with_gradient)(
            *pieces(outer, classes, inner),
            contiguous(logits).reshape(shape),
            contiguous(target).reshape(places),
            *_weights(logits, weight, classes),
            int(ignore_index),
            float(label_smoothing),
            float(scale) if inner == 1 else np.broadcast_to(scale, places),
            loss.reshape(places),
            lse.reshape(places),
            gradient.reshape(shape),
        )


def cross_entropy_backward(
    grad: Array,
    logits: Array,
    target: Array,
    logsumexp: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Array,
) -> None:
    if not out.flags.c_contiguous:
        attributes: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        into_strided(cross_entropy_backward, out, grad, logits, target, logsumexp, weight, **attributes)
    elif out.size:
        (outer, classes, inner), shape, places = _shapes(logits)
        (_backward_row_kernel if inner == 1 else _backward_strip_kernel)(
            *pieces(outer, classes, inner),
            contiguous(grad).reshape(places),
            contiguous(logits).reshape(shape),
            contiguous(target).reshape(places),
            contiguous(logsumexp).reshape(places),
            *_weights(logits, weight, classes),
            int(ignore_index),
            float(label_smoothing),
            out.reshape(shape),
        )


__all__ = ["cross_entropy", "cross_entropy_backward", "cross_entropy_with_gradient", "nll_loss", "nll_loss_backward"]
