"""Launches of ``csrc/kernels/conv.cu``: direct for few terms a result, implicit GEMM for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, MOST_BLOCKS, contiguous, flat_grid, launch, tile_for, tile_grid, written
from ..matmul.contract import ACTIVATIONS
from .contract import as_pair, output_size

Array = Any
Pair = Any  # an int or two

_DIRECT = 32  # terms of a result, up to which a tile of a product would be mostly empty

_FIELDS = (
    "images", "groups", "c", "h", "w", "k", "p", "q", "r", "s",
    "stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w",
)  # fmt: skip
_SHAPE = np.dtype([(name, "i4") for name in _FIELDS])


def _shape(
    x: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """The ``Shape`` of a convolution of (N, C, H, W) with (K, C/groups, R, S)."""
    n, _, h, w = x
    k, c, r, s = weight
    steps, border, spread = as_pair(stride), as_pair(padding), as_pair(dilation)
    p, q = output_size("conv2d", (h, w), (r, s), steps, border, spread)
    return np.array((n, groups, c, h, w, k // groups, p, q, r, s, *steps, *border, *spread), _SHAPE)[()]


def _launch(name: str, shape: Any, m: int, n: int, *arguments: Any) -> None:
    """The implicit GEMM ``name`` with an m by n result for each group."""
    tile = tile_for(m, n)
    grid = (tile_grid(tile, m, n), min(int(shape["groups"]), MOST_BLOCKS))
    launch("conv", f"{name}_{tile[0]}", arguments[-1].dtype, grid, tile[2], shape, *arguments)


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Array,
) -> None:
    if out.size == 0:
        return
    n, k, p, q = out.shape
    shape = _shape(x.shape, weight.shape, stride, padding, dilation, groups)
    arrays = (contiguous(x), contiguous(weight), None if bias is None else contiguous(bias))
    with written(out) as result:
        arguments = (*arrays, ACTIVATIONS.index(activation), result)
        if weight.size // k <= _DIRECT and k // groups < 16:
            launch("conv", "forward_direct", out.dtype, flat_grid(out.size), BLOCK, shape, *arguments)
        else:
            _launch("forward", shape, n * p * q, k // groups, *arguments)


def conv2d_dgrad(
    grad: Array,
    weight: Array,
    *,
    input_size: tuple[int, int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    out: Array,
) -> None:
    if out.size == 0:
        return
    n, _, h, w = out.shape
    shape = _shape(out.shape, weight.shape, stride, padding, dilation, groups)
    with written(out) as result:
        _launch("dgrad", shape, n * h * w, weight.shape[1], contiguous(grad), contiguous(weight), result)


def conv2d_wgrad(
    grad: Array,
    x: Array,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    out: Array,
) -> None:
    if out.size == 0:
        return
    k, c, r, s = out.shape
    shape = _shape(x.shape, out.shape, stride, padding, dilation, groups)
    with written(out) as result:
        _launch("wgrad", shape, k // groups, c * r * s, contiguous(grad), contiguous(x), result)
