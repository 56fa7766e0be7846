"""Blocks of attention: scores of some queries with some keys, transposed, and products with them.

Scores lie with keys as rows and queries as columns. So the keys' own rows are the micro-kernel's
left operand, wherever they lie; a block of queries is packed once, transposed; and maxima and sums
over keys run down the columns, a vector of queries at a time. The transposed weights are then the
left operand of the product with the values without being moved.

Operands are addresses and strides. Scratch is cut from one array a thread; a panel is as wide as one
register tile.
"""

from __future__ import annotations

from typing import Any

from .. import vector
from ..matmul import gemm
from ..microkernel import panel_tile, panel_tile_narrow
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES, itemsize, simd_jit

Array = Any

pack_a, pack_b = gemm.pack_a.inlined, gemm.pack_b.inlined
Strides = tuple[int, int]  # of a row, of a feature; in bytes
Operand = tuple[int, int, int]  # address and strides
Sizes = tuple[int, int, int, int]  # queries, keys, features, features of values

QUERIES = 64
"""Queries of a block: a multiple of every tile's width."""

KEYS = 128 // ROWS * ROWS
"""Keys of a block: its weights fill 32 KiB in float32."""

LEADING = -(-QUERIES // ROWS) * ROWS
"""Items from one key's scores to the next's: the last strip of queries may be cut by no tile."""


@simd_jit
def padded(features: int, itemsize: int) -> int:
    """``features`` rounded up to whole tiles."""
    width = TILE_BYTES // itemsize
    return (features + width - 1) // width * width


@simd_jit
def pack_queries(address: int, strides: Strides, count: int, features: int, scale: Any, target: Array) -> None:
    """Pack ``count`` rows times ``scale``, transposed: panels of ``features`` rows of one tile's width."""
    like, size = target.dtype.type(0), target.itemsize
    width = TILE_BYTES // size
    for first in range(0, count, width):
        panel = target[first * features : (first + width) * features]
        pack_b(
            like, address + first * strides[0], strides[1], strides[0], features, min(width, count - first),
            panel.ctypes.data,
        )  # fmt: skip
        if scale != 1:
            for i in range(panel.size):
                panel[i] *= scale


@simd_jit
def scores(
    like: Any,
    rows: int,
    strides: Strides,
    available: int,
    keys: int,
    features: int,
    packed: int,
    queries: int,
    tail: int,
    out: int,
) -> None:
    """``out[j, i] = sum of rows[j, :] * queries[i, :]`` for ``keys`` rows, of which ``available`` may be read.

    ``packed`` as `pack_queries` leaves them; ``tail`` has room for one strip of rows.
    """
    size = itemsize(like)
    width = TILE_BYTES // size
    for strip in range(0, keys, ROWS):
        a, a_row, a_step = rows + strip * strides[0], strides[0], strides[1]
        if available - strip < ROWS:
            pack_a(like, a, a_row, a_step, available - strip, features, tail)
            a = tail
            if a_step == size:
                a_row = features * size
            else:
                a_row, a_step = size, ROWS * size
        for first in range(0, queries, width):
            b = packed + first * features * size
            c = out + (strip * LEADING + first) * size
            if (queries - first) * size <= VECTOR_BYTES:
                panel_tile_narrow(like, features, a, a_row, a_step, b, TILE_BYTES, c, LEADING * size, 0)
            else:
                panel_tile(like, features, a, a_row, a_step, b, TILE_BYTES, c, LEADING * size, 0)


@simd_jit
def multiply(
    like: Any,
    weights: int,
    row: int,
    step: int,
    count: int,
    depth: int,
    right: int,
    strides: Strides,
    features: int,
    panel: int,
    out: int,
    out_row: int,
    accumulate: int,
) -> None:
    """``out (+)= weights @ right``: ``count`` rows of weights by ``depth`` rows of ``features`` at ``right``.

    Weight (i, k) lies at ``weights + i*row + k*step``. Whole tiles of ``out`` are written: its rows are
    padded, and up to a strip of rows behind ``count`` changes. ``panel`` has room for ``depth`` tile rows.
    """
    size = itemsize(like)
    width = TILE_BYTES // size
    for column in range(0, features, width):
        columns = min(width, features - column)
        b, b_step = right + column * strides[1], strides[0]
        if columns < width or strides[1] != size:
            pack_b(like, b, strides[0], strides[1], depth, columns, panel)
            b, b_step = panel, TILE_BYTES
        for strip in range(0, count, ROWS):
            a, c = weights + strip * row, out + strip * out_row + column * size
            if columns * size <= VECTOR_BYTES:
                panel_tile_narrow(like, depth, a, row, step, b, b_step, c, out_row, accumulate)
            else:
                panel_tile(like, depth, a, row, step, b, b_step, c, out_row, accumulate)


@simd_jit
def _pack_mask(
    flags: Array, added: Array, place: tuple[int, int, int], keys: int, queries: int, rows: Array, panels: Array
) -> None:
    """The mask of a block as numbers to add, in panels of the scores' order: 0 and -inf for flags."""
    like = rows.dtype.type(0)
    width = TILE_BYTES // rows.itemsize
    excluded = rows.dtype.type(-float("inf"))
    first, query_stride, key_stride = place
    for i in range(queries):
        start, row = first + i * query_stride, rows[i * KEYS :]
        if key_stride != 1:  # one flag or number for all keys
            value = added[start] if added.size else (like if flags[start] else excluded)
            for j in range(keys):
                row[j] = value
        elif added.size:
            numbers = added[start : start + keys]
            for j in range(keys):
                row[j] = numbers[j]
        else:
            own = flags[start : start + keys]
            for j in range(keys):
                row[j] = vector.select(own[j] != 0, like, excluded)
    for column in range(0, queries, width):
        pack_b(
            like, rows.ctypes.data + column * KEYS * rows.itemsize, rows.itemsize, KEYS * rows.itemsize, keys,
            min(width, queries - column), panels.ctypes.data + column * KEYS * rows.itemsize,
        )  # fmt: skip


@simd_jit
def apply_mask(
    weights: Array,
    keys: int,
    queries: int,
    flags: Array,
    added: Array,
    place: tuple[int, int, int],
    behind: int,
    scratch: Array,
) -> None:
    """Scores plus the mask; -inf where a key takes no part, whatever its score.

    Args:
        weights: the block's scores; changed.
        flags, added: the mask as bytes or numbers, one of them or both empty.
        place: where the block's mask begins, and its strides from query to query and from key to key; the
            latter is 1, or 0 where all keys share one element.
        behind: key j takes queries from ``j + behind`` on (causal); below ``-KEYS`` for all.
        scratch: room for two blocks, empty where there is no mask.
    """
    width = TILE_BYTES // weights.itemsize
    excluded = weights.dtype.type(-float("inf"))
    zero = weights.dtype.type(0)
    if flags.size or added.size:
        panels = scratch[QUERIES * KEYS :]
        _pack_mask(flags, added, place, keys, queries, scratch[: QUERIES * KEYS], panels)
        for j in range(keys):
            for column in range(0, queries, width):
                start = j * LEADING + column
                score, sum = weights[start : start + width], panels[column * KEYS + j * width :]
                if flags.size:
                    for i in range(width):
                        score[i] = vector.select(sum[i] < zero, excluded, score[i])
                else:
                    for i in range(width):
                        score[i] += sum[i]
    for j in range(max(-behind, 0), keys):
        for i in range(min(j + behind, queries)):
            weights[j * LEADING + i] = excluded


@simd_jit
def turning(round: int, chunks: int, chunk: int) -> int:
    """The task that thread ``chunk`` takes in a round: forth and back, as blocks of causal entries grow in length."""
    return round * chunks + (chunks - 1 - chunk if round % 2 else chunk)
