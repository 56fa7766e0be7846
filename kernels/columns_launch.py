"""How columns of an array (outer, n, inner) meet threads: the launches of kernels that take a ``Columns`` of csrc."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .cuda_launch import BLOCK, ENOUGH, WARP, blocks, size

_RECORD = np.dtype([("outer", "i8"), ("n", "i8"), ("inner", "i8")])
_SECTOR = 32  # bytes of memory that are read at once
_ROWS = 8  # of a column that a thread takes, where there are threads enough
_MOST_THREADS = 1024  # kColumnThreads of columns.cuh


class Plan(NamedTuple):
    """The kernel's ``Columns``, its grid and its block of (lanes, rows) threads."""

    at: Any
    grid: int
    block: tuple[int, int]

    def holds(self, items: int) -> bool:
        """Whether a block holds its columns in registers, ``items`` elements a thread."""
        return int(self.at["n"]) <= items * self.block[1]


def plan(shape: tuple[int, ...], dim: int, itemsize: int) -> Plan | None:
    """The launch over the columns of a contiguous array along ``dim``; None for too few to read whole sectors."""
    outer, n, inner = size(shape[:dim]), shape[dim], size(shape[dim + 1 :])
    least = max(_SECTOR // itemsize, 8)
    if inner < least:
        return None
    lanes = max(WARP, BLOCK // _rows(n, 1))
    while lanes > least and outer * -(-inner // lanes) * lanes * _rows(n, lanes) < ENOUGH * BLOCK:
        lanes //= 2
    at = np.array((outer, n, inner), _RECORD)[()]
    return Plan(at, blocks(outer * -(-inner // lanes), 1), (lanes, _rows(n, lanes)))


def _rows(n: int, lanes: int) -> int:
    """Threads that share a column: a power of two."""
    return int(min(1 << (-(-n // _ROWS) - 1).bit_length(), _MOST_THREADS // lanes))
