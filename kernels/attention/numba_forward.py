"""The attention kernel of the backend ``numba_cuda``: a running maximum over tiles of keys, never the whole scores.

Sources: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..numba_launch import Kernel, cuda, exponential, kernel, logarithm, offset
from .numba_tiles import COLUMNS, PADDED, ROWS, WIDTH, load_tile, masked_score, moved, tile_product

Array = Any


@functools.cache
def forward(real: Any) -> Kernel:
    """Of sizes (batches, queries, keys, features, value features, causal, kind of mask), operands q, k, v, mask."""
    product, load, score_of = tile_product(real), load_tile(real), masked_score(real)
    never = real(-np.inf)

    @kernel
    def attention(
        sizes: Any, shape: Any, places: Any, steps: Any, scale: float,
        query: Array, key: Array, value: Array, mask: Array, out: Array, logsumexp: Array,
    ) -> None:  # fmt: skip
        left = cuda.shared.array((ROWS, PADDED), real)
        right = cuda.shared.array((ROWS, PADDED), real)
        scores = cuda.shared.array((ROWS, PADDED), real)
        values = cuda.shared.array((ROWS, WIDTH), real)
        sums = cuda.local.array(COLUMNS, real)
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        batches, queries, keys, features, value_features, causal, kind = sizes
        tiles = (queries + ROWS - 1) // ROWS
        first_column = cuda.blockIdx.y * WIDTH
        for task in range(cuda.blockIdx.x, batches * tiles, cuda.gridDim.x):
            batch, first = task // tiles, task % tiles * ROWS
            row = first + down
            of_query = moved(places[0], offset(batch, shape, steps[0]))
            of_key = moved(places[1], offset(batch, shape, steps[1]))
            of_value = moved(places[2], offset(batch, shape, steps[2]))
            of_mask = moved(places[3], offset(batch, shape, steps[3]))
            for j in range(COLUMNS):
                sums[j] = real(0)
            largest, shift, total = never, real(0), real(0)
            end = keys
            if causal and first + ROWS < keys:
                end = first + ROWS  # no query of the tile takes a later key
            for begin in range(0, end, ROWS):
                score = product(query, of_query, first, queries, key, of_key, begin, keys, features, left, right)
                column = begin + across
                if row < queries and column < keys:
                    score = score_of(score * real(scale), row, column, causal, kind, mask, of_mask)
                else:
                    score = never
                scores[down, across] = score
                cuda.syncthreads()
                before = largest
                for k in range(ROWS):
                    if scores[down, k] > largest:
                        largest = scores[down, k]
                cuda.syncthreads()
                # Where no key took part yet, -inf - -inf would be NaN.
                shift = largest if largest != never else real(0)
                scores[down, across] = real(exponential(score - shift))
                load(value, of_value, begin, keys, first_column, value_features, values)
                cuda.syncthreads()
                correction = real(exponential(before - shift))
                total *= correction
                for j in range(COLUMNS):
                    sums[j] *= correction
                for k in range(ROWS):
                    weight = scores[down, k]
                    total += weight
                    for j in range(COLUMNS):
                        sums[j] += weight * values[k, across + j * ROWS]
                cuda.syncthreads()
            if row < queries:
                divisor = total if total != real(0) else real(1)
                for j in range(COLUMNS):
                    column = first_column + across + j * ROWS
                    if column < value_features:
                        out[(batch * queries + row) * value_features + column] = sums[j] / divisor
                if across == 0 and first_column == 0:
                    logsumexp[batch * queries + row] = shift + real(logarithm(total)) if total != real(0) else never

    return attention
