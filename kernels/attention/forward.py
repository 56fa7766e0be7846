"""The forward of attention: blocks of queries by blocks of keys with a running maximum.

Dao et al., FlashAttention (2022): no more than one block of scores exists at a time. A task is one
block of queries of one batch entry.
"""

from __future__ import annotations

from typing import Any

from .. import vector
from ..parallel import spread
from ..simd import ROWS, simd_jit
from .blocks import (
    KEYS,
    LEADING,
    QUERIES,
    Operand,
    Sizes,
    apply_mask,
    multiply,
    pack_queries,
    padded,
    scores,
    turning,
)

Array = Any


def forward_items(sizes: Sizes, masked: bool, itemsize: int) -> int:
    """Items of scratch that one task needs."""
    _, _, features, value_features = sizes
    return int(
        QUERIES * features  # packed queries
        + KEYS * LEADING  # weights
        + LEADING * padded.py_func(value_features, itemsize)  # sums
        + KEYS * padded.py_func(1, itemsize)  # one panel of values
        + ROWS * features  # one strip of keys
        + 4 * QUERIES
        + (2 * QUERIES * KEYS if masked else 0)
    )


@simd_jit
def _soften(weights: Array, keys: int, columns: int, largest: Array, total: Array, factor: Array, shift: Array) -> None:
    """Scores to ``exp(score - maximum so far)``; ``factor`` is what earlier sums are worth since.

    Four keys at a time, so that maxima and sums are loaded and stored a quarter as often.
    """
    minus_infinity = weights.dtype.type(-float("inf"))
    zero = weights.dtype.type(0)
    fours = keys // 4 * 4
    for i in range(columns):
        factor[i] = largest[i]
    for j in range(0, fours, 4):
        a, b = weights[j * LEADING :], weights[(j + 1) * LEADING :]
        c, d = weights[(j + 2) * LEADING :], weights[(j + 3) * LEADING :]
        for i in range(columns):
            four = vector.maxnum(vector.maxnum(a[i], b[i]), vector.maxnum(c[i], d[i]))
            largest[i] = vector.maxnum(largest[i], four)
    for j in range(fours, keys):
        a = weights[j * LEADING :]
        for i in range(columns):
            largest[i] = vector.maxnum(largest[i], a[i])
    for i in range(columns):
        # Where no key took part yet, -inf - -inf would be NaN.
        shift[i] = vector.select(largest[i] == minus_infinity, zero, largest[i])
        factor[i] = vector.exp(factor[i] - shift[i])
        total[i] *= factor[i]
    for j in range(0, fours, 4):
        a, b = weights[j * LEADING :], weights[(j + 1) * LEADING :]
        c, d = weights[(j + 2) * LEADING :], weights[(j + 3) * LEADING :]
        for i in range(columns):
            p, q = vector.exp(a[i] - shift[i]), vector.exp(b[i] - shift[i])
            r, s = vector.exp(c[i] - shift[i]), vector.exp(d[i] - shift[i])
            a[i], b[i], c[i], d[i] = p, q, r, s
            total[i] += (p + q) + (r + s)
    for j in range(fours, keys):
        a = weights[j * LEADING :]
        for i in range(columns):
            a[i] = vector.exp(a[i] - shift[i])
            total[i] += a[i]


