"""Losses of class indices with Numba's CUDA target: a block takes a position's row of logits."""

from __future__ import annotations

import functools
from typing import Any

from ..cuda_launch import size as _size
from ..numba_launch import (
    THREADS,
    Kernel,
    cuda,
    device,
    exponential,
    flat,
    flat_grid,
    given,
    logarithm,
    row_grid,
    written,
)
from ..numba_launch import real_of as _real_of
from ..numba_rows import block_sum, row_exponentials, row_max, row_start

Array = Any


@functools.cache
def _weight_of(real: Any) -> Any:
    """The device function for a class's weight, which is 1 where there are none."""
    one = real(1.0)

    def weight_of(weights: Array, i: int, weighted: bool) -> Any:
        return real(weights[i]) if weighted else one

    return device(weight_of)


@functools.cache
def _slope_of(real: Any) -> Any:
    """The device function for cross-entropy's derivative by a logit whose class has the probability ``p``."""
    one, zero, weight_of = real(1.0), real(0.0), _weight_of(real)

    def slope_of(
        p: Any, i: int, target: int, own: Any, all_weights: Any, smoothing: Any, classes: Any, weights: Array,
        weighted: bool,
    ) -> Any:  # fmt: skip
        slope = (one - smoothing) * own * (p - one if i == target else p)
        if smoothing != zero:
            slope += smoothing / classes * (p * all_weights - weight_of(weights, i, weighted))
        return slope

    return device(slope_of)


