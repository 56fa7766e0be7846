"""What the attention kernels of the backend ``numba_cuda`` share: tiles of rows, products of tiles, masks.

A block has `ROWS` x `ROWS` threads and takes as many rows of queries with as many of keys at a time; a thread computes
one score. Of results it takes `WIDTH` features, and a thread `COLUMNS` of them in one row.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..numba_launch import cuda, device, simulated

Array = Any

ROWS = 4 if simulated() else 16
COLUMNS = 2 if simulated() else 4
WIDTH = ROWS * COLUMNS
PADDED = ROWS + 1  # threads that read one column of a tile meet different banks

NO_MASK, KEPT, ADDED = range(3)


@functools.cache
def tile_product(real: Any) -> Any:
    """The device function for the inner product of x's row ``first_x + threadIdx.y`` and y's ``first_y + threadIdx.x``.

    ``at_x`` and ``at_y`` are (start, row step, column step); rows from ``rows_x`` and ``rows_y`` on count as zeros.
    """

    @device
    def product_of_tiles(
        x: Array, at_x: Any, first_x: int, rows_x: int, y: Array, at_y: Any, first_y: int, rows_y: int, depth: int,
        left: Array, right: Array,
    ) -> Any:  # fmt: skip
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        total = real(0)
        for begin in range(0, depth, ROWS):
            column = begin + across
            value = real(0)
            if first_x + down < rows_x and column < depth:
                value = real(x[at_x[0] + (first_x + down) * at_x[1] + column * at_x[2]])
            left[down, across] = value
            value = real(0)
            if first_y + down < rows_y and column < depth:
                value = real(y[at_y[0] + (first_y + down) * at_y[1] + column * at_y[2]])
            right[down, across] = value
            cuda.syncthreads()
            for k in range(ROWS):
                total += left[down, k] * right[across, k]
            cuda.syncthreads()
        return total

    return product_of_tiles


@functools.cache
def load_tile(real: Any) -> Any:
    """The device function that fills a tile with `ROWS` rows and `WIDTH` columns of x, zeros beyond its ends."""

    @device
    def load(x: Array, at: Any, first: int, rows: int, first_column: int, columns: int, tile: Array) -> None:
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        row = first + down
        for j in range(COLUMNS):
            column = first_column + across + j * ROWS
            value = real(0)
            if row < rows and column < columns:
                value = real(x[at[0] + row * at[1] + column * at[2]])
            tile[down, across + j * ROWS] = value

    return load


@functools.cache
def masked_score(real: Any) -> Any:
    """The device function for a score after the masks: -inf where the query does not take the key."""
    never = real(-np.inf)

    @device
    def score_of(score: Any, row: int, column: int, causal: int, kind: int, mask: Array, at: Any) -> Any:
        if causal and column > row:
            return never
        if kind == KEPT:
            return score if real(mask[at[0] + row * at[1] + column * at[2]]) != real(0) else never
        if kind == ADDED:
            return score + real(mask[at[0] + row * at[1] + column * at[2]])
        return score

    return score_of


@device
def moved(at: Any, by: int) -> Any:
    """(start, row step, column step) with the start moved."""
    return at[0] + by, at[1], at[2]
