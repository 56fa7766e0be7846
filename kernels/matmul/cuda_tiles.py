"""The tile of a matrix product on a GPU: which ones there are for it, and which one `pyneural tune` found best."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

from .. import tuning
from ..cuda_gemm import LARGE, MEDIUM, SMALL, TF32, Tile, architecture, multiprocessors, tile_for
from ..cuda_memory import is_host
from ..dtypes import bfloat16, float32
from ..precision import get_float32_matmul_precision
from . import cuda_hopper
from .cuda_hopper import WgmmaTile

Array = Any

_forced: list[str] = []


def fitting(m: int, n: int, inner: int, like: Array) -> dict[str, Tile | WgmmaTile]:
    """By name, the tiles that can compute an m by n result such as ``like``; the one used without tuning first.

    Their accumulators fit the registers in this dtype, the GPU has their instructions, and they compute float32 in the
    precision that is set. Those of `WgmmaTile` need operands that TMA can describe besides.
    """
    number = architecture(like)
    if like.dtype == bfloat16 and number < (8, 0):
        return {SMALL.name: SMALL}
    precise = like.dtype != float32 or number < (8, 0)
    by_precision = {} if precise else TF32.get(get_float32_matmul_precision(), {})
    sizes = (SMALL, MEDIUM) if like.dtype.itemsize == 8 else (SMALL, MEDIUM, LARGE)
    tiles: list[Tile | WgmmaTile] = [tile_for(m, n, 1, like), *(by_precision.get(each, each) for each in sizes)]
    if cuda_hopper.worth(m, n, inner, like):
        usual = cuda_hopper.tile_for(m, n, 1, multiprocessors(like))
        tiles = [usual, cuda_hopper.WIDE, cuda_hopper.SQUARE, cuda_hopper.PAIR, *tiles]
    return {each.name: each for each in tiles}


def chosen(m: int, n: int, inner: int, products: int, like: Array) -> Tile | WgmmaTile | None:
    """The tile that is forced, or was found best on this GPU; None where nobody chose one, as for batches."""
    if _forced:
        found = fitting(m, n, inner, like)
        if _forced[-1] not in found:
            raise ValueError(f"matmul: the tile {_forced[-1]!r} is none of {', '.join(found)}")
        return found[_forced[-1]]
    if products != 1 or is_host(like):
        return None
    name = tuning.tile(key(m, n, inner, like))
    if name is None:
        return None
    tiles = fitting(m, n, inner, like)
    if name not in tiles:
        _warn(name, key(m, n, inner, like), ", ".join(tiles))
    return tiles.get(name)


@functools.cache
def _warn(name: str, key: str, known: str) -> None:
    """Once each."""
    warnings.warn(
        f"{tuning.path()}: {name!r} is no tile for {key!r} (there are {known}); run `pyneural tune` again", stacklevel=4
    )


def key(m: int, n: int, inner: int, like: Array) -> str:
    """Of the winner for such a product on the GPU of ``like``."""
    precision = get_float32_matmul_precision() if like.dtype == float32 else "highest"
    return tuning.tile_key(_card(like.data.device_id), m, n, inner, like.dtype, precision)


@functools.cache
def _card(index: int) -> str:
    from pyneural import cuda

    return cuda.get_device_name(index)


@contextlib.contextmanager
def forced(name: str) -> Iterator[None]:
    """Let every product use the tile of this name inside the ``with`` block; ValueError where it has none such."""
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()
