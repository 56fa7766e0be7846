"""Conversion, copying and selection with Numba: kernels whose work is moving elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import memory
from ..entry import KIND, Entries, elements, handle, size
from ..jit import SERIAL
from ..parallel import spread
from ..simd import VECTOR_BYTES, simd_jit, transpose
from .loops import (
    EXACT,
    NATIVE,
    behaved,
    compiled,
    conversion_kernel,
    flat,
    into_strided,
    ndarray,
    piece,
    widen,
)
from .strided import collapse, first_element, load, load_next

Array = Any

TILE = 32
"""Side of the square in which a transposed copy goes, so that each cache line it reads is used whole; whole vectors."""


@compiled
def _copy_rows(arguments: Any, first: int, last: int) -> None:
    x, shape, steps, out = arguments
    m, step, size = shape[3], steps[3], x.itemsize
    for r in range(first, last):
        rest, k = r // shape[2], r % shape[2]
        i, j = rest // shape[1], rest % shape[1]
        offset = i * steps[0] + j * steps[1] + k * steps[2]
        to = out[r * m : (r + 1) * m]
        if step == size:
            for l in range(m):
                to[l] = load_next(x, offset, l)
        else:
            for l in range(m):
                to[l] = load(x, offset + l * step)


@compiled
def _copy_pieces(arguments: Any, first: int, last: int) -> None:
    """Part of a single row."""
    x, _, steps, out = arguments
    step = steps[3]
    to = out[first:last]
    if step == x.itemsize:
        for l in range(last - first):
            to[l] = load_next(x, first * step, l)
    else:
        for l in range(last - first):
            to[l] = load(x, (first + l) * step)


@compiled
def _copy_bands(arguments: Any, first: int, last: int) -> None:
    """Bands of `TILE` rows of matrices whose columns are contiguous in ``x``, tile by tile."""
    x, shape, steps, out = arguments
    n, m, size = shape[2], shape[3], x.itemsize
    bands = (n + TILE - 1) // TILE
    for c in range(first, last):
        matrix, top = c // bands, c % bands * TILE
        offset = matrix // shape[1] * steps[0] + matrix % shape[1] * steps[1]
        for left in range(0, m, TILE):
            width = min(TILE, m - left)
            if size >= 4 and top + TILE <= n and width == TILE:
                source = x.ctypes.data + offset + top * size + left * steps[3]
                target = out.ctypes.data + ((matrix * n + top) * m + left) * size
                for k in range(0, TILE, VECTOR_BYTES // size):
                    for l in range(0, TILE, VECTOR_BYTES // size):
                        here, there = source + k * size + l * steps[3], target + (k * m + l) * size
                        if size == 4:
                            transpose(np.float32(0), here, steps[3], there, m * size)
                        else:
                            transpose(np.float64(0), here, steps[3], there, m * size)
                continue
            for k in range(top, min(top + TILE, n)):
                start = offset + k * size + left * steps[3]
                to = out[(matrix * n + k) * m + left : (matrix * n + k) * m + left + width]
                for l in range(width):
                    to[l] = load(x, start + l * steps[3])


@simd_jit(**EXACT)  # type: ignore[untyped-decorator]
def _copy(*arguments: Any) -> None:
    """``kernel(x, shape, steps, out)``: flat ``out`` gets the elements ``steps`` bytes apart, from ``x[0]`` on."""
    x, shape, steps, out = arguments
    matrices, n, m = shape[0] * shape[1], shape[2], shape[3]
    if out.size > SERIAL and matrices * n == 1:
        spread(_copy_pieces, arguments, m, piece(m))
    elif out.size > SERIAL and steps[2] == x.itemsize and steps[3] != x.itemsize:
        spread(_copy_bands, arguments, matrices * ((n + TILE - 1) // TILE), 1)
    else:
        spread(_copy_rows, arguments, matrices * n, max(piece(out.size) // m, 1))


_WORDS: dict[int, np.dtype[Any]] = {
    1: np.dtype("int8"),
    2: np.dtype("int16"),
    4: np.dtype("int32"),
    8: np.dtype("int64"),
}


def words(x: Array) -> Array:
    """The array with its elements seen as integers of their size: to a kernel that moves them, all types are one."""
    return x.view(_WORDS[x.itemsize])


_convert = conversion_kernel("cast")


def _copy_into(x: Array, out: Array) -> None:
    """Copy ``x`` into ``out``, contiguous and of the same dtype."""
    plan = collapse(x.shape, ((x.shape, x.strides),))
    first = first_element(x)
    if plan is None or first is None:
        np.copyto(out, x)
    else:
        _copy(words(first), plan[0], plan[1][0], words(out.ravel()))


def cast(x: Array, *, dtype: Any, out: Array) -> None:
    target = out.dtype
    if not out.flags.c_contiguous:
        into_strided(cast, out, x, dtype=dtype)
    elif not out.size:
        pass
    elif x.dtype == target:
        _copy_into(x, out)
    elif x.dtype in NATIVE and (target in NATIVE or target == np.bool_):
        _convert(flat(x), out.ravel())
    elif x.dtype.kind != "f" and target == np.int64:
        widen(flat(x), out.ravel())
    elif x.dtype == np.int64:
        _convert(flat(x), out.ravel())
    else:  # through int64, which has a conversion to and from everything
        wide = memory.scratch(x.shape, np.dtype("int64"))
        cast(x, dtype=wide.dtype, out=wide)
        cast(wide, dtype=target, out=out)


@compiled
def _choose(arguments: Any, start: int, stop: int) -> None:
    """Flat arrays; the branches may have a single element."""
    condition, a, b, out = arguments
    condition, out = condition[start:stop], out[start:stop]
    n = out.size
    if b.size == 1:
        y = b[0]
        if a.size == 1:
            x = a[0]
            for i in range(n):
                out[i] = x if condition[i] else y
        else:
            a = a[start:stop]
            for i in range(n):
                out[i] = a[i] if condition[i] else y
    elif a.size == 1:
        x, b = a[0], b[start:stop]
        for i in range(n):
            out[i] = x if condition[i] else b[i]
    else:
        a, b = a[start:stop], b[start:stop]
        for i in range(n):
            out[i] = a[i] if condition[i] else b[i]


def _where(kind: Any, condition: Any, a: Any, b: Any, out: Any) -> bool:
    n, na, nb = size(kind, out, True), size(kind, a, False), size(kind, b, False)
    if n < 0 or size(kind, condition, False) != n or (na != n and na != 1) or (nb != n and nb != 1):
        return False
    arguments = (elements(condition, n), elements(a, na), elements(b, nb), elements(out, n))
    spread(_choose, arguments, n, piece(n))
    return True


_where_entries = Entries(
    _where, "where", lambda size: (KIND, handle(np.dtype("bool")), *[handle(_WORDS[size])] * 3), **EXACT
)


def where(condition: Array, a: Array, b: Array, *, out: Array) -> None:
    if _where_entries[out.itemsize](ndarray, condition, a, b, out):
        return
    if not behaved(out):
        into_strided(where, out, condition, a, b)
    else:
        shape = out.shape
        branches = [x.ravel() if x.size == 1 else _whole(x, shape) for x in (a, b)]
        where(_whole(condition, shape), *branches, out=out.ravel())


def _whole(x: Array, shape: tuple[int, ...]) -> Array:
    return flat(x if x.shape == shape else np.broadcast_to(x, shape))
