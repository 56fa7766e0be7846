"""Launches of ``csrc/kernels/winograd.cu``: float32 convolutions with 3x3 filters at stride 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import DIVIDER, MOST_BLOCKS, contiguous, divider, empty, launch, written
from ..dtypes import float32
from ..matmul.contract import ACTIVATIONS
from .contract import FEWEST_TILED

Array = Any

# Constants of winograd.cu.
_OUTS, _TILES, _INNER, _PARTS, _THREADS = 64, 32, 4, 16, 256
_FILTER_OUTS, _FILTER_INS = 32, 8

MOST_TILES = 2**31 - _TILES  # flat indices of tiles, of whole blocks, are ints

_SIZES = ("groups", "ins", "outs", "height", "width", "result_height", "result_width", "pad_height", "pad_width")
_RECORD = np.dtype(
    [(name, "i4") for name in (*_SIZES, "tiles", "padded_ins", "padded_outs", "back")]
    + [("by_high", DIVIDER), ("by_wide", DIVIDER)]
)


def fits(
    weight: Array, ins: int, outs: int, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> bool:
    """Whether a convolution (or its gradient for the images) of ``ins`` to ``outs`` channels a group is for `run`."""
    return (
        weight.dtype == float32
        and weight.shape[2:] == (3, 3)
        and tuple(stride) == tuple(dilation) == (1, 1)
        and max(padding) <= 2
        and ins >= FEWEST_TILED
        and outs > _OUTS // 2  # else most of a block's channels would be none
    )


def run(
    x: Array,
    weight: Array,
    bias: Array | None,
    activation: str | None,
    out: Array,
    padding: Sequence[int],
    groups: int,
    *,
    back: bool,
) -> None:
    """The convolution of x, or with ``back`` the gradient for the images of the one with ``padding``.

    The error is bounded by the largest input of each 4x4 tile, where that of a sum is by the inputs under the filter.

    Raises ValueError where the images have more than `MOST_TILES` tiles of 2x2 results.
    """
    ins, outs = x.shape[1] // groups, out.shape[1] // groups
    high, wide = (-(-side // 2) for side in out.shape[2:])
    tiles = x.shape[0] * high * wide
    if tiles > MOST_TILES:
        raise ValueError(f"conv2d: {tiles} tiles of 2x2 results are more than {MOST_TILES}")
    shape = np.zeros((), _RECORD)
    pads = [2 - each if back else each for each in padding]
    for name, value in zip(_SIZES, (groups, ins, outs, *x.shape[2:], *out.shape[2:], *pads), strict=True):
        shape[name] = value
    padded_ins, padded_outs = -(-ins // _INNER) * _INNER, -(-outs // _OUTS) * _OUTS
    shape["tiles"], shape["padded_ins"], shape["padded_outs"], shape["back"] = tiles, padded_ins, padded_outs, back
    shape["by_high"], shape["by_wide"] = divider(high), divider(wide)
    whole = shape[()]
    transformed = empty((groups, padded_ins, _PARTS, padded_outs), float32, like=x)
    filters = contiguous(weight)
    layers = min(groups, MOST_BLOCKS)
    grid = padded_outs // _FILTER_OUTS, -(-padded_ins // _FILTER_INS), layers
    launch("winograd", "winograd_filters", None, grid, _FILTER_OUTS * _FILTER_INS, whole, filters, transformed)
    arrays = contiguous(x), filters, transformed, None if bias is None else contiguous(bias)
    grid = -(-tiles // _TILES), padded_outs // _OUTS, layers
    with written(out) as result:
        launch("winograd", "winograd", None, grid, _THREADS, whole, *arrays, ACTIVATIONS.index(activation), result)
