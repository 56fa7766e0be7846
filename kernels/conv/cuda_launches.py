"""Launches of ``csrc/kernels/conv.cu`` in 2 and 3 dimensions: direct for few terms a result, else implicit GEMM.

3x3 filters at stride 1 in float32 are another kernel's, unless a tf32 main loop is asked for: see `cuda_winograd`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_gemm import Tile, splits_for, tile_for, tile_grid
from ..cuda_launch import BLOCK, DIVIDER, MOST_BLOCKS, blocks, contiguous, divider, empty, flat_grid, launch, written
from ..dtypes import accumulator
from ..matmul.contract import ACTIVATIONS
from . import cuda_winograd

Array = Any

_DIRECT = 32  # terms of a result, up to which a tile of a product would be mostly empty
_MOST_PLACES = 2**31 - 1  # that a Divider takes


@functools.cache
def _record(dims: int) -> np.dtype[Any]:
    sizes = ("images", "groups", "c", "k", "image_size", "result_size", "taps_size")
    sides = ("image", "result", "taps", "stride", "pad", "dilation")
    fields: list[Any] = [(name, "i4") for name in sizes] + [(name, "i4", (dims,)) for name in sides]
    fields += [(f"by_{name}", DIVIDER, (dims,)) for name in ("image", "result", "taps", "stride")]
    return np.dtype([*fields, *((f"by_{name}", DIVIDER) for name in ("taps_size", "image_size", "result_size"))])


def _check_places(operation: str, image: tuple[int, ...], result: tuple[int, ...], weight: tuple[int, ...]) -> None:
    most = max(math.prod(each[2:]) for each in (image, result, weight)) * max(image[0], weight[0], weight[1])
    if most > _MOST_PLACES:
        raise ValueError(f"{operation}: {most} places of all images or filters are more than {_MOST_PLACES}")


def _shape(
    image: tuple[int, ...],
    result: tuple[int, ...],
    weight: tuple[int, ...],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Any:
    """The ``ConvShape`` of (N, C, ...) images, (N, K, ...) results and (K, C/groups, ...) weights."""
    dims = len(weight) - 2
    shape = np.zeros((), _record(dims))
    shape["images"], shape["groups"], shape["c"], shape["k"] = image[0], groups, weight[1], weight[0] // groups
    sides = {"image": image[2:], "result": result[2:], "taps": weight[2:], "stride": stride}
    for name, values in {**sides, "pad": padding, "dilation": dilation}.items():
        shape[name] = values
    for name, values in sides.items():
        shape[f"by_{name}"] = [divider(int(each)) for each in values]
    for name in ("image", "result", "taps"):
        size = math.prod(sides[name])
        shape[f"{name}_size"], shape[f"by_{name}_size"] = size, divider(size)
    return shape[()]


def _product(name: str, tile: Tile, m: int, n: int, shape: Any, splits: int, *arguments: Any) -> None:
    """The implicit GEMM ``name`` with an m by n result for each group."""
    kernel = f"{name}<{tile.name}, {len(shape['taps'])}>"
    grid = (tile_grid(tile, m, n), min(int(shape["groups"]), MOST_BLOCKS), splits)
    launch("conv", kernel, arguments[-1].dtype, grid, tile.threads, shape, *arguments, shared=tile.shared)


def forward(
    operation: str, x: Array, weight: Array, bias: Array | None, activation: str | None, out: Array,
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int, tile: Tile | None = None,
) -> None:  # fmt: skip
    """The convolution; ``tile`` is chosen by the sizes unless given."""
    if out.size == 0:
        return
    k = weight.shape[0] // groups
    places, terms = out.size // out.shape[1], math.prod(weight.shape[1:])
    chosen = tile or tile_for(k, places, groups, out)
    shapes = x.shape, out.shape, weight.shape
    _check_places(operation, *shapes)
    if tile is None and not chosen.tf32 and cuda_winograd.fits(weight, weight.shape[1], k, stride, padding, dilation):
        cuda_winograd.run(x, weight, bias, activation, out, padding, groups, back=False)
        return
    shape = _shape(*shapes, stride, padding, dilation, groups)
    arrays = (contiguous(x), contiguous(weight), None if bias is None else contiguous(bias))
    with written(out) as result:
        arguments = (*arrays, ACTIVATIONS.index(activation), result)
        if tile is None and terms <= _DIRECT and k < 16:
            launch("conv", f"forward_direct<{out.ndim - 2}>", out.dtype, flat_grid(out.size), BLOCK, shape, *arguments)
        else:
            _product("forward", chosen, k, places, shape, 1, *arguments)


def dgrad(
    operation: str, grad: Array, weight: Array, out: Array,
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int, tile: Tile | None = None,
) -> None:  # fmt: skip
    """The gradient for the images; ``tile`` is chosen by the sizes unless given."""
    if out.size == 0:
        return
    c, terms = weight.shape[1], weight.size // groups // weight.shape[1]
    places = out.size // out.shape[1]
    chosen = tile or tile_for(c, places, groups, out)
    shapes = out.shape, grad.shape, weight.shape
    _check_places(operation, *shapes)
    ins = weight.shape[0] // groups
    if tile is None and not chosen.tf32 and cuda_winograd.fits(weight, ins, c, stride, padding, dilation):
        cuda_winograd.run(grad, weight, None, None, out, padding, groups, back=True)
        return
    shape = _shape(*shapes, stride, padding, dilation, groups)
    with written(out) as result:
        arguments = (contiguous(grad), contiguous(weight), result)
        if tile is None and terms <= _DIRECT and c < 16:
            launch("conv", f"dgrad_direct<{out.ndim - 2}>", out.dtype, flat_grid(out.size), BLOCK, shape, *arguments)
        else:
            _product("dgrad", chosen, c, places, shape, 1, *arguments)


def wgrad(
    operation: str, grad: Array, x: Array, out: Array,
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int,
    tile: Tile | None = None, splits: int = 0,
) -> None:  # fmt: skip
    """The gradient for the weights; ``tile`` and ``splits`` are chosen by the sizes unless given."""
    if out.size == 0:
        return
    k, terms, places = out.shape[0] // groups, math.prod(out.shape[1:]), grad.size // max(grad.shape[1], 1)
    shapes = x.shape, grad.shape, out.shape
    _check_places(operation, *shapes)
    shape = _shape(*shapes, stride, padding, dilation, groups)
    with written(out) as result:
        arrays = (contiguous(grad), contiguous(x))
        if tile is None and terms <= _DIRECT and k < 16:
            name = f"wgrad_direct<{out.ndim - 2}>"
            launch("conv", name, out.dtype, blocks(out.size, 1), BLOCK, shape, *arrays, result)
            return
        tile = tile or tile_for(k, terms, groups, out)
        splits = splits or splits_for(tile, k, terms, places, groups)
        partial = None if splits == 1 else empty((splits, *out.shape), accumulator(out.dtype), like=out)
        _product("wgrad", tile, k, terms, shape, splits, splits, *arrays, partial, result)
        if partial is not None:
            launch("conv", "add_splits", out.dtype, flat_grid(out.size), BLOCK, partial, splits, out.size, result)
