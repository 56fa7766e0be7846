"""Launches of ``csrc/kernels/random_sort.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, empty, launch
from ..dtypes import int32, int64
from ..scan import cuda as scan

Array = Any

_TILE = 2048  # kTile of random_sort.cu
_DIGIT = 8  # bits
_UINT64 = np.dtype("uint64")


def sort(keys: Array, below: int, order: Array | None = None) -> tuple[Array, Array]:
    """Keys in ascending order, equal ones in the order in which they stand, and where each stood.

    Args:
        keys: uint64, 1-D, not empty, each less than ``below``; they stay as they are.
        below: what all keys are less than, at least 1.
        order: int64, contiguous: memory for the second result.

    Returns:
        The sorted keys and int64 ``order`` with ``sorted[i] = keys[order[i]]``.
    """
    n = keys.size
    tiles = -(-n // _TILE)
    passes = max(-(-(below - 1).bit_length() // _DIGIT), 1)
    counts, up_to = (empty((256 * tiles,), each, like=keys) for each in (int32, int64))
    other_keys = [empty((n,), _UINT64, like=keys) for _ in range(min(passes, 2))]
    other_orders = [empty((n,), int64, like=keys) for _ in range(min(passes - 1, 2))]
    source: tuple[Array, Array | None] = (keys, None)
    for number in range(passes):
        last = number == passes - 1
        target_order = order if last and order is not None else None
        if target_order is None:
            target_order = empty((n,), int64, like=keys) if last else other_orders[number % 2]
        target = other_keys[number % 2], target_order
        launch("random_sort", "count", None, tiles, BLOCK, source[0], counts, n, number * _DIGIT)
        scan.cumsum(counts, dim=0, out=up_to)
        arguments = (*source, counts, up_to, *target, n, number * _DIGIT)
        launch("random_sort", "place", None, tiles, BLOCK, *arguments)
        source = target
    return target
