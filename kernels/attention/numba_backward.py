"""The kernels of attention's gradients in the backend ``numba_cuda``: weights are computed anew, tile by tile.

One kernel sums over keys for the queries, the other over queries for the keys and values, so every sum has an order and
no atomics are needed.

Source: Dao et al., "FlashAttention", 2022, algorithm 4.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..numba_launch import Kernel, cuda, device, exponential, kernel, offset
from .numba_tiles import COLUMNS, PADDED, ROWS, WIDTH, load_tile, masked_score, moved, tile_product

Array = Any

# Sizes are (batches, queries, keys, features, value features, causal, kind of mask); operands are query, key, value,
# mask, gradient, output in this order.


@functools.cache
def row_sums(real: Any) -> Kernel:
    """For each query the sum of gradient times output."""

    @kernel
    def gradient_sums(
        sizes: Any, shape: Any, places: Any, steps: Any, grad: Array, output: Array, sums: Array, count: int
    ) -> None:
        _, queries, _, _, value_features, _, _ = sizes
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            batch, row = number // queries, number % queries
            of_grad = moved(places[4], offset(batch, shape, steps[4]) + row * places[4][1])
            of_output = moved(places[5], offset(batch, shape, steps[5]) + row * places[5][1])
            total = real(0)
            for k in range(value_features):
                total += real(grad[of_grad[0] + k * of_grad[2]]) * real(output[of_output[0] + k * of_output[2]])
            sums[number] = total

    return gradient_sums


@functools.cache
def _weights(real: Any) -> Any:
    """The device function for a weight and the gradient of its score, zeros outside the scores."""
    score_of = masked_score(real)
    never = real(-np.inf)

    @device
    def weight_and_gradient(
        score: Any, by_weight: Any, batch: int, row: int, column: int, sizes: Any, scale: float,
        mask: Array, of_mask: Any, logsumexp: Array, sums: Array,
    ) -> Any:  # fmt: skip
        _, queries, keys, _, _, causal, kind = sizes
        if row >= queries or column >= keys:
            return real(0), real(0)
        logarithm = logsumexp[batch * queries + row]
        if logarithm == never:  # the query takes no key
            return real(0), real(0)
        factor = real(scale)
        score = score_of(score * factor, row, column, causal, kind, mask, of_mask)
        weight = real(exponential(score - logarithm))
        return weight, weight * (by_weight - sums[batch * queries + row]) * factor

    return weight_and_gradient


@functools.cache
def by_query(real: Any) -> Kernel:
    product, load, weights_of = tile_product(real), load_tile(real), _weights(real)

    @kernel
    def attention_by_query(
        sizes: Any, shape: Any, places: Any, steps: Any, scale: float, query: Array, key: Array, value: Array,
        mask: Array, grad: Array, logsumexp: Array, row_sums: Array, out: Array,
    ) -> None:  # fmt: skip
        left = cuda.shared.array((ROWS, PADDED), real)
        right = cuda.shared.array((ROWS, PADDED), real)
        by_scores = cuda.shared.array((ROWS, PADDED), real)
        tile = cuda.shared.array((ROWS, WIDTH), real)
        sums = cuda.local.array(COLUMNS, real)
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        batches, queries, keys, features, value_features, causal, _ = sizes
        tiles = (queries + ROWS - 1) // ROWS
        first_column = cuda.blockIdx.y * WIDTH
        for task in range(cuda.blockIdx.x, batches * tiles, cuda.gridDim.x):
            batch, first = task // tiles, task % tiles * ROWS
            of_query = moved(places[0], offset(batch, shape, steps[0]))
            of_key = moved(places[1], offset(batch, shape, steps[1]))
            of_value = moved(places[2], offset(batch, shape, steps[2]))
            of_mask = moved(places[3], offset(batch, shape, steps[3]))
            of_grad = moved(places[4], offset(batch, shape, steps[4]))
            for j in range(COLUMNS):
                sums[j] = real(0)
            end = keys
            if causal and first + ROWS < keys:
                end = first + ROWS
            for begin in range(0, end, ROWS):
                score = product(query, of_query, first, queries, key, of_key, begin, keys, features, left, right)
                by_weight = product(
                    grad, of_grad, first, queries, value, of_value, begin, keys, value_features, left, right
                )
                _, by_score = weights_of(
                    score, by_weight, batch, first + down, begin + across, sizes, scale, mask, of_mask, logsumexp,
                    row_sums,
                )  # fmt: skip
                by_scores[down, across] = by_score
                load(key, of_key, begin, keys, first_column, features, tile)
                cuda.syncthreads()
                for k in range(ROWS):
                    for j in range(COLUMNS):
                        sums[j] += by_scores[down, k] * tile[k, across + j * ROWS]
                cuda.syncthreads()
            for j in range(COLUMNS):
                column = first_column + across + j * ROWS
                if first + down < queries and column < features:
                    out[(batch * queries + first + down) * features + column] = sums[j]

    return attention_by_query


@functools.cache
def by_key(real: Any) -> Kernel:
    product, load, weights_of = tile_product(real), load_tile(real), _weights(real)

    @kernel
    def attention_by_key(
        sizes: Any, shape: Any, places: Any, steps: Any, scale: float, query: Array, key: Array, value: Array,
        mask: Array, grad: Array, logsumexp: Array, row_sums: Array, of_keys: Array, of_values: Array,
    ) -> None:  # fmt: skip
        left = cuda.shared.array((ROWS, PADDED), real)
        right = cuda.shared.array((ROWS, PADDED), real)
        weights = cuda.shared.array((ROWS, PADDED), real)
        by_scores = cuda.shared.array((ROWS, PADDED), real)
        queries_tile = cuda.shared.array((ROWS, WIDTH), real)
        grads_tile = cuda.shared.array((ROWS, WIDTH), real)
        key_sums = cuda.local.array(COLUMNS, real)
        value_sums = cuda.local.array(COLUMNS, real)
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        batches, queries, keys, features, value_features, causal, _ = sizes
        tiles = (keys + ROWS - 1) // ROWS
        first_column = cuda.blockIdx.y * WIDTH
        for task in range(cuda.blockIdx.x, batches * tiles, cuda.gridDim.x):
            batch, first = task // tiles, task % tiles * ROWS
            of_query = moved(places[0], offset(batch, shape, steps[0]))
            of_key = moved(places[1], offset(batch, shape, steps[1]))
            of_value = moved(places[2], offset(batch, shape, steps[2]))
            of_mask = moved(places[3], offset(batch, shape, steps[3]))
            of_grad = moved(places[4], offset(batch, shape, steps[4]))
            for j in range(COLUMNS):
                key_sums[j] = real(0)
                value_sums[j] = real(0)
            # No query before the tile's first takes any of its keys.
            for begin in range(first if causal else 0, queries, ROWS):
                score = product(key, of_key, first, keys, query, of_query, begin, queries, features, left, right)
                by_weight = product(
                    value, of_value, first, keys, grad, of_grad, begin, queries, value_features, left, right
                )
                weight, by_score = weights_of(
                    score, by_weight, batch, begin + across, first + down, sizes, scale, mask, of_mask, logsumexp,
                    row_sums,
                )  # fmt: skip
                weights[down, across], by_scores[down, across] = weight, by_score
                load(query, of_query, begin, queries, first_column, features, queries_tile)
                load(grad, of_grad, begin, queries, first_column, value_features, grads_tile)
                cuda.syncthreads()
                for k in range(ROWS):
                    for j in range(COLUMNS):
                        key_sums[j] += by_scores[down, k] * queries_tile[k, across + j * ROWS]
                        value_sums[j] += weights[down, k] * grads_tile[k, across + j * ROWS]
                cuda.syncthreads()
            for j in range(COLUMNS):
                row, column = first + down, first_column + across + j * ROWS
                if row < keys and column < features:
                    of_keys[(batch * keys + row) * features + column] = key_sums[j]
                if row < keys and column < value_features:
                    of_values[(batch * keys + row) * value_features + column] = value_sums[j]

    return attention_by_key
