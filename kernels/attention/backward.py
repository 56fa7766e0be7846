"""The backward of attention: each block of weights is computed again from the saved log-sum-exp.

Dao et al., FlashAttention (2022), algorithm 4. With enough entries in the batch a task is one entry:
five products a block. Otherwise the blocks of one entry are shared out, keys first, then queries:
seven products a block, the same sums in the same order, hence the same bits.
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

ALL_GRADIENTS, KEY_GRADIENTS, QUERY_GRADIENTS = 0, 1, 2
"""Phases: all gradients of an entry at once; those by keys and values; those by queries."""


def backward_plan(entries: int, sizes: Sizes, threads: int) -> tuple[bool, int]:
    """Whether each task is one whole entry, and how many threads have work."""
    if 5 * -(-entries // threads) * threads <= 7 * entries:
        return True, max(min(entries, threads), 1)
    blocks = max(-(-sizes[0] // QUERIES), -(-sizes[1] // KEYS))
    return False, max(min(entries * blocks, threads), 1)


def backward_items(sizes: Sizes, masked: bool, whole: bool, itemsize: int) -> int:
    """Items of scratch that one task needs."""
    _, keys, features, value_features = sizes
    columns, value_columns = padded.py_func(features, itemsize), padded.py_func(value_features, itemsize)
    rows = -(-keys // ROWS) * ROWS if whole else KEYS
    return int(
        QUERIES * (features + 2 * value_features)  # packed queries, gradients, outputs
        + 2 * KEYS * LEADING  # weights, slopes
        + max(KEYS, QUERIES) * padded.py_func(1, itemsize)  # one panel of a right operand
        + ROWS * max(features, value_features)  # one strip of keys or values
        + 2 * QUERIES
        + (2 * QUERIES * KEYS if masked else 0)
        + LEADING * columns
        + rows * (columns + value_columns)
    )


@simd_jit
def _row_terms(
    packed_grad: Array, packed_output: Array, logsumexp: Array, queries: int, features: int, delta: Array, shift: Array
) -> None:
    """``delta = sum(grad * output)`` of each query, and its log-sum-exp, +inf where no key takes part."""
    width = padded(1, delta.itemsize)
    delta[:] = 0
    for column in range(0, queries, width):
        for k in range(features):
            g = packed_grad[column * features + k * width :]
            o = packed_output[column * features + k * width :]
            d = delta[column:]
            for i in range(width):
                d[i] += g[i] * o[i]
    infinity = delta.dtype.type(float("inf"))
    for i in range(queries):
        # Weights are exp(score - shift): 0 for a query without keys.
        shift[i] = infinity if logsumexp[i] == -infinity else logsumexp[i]
    shift[queries:] = infinity


@simd_jit
def _slopes(weights: Array, slopes: Array, keys: int, columns: int, shift: Array, delta: Array) -> None:
    """Scores to weights, and the gradients by weights in ``slopes`` to those by scores."""
    for j in range(keys):
        weight, slope = weights[j * LEADING :], slopes[j * LEADING :]
        for i in range(columns):
            weight[i] = vector.exp(weight[i] - shift[i])
            slope[i] = weight[i] * (slope[i] - delta[i])
    # The last strip of a product reads whole tiles.
    for i in range(keys * LEADING, (keys + ROWS - 1) // ROWS * ROWS * LEADING):
        weights[i] = 0
        slopes[i] = 0


@simd_jit
def _write(sums: Array, columns: int, factor: Any, rows: int, features: int, out: Array, first: int) -> None:
    """``out[first:] = sums * factor``, without the padding behind each row."""
    for i in range(rows):
        row, result = sums[i * columns :], out[first + i * features :]
        for j in range(features):
            result[j] = row[j] * factor


@simd_jit
def _part(
    by_query: Array,
    by_key: Array,
    by_value: Array,
    scratch: Array,
    entry: int,
    query_span: tuple[int, int],
    key_span: tuple[int, int],
    wants_query: bool,
    wants_key: bool,
    sizes: Sizes,
    grad: Operand,
    query: Operand,
    key: Operand,
    value: Operand,
    output: Operand,
    logsumexp: Array,
    flags: Array,
    added: Array,
    mask_place: tuple[int, int, int],
    is_causal: bool,
    scale: Any,
) -> None:
    """The gradients of one entry that a span of queries and a span of keys give one another."""
    length, total_keys, features, value_features = sizes
    like, size = by_query.dtype.type(0), by_query.itemsize
    one = by_query.dtype.type(1)
    columns, value_columns = padded(features, size), padded(value_features, size)
    key_rows = key_span[1] - key_span[0] if wants_key else 0  # else there is no room for them
    padded_rows = (key_rows + ROWS - 1) // ROWS * ROWS

    packed_query, rest = scratch[: QUERIES * features], scratch[QUERIES * features :]
    packed_grad, rest = rest[: QUERIES * value_features], rest[QUERIES * value_features :]
    packed_output, rest = rest[: QUERIES * value_features], rest[QUERIES * value_features :]
    weights, rest = rest[: KEYS * LEADING], rest[KEYS * LEADING :]
    slopes, rest = rest[: KEYS * LEADING], rest[KEYS * LEADING :]
    end = max(KEYS, QUERIES) * padded(1, size)
    panel, rest = rest[:end].ctypes.data, rest[end:]
    end = ROWS * max(features, value_features)
    tail, rest = rest[:end].ctypes.data, rest[end:]
    delta, shift, rest = rest[:QUERIES], rest[QUERIES : 2 * QUERIES], rest[2 * QUERIES :]
    query_sums, rest = rest[: LEADING * columns], rest[LEADING * columns :]
    key_sums, rest = rest[: padded_rows * columns], rest[padded_rows * columns :]
    value_sums, mask = rest[: padded_rows * value_columns], rest[padded_rows * value_columns :]

    if wants_key:
        key_sums[:] = 0
        value_sums[:] = 0
    for start in range(query_span[0], query_span[1], QUERIES):
        queries = min(QUERIES, length - start)
        limit = min(key_span[1], start + queries) if is_causal else key_span[1]
        at_query, at_grad = query[0] + start * query[1], grad[0] + start * grad[1]
        if wants_query:
            query_sums[:] = 0
        if limit > key_span[0]:
            pack_queries(at_query, query[1:], queries, features, scale, packed_query)
            pack_queries(at_grad, grad[1:], queries, value_features, one, packed_grad)
            pack_queries(output[0] + start * output[1], output[1:], queries, value_features, one, packed_output)
            _row_terms(
                packed_grad, packed_output, logsumexp[entry * length + start :], queries, value_features, delta, shift
            )
        for first in range(key_span[0], limit, KEYS):
            keys = min(KEYS, limit - first)
            at_key, at_value = key[0] + first * key[1], value[0] + first * value[1]
            scores(
                like, at_key, key[1:], total_keys - first, keys, features, packed_query.ctypes.data, queries, tail,
                weights.ctypes.data,
            )  # fmt: skip
            scores(
                like, at_value, value[1:], total_keys - first, keys, value_features, packed_grad.ctypes.data, queries,
                tail, slopes.ctypes.data,
            )  # fmt: skip
            place = mask_place[0] + start * mask_place[1] + first * mask_place[2], mask_place[1], mask_place[2]
            apply_mask(weights, keys, queries, flags, added, place, first - start if is_causal else -KEYS, mask)
            _slopes(weights, slopes, keys, padded(queries, size), shift, delta)
            if wants_key:
                row = first - key_span[0]
                multiply(
                    like, weights.ctypes.data, LEADING * size, size, keys, queries, at_grad, grad[1:], value_features,
                    panel, value_sums[row * value_columns :].ctypes.data, value_columns * size, 1,
                )  # fmt: skip
                multiply(
                    like, slopes.ctypes.data, LEADING * size, size, keys, queries, at_query, query[1:], features,
                    panel, key_sums[row * columns :].ctypes.data, columns * size, 1,
                )  # fmt: skip
            if wants_query:
                multiply(
                    like, slopes.ctypes.data, size, LEADING * size, queries, keys, at_key, key[1:], features,
                    panel, query_sums.ctypes.data, columns * size, 1,
                )  # fmt: skip
        if wants_query:
            _write(query_sums, columns, scale, queries, features, by_query, (entry * length + start) * features)
    if wants_key:
        row = entry * total_keys + key_span[0]
        _write(key_sums, columns, scale, key_rows, features, by_key, row * features)
        _write(value_sums, value_columns, one, key_rows, value_features, by_value, row * value_features)


@simd_jit
def _tasks(arguments: Any, start: int, stop: int) -> None:
    """What the threads ``start`` to ``stop`` do in one phase of `backward`."""
    phase, by_query, by_key, by_value, workspace, chunks, sizes, grad, query, key, value, output = arguments[:12]
    offsets, logsumexp, flags, added, mask_strides, is_causal, scale = arguments[12:]
    length, total_keys = sizes[0], sizes[1]
    blocks = 1
    if phase == KEY_GRADIENTS:
        blocks = (total_keys + KEYS - 1) // KEYS
    elif phase == QUERY_GRADIENTS:
        blocks = (length + QUERIES - 1) // QUERIES
    tasks = offsets.shape[0] * blocks
    items = workspace.size // chunks
    for chunk in range(start, stop):
        scratch = workspace[chunk * items : (chunk + 1) * items]
        for round in range((tasks + chunks - 1) // chunks):
            task = turning(round, chunks, chunk)
            if task >= tasks:
                continue
            entry, block = task // blocks, task % blocks
            query_span, key_span = (0, length), (0, total_keys)
            if phase == KEY_GRADIENTS:
                key_span = block * KEYS, min((block + 1) * KEYS, total_keys)
                if is_causal:
                    query_span = block * KEYS // QUERIES * QUERIES, length
            elif phase == QUERY_GRADIENTS:
                query_span = block * QUERIES, min((block + 1) * QUERIES, length)
            at = offsets[entry]
            _part(
                by_query, by_key, by_value, scratch, entry, query_span, key_span, phase != KEY_GRADIENTS,
                phase != QUERY_GRADIENTS, sizes, (grad[0] + at[0], grad[1], grad[2]),
                (query[0] + at[1], query[1], query[2]), (key[0] + at[2], key[1], key[2]),
                (value[0] + at[3], value[1], value[2]), (output[0] + at[4], output[1], output[2]), logsumexp,
                flags, added, (at[5], mask_strides[0], mask_strides[1]), is_causal, scale,
            )  # fmt: skip


@simd_jit
def backward(
    by_query: Array,
    by_key: Array,
    by_value: Array,
    workspace: Array,
    whole: bool,
    chunks: int,
    sizes: Sizes,
    grad: Operand,
    query: Operand,
    key: Operand,
    value: Operand,
    output: Operand,
    offsets: Array,
    logsumexp: Array,
    flags: Array,
    added: Array,
    mask_strides: tuple[int, int],
    is_causal: bool,
    scale: Any,
) -> None:
    """All gradients: entry by entry where ``whole``, else by blocks of keys, then by blocks of queries.

    The gradients and ``logsumexp`` are flat. Row e of ``offsets`` says where entry e begins: in bytes
    for grad, query, key, value, output, in items for the mask.
    """
    for phase in range(ALL_GRADIENTS if whole else KEY_GRADIENTS, ALL_GRADIENTS + 1 if whole else QUERY_GRADIENTS + 1):
        arguments = (
            phase, by_query, by_key, by_value, workspace, chunks, sizes, grad, query, key, value, output, offsets,
            logsumexp, flags, added, mask_strides, is_causal, scale,
        )  # fmt: skip
        spread(_tasks, arguments, chunks, 1)
