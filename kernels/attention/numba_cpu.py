"""Attention with Numba: strides and scratch for the kernels of `forward` and `backward`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numba
import numpy as np

from .. import memory
from .backward import backward, backward_items, backward_plan
from .blocks import QUERIES
from .contract import default_scale
from .forward import forward, forward_items

Array = np.ndarray[Any, Any]

PARALLEL = 1 << 16
"""Multiplications of one product of all entries from which more than one thread is worth waking."""

_NO_FLAGS = np.empty(0, np.uint8)
_NO_NUMBERS = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    out: tuple[Array, Array],
) -> None:
    results = _contiguous(out)
    batch, sizes = out[0].shape[:-2], _sizes(query, value)
    flags, added, mask_strides = _mask(attn_mask, query)
    entries = math.prod(batch)
    tasks = entries * -(-sizes[0] // QUERIES)
    chunks = min(tasks, _threads(entries, sizes))
    if chunks:
        items = forward_items(sizes, attn_mask is not None, query.itemsize)
        forward(
            results[0].reshape(-1), results[1].reshape(-1), memory.scratch((chunks * items,), query.dtype), chunks,
            sizes, _operand(query), _operand(key), _operand(value), _offsets(batch, (query, key, value), attn_mask),
            flags, added, mask_strides, bool(is_causal), _scale(query, scale),
        )  # fmt: skip
    _copy_back(out, results)


def scaled_dot_product_attention_backward(
    grad: Array,
    query: Array,
    key: Array,
    value: Array,
    output: Array,
    logsumexp: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    out: tuple[Array, Array, Array],
) -> None:
    results = _contiguous(out)
    batch, sizes = grad.shape[:-2], _sizes(query, value)
    flags, added, mask_strides = _mask(attn_mask, query)
    entries = math.prod(batch)
    whole, chunks = backward_plan(entries, sizes, _threads(entries, sizes))
    items = backward_items(sizes, attn_mask is not None, whole, grad.itemsize)
    backward(
        *(each.reshape(-1) for each in results), memory.scratch((chunks * items,), grad.dtype), whole, chunks, sizes,
        *(_operand(each) for each in (grad, query, key, value, output)),
        _offsets(batch, (grad, query, key, value, output), attn_mask), np.ascontiguousarray(logsumexp).reshape(-1),
        flags, added, mask_strides, bool(is_causal), _scale(query, scale),
    )  # fmt: skip
    _copy_back(out, results)


def _sizes(query: Array, value: Array) -> tuple[int, int, int, int]:
    return query.shape[-2], value.shape[-2], query.shape[-1], value.shape[-1]


def _threads(entries: int, sizes: tuple[int, int, int, int]) -> int:
    """How many threads may work: one where all is small."""
    length, keys, features, value_features = sizes
    work = entries * length * keys * (features + value_features)
    return numba.get_num_threads() if work >= PARALLEL else 1


def _scale(query: Array, scale: float | None) -> Any:
    return query.dtype.type(default_scale(query.shape[-1]) if scale is None else scale)


def _operand(array: Array) -> tuple[int, int, int]:
    return array.ctypes.data, array.strides[-2], array.strides[-1]


def _mask(mask: Array | None, query: Array) -> tuple[Array, Array, tuple[int, int]]:
    """The mask's elements as bytes or as numbers, and their strides by query and by key."""
    numbers = _NO_NUMBERS[query.dtype]
    if mask is None:
        return _NO_FLAGS, numbers, (0, 0)
    flat = np.ascontiguousarray(mask).reshape(-1)
    rows = mask.shape[-2] if mask.ndim > 1 else 1
    strides = (mask.shape[-1] if rows > 1 else 0), (1 if mask.ndim and mask.shape[-1] > 1 else 0)
    return (flat.view(np.uint8), numbers, strides) if mask.dtype == np.bool_ else (_NO_FLAGS, flat, strides)


def _offsets(batch: tuple[int, ...], arrays: tuple[Array, ...], mask: Array | None) -> Array:
    """Where each entry of the batch begins: in bytes in each array, in items in the (contiguous) mask."""
    layouts = tuple((each.shape[:-2], each.strides[:-2]) for each in arrays)
    return _offset_table(batch, layouts, () if mask is None else mask.shape)


@functools.lru_cache(maxsize=256)
def _offset_table(
    batch: tuple[int, ...], layouts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], mask: tuple[int, ...]
) -> Array:
    mask_strides = tuple(math.prod(mask[i + 1 :]) for i in range(len(mask) - 2))
    table = np.empty((math.prod(batch), len(layouts) + 1), np.int64)
    for column, (shape, strides) in enumerate((*layouts, (mask[:-2], mask_strides))):
        offsets = np.zeros((), np.int64)
        added = len(batch) - len(shape)
        for i, n in enumerate(batch):
            stride = strides[i - added] if i >= added and shape[i - added] > 1 else 0
            offsets = offsets[..., None] + np.arange(n) * stride
        table[:, column] = offsets.reshape(-1)
    return table


def _contiguous(out: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple([each if each.flags.c_contiguous else memory.scratch(each.shape, each.dtype) for each in out])


def _copy_back(out: tuple[Array, ...], results: tuple[Array, ...]) -> None:
    for target, result in zip(out, results, strict=True):
        if target is not result:
            target[...] = result
