"""Products that are too small to be laid out for several threads: a compiled entry reads the arrays itself.

Python needs microseconds to look at three arrays, to lay out the arguments of `gemm.products` and to allocate its
workspace, as long as such a product takes.
"""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from numba.core import types

from ..entry import KIND, Entries, address, elements, handle, is_array, length, rank, size, stride
from ..jit import jit
from ..parallel import run_compiled
from ..routine import call, table, word
from ..simd import CHOSEN, ROWS
from .gemm import Products, compiled_even_depth, pack_a, pack_b, products, serial_items, tile

MOST = 1 << 22
"""Multiplications up to which a product is not worth being laid out for several threads (measured on 2 cores)."""

PART = 1 << 18
"""Multiplications that a thread takes at a time, at least."""

COPIES = 2
"""Parts of a product whose ``b`` must be copied, which each does for itself."""

_ZERO = table([0])
_NO_OFFSET = _ZERO.buffer_info()[0]
_COUNT = len(Products._fields)
_items = jit(serial_items, inline=True)


class _Routines(dict[np.dtype[Any], int]):
    """Address of a table of those that a product of a dtype needs, and of where its offset is, which is 0."""

    def __init__(self) -> None:
        super().__init__()
        self._tables: list[array.array[int]] = []

    def __missing__(self, dtype: np.dtype[Any]) -> int:
        if dtype.char not in "fd":
            return 0
        made = table([products[dtype], pack_b[dtype], pack_a[dtype], tile[dtype], _NO_OFFSET])
        self._tables.append(made)
        self[dtype] = made.buffer_info()[0]
        return self[dtype]


routines = _Routines()


def _product(
    kind: Any,
    known: int,
    transposed: int,
    finish: int,
    activation: int,
    biased: int,
    a: Any,
    b: Any,
    bias: Any,
    out: Any,
) -> bool:
    count = size(kind, out, True)
    if count <= 0 or not is_array(kind, a) or not is_array(kind, b) or rank(b) != 2:
        return False
    result = elements(out, count)
    itemsize = result.itemsize
    inner, columns, b_row, b_column = length(b, 0), length(b, 1), stride(b, 0), stride(b, 1)
    if transposed:
        inner, columns, b_row, b_column = columns, inner, b_column, b_row
    rows, a_row, a_step = count // columns, inner * itemsize, itemsize
    if rank(a) == 2:
        a_row, a_step = stride(a, 0), stride(a, 1)
    elif rank(a) < 2 or size(kind, a, False) != rows * inner:
        return False
    if rows == 1 or columns == 1 or rows * columns * inner > MOST:
        return False
    shift = 0
    if biased:
        if size(kind, bias, False) != columns:
            return False
        shift = address(bias)
    most = rows // ROWS if b_column == itemsize else COPIES
    parts = max(min(rows * columns * inner // PART, most), 1)
    height = (rows + parts * ROWS - 1) // (parts * ROWS) * ROWS
    parts = (rows + height - 1) // height
    workspace = np.empty(parts * _items(compiled_even_depth(inner), itemsize), result.dtype)
    arguments = Products(
        word(known, 1), word(known, 2), word(known, 3), finish, address(out), np.int64(workspace.ctypes.data),
        height if parts > 1 else rows, columns, inner, address(a), word(known, 4), a_row, a_step,
        address(b), word(known, 4), b_row, b_column, shift, activation, 1, rows if parts > 1 else 0,
    )  # fmt: skip
    given = np.empty(_COUNT, np.int64)
    for i in range(_COUNT):
        given[i] = arguments[i]
    if parts > 1:
        run_compiled(word(known, 0), given.ctypes.data, parts, 1)
    else:
        call(kind, word(known, 0), given.ctypes.data, 0, 1)
    return workspace.size + given.size > 0  # Numba frees an array behind its last use, which this is


def _signature(dtype: np.dtype[Any]) -> Any:
    if dtype.char not in "fd":
        return None
    return (KIND, *[types.int64] * 5, *[handle(dtype)] * 4)


product = Entries(_product, f"small_product_{CHOSEN.name}", _signature)  # its constants are those of the vectors
"""``product[dtype](np.ndarray, routines[dtype], transposed, finish, activation, biased, a, b, bias, out)``.

``out = activation(a @ b + bias)``; ``b``, or its transpose, has two dimensions, and a result of one row or one column
is refused. ``finish`` is a routine of `epilogue` or 0; without ``biased``, ``bias`` is any array.
"""