@simd_jit
def _block(
    out: Array,
    logsumexp: Array,
    scratch: Array,
    entry: int,
    start: int,
    sizes: Sizes,
    query: Operand,
    key: Operand,
    value: Operand,
    flags: Array,
    added: Array,
    mask_place: tuple[int, int, int],
    is_causal: bool,
    scale: Any,
) -> None:
    """The results of one block of queries, from ``start`` on, of one entry of the batch."""
    length, total_keys, features, value_features = sizes
    like, size = out.dtype.type(0), out.itemsize
    queries = min(QUERIES, length - start)
    width = padded(1, size)
    columns = padded(queries, size)
    out_columns = padded(value_features, size)

    end = QUERIES * features
    packed, rest = scratch[:end], scratch[end:]
    weights, rest = rest[: KEYS * LEADING], rest[KEYS * LEADING :]
    sums, rest = rest[: LEADING * out_columns], rest[LEADING * out_columns :]
    panel, rest = rest[: KEYS * width], rest[KEYS * width :]
    tail, rest = rest[: ROWS * features], rest[ROWS * features :]
    largest, total, rest = rest[:QUERIES], rest[QUERIES : 2 * QUERIES], rest[2 * QUERIES :]
    factor, shift, mask = rest[:QUERIES], rest[QUERIES : 2 * QUERIES], rest[2 * QUERIES :]

    largest[:] = -float("inf")
    total[:] = 0
    pack_queries(query[0] + start * query[1], query[1:], queries, features, scale, packed)
    limit = min(total_keys, start + queries) if is_causal else total_keys
    if limit == 0:
        sums[:] = 0
    for first in range(0, limit, KEYS):
        keys = min(KEYS, limit - first)
        scores(
            like, key[0] + first * key[1], key[1:], total_keys - first, keys, features, packed.ctypes.data,
            queries, tail.ctypes.data, weights.ctypes.data,
        )  # fmt: skip
        place = mask_place[0] + start * mask_place[1] + first * mask_place[2], mask_place[1], mask_place[2]
        apply_mask(weights, keys, queries, flags, added, place, first - start if is_causal else -KEYS, mask)
        _soften(weights, keys, columns, largest, total, factor, shift)
        if first:
            for i in range(queries):
                row = sums[i * out_columns : (i + 1) * out_columns]
                for j in range(out_columns):
                    row[j] *= factor[i]
        multiply(
            like, weights.ctypes.data, size, LEADING * size, queries, keys, value[0] + first * value[1],
            value[1:], value_features, panel.ctypes.data, sums.ctypes.data, out_columns * size, first,
        )  # fmt: skip
    one = out.dtype.type(1)
    for i in range(queries):
        share = one / total[i] if total[i] != 0 else one
        result = out[(entry * length + start + i) * value_features :]
        row = sums[i * out_columns :]
        for j in range(value_features):
            result[j] = row[j] * share
        logsumexp[entry * length + start + i] = (largest[i] if total[i] != 0 else like) + vector.log(total[i])


@simd_jit
def _tasks(arguments: Any, start: int, stop: int) -> None:
    """What the threads ``start`` to ``stop`` do of the ``arguments`` of `forward`."""
    out, logsumexp, workspace, chunks, sizes = arguments[:5]
    query, key, value, offsets, flags, added, mask_strides, is_causal, scale = arguments[5:]
    blocks = (sizes[0] + QUERIES - 1) // QUERIES
    tasks = offsets.shape[0] * blocks
    items = workspace.size // chunks
    for chunk in range(start, stop):
        scratch = workspace[chunk * items : (chunk + 1) * items]
        for round in range((tasks + chunks - 1) // chunks):
            task = turning(round, chunks, chunk)
            if task < tasks:
                entry = task // blocks
                at = offsets[entry]
                _block(
                    out, logsumexp, scratch, entry, task % blocks * QUERIES, sizes,
                    (query[0] + at[0], query[1], query[2]), (key[0] + at[1], key[1], key[2]),
                    (value[0] + at[2], value[1], value[2]), flags, added,
                    (at[3], mask_strides[0], mask_strides[1]), is_causal, scale,
                )  # fmt: skip


@simd_jit
def forward(
    out: Array,
    logsumexp: Array,
    workspace: Array,
    chunks: int,
    sizes: Sizes,
    query: Operand,
    key: Operand,
    value: Operand,
    offsets: Array,
    flags: Array,
    added: Array,
    mask_strides: tuple[int, int],
    is_causal: bool,
    scale: Any,
) -> None:
    """Every block of queries of every entry, dealt out to ``chunks`` threads, forth and back.

    ``out`` and ``logsumexp`` are flat. Row e of ``offsets`` says where entry e begins: in bytes for query,
    key and value, in items for the mask.
    """
    spread(
        _tasks,
        (
            out, logsumexp, workspace, chunks, sizes,
            query, key, value, offsets, flags, added, mask_strides, is_causal, scale,
        ),
        chunks,
        1,
    )  # fmt: skip
