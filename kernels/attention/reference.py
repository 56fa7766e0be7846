"""Scaled dot-product attention in plain NumPy, the whole matrix of scores at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from .contract import default_scale

Array = Any


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, Array]:
    wide = dtypes.accumulator(query.dtype)
    scores = _scores(query.astype(wide), key.astype(wide), attn_mask, is_causal, scale)
    largest = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
    shift = np.where(np.isneginf(largest), wide.type(0), largest)  # -inf - -inf would be NaN
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.exp(scores - shift)
        total = weights.sum(axis=-1, keepdims=True)
        logsumexp = (shift + np.log(total))[..., 0]
        weights = weights / np.where(total == 0, wide.type(1), total)
        result = np.matmul(weights, value.astype(wide))
    # The leading dimensions of value take part in the result, not in the scores.
    return result.astype(query.dtype), np.broadcast_to(logsumexp, result.shape[:-1]).copy()


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
) -> tuple[Array, Array, Array]:
    dtype, wide = grad.dtype, dtypes.accumulator(grad.dtype)
    grad, query, key, value, output = (each.astype(wide) for each in (grad, query, key, value, output))
    factor = wide.type(default_scale(query.shape[-1]) if scale is None else scale)
    dead: Array = np.isneginf(logsumexp[..., None])
    scores = _scores(query, key, attn_mask, is_causal, scale)
    weights = np.where(dead, wide.type(0), np.exp(scores - np.where(dead, wide.type(0), logsumexp[..., None])))
    by_weights = np.matmul(grad, np.swapaxes(value, -2, -1))
    by_scores = weights * (by_weights - np.sum(grad * output, axis=-1, keepdims=True))
    by_query = np.matmul(by_scores, key) * factor
    by_key = np.matmul(np.swapaxes(by_scores, -2, -1), query) * factor
    by_value = np.matmul(np.swapaxes(weights, -2, -1), grad)
    return by_query.astype(dtype), by_key.astype(dtype), by_value.astype(dtype)


def _scores(query: Array, key: Array, attn_mask: Array | None, is_causal: bool, scale: float | None) -> Array:
    """Scaled, masked scores (..., L, S)."""
    factor = query.dtype.type(default_scale(query.shape[-1]) if scale is None else scale)
    scores = np.matmul(query, np.swapaxes(key, -2, -1)) * factor
    minus_infinity = query.dtype.type(-np.inf)
    if attn_mask is not None:
        if attn_mask.dtype == np.bool_:
            scores = np.where(attn_mask, scores, minus_infinity)
        else:
            scores = scores + attn_mask.astype(query.dtype)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:]) == 1, scores, minus_infinity)
    return scores
