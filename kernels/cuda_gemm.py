"""Launch geometry of the matrix products of ``csrc/include/pyneural/gemm.cuh``: tiles and splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .cuda_launch import blocks
from .dtypes import bfloat16, float16, float32
from .precision import get_float32_matmul_precision

Array = Any
DType = np.dtype[Any]

_FULL = 128
"""Blocks that occupy a large GPU: with fewer of them, a product takes smaller tiles or splits its inner dimension."""

LEAST_SPLIT = 256
"""Inner places that a split sums at least: partial sums are written to memory and read again."""

MOST_SPLITS = 64

simulated_architecture = (9, 0)
"""The compute capability of the GPU that the simulator stands for: it chooses the kernels."""

_SIMULATED_MULTIPROCESSORS = 132  # of an H100 SXM


def architecture(like: Array) -> tuple[int, int]:
    """The compute capability of the device that an array lives on, major and minor."""
    if isinstance(like, np.ndarray):
        return simulated_architecture
    number = str(like.device.compute_capability)
    return int(number[:-1]), int(number[-1])


def multiprocessors(like: Array) -> int:
    """How many multiprocessors the device has that an array lives on."""
    if isinstance(like, np.ndarray):
        return _SIMULATED_MULTIPROCESSORS
    return int(like.device.attributes["MultiProcessorCount"])


@dataclass(frozen=True)
class Tile:
    """A main loop of gemm_loops.cuh.

    Attributes:
        name: there. side: of the tile. threads: of a block. tf32: whether it rounds to tf32.
        shared: bytes of dynamic shared memory.
    """

    name: str
    side: int
    threads: int
    tf32: bool = False
    shared: int = 0

    def count(self, m: int, n: int) -> int:
        """Tiles of an m by n result."""
        return -(-m // self.side) * -(-n // self.side)


SMALL, MEDIUM, LARGE = Tile("Small", 16, 256), Tile("Medium", 64, 128), Tile("Large", 128, 256)

WARPGROUP = Tile("Warpgroup", 128, 256, shared=4 * (128 + 128) * 64 * 2)
"""In the place of `LARGE` for 16-bit elements on GPUs of compute capability 9.0."""


def fits(tile: Tile, dtype: DType) -> bool:
    """Whether a tile has an instance for an element type."""
    if tile == WARPGROUP:
        return dtype in (float16, bfloat16)
    return tile != LARGE or dtype.itemsize < 8  # the results of float64 would not fit the registers


TF32 = {
    precision: {each: Tile(f"{name}{each.name}", each.side, each.threads, tf32=True) for each in (MEDIUM, LARGE)}
    for precision, name in (("high", "Tf32x3"), ("medium", "Tf32"))
}
"""By `precision`, what stands for each tile where float32 is multiplied on tensor cores."""


def tile_for(m: int, n: int, products: int, like: Array) -> Tile:
    """The tile for m by n results such as ``like``, with the main loop that the precision asked for allows."""
    if like.dtype == bfloat16 and architecture(like) < (8, 0):
        return SMALL  # the others multiply on tensor cores, which know no bfloat16 before
    tile = _size_for(m, n, products, like.dtype)
    if tile is LARGE and like.dtype in (float16, bfloat16) and architecture(like) == (9, 0):
        return WARPGROUP
    if like.dtype != float32 or architecture(like) < (8, 0):
        return tile
    return TF32.get(get_float32_matmul_precision(), {}).get(tile, tile)


def _size_for(m: int, n: int, products: int, dtype: DType) -> Tile:
    """The largest tile that a result fills by half, and of which a GPU has enough to be full."""
    if min(m, n) <= MEDIUM.side // 2:
        return SMALL
    if min(m, n) <= LARGE.side // 2 or not fits(LARGE, dtype) or LARGE.count(m, n) * products < _FULL:
        return MEDIUM
    return LARGE


def splits_for(tile: Tile, m: int, n: int, inner: int, products: int) -> int:
    """Parts into which the inner dimension is cut, so that a thin product occupies a GPU; a matter of sizes alone."""
    wanted = _FULL // max(tile.count(m, n) * products, 1)
    return max(1, min(wanted, inner // LEAST_SPLIT, MOST_SPLITS))


def tile_grid(tile: Tile, m: int, n: int) -> int:
    """Blocks along x for an m by n result."""
    return blocks(tile.count(m, n), 1)
