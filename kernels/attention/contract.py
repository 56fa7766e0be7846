"""Contracts of scaled dot-product attention and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal

Array = Any
Shape = tuple[int, ...]

_SOURCE = (
    "Vaswani et al., Attention Is All You Need, 2017; blocks with a running maximum: Dao et al., FlashAttention, 2022, "
    "and Milakov and Gimelshein, Online normalizer calculation for softmax, 2018"
)


def default_scale(features: int) -> float:
    """1 / sqrt(features), what scores are multiplied by; 1 where there are no features."""
    return 1.0 / math.sqrt(features) if features else 1.0


def _inputs(
    rng: np.random.Generator, dtype: np.dtype[Any], query: Shape, key: Shape, value: Shape
) -> tuple[Array, Array, Array]:
    return normal(rng, query, dtype), normal(rng, key, dtype), normal(rng, value, dtype)


def _samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    def same(*shape: int) -> tuple[Array, Array, Array]:
        return _inputs(rng, dtype, shape, shape, shape)

    def kept(*shape: int) -> Array:
        return np.asarray(rng.random(shape) < 0.6)

    causal = {"is_causal": True}
    yield Sample(_inputs(rng, dtype, (3, 4), (5, 4), (5, 2)), {}, "matrices")
    yield Sample(same(2, 5, 3), causal, "causal")
    yield Sample(_inputs(rng, dtype, (2, 3, 5), (2, 7, 5), (2, 7, 3)), causal, "causal, more keys than queries")
    yield Sample(_inputs(rng, dtype, (1, 2, 7, 3), (1, 2, 3, 3), (1, 2, 3, 4)), {**causal, "scale": 0.3}, "fewer keys")
    mask = kept(4, 5)
    mask[2] = False
    yield Sample((*_inputs(rng, dtype, (2, 4, 3), (2, 5, 3), (2, 5, 3)), mask), {}, "one query masked from all keys")
    yield Sample(
        (*_inputs(rng, dtype, (2, 2, 3, 2), (2, 2, 4, 2), (2, 2, 4, 3)), kept(2, 1, 1, 4)), {}, "masked keys of a batch"
    )
    yield Sample((*same(2, 4, 3), normal(rng, (4, 4), dtype)), {**causal, "scale": -1}, "added mask, causal")
    yield Sample(_inputs(rng, dtype, (2, 1, 3, 4), (3, 5, 4), (1, 5, 3)), {}, "broadcast batches")
    yield Sample(same(1, 1), {}, "one element")
    yield Sample(_inputs(rng, dtype, (2, 0, 4), (2, 5, 4), (2, 5, 4)), causal, "no queries")
    yield Sample(_inputs(rng, dtype, (1, 1, 4), (1, 0, 4), (1, 0, 3)), {}, "no keys")
    yield Sample(_inputs(rng, dtype, (3, 0), (5, 0), (5, 2)), {}, "no features")
    heads = tuple(each.reshape(2, 9, 3, 8).transpose(0, 2, 1, 3) for each in same(2, 9, 24))
    yield Sample((*heads, kept(9, 2, 9).transpose(1, 2, 0)[:, None, :, ::-1]), {}, "heads side by side, strided mask")
    yield Sample(
        (
            normal(rng, (5, 11), dtype).T,
            normal(rng, (20, 14), dtype)[::-2, 1:11:2],
            normal(rng, (10, 6), dtype)[:, ::2],
        ),
        {"scale": 1.0},
        "transposed and stepped",
    )
    yield Sample(_inputs(rng, dtype, (131, 33), (257, 33), (257, 37)), {}, "large")
    yield Sample(same(2, 193, 32), causal, "large, causal")
    added = normal(rng, (3, 70, 135), dtype)
    added[0, :, 64:] = -np.inf
    added[1, 5] = -np.inf
    added[2, 7, 1:] = -np.inf
    yield Sample((*_inputs(rng, dtype, (3, 70, 16), (3, 135, 16), (3, 135, 16)), added), {}, "large, added mask")
    # One entry over several blocks of keys: its gradients are shared out by keys, then by queries.
    yield Sample((*_inputs(rng, dtype, (63, 8), (257, 8), (257, 8)), kept(63, 257)), {}, "large, masked keys")
    query, key, value = same(67, 20)
    yield Sample((query * 4, key * 4, value), {}, "large scores")
    query[3], value[5, 2] = np.nan, np.inf
    yield Sample((query, key, value), {}, "NaN in a query, infinity in a value")


def _wrong() -> Iterator[Wrong]:
    query, key = np.zeros((2, 3, 4), np.float32), np.zeros((2, 5, 4), np.float32)
    yield Wrong((query, key[..., :3], key), {}, ValueError, r"query has 4 features \(shape .*\) but key has 3 \(shape")
    yield Wrong((query, key, key[:, 1:]), {}, ValueError, r"key has length 5 \(shape .*\) but value has length 4 \(sha")
    yield Wrong((query, key[:1].repeat(3, 0), key), {}, ValueError, r"shapes \(2,\), \(3,\) and \(2,\) .* broadcast")
    yield Wrong((query[0, 0], key, key), {}, ValueError, r"query must have at least 2 dimensions, not shape \(4,\)")
    yield Wrong((query, key, key.astype(np.float64)), {}, TypeError, "query has dtype float32 but value .* float64")
    yield Wrong((query, key, key, np.ones((3, 4), bool)), {}, ValueError, r"attn_mask of shape \(3, 4\) .* \(2, 3, 5\)")
    yield Wrong((query, key, key, np.ones((3, 5), int)), {}, TypeError, "attn_mask .* bool or float32, not int64")
    yield Wrong((query, key, key), {"scale": "1"}, TypeError, "scale must be a number or None, not str")


def _shapes(
    operation: str, query: Array, key: Array, value: Array, attn_mask: Array | None, scale: float | None
) -> tuple[Shape, int, int, int, int]:
    """The batch dimensions of a call and its L, S, E, Ev, once all arguments are checked."""
    check.floating(operation, query=query)
    if key.dtype != query.dtype or value.dtype != query.dtype:
        check.same_dtype(operation, query=query, key=key, value=value)
    q, k, v = query.shape, key.shape, value.shape
    if len(q) < 2 or len(k) < 2 or len(v) < 2:
        for name, shape in (("query", q), ("key", k), ("value", v)):
            if len(shape) < 2:
                raise ValueError(f"{operation}: {name} must have at least 2 dimensions, not shape {tuple(shape)}")
    if q[-1] != k[-1]:
        raise ValueError(
            f"{operation}: query has {q[-1]} features (shape {tuple(q)}) but key has {k[-1]} (shape {tuple(k)})"
        )
    if k[-2] != v[-2]:
        raise ValueError(
            f"{operation}: key has length {k[-2]} (shape {tuple(k)}) but value has length {v[-2]} (shape {tuple(v)})"
        )
    batch = q[:-2]
    if k[:-2] != batch or v[:-2] != batch:
        try:
            batch = np.broadcast_shapes(batch, k[:-2], v[:-2])
        except ValueError:
            raise ValueError(
                f"{operation}: batches of shapes {tuple(q[:-2])}, {tuple(k[:-2])} and {tuple(v[:-2])} "
                "cannot be broadcast together"
            ) from None
    if attn_mask is not None:
        _check_mask(operation, attn_mask, (*batch, q[-2], k[-2]), query.dtype)
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, (int, float, np.number))):
        raise TypeError(f"{operation}: scale must be a number or None, not {type(scale).__name__}")
    return batch, q[-2], k[-2], q[-1], v[-1]


def _check_mask(operation: str, mask: Array, weights: Shape, dtype: np.dtype[Any]) -> None:
    if mask.dtype != dtypes.bool_ and mask.dtype != dtype:
        raise TypeError(f"{operation}: attn_mask must have dtype bool or {dtype}, not {mask.dtype}")
    shape = mask.shape
    missing = len(weights) - len(shape)
    if missing < 0 or any(n not in (1, m) for n, m in zip(shape, weights[missing:], strict=True)):
        raise ValueError(
            f"{operation}: attn_mask of shape {tuple(shape)} cannot be broadcast to the weights' shape {weights}"
        )


@operation(samples=_samples, wrong=_wrong, gradient=2, source=_SOURCE)
def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Spec, Spec]:
    """``softmax(query @ key.mT * scale + mask) @ value``, and the logarithm of each softmax's denominator.

    A query that is masked from every key, or for which there is none, gets zeros. What ``key`` and
    ``value`` hold at masked places must be finite.

    Args:
        query: floating, (..., L, E).
        key: (..., S, E), of query's dtype.
        value: (..., S, Ev), of query's dtype. The leading dimensions of the three broadcast together.
        attn_mask: broadcast to (..., L, S); bool, where False keeps a query from a key, or of query's
            dtype, added to the scores.
        is_causal: query i takes keys 0 to i only, on top of the mask.
        scale: default 1 / sqrt(E).

    Returns:
        The result (..., L, Ev) and ``logsumexp`` of the scores (..., L), in float32 for the halves, -inf
        where no key takes part.

    Raises:
        TypeError: if a dtype does not fit, or ``scale`` is no number.
        ValueError: if shapes do not fit.
    """
    batch, length, _, _, features = _shapes("scaled_dot_product_attention", query, key, value, attn_mask, scale)
    dtype = query.dtype
    return Spec((*batch, length, features), dtype), Spec((*batch, length), dtypes.accumulator(dtype))


def _backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    from .reference import scaled_dot_product_attention as forward

    for sample in _samples(rng, dtype):
        if sample.name.startswith("NaN"):
            continue
        query, key, value, *mask = sample.args
        output, logsumexp = forward(query, key, value, *mask, **sample.kwargs)
        grad = normal(rng, output.shape, dtype)
        yield Sample((grad, query, key, value, output, logsumexp, *mask), sample.kwargs, sample.name)
    shape = (2, 3, 9, 8)
    query, key, value = _inputs(rng, dtype, shape, shape, shape)
    output, logsumexp = forward(query, key, value)
    grad = normal(rng, (2, 9, 3, 8), dtype).transpose(0, 2, 1, 3)
    output = np.ascontiguousarray(output.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    yield Sample((grad, query, key, value, output, logsumexp.copy(order="F")), {}, "strided gradient")


def _wrong_backward() -> Iterator[Wrong]:
    query, key = np.zeros((2, 3, 4), np.float32), np.zeros((2, 5, 4), np.float32)
    output, logsumexp = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3), np.float32)
    wrong_shape = r"grad must have shape \(2, 3, 4\), not \(2, 2, 4\)"
    yield Wrong((output[:, 1:], query, key, key, output, logsumexp), {}, ValueError, wrong_shape)
    yield Wrong(
        (output, query, key, key, output, logsumexp[0]),
        {},
        ValueError,
        r"logsumexp must have shape \(2, 3\), not \(3,\)",
    )
    yield Wrong(
        (output.astype(np.float64), query, key, key, output, logsumexp), {}, TypeError, "float32 but grad .* float64"
    )
    yield Wrong(
        (output, query, key, key, output, logsumexp.astype(np.float64)),
        {},
        TypeError,
        "logsumexp .* float32, not float64",
    )


@operation(
    samples=_backward_samples,
    wrong=_wrong_backward,
    source="the gradient of scaled_dot_product_attention; Dao et al., FlashAttention, 2022, algorithm 4",
)
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
) -> tuple[Spec, Spec, Spec]:
    """The gradients by ``query``, ``key`` and ``value``.

    With P the weights, ``exp(scores - logsumexp)``: dvalue = P^T grad; dP = grad value^T;
    dscores = P (dP - sum(grad * output)); dquery = scale dscores key; dkey = scale dscores^T query.
    The sums have a fixed order: the result is the same bits each time.

    Args:
        grad: floating, (..., L, Ev).
        query, key, value, attn_mask, is_causal, scale: as given to the forward.
        output, logsumexp: as the forward returned them.

    Returns:
        Three arrays of grad's dtype, (..., L, E), (..., S, E) and (..., S, Ev), each with the leading
        dimensions of ``grad``: where an input was broadcast, summing back is left to the caller.

    Raises:
        TypeError, ValueError: as the forward; or ``grad``, ``output`` or ``logsumexp`` does not fit.
    """
    name = "scaled_dot_product_attention_backward"
    batch, length, keys, features, value_features = _shapes(name, query, key, value, attn_mask, scale)
    dtype = query.dtype
    if grad.dtype != dtype or output.dtype != dtype:
        check.same_dtype(name, query=query, grad=grad, output=output)
    expected = (*batch, length, value_features)
    check.shape(name, "grad", grad, expected)
    check.shape(name, "output", output, expected)
    check.shape(name, "logsumexp", logsumexp, (*batch, length))
    if logsumexp.dtype != dtypes.accumulator(dtype):
        raise TypeError(f"{name}: logsumexp must have dtype {dtypes.accumulator(dtype)}, not {logsumexp.dtype}")
    return (
        Spec((*batch, length, features), dtype),
        Spec((*batch, keys, features), dtype),
        Spec((*batch, keys, value_features), dtype),
    )
