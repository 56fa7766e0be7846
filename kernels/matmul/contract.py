"""Matrix products: ``matmul`` in all of torch.matmul's forms, and ``linear`` with its epilogue fused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..dtypes import is_floating

Array = Any

ACTIVATIONS = (None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh")
"""What `linear` can apply to its result before storing it."""


def _matmul_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    yield Sample((normal(3, 4), normal(4, 5)), name="2-D")
    yield Sample((normal(7), normal(7)), name="1-D @ 1-D")
    yield Sample((normal(5), normal(5, 3)), name="1-D @ 2-D")
    yield Sample((normal(6), normal(6, 6)), name="1-D @ square")
    yield Sample((normal(4, 5), normal(5)), name="2-D @ 1-D")
    yield Sample((normal(2, 3, 4), normal(2, 4, 5)), name="batched")
    yield Sample((normal(2, 1, 3, 4), normal(3, 4, 2)), name="broadcast batch")
    yield Sample((normal(2, 3, 5), normal(5)), name="batched @ 1-D")
    yield Sample((normal(5), normal(2, 5, 3)), name="1-D @ batched")
    yield Sample((normal(4, 3).T, normal(5, 4).T), name="transposed")
    yield Sample((normal(9, 8)[::-2, ::2], normal(4, 12)[:, ::-3]), name="stepped")
    yield Sample((normal(3, 0), normal(0, 2)), name="inner size 0")
    yield Sample((normal(0, 3), normal(3, 2)), name="empty")
    yield Sample((normal(1, 1), normal(1, 1)), name="1 by 1")
    yield Sample((normal(33, 31), normal(31, 37)), name="primes")
    yield Sample((normal(131, 259), normal(131, 259).T), name="parallel, edge tiles")
    yield Sample((normal(67, 127), normal(127, 131)), name="shared by rows")
    yield Sample((normal(61, 7, 11), normal(61, 11, 13)), name="many small products")
    yield Sample((normal(127), normal(127, 259)), name="parallel vector @ matrix")
    yield Sample((normal(33, 600), normal(600, 220)), name="several blocks of the inner size, few rows")
    yield Sample((normal(9, 600), normal(600, 5)), name="few results of many inner places")
    special = normal(9, 8)
    special[1, 2], special[3, 4], special[5, 6] = np.nan, np.inf, -np.inf
    yield Sample((special, normal(8, 17)), name="nan, inf")


def _matmul_wrong() -> Iterator[Wrong]:
    yield Wrong((np.ones((2, 3)), np.ones((4, 5))), {}, ValueError, r"matmul: .*\(2, 3\).*\(4, 5\).*3 .* 4")
    yield Wrong((np.ones(3), np.ones(4)), {}, ValueError, r"matmul: .*\(3,\).*\(4,\)")
    yield Wrong((np.ones((2, 2, 3)), np.ones((3, 3, 2))), {}, ValueError, r"matmul: shapes \(2,\) and \(3,\)")
    yield Wrong((np.ones(()), np.ones((2, 2))), {}, ValueError, r"matmul: a must have at least 1 dimension.*\(\)")
    yield Wrong((np.ones((2, 2), np.float32), np.ones((2, 2))), {}, TypeError, "matmul: .*float32.*float64")
    yield Wrong((np.ones((2, 2), int), np.ones((2, 2), int)), {}, TypeError, "matmul: a .*int64")


@operation(
    samples=_matmul_samples,
    wrong=_matmul_wrong,
    ulps=8.0,  # one term after the other, as a convolution's
    gradient=2,
    source="c[..., i, j] = sum_k a[..., i, k] b[..., k, j]",
)
def matmul(a: Array, b: Array) -> Spec:
    """Matrix product, with the forms of ``torch.matmul``.

    A 1-D ``a`` is one row and a 1-D ``b`` one column, and that dimension is dropped from the result;
    dimensions before the last two are batches and broadcast. Strides are free.

    Args:
        a: (..., M, K) or (K,), floating.
        b: (..., K, N) or (K,), the same dtype.

    Returns:
        (..., M, N), without M where ``a`` is 1-D and without N where ``b`` is; zeros if K is 0.

    Raises:
        TypeError: a dtype is not floating, or they differ.
        ValueError: a 0-d array, inner sizes that differ, or batches that do not broadcast.
    """
    if a.dtype != b.dtype or not is_floating(a.dtype):
        check.floating("matmul", a=a, b=b)
        check.same_dtype("matmul", a=a, b=b)
    left, right = a.shape, b.shape
    if not left or not right:
        name, shape = ("a", left) if not left else ("b", right)
        raise ValueError(f"matmul: {name} must have at least 1 dimension, not shape {tuple(shape)}")
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise ValueError(
            f"matmul: a of shape {tuple(left)} and b of shape {tuple(right)} do not fit: inner sizes "
            f"{left[-1]} and {right[-2 if len(right) > 1 else 0]} differ"
        )
    batch = check.broadcast("matmul", tuple(left[:-2]), tuple(right[:-2]))
    return Spec((*batch, *left[-2:-1], *right[len(right) - 1 if len(right) > 1 else 1 :]), a.dtype)


def _linear_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    for activation in ACTIVATIONS:
        args = (normal(3, 4), normal(5, 4), normal(5))
        yield Sample(args, {"activation": activation}, f"activation {activation}")
    yield Sample((normal(3, 4), normal(5, 4)), name="no bias")
    yield Sample((normal(3, 4), normal(5, 4), normal(10)[::2]), name="strided bias")
    yield Sample((normal(3, 4), normal(5, 4)), {"activation": "gelu"}, "no bias, gelu")
    yield Sample((normal(3, 5), normal(5, 5), normal(5)), name="square weight")
    yield Sample((normal(7), normal(2, 7), normal(2)), name="1-D x")
    yield Sample((normal(2, 3, 4), normal(5, 4), normal(5)), name="3-D x")
    yield Sample((normal(3, 2, 4).transpose(1, 0, 2), normal(4, 5).T, normal(10)[::2]), name="strided")
    yield Sample((normal(0, 4), normal(5, 4), normal(5)), name="empty")
    yield Sample((normal(3, 0), normal(5, 0), normal(5)), {"activation": "silu"}, "inner size 0")
    yield Sample((normal(163, 197), normal(133, 197), normal(133)), {"activation": "gelu"}, "parallel, edge tiles")
    yield Sample((normal(91, 71), normal(83, 71), normal(83)), {"activation": "gelu"}, "shared by rows")
    yield Sample((normal(33, 700), normal(17, 700), normal(17)), {"activation": "relu"}, "several inner blocks")
    special = normal(9, 8)
    special[1, 2], special[3, 4], special[5, 6] = np.nan, np.inf, -np.inf
    yield Sample((special, normal(17, 8), normal(17)), {"activation": "relu"}, "nan, inf")


def _linear_wrong() -> Iterator[Wrong]:
    x, weight, bias = np.ones((2, 3)), np.ones((5, 3)), np.ones(5)
    yield Wrong((x, np.ones((5, 4)), bias), {}, ValueError, r"linear: .*\(2, 3\).*\(5, 4\).*3 .* 4")
    yield Wrong((x, weight, np.ones(3)), {}, ValueError, r"linear: bias must have shape \(5,\), not \(3,\)")
    yield Wrong((x, np.ones(3)), {}, ValueError, r"linear: weight must have 2 dimensions, not 1")
    yield Wrong((x, weight), {"activation": "swish"}, ValueError, "linear: activation .*'swish'.*relu")
    yield Wrong((x, weight, bias.astype(np.float32)), {}, TypeError, "linear: .*float64.*float32")


@operation(
    samples=_linear_samples,
    wrong=_linear_wrong,
    gradient=2,
    source="y = activation(x weight^T + bias)",
)
def linear(x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None) -> Spec:
    """Affine map of the last dimension, ``activation(x @ weight.T + bias)``, in one pass over the result.

    Args:
        x: (..., in), floating.
        weight: (out, in), the same dtype.
        bias: (out,), the same dtype, or None.
        activation: None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid" or "tanh".

    Returns:
        (..., out)

    Raises:
        TypeError: a dtype is not floating, or they differ.
        ValueError: shapes that do not fit, or an unknown activation.
    """
    dtype = x.dtype
    if dtype != weight.dtype or (bias is not None and dtype != bias.dtype) or not is_floating(dtype):
        check.floating("linear", x=x, weight=weight, bias=bias)
        check.same_dtype("linear", x=x, weight=weight, bias=bias)
    if len(weight.shape) != 2:
        check.ndim("linear", "weight", weight, 2)
    outs, ins = weight.shape
    if not x.shape or x.shape[-1] != ins:
        raise ValueError(
            f"linear: x of shape {tuple(x.shape)} does not fit weight of shape {tuple(weight.shape)}: "
            f"last sizes {x.shape[-1] if x.shape else 'none'} and {ins} differ"
        )
    if bias is not None:
        check.shape("linear", "bias", bias, (outs,))
    if activation not in ACTIVATIONS:
        known = ", ".join(repr(each) for each in ACTIVATIONS)
        raise ValueError(f"linear: activation (={activation!r}) must be one of {known}")
    return Spec((*x.shape[:-1], outs), dtype)
