"""Launches of ``csrc/kernels/layer_norm.cu`` and ``layer_norm_backward.cu``: which kernel a length of rows takes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from ..cuda_launch import ACCESS, BLOCK, ENOUGH, WARP, blocks, contiguous, empty, held, launch, written
from ..dtypes import accumulator
from ..norm.channels import moments, parameter

Array = Any
DType = np.dtype[Any]

_MOST_THREADS = 512  # kMostThreads of layer_norm_backward.cu, and of a block that keeps weight and bias
_MOST_THREADS_FORWARD = 1024
_WARPS = 8  # kWarps of layer_norm_backward.cu
_PIECE = 16_384  # elements of a long row that a block sums


def _team(n: int, each: int) -> int:
    """Threads of full warps that hold a row of n elements, ``each`` a thread."""
    return max(1, -(-n // (each * WARP))) * WARP


def _strips(rows: int, n: int, items: int) -> tuple[int, int, int]:
    """Blocks along and across long rows, and of how many rows each takes its strip, ``items`` elements a thread."""
    strips = -(-n // (BLOCK * items))
    each = -(-rows // max(1, min(rows, ENOUGH // strips)))
    return strips, -(-rows // each), each


def _forward(
    name: str, x: Array, weight: Array | None, bias: Array | None, eps: float, results: tuple[Array, ...]
) -> None:
    """Results are y, the mean where the form is centred, and rstd."""
    rows = results[-1].size
    if rows == 0:
        return
    dtype, n, x = x.dtype, x.size // rows, contiguous(x)
    w, b = parameter(weight, dtype), parameter(bias, dtype)
    with ExitStack() as stack:
        y, *statistics = [stack.enter_context(written(each)) for each in results]
        team = _team(n, held(dtype))
        parameters = (*w, *b) if len(statistics) == 2 else w
        if team <= _MOST_THREADS_FORWARD:
            warp = team == WARP
            kind = "warp" if warp else "block" if team <= _MOST_THREADS else "large_block"
            # Each block keeps the parameters for all its rows: no more blocks than keep a GPU's memory busy.
            threads = BLOCK if warp else team
            most = ENOUGH if warp else max(ENOUGH * BLOCK // threads // 2, ENOUGH // 2)
            grid = min(-(-rows // (BLOCK // WARP)) if warp else rows, most)
            arguments = (x, *parameters, y, *statistics, rows, n, eps)
            launch("layer_norm", f"{name}_{kind}", dtype, grid, threads, *arguments)
            return
        mean = statistics[0] if len(statistics) == 2 else None
        moments(x, 1, rows, n, mean, statistics[-1], eps)
        strips, parts, each = _strips(rows, n, held(dtype))
        arguments = (x, *w, *b, y, mean, statistics[-1], rows, n, each)
        launch("layer_norm", "normalize_long", dtype, (strips, parts), BLOCK, *arguments)


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: Any,
    eps: float = 1e-5,
    out: tuple[Array, ...],
) -> None:
    _forward("layer_norm", x, weight, bias, eps, out)


def rms_norm(
    x: Array, weight: Array | None = None, *, normalized_shape: Any, eps: float, out: tuple[Array, ...]
) -> None:
    _forward("rms_norm", x, weight, None, eps, out)


def _backward(
    name: str,
    grad: Array,
    x: Array,
    weight: Array | None,
    mean: Array | None,
    rstd: Array,
    results: tuple[Array, ...],
) -> None:
    """Results are dx, dweight and, where the form is centred, dbias."""
    rows, n, dtype = rstd.size, results[1].size, x.dtype
    if n == 0:
        return
    grad, x = contiguous(grad), contiguous(x)
    w, m, r = parameter(weight, dtype), parameter(mean, dtype), parameter(rstd, dtype)
    statistics = r if mean is None else (*m, *r)
    team = _team(n, held(dtype))
    with ExitStack() as stack:
        dx, *gradients = [stack.enter_context(written(each)) for each in results]

        def partial(parts: int) -> list[Array]:
            return [empty((parts, n), accumulator(dtype), like=dx) for _ in gradients]

        if rows == 0:
            parts, sums = 0, partial(0)
        elif team <= _MOST_THREADS:
            kind, threads, rows_each = ("warp", BLOCK, _WARPS) if team == WARP else ("block", team, 1)
            # Each block writes a partial row, which rows enough must pay for; fewer blocks leave a GPU idle.
            most = max(ENOUGH * BLOCK // threads // 4, ENOUGH // 2)
            parts = min(-(-rows // rows_each), most, max(rows // (16 * rows_each), ENOUGH // 2))
            sums = partial(parts)
            arguments = (grad, x, *w, *statistics, dx, *sums, rows, n)
            launch("layer_norm_backward", f"{name}_{kind}", dtype, parts, threads, *arguments)
        else:
            parts, sums = _backward_long(grad, x, w, m, r, dx, partial, rows, n)
        both = (sums[0], sums[-1], gradients[0], gradients[-1], gradients[0].dtype != dtype)
        grid = (blocks(n, 32), len(gradients))
        launch("layer_norm_backward", "parameters_final", dtype, grid, (32, 8), *both, parts, n)


def _backward_long(
    grad: Array, x: Array, w: Any, m: Any, r: Any, dx: Array, partial: Any, rows: int, n: int
) -> tuple[int, list[Array]]:
    dtype = x.dtype
    width = ACCESS // dtype.itemsize
    pieces = max(1, min(-(-n // _PIECE), -(-ENOUGH // rows)))
    each = -(-n // (pieces * width)) * width
    pieces = -(-n // each)
    row_sums = empty((rows, 2, pieces), accumulator(dtype), like=x)
    arguments = (grad, x, *w, *m, *r, row_sums, rows, n, each)
    launch("layer_norm_backward", "row_sums", dtype, (blocks(rows, 1), pieces), BLOCK, *arguments)
    gradients = empty((rows, 4), accumulator(dtype), like=x)
    grid = -(-rows * WARP // BLOCK)
    launch("layer_norm_backward", "row_final", dtype, grid, BLOCK, *m, *r, row_sums, gradients, rows, n, pieces)
    strips, parts, rows_each = _strips(rows, n, held(dtype, 2))
    sums = partial(parts)
    outputs = (dx, sums[0], sums[1] if len(sums) == 2 else None)
    arguments = (grad, x, *w, gradients, *outputs, rows, n, rows_each)
    launch("layer_norm_backward", "backward_long", dtype, (strips, parts), BLOCK, *arguments)
    return parts, sums


def layer_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array, *, out: tuple[Array, ...]
) -> None:
    _backward("layer_norm_backward", grad, x, weight, mean, rstd, out)


def rms_norm_backward(grad: Array, x: Array, weight: Array | None, rstd: Array, *, out: tuple[Array, ...]) -> None:
    _backward("rms_norm_backward", grad, x, weight, None, rstd, out)