@functools.cache
def _forward(real: Any, with_gradient: bool) -> Kernel:
    """The losses and logsumexps; the gradient too, for one cotangent of all or one for each position."""
    one, zero, weight_of, slope_of = real(1.0), real(0.0), _weight_of(real), _slope_of(real)
    largest, exponentials = row_max(real), row_exponentials(real)

    def cross_entropy(
        x: Array, targets: Array, weight: Array, losses: Array, sums: Array, scale: Array, dx: Array, rows: int, n: int,
        inner: int, ignored: int, smoothing: Any, classes: Any, weighted: bool, single: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start, target = row_start(row, n, inner), targets[row]
            top = largest(x, start, n, inner, shared)
            total = exponentials(x, start, n, inner, top, shared)
            log_total = logarithm(total)
            all_weights, spread = zero, zero
            if smoothing != zero:
                for i in range(cuda.threadIdx.x, n, THREADS):
                    w = weight_of(weight, i, weighted)
                    all_weights += w
                    spread += w * (log_total - (real(x[start + i * inner]) - top))
                all_weights = block_sum(all_weights, shared)
                spread = block_sum(spread, shared)
            own = zero
            if target != ignored:
                own = weight_of(weight, target, weighted)
            if cuda.threadIdx.x == 0:
                sums[row] = top + log_total
                loss = zero
                if target != ignored:
                    nll = log_total - (real(x[start + target * inner]) - top)
                    loss = (one - smoothing) * own * nll
                    if smoothing != zero:
                        loss += smoothing / classes * spread
                losses[row] = loss
            if with_gradient:
                cotangent = real(scale[0 if single else row])
                for i in range(cuda.threadIdx.x, n, THREADS):
                    p = exponential(real(x[start + i * inner]) - top) / total
                    slope = slope_of(p, i, target, own, all_weights, smoothing, classes, weight, weighted)
                    dx[start + i * inner] = cotangent * slope if target != ignored else zero

    cross_entropy.__name__ = "cross_entropy_with_gradient" if with_gradient else "cross_entropy"
    return Kernel(cross_entropy)


@functools.cache
def _backward(real: Any) -> Kernel:
    zero, weight_of, slope_of = real(0.0), _weight_of(real), _slope_of(real)

    def cross_entropy_backward(
        grad: Array, x: Array, targets: Array, sums: Array, weight: Array, dx: Array, rows: int, n: int, inner: int,
        ignored: int, smoothing: Any, classes: Any, weighted: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            start, target, log_sum, g = row_start(row, n, inner), targets[row], real(sums[row]), real(grad[row])
            all_weights = zero
            if smoothing != zero:
                for i in range(cuda.threadIdx.x, n, THREADS):
                    all_weights += weight_of(weight, i, weighted)
                all_weights = block_sum(all_weights, shared)
            own = zero
            if target != ignored:
                own = weight_of(weight, target, weighted)
            for i in range(cuda.threadIdx.x, n, THREADS):
                p = exponential(real(x[start + i * inner]) - log_sum)
                slope = slope_of(p, i, target, own, all_weights, smoothing, classes, weight, weighted)
                dx[start + i * inner] = g * slope if target != ignored else zero

    return Kernel(cross_entropy_backward)


def _rows(shape: tuple[int, ...], rows: int) -> tuple[int, int, int]:
    """How many positions there are, how many classes, and how far apart those of a position lie."""
    return rows, shape[0] if len(shape) == 1 else shape[1], _size(shape[2:])


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Any,
) -> None:
    if target.size == 0:
        return
    real, at = _real_of(logits.dtype), _rows(logits.shape, target.size)
    x = flat(logits)
    w, weighted = given(weight, x)
    attributes = (*at, ignore_index, real(label_smoothing), real(at[1]), weighted, True)
    with written(out[0]) as loss, written(out[1]) as sums:
        _forward(real, False)[row_grid(at[0])](x, flat(target), w, loss, sums, sums, sums, *attributes)


def cross_entropy_with_gradient(
    logits: Array,
    target: Array,
    scale: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Any,
) -> None:
    if target.size == 0:
        return
    real, at = _real_of(logits.dtype), _rows(logits.shape, target.size)
    x = flat(logits)
    w, weighted = given(weight, x)
    attributes = (*at, ignore_index, real(label_smoothing), real(at[1]), weighted, scale.size == 1)
    with written(out[0]) as loss, written(out[1]) as sums, written(out[2]) as dx:
        _forward(real, True)[row_grid(at[0])](x, flat(target), w, loss, sums, flat(scale), dx, *attributes)


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
    if target.size == 0:
        return
    real, at = _real_of(logits.dtype), _rows(logits.shape, target.size)
    x = flat(logits)
    w, weighted = given(weight, x)
    attributes = (*at, ignore_index, real(label_smoothing), real(at[1]), weighted)
    with written(out) as dx:
        _backward(real)[row_grid(at[0])](flat(grad), x, flat(target), flat(logsumexp), w, dx, *attributes)


@functools.cache
def _nll(real: Any) -> Kernel:
    """All positions by one block: the sum of the losses, and of the weights."""
    zero, weight_of = real(0.0), _weight_of(real)

    def nll_loss(
        x: Array, targets: Array, weight: Array, losses: Array, totals: Array, rows: int, n: int, inner: int,
        ignored: int, weighted: bool, each: bool, mean: bool,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array(THREADS, real)
        loss, total = zero, zero
        for row in range(cuda.threadIdx.x, rows, THREADS):
            target, value = targets[row], zero
            if target != ignored:
                own = weight_of(weight, target, weighted)
                total += own
                value = -own * real(x[row_start(row, n, inner) + target * inner])
            loss += value
            if each:
                losses[row] = value
        loss = block_sum(loss, shared)
        total = block_sum(total, shared)
        if cuda.threadIdx.x == 0:
            totals[0] = total
            if not each:
                losses[0] = loss / total if mean else loss

    return Kernel(nll_loss)


def nll_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    out: Any,
) -> None:
    real, at = _real_of(x.dtype), _rows(x.shape, target.size)
    memory = flat(x)
    w, weighted = given(weight, memory)
    with written(out[0]) as losses, written(out[1]) as total:
        attributes = (*at, ignore_index, weighted, reduction == "none", reduction == "mean")
        _nll(real)[1, THREADS](memory, flat(target), w, losses, total, *attributes)


@functools.cache
def _nll_backward(real: Any) -> Kernel:
    zero, weight_of = real(0.0), _weight_of(real)

    def nll_loss_backward(
        grad: Array, targets: Array, total: Array, weight: Array, dx: Array, count: int, n: int, inner: int,
        ignored: int, weighted: bool, each: bool, mean: bool,
    ) -> None:  # fmt: skip
        for at in range(cuda.grid(1), count, cuda.gridsize(1)):
            row = at // (n * inner) * inner + at % inner
            target = targets[row]
            slope = zero
            if target != ignored and at // inner % n == target:
                slope = real(grad[row if each else 0])
                if mean:
                    slope = slope / real(total[0])
                slope = -slope * weight_of(weight, target, weighted)
            dx[at] = slope

    return Kernel(nll_loss_backward)


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
    if out.size == 0:
        return
    real, (_, n, inner) = _real_of(grad.dtype), _rows(tuple(input_shape), target.size)
    g = flat(grad)
    w, weighted = given(weight, g)
    with written(out) as dx:
        attributes = (out.size, n, inner, ignore_index, weighted, reduction == "none", reduction == "mean")
        _nll_backward(real)[flat_grid(out.size)](g, flat(target), flat(total_weight), w, dx, *attributes)
