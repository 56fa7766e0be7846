"""How the CUDA kernels walk through an array (planes, channels, span): the launch geometry of ``channels.cuh``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cuda_launch import ACCESS, BLOCK, ENOUGH, WARP, blocks, contiguous, empty, launch
from ..dtypes import accumulator

Array = Any
DType = np.dtype[Any]

ROWS = 8  # kRows of channels.cuh
_SHORT_SPAN = 128  # bytes: a shorter span fills no access of a warp
_ODD_SPAN = 2048  # bytes: shorter ones that are no multiple of an access waste parts of many
_LEAST = 8  # accesses of a thread before a channel is cut into more pieces
_FIELDS = np.dtype([(name, "i8") for name in ("planes", "channels", "span", "planes_each", "span_each")])
_PLACES = np.dtype([("images", "i8"), ("group", "i8")])


@dataclass(frozen=True)
class Walk:
    """A launch: ``kind`` ("planes" or "columns") of kernel, its grid and block, and its ``Channels``."""

    kind: str
    grid: tuple[int, int]
    block: tuple[int, int]
    channels: Any

    def partial(self, values: int, x: Array) -> Array:
        """Memory beside ``x`` for what the first level leaves: ``values`` for each piece of each channel or column."""
        across = 1 if self.kind == "planes" else int(self.channels["span"])
        count = int(self.channels["channels"]) * across * self.grid[1] * values
        return empty((count,), accumulator(x.dtype), like=x)

    @property
    def final_launch(self) -> tuple[int, Any]:
        """Grid and block of the second level: a warp a channel, or a block for `WARP` channels."""
        channels = int(self.channels["channels"])
        if self.kind == "planes":
            return -(-channels * WARP // BLOCK), BLOCK
        return -(-channels // WARP), (WARP, ROWS)


def record(planes: int, channels: int, span: int, planes_each: int, span_each: int) -> Any:
    """``Channels`` of channels.cuh."""
    return np.array((planes, channels, span, planes_each, span_each), _FIELDS)[()]


def walk(planes: int, channels: int, span: int, dtype: DType, *, sums: bool) -> Walk:
    """How to walk through an array of these sizes, none of which is 0; ``sums`` if a value a piece is left behind."""
    width = ACCESS // dtype.itemsize
    nbytes, columns = span * dtype.itemsize, channels * span
    # Sums of columns are a value each, which pays where they have many rows.
    odd = nbytes < _ODD_SPAN and span % width != 0 and planes >= (32 * ROWS if sums else ROWS)
    if planes > 1 and (nbytes <= _SHORT_SPAN or odd):
        each = width if columns % width == 0 else 1
        strips = blocks(-(-columns // (WARP * each)), 1)
        pieces = max(1, min(-(-ENOUGH // strips), planes // (ROWS * _LEAST)))
        planes_each = -(-planes // pieces)
        at = record(planes, channels, span, planes_each, span)
        return Walk("columns", (strips, -(-planes // planes_each)), (WARP, ROWS), at)
    each = width if span % width == 0 else 1
    along = min(BLOCK, 1 << (-(-span // each) - 1).bit_length())
    pieces = max(1, min(-(-ENOUGH // channels), planes * span // (BLOCK * each * _LEAST)))
    planes_each = -(-planes // min(pieces, planes))
    plane_pieces = -(-planes // planes_each)
    span_each = -(-span // max(1, pieces // plane_pieces))
    span_each = -(-span_each // (BLOCK * width)) * BLOCK * width
    pieces = plane_pieces * -(-span // span_each)
    at = record(planes, channels, span, planes_each, span_each)
    return Walk("planes", (channels, pieces), (along, BLOCK // along), at)


def places(images: int = 0, group: int = 1) -> Any:
    """Where statistics lie (``Places2``): by default one a channel."""
    return np.array((images, group), _PLACES)[()]


def parameter(x: Array | None, dtype: DType) -> tuple[Array | None, bool]:
    """The two arguments of a kernel of elements of ``dtype`` for a parameter: its memory, and whether it is wide."""
    if x is None:
        return None, False
    return contiguous(x), bool(x.dtype != dtype)


def moments(x: Array, planes: int, channels: int, span: int, mean: Array | None, rstd: Array, eps: float) -> None:
    """Mean (None: 0) and ``1 / sqrt(variance + eps)`` of each channel of contiguous ``x``, in contiguous memory."""
    plan = walk(planes, channels, span, x.dtype, sums=True)
    dtype, pieces, (grid, block) = x.dtype, plan.grid[1], plan.final_launch
    if mean is None:
        partial = plan.partial(3, x)
        launch("moments", "squares_planes", dtype, plan.grid, plan.block, plan.channels, x, partial)
        launch("moments", "squares_final_planes", dtype, grid, block, partial, rstd, channels, pieces, eps)
    elif plan.kind == "planes":
        partial = plan.partial(3, x)
        launch("moments", "moments_planes", dtype, plan.grid, plan.block, plan.channels, x, partial)
        launch("moments", "moments_final_planes", dtype, grid, block, partial, mean, rstd, channels, pieces, eps)
    else:
        partial, sizes = plan.partial(2, x), plan.channels
        launch("moments", "moments_columns", dtype, plan.grid, plan.block, sizes, x, partial)
        launch("moments", "moments_final_columns", dtype, grid, block, sizes, partial, mean, rstd, pieces, eps)


def sums(
    grad: Array, x: Array, sizes: tuple[int, int, int], at: Any, statistics: tuple[Any, ...], out: tuple[Array, Array]
) -> Array:
    """Sums of ``grad * z`` and of ``grad`` over each channel into contiguous ``out``; (channels, 2), both again.

    ``at`` says where each image's and channel's ``statistics`` lie, mean and rstd as `parameter` gives them.
    """
    plan = walk(*sizes, x.dtype, sums=True)
    dtype, (grid, block) = x.dtype, plan.final_launch
    partial, both = plan.partial(2, x), empty((sizes[1], 2), accumulator(dtype), like=x)
    arguments = (plan.channels, at, grad, x, *statistics, partial)
    launch("norm", f"sums_{plan.kind}", dtype, plan.grid, plan.block, *arguments)
    wide = bool(out[0].dtype != dtype)
    arguments = (plan.channels, partial, both, *out, wide, plan.grid[1])
    launch("norm", f"sums_final_{plan.kind}", dtype, grid, block, *arguments)
    return both
