"""Launches of ``csrc/kernels/{cross_entropy,loss,loss_backward}.cu``: how positions and classes meet threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import ACCESS, BLOCK, ENOUGH, WARP, blocks, contiguous, empty, held, launch, size, written
from ..dtypes import accumulator

Array = Any

_CLASSES = np.dtype(
    [("positions", "i8"), ("classes", "i8"), ("span", "i8"), ("each", "i8"), ("lanes", "i4"), ("", "i4")]
)
_REDUCTIONS = {"mean": 0, "sum": 1, "none": 2}  # Reduction of loss.cu
_COLUMN_BLOCK = 128  # threads of the kernels for columns
_LONG_BLOCK = 512  # threads of cross_entropy_long, and the most of cross_entropy_block
_PIECE = 2048  # classes of a row that a warp takes in backward


def _sizes(shape: tuple[int, ...], positions: int) -> tuple[int, int, int]:
    """Positions, classes and the distance of a position's classes."""
    if len(shape) == 1:
        return 1, shape[0], 1
    return positions, shape[1], size(shape[2:])


def _record(positions: int, classes: int, span: int, each: int, lanes: int) -> Any:
    return np.array((positions, classes, span, each, lanes, 0), _CLASSES)[()]


def _width(dtype: np.dtype[Any], run: int) -> int:
    """Elements of an access."""
    width = ACCESS // dtype.itemsize
    return width if run % width == 0 else 1


def _lanes(dtype: np.dtype[Any], classes: int) -> int:
    """Lanes of a warp that take a row."""
    return min(WARP, 1 << (-(-classes // _width(dtype, classes)) - 1).bit_length())


def _weight(weight: Array | None) -> Array | None:
    return None if weight is None else contiguous(weight)


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: tuple[Array, Array],
) -> None:
    if target.size:
        with written(out[0]) as loss, written(out[1]) as logsumexp:
            arguments = (contiguous(logits), contiguous(target), _weight(weight), ignore_index, label_smoothing)
            _forward(*arguments, loss, logsumexp, None, None, None)


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
    if target.size:
        weight = _weight(weight)
        total = _total(weight, label_smoothing)
        with written(out[0]) as loss, written(out[1]) as logsumexp, written(out[2]) as dx:
            arguments = (contiguous(logits), contiguous(target), weight, ignore_index, label_smoothing)
            _forward(*arguments, loss, logsumexp, contiguous(scale), total, dx)


def _forward(logits: Array, target: Array, *arguments: Any) -> None:
    """Launch the kernel of ``cross_entropy.cu`` for contiguous logits of this shape."""
    dtype = logits.dtype
    positions, classes, span = _sizes(logits.shape, target.size)
    lanes, grid, block = 1, blocks(positions, 1), _LONG_BLOCK
    if span > 1:
        kind, block = "columns", _COLUMN_BLOCK
        grid = blocks(-(-positions // _width(dtype, span)), _COLUMN_BLOCK)
    elif classes <= WARP * held(dtype):
        kind, lanes, block = "lanes", _lanes(dtype, classes), BLOCK
        grid = blocks(positions * lanes, BLOCK)
    elif classes <= _LONG_BLOCK * held(dtype):
        kind, block = "block", -(-classes // (held(dtype) * WARP)) * WARP
    else:
        kind = "long"
    at = _record(positions, classes, span, classes, lanes)
    launch("cross_entropy", f"cross_entropy_{kind}", dtype, grid, block, at, logits, target, *arguments)


def _total(weight: Array | None, label_smoothing: float) -> Array | None:
    """The sum of the weights where the gradient needs it; without any it is the number of classes."""
    if weight is None or not label_smoothing:
        return None
    total = empty((1,), accumulator(weight.dtype), like=weight)
    launch("loss_backward", "total_of_weights", weight.dtype, 1, BLOCK, weight, total, weight.size)
    return total


def _backward_walk(shape: tuple[int, ...], positions: int, dtype: np.dtype[Any]) -> tuple[str, Any, int, Any]:
    """Which kernel a backward pass takes, with its grid, block and ``Classes``."""
    positions, classes, span = _sizes(shape, positions)
    if span == 1:
        each = min(classes, _PIECE)
        lanes = _lanes(dtype, each)
        grid = blocks(positions * -(-classes // each) * lanes, BLOCK)
        return "rows", grid, BLOCK, _record(positions, classes, span, each, lanes)
    strips = blocks(-(-positions // _width(dtype, span)), _COLUMN_BLOCK)
    # What is read once a position must be worth it.
    pieces = max(1, min(-(-ENOUGH // strips), classes // 64))
    each = -(-classes // pieces)
    record = _record(positions, classes, span, each, 1)
    return "columns", (strips, -(-classes // each)), _COLUMN_BLOCK, record


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
    if out.size == 0:
        return
    dtype, weight = logits.dtype, _weight(weight)
    kind, grid, block, at = _backward_walk(logits.shape, target.size, dtype)
    total = _total(weight, label_smoothing)
    arrays = [contiguous(each) for each in (grad, logits, target, logsumexp)]
    with written(out) as dx:
        arguments = (*arrays, weight, total, ignore_index, label_smoothing, dx)
        launch("loss_backward", f"cross_entropy_backward_{kind}", dtype, grid, block, at, *arguments)


def nll_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    out: tuple[Array, Array],
) -> None:
    dtype, how = x.dtype, _REDUCTIONS[reduction]
    positions, classes, span = _sizes(x.shape, target.size)
    at = _record(positions, classes, span, classes, 1)
    grid = min(-(-max(positions, 1) // BLOCK), ENOUGH)
    with written(out[0]) as loss, written(out[1]) as total:
        partial = empty((grid, 2), accumulator(dtype), like=x) if grid > 1 else None
        arguments = (contiguous(x), contiguous(target), _weight(weight), ignore_index, how, loss, total, partial)
        launch("loss", "nll_loss", dtype, grid, BLOCK, at, *arguments)
        if grid > 1:
            launch("loss", "nll_loss_final", dtype, 1, BLOCK, partial, grid, how, loss, total)


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
    dtype = grad.dtype
    kind, grid, block, at = _backward_walk(tuple(input_shape), target.size, dtype)
    total = contiguous(total_weight) if reduction == "mean" else None
    with written(out) as dx:
        arguments = (contiguous(grad), reduction == "none", contiguous(target), total, _weight(weight), ignore_index)
        launch("loss_backward", f"nll_loss_backward_{kind}", dtype, grid, block, at, *arguments, dx)
