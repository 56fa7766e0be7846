"""Launches of padding: ``remap`` of ``csrc/kernels/layout.cu``, and its gradient, ``csrc/kernels/padding.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, contiguous, empty, flat_grid, launch, size, written
from ..layout.cuda_remap import Pieces, remap

Array = Any

_DIMS = 3  # kDims of padding.cu
_FOLD = np.dtype([(name, "i8", (_DIMS,)) for name in ("n", "padded", "before", "low", "high")])
_MODES = {"reflect": 0, "replicate": 1, "circular": 2}


def pad(x: Array, *, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0, out: Array) -> None:
    if out.size == 0:
        return
    dims = [
        _pieces(mode, n, *each) if any(each) else None for n, each in zip(x.shape, _amounts(pad, x.ndim), strict=True)
    ]
    remap("pad", x, dims, out, value)


def _amounts(pad: tuple[int, ...], ndim: int) -> list[tuple[int, int]]:
    """(before, after) of each dimension in order."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _pieces(mode: str, n: int, before: int, after: int) -> Pieces:
    """The input's coordinates along a padded dimension."""
    low, high = max(-before, 0), n - max(-after, 0)
    if mode == "constant":
        if high <= low:  # nothing is left
            return ((-1, n + before + after, 0),)
        first, last = (-1, before, 0), (-1, after, 0)
    elif mode == "reflect":
        first, last = (before, before, -1), (n - 2, after, -1)
    elif mode == "replicate":
        first, last = (0, before, 0), (n - 1, after, 0)
    else:
        first, last = (high - before, before, 1), (low, after, 1)
    return tuple(each for each in (first, (low, high - low, 1), last) if each[1] > 0)


def pad_backward(grad: Array, *, pad: tuple[int, ...], mode: str, input_shape: tuple[int, ...], out: Array) -> None:
    if out.size == 0:
        return
    by = _amounts(pad, out.ndim)
    last = out.ndim
    folded = contiguous(grad)
    with written(out) as result:
        # The last dimensions first, three at a time, down to the outermost padded one.
        while True:
            first = max(last - _DIMS, 0)
            done = not any(any(each) for each in by[:first])
            shape = (*folded.shape[:first], *input_shape[first:last], *folded.shape[last:])
            target = result if done else empty(shape, out.dtype, like=out)
            _fold(folded, target, by[first:last], mode, size(folded.shape[last:]), input_shape[first:last])
            if done:
                return
            folded, last = target, first


def _fold(grad: Array, out: Array, by: list[tuple[int, int]], mode: str, inner: int, sizes: tuple[int, ...]) -> None:
    record = np.zeros((), _FOLD)
    missing = _DIMS - len(by)
    for d, (n, (before, after)) in enumerate(zip((1,) * missing + tuple(sizes), [(0, 0)] * missing + by, strict=True)):
        record["n"][d], record["padded"][d], record["before"][d] = n, n + before + after, before
        record["low"][d], record["high"][d] = max(-before, 0), n - max(-after, 0)
    launch(
        "padding", "pad_backward", grad.dtype, flat_grid(out.size), BLOCK,
        record[()], grad, out, out.size, inner, _MODES[mode],
    )  # fmt: skip
