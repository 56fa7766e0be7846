"""Looking things up by index arrays, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def embedding(weight: Array, indices: Array) -> Array:
    return weight[indices]


def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
) -> Array:
    result = np.zeros((num_embeddings, grad.shape[-1]), dtypes.accumulator(grad.dtype))
    np.add.at(result, indices, grad.astype(result.dtype))
    if padding_idx is not None:
        result[padding_idx : padding_idx + 1] = 0
    if scale_grad_by_freq:
        counts = np.bincount(indices.reshape(-1), minlength=num_embeddings)
        result /= np.maximum(counts, 1).astype(result.dtype)[:, None]
    return result.astype(grad.dtype)


def index_select(x: Array, index: Array, *, dim: int) -> Array:
    if x.ndim == 0:
        return x.copy()
    return np.take(x, np.atleast_1d(index), axis=dim)


def index_select_backward(grad: Array, index: Array, *, dim: int, size: int) -> Array:
    rows = np.moveaxis(grad, dim, 0)
    result = np.zeros((size, *rows.shape[1:]), dtypes.accumulator(grad.dtype))
    np.add.at(result, index, rows.astype(result.dtype))
    return np.moveaxis(result, 0, dim).astype(grad.dtype)


def gather(x: Array, index: Array, *, dim: int) -> Array:
    return np.atleast_1d(x)[_places(index, dim)].reshape(index.shape)


def scatter_add(x: Array, index: Array, source: Array, *, dim: int) -> Array:
    wide = np.array(x, dtypes.accumulator(x.dtype), ndmin=1)
    added = source[tuple(slice(n) for n in index.shape)].astype(wide.dtype)
    np.add.at(wide, _places(index, dim), np.atleast_1d(added))
    return wide.astype(x.dtype).reshape(x.shape)


def _places(index: Array, dim: int) -> tuple[Array, ...]:
    """Where each element of ``index`` points: its own place, but for ``dim``."""
    index = np.atleast_1d(index)
    places = list(np.indices(index.shape, sparse=True))
    places[dim] = index
    return tuple(places)


def one_hot(indices: Array, *, num_classes: int) -> Array:
    return (indices[..., None] == np.arange(num_classes)).astype(np.int64)
