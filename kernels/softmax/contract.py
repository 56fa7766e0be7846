"""Contracts of softmax, its logarithm, the logarithm of a sum of exponentials, and their backward kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal, rows, scaled

Array = Any

_steep = scaled(normal, 3.0)


def _one(name: str, x: Array, dim: int) -> Spec:
    check.floating(name, x=x)
    check.dim(name, dim, len(x.shape))
    return Spec(x.shape, x.dtype)


def _backward(name: str, grad: Array, y: Array, dim: int) -> Spec:
    if grad.shape != y.shape:
        check.same_shape(name, grad=grad, y=y)
    if grad.dtype != y.dtype:
        check.same_dtype(name, grad=grad, y=y)
    return _one(name, grad, dim)


def _from_results(function: str) -> Callable[[np.random.Generator, np.dtype[Any]], Iterator[Sample]]:
    """Samples of a backward kernel whose ``y`` is a result of ``function``; special values are no result of any."""

    def samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
        from scipy import special  # here: it would slow down `import pyneural`

        for sample in rows(pairs=True)(rng, dtype):
            (grad, x), dim = sample.args, sample.kwargs["dim"]
            # Rows of one have one result each, the same: several keep arbitrary numbers.
            if sample.name != "special values" and x.size and (x.size == 1 or x.shape[dim] > 1):
                rolled = np.moveaxis(np.atleast_1d(x.astype(np.float64)), dim, -1)
                y = np.moveaxis(getattr(special, function)(rolled, axis=-1), -1, dim).astype(dtype)
                yield Sample((grad, y.reshape(x.shape)), sample.kwargs, sample.name)
            else:
                yield sample

    return samples


def _wrong_one() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x,), {"dim": 2}, IndexError, r"dim \(=2\) must be in \[-2, 1\]")
    yield Wrong((x,), {"dim": 1.5}, TypeError, "dim must be an int, not float")
    yield Wrong((np.ones((2, 3), np.int64),), {"dim": 0}, TypeError, "x must have a floating dtype, not int64")


def _wrong_backward() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x, x.T), {"dim": 0}, ValueError, r"grad has shape \(2, 3\) but y has shape \(3, 2\)")
    yield Wrong((x, x.astype(float)), {"dim": 0}, TypeError, "grad has dtype float32 but y has dtype float64")
    yield Wrong((x, x), {"dim": -3}, IndexError, r"dim \(=-3\) must be in \[-2, 1\]")


@operation(
    samples=rows(_steep),
    wrong=_wrong_one,
    error="elementwise",
    gradient=2,
    source="e^(x - max) / sum e^(x - max)",
)
def softmax(x: Array, *, dim: int) -> Spec:
    """Softmax of a floating array along ``dim``; a row of -inf, or with +inf or NaN in it, becomes NaN.

    Raises TypeError unless ``x`` is floating, IndexError where ``dim`` is out of range.
    """
    return _one("softmax", x, dim)


@operation(samples=_from_results("softmax"), wrong=_wrong_backward, source="y (grad - sum(grad y))")
def softmax_backward(grad: Array, y: Array, *, dim: int) -> Spec:
    """Gradient of `softmax` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating,
    IndexError where ``dim`` is out of range.
    """
    return _backward("softmax_backward", grad, y, dim)


@operation(samples=rows(_steep), wrong=_wrong_one, gradient=2, source="x - max - ln sum e^(x - max)")
def log_softmax(x: Array, *, dim: int) -> Spec:
    """Logarithm of the softmax of a floating array along ``dim``; NaN where `softmax` is.

    Raises TypeError unless ``x`` is floating, IndexError where ``dim`` is out of range.
    """
    return _one("log_softmax", x, dim)


@operation(samples=_from_results("log_softmax"), wrong=_wrong_backward, source="grad - e^y sum(grad)")
def log_softmax_backward(grad: Array, y: Array, *, dim: int) -> Spec:
    """Gradient of `log_softmax` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating,
    IndexError where ``dim`` is out of range.
    """
    return _backward("log_softmax_backward", grad, y, dim)


def _sum_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for i, sample in enumerate(rows(_steep)(rng, dtype)):
        yield Sample(sample.args, {**sample.kwargs, "keepdim": i % 2 == 1}, sample.name)
    for shape, dims in (((4, 3, 5), (0, 2)), ((3, 5, 7, 2), (1, 2)), ((2, 3, 5), ()), ((5, 2, 31, 67), (0, -1))):
        yield Sample((_steep(rng, shape, dtype),), {"dim": dims, "keepdim": len(shape) == 4}, f"{shape}, dims {dims}")
    yield Sample((_steep(rng, (3, 0), dtype),), {"dim": 1, "keepdim": True}, "of nothing")


def _sum_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for sample in _sum_samples(rng, dtype):
        (x,), dim = sample.args, sample.kwargs["dim"]
        kept = check.reduced_shape(x.shape, check.dims("logsumexp", dim, x.ndim), True)
        y = np.asarray(normal(rng, kept, dtypes.float64) + 5).astype(dtype)  # any number will do
        yield Sample((normal(rng, kept, dtype), x, y), {"dim": dim}, sample.name)


def _wrong_sum() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x,), {"dim": (0, 2)}, IndexError, r"dim \(=2\) must be in \[-2, 1\]")
    yield Wrong((np.ones((2, 3), np.int64),), {"dim": 0}, TypeError, "x must have a floating dtype, not int64")
    yield Wrong((x,), {"dim": (0, -2)}, ValueError, r"dim \(=\(0, -2\)\) names a dimension twice")


def _wrong_sum_backward() -> Iterator[Wrong]:
    x, y = np.ones((2, 3), np.float32), np.ones((2, 1), np.float32)
    yield Wrong((y, x, y[:, 0]), {"dim": 1}, ValueError, r"y must have shape \(2, 1\), not \(2,\)")
    yield Wrong((x, x, y), {"dim": 1}, ValueError, r"grad must have shape \(2, 1\), not \(2, 3\)")
    yield Wrong((y, x, y.astype(float)), {"dim": 1}, TypeError, "x has dtype float32 but y has dtype float64")
    yield Wrong((y, x, y), {"dim": 4}, IndexError, r"dim \(=4\) must be in \[-2, 1\]")


@operation(samples=_sum_samples, wrong=_wrong_sum, gradient=2, source="max + ln sum e^(x - max)")
def logsumexp(x: Array, *, dim: Any, keepdim: bool = False) -> Spec:
    """Logarithm of the sum of exponentials of a floating array over ``dim``, an int or a sequence of ints.

    An empty sequence stands for all dimensions; of nothing the result is -inf. A row with +inf in it gives
    +inf, one of -inf alone -inf. Raises TypeError unless ``x`` is floating, IndexError where a dimension is
    out of range, ValueError where one is named twice.
    """
    check.floating("logsumexp", x=x)
    return Spec(check.reduced_shape(x.shape, check.dims("logsumexp", dim, len(x.shape)), keepdim), x.dtype)


@operation(samples=_sum_backward_samples, wrong=_wrong_sum_backward, source="grad e^(x - y)")
def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any) -> Spec:
    """Gradient of `logsumexp` from its argument ``x`` and its result ``y``.

    ``grad`` and ``y`` have the shape of ``x`` with the reduced dimensions kept as 1. Raises ValueError
    where shapes do not fit or a dimension is named twice, TypeError where the dtypes differ or are not
    floating, IndexError where a dimension is out of range.
    """
    name = "logsumexp_backward"
    check.floating(name, x=x)
    kept = check.reduced_shape(x.shape, check.dims(name, dim, len(x.shape)), True)
    check.shape(name, "grad", grad, kept)
    check.shape(name, "y", y, kept)
    check.same_dtype(name, x=x, y=y, grad=grad)
    return Spec(x.shape, x.dtype)
