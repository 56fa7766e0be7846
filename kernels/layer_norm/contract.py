"""Contracts of normalisation over trailing dimensions: layer normalisation and its uncentred form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation

Array = Any
Shape = Any  # an int or a sequence of ints

_LAYER = "Ba, Kiros and Hinton, Layer Normalization, 2016; torch.nn.functional.layer_norm"
_RMS = "Zhang and Sennrich, Root Mean Square Layer Normalization, NeurIPS 2019; torch.nn.functional.rms_norm"
_CASES: tuple[tuple[tuple[int, ...], int], ...] = (  # the input's shape, how many dimensions are normalised
    ((3, 5), 1),
    ((7,), 1),
    ((2, 3, 4), 2),
    ((2, 2, 3, 3), 3),
    ((4, 1), 1),
    ((0, 5), 1),
    ((3, 31), 1),
    ((37, 33, 17), 1),
    ((300, 67), 1),
    ((3, 9001), 1),
)


def normalized(operation: str, x: Array, normalized_shape: Shape) -> int:
    """How many leading dimensions there are before those of ``normalized_shape``, which ``x`` must end with."""
    shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else normalized_shape
    if not isinstance(shape, (tuple, list)) or not shape:
        raise TypeError(
            f"{operation}: normalized_shape (={normalized_shape!r}) must be an int or a sequence of at least one"
        )
    lead = len(x.shape) - len(shape)
    if lead < 0 or x.shape[lead:] != tuple(shape):
        raise ValueError(
            f"{operation}: normalized_shape (={tuple(shape)}) must be the last dimensions of x (shape {tuple(x.shape)})"
        )
    return lead


def parameters(operation: str, x: Array, shape: tuple[int, ...], **arrays: Array | None) -> None:
    """Refuse an array of another shape, or of a dtype neither x's nor its accumulator's."""
    for name, array in arrays.items():
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(
                f"{operation}: {name} must have shape {shape} for x of shape {tuple(x.shape)}, not {tuple(array.shape)}"
            )
        if array.dtype != x.dtype and array.dtype != dtypes.accumulator(x.dtype):
            raise TypeError(f"{operation}: x has dtype {x.dtype} but {name} has dtype {array.dtype}")


def epsilon(operation: str, eps: float) -> None:
    """Refuse an ``eps`` that is NaN. A negative one is allowed, as in PyTorch."""
    if eps != eps:
        raise ValueError(f"{operation}: eps (={eps}) must be a number")


def _inputs(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[tuple[Array, int, str]]:
    """Arrays and how many of their dimensions are normalised. They are not centred."""
    for shape, count in _CASES:
        yield (rng.standard_normal(shape) + 0.7).astype(dtype), count, f"{shape}, last {count}"
    yield (rng.standard_normal((6, 5, 4)) + 0.7).astype(dtype).transpose(1, 2, 0), 1, "transposed"
    yield (rng.standard_normal((6, 8, 9)) - 0.7).astype(dtype)[::-2, ::2, 1:], 2, "strided"


def _vectors(rng: np.random.Generator, x: Array, count: int) -> Array:
    return rng.standard_normal((2, *x.shape[x.ndim - count :])).astype(x.dtype)


def _samples(biased: bool) -> Any:
    """Samples with a weight and, if ``biased``, a bias."""

    def samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
        for x, count, name in _inputs(rng, dtype):
            vectors = _vectors(rng, x, count)
            attributes = {"normalized_shape": x.shape[x.ndim - count :], "eps": 1e-5}
            yield Sample((x, *(vectors if biased else vectors[:1])), attributes, name)
        x = (rng.standard_normal((4, 7)) + 0.7).astype(dtype)
        yield Sample((x,), {"normalized_shape": 7, "eps": 0.1}, "no parameters")
        if biased:
            yield Sample((x, None, x[0]), {"normalized_shape": (7,), "eps": 1e-3}, "bias only")
        yield Sample(
            ((x + 50).astype(dtype), x[1]), {"normalized_shape": [7], "eps": -1e-3}, "far from zero, negative eps"
        )
        x = (rng.standard_normal((33, 31)) + 0.7).astype(dtype)
        x[1], x[2, 3] = 0.0, np.nan
        if not biased:  # an infinite row's mean is infinite or NaN, by the way of summing
            x[4, 5] = np.inf
        yield Sample((x, x[0]), {"normalized_shape": (31,), "eps": 1e-5}, "constant, NaN and infinity in rows")

    return samples


def _wrong(biased: bool) -> Any:
    def wrong() -> Iterator[Wrong]:
        x, vector = np.zeros((2, 3, 4), np.float32), np.ones(4, np.float32)
        shape = {"normalized_shape": (4,), "eps": 1e-5}
        yield Wrong((x,), {**shape, "normalized_shape": (3,)}, ValueError, r"\(=\(3,\)\) .* x \(shape \(2, 3, 4\)\)")
        yield Wrong((x[0, 0],), {**shape, "normalized_shape": (3, 4)}, ValueError, r"\(=\(3, 4\)\) .* \(shape \(4,\)\)")
        yield Wrong((x,), {**shape, "normalized_shape": ()}, TypeError, r"normalized_shape \(=\(\)\)")
        yield Wrong((x, vector[:3]), shape, ValueError, r"weight must have shape \(4,\) .*, not \(3,\)")
        yield Wrong((x, vector.astype(np.float64)), shape, TypeError, "x has dtype float32 but weight .* float64")
        yield Wrong((x,), {**shape, "eps": float("nan")}, ValueError, r"eps \(=nan\) must be a number")
        yield Wrong((x.astype(np.int32),), shape, TypeError, "x must have a floating dtype, not int32")
        if biased:
            yield Wrong((x, None, vector[:1]), shape, ValueError, r"bias must have shape \(4,\) .*, not \(1,\)")

    return wrong


@operation(samples=_samples(True), wrong=_wrong(True), gradient=2, source=_LAYER)
def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: Shape, eps: float = 1e-5
) -> tuple[Spec, Spec, Spec]:
    """Normalise the trailing dimensions of each leading index by their own mean and (population) variance.

    ``y = (x - mean) * rstd * weight + bias`` with ``rstd = 1 / sqrt(var + eps)``.

    Args:
        x: floating, (*leading, *normalized_shape).
        weight, bias: ``normalized_shape`` of x's dtype or its accumulator's (float32 for the halves), or
            None for 1 and 0.
        normalized_shape: the last sizes of x, at least one; an int for one dimension.
        eps: added to the variance.

    Returns:
        y of x's shape and dtype; mean and rstd of shape leading and the accumulator's dtype.

    Raises:
        TypeError: if ``x`` is not floating, a parameter has another dtype, or ``normalized_shape`` is no shape.
        ValueError: if x does not end in ``normalized_shape``, a parameter has another shape, or ``eps`` is NaN.
    """
    check.floating("layer_norm", x=x)
    lead = normalized("layer_norm", x, normalized_shape)
    shape = x.shape
    parameters("layer_norm", x, shape[lead:], weight=weight, bias=bias)
    epsilon("layer_norm", eps)
    statistic = Spec(shape[:lead], dtypes.accumulator(x.dtype))
    return Spec(shape, x.dtype), statistic, statistic


@operation(samples=_samples(False), wrong=_wrong(False), gradient=2, source=_RMS)
def rms_norm(x: Array, weight: Array | None = None, *, normalized_shape: Shape, eps: float) -> tuple[Spec, Spec]:
    """Divide the trailing dimensions of each leading index by their root mean square.

    ``y = x * rstd * weight`` with ``rstd = 1 / sqrt(mean(x * x) + eps)``.

    Args:
        x, weight, normalized_shape, eps: as for `layer_norm`.

    Returns:
        y of x's shape and dtype; rstd of shape leading and the accumulator's dtype.

    Raises:
        TypeError, ValueError: as for `layer_norm`.
    """
    check.floating("rms_norm", x=x)
    lead = normalized("rms_norm", x, normalized_shape)
    shape = x.shape
    parameters("rms_norm", x, shape[lead:], weight=weight)
    epsilon("rms_norm", eps)
    return Spec(shape, x.dtype), Spec(shape[:lead], dtypes.accumulator(x.dtype))


def _backward_samples(centred: bool) -> Any:
    def samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
        wide = dtypes.accumulator(dtype)
        for x, count, name in _inputs(rng, dtype):
            lead, shape = x.shape[: x.ndim - count], x.shape[x.ndim - count :]
            if shape == (1,):
                continue  # the gradient is nearly a difference of equals
            grad, weight = rng.standard_normal(x.shape).astype(dtype), _vectors(rng, x, count)[0]
            rows = x.astype(np.float64).reshape(*lead, math.prod(shape))
            mean = rows.mean(-1) if centred else np.zeros(rows.shape[:-1])
            rstd = 1 / np.sqrt(((rows - mean[..., None]) ** 2).mean(-1) + 1e-5)
            statistics = [np.asarray(each).astype(wide) for each in ((mean, rstd) if centred else (rstd,))]
            yield Sample((grad, x, weight, *statistics), {}, name)
            if name in ("(2, 3, 4), last 2", "(300, 67), last 1"):
                yield Sample((grad, x, None, *statistics), {}, f"{name}, no weight")

    return samples


def _wrong_backward(centred: bool) -> Any:
    def wrong() -> Iterator[Wrong]:
        x, vector, row = np.zeros((2, 3, 4), np.float32), np.ones(4, np.float32), np.ones((2, 3), np.float32)
        more = (row,) if centred else ()
        yield Wrong(
            (x[:1], x, vector, row, *more), {}, ValueError, r"grad has shape \(1, 3, 4\) but x has .*\(2, 3, 4\)"
        )
        yield Wrong((x, x, vector[:2], row, *more), {}, ValueError, r"weight must have shape \(4,\) .*, not \(2,\)")
        yield Wrong((x, x, None, *more, row.T), {}, ValueError, r"rstd .*\(3, 2\)")
        yield Wrong((x.astype(np.float64), x, vector, row, *more), {}, TypeError, "float64 but x has dtype float32")

    return wrong


def _backward(operation: str, grad: Array, x: Array, weight: Array | None, mean: Array | None, rstd: Array) -> Spec:
    """The shape and dtype of the parameters' gradients."""
    check.floating(operation, x=x)
    check.same_shape(operation, grad=grad, x=x)
    check.same_dtype(operation, grad=grad, x=x)
    lead, shape = rstd.shape, x.shape
    if len(lead) >= len(shape) or shape[: len(lead)] != lead:
        raise ValueError(f"{operation}: rstd of shape {tuple(lead)} must have the leading shape of x {tuple(shape)}")
    parameters(operation, x, shape[len(lead) :], weight=weight)
    parameters(operation, x, lead, mean=mean, rstd=rstd)
    return Spec(shape[len(lead) :], rstd.dtype)


@operation(samples=_backward_samples(True), wrong=_wrong_backward(True), source=_LAYER)
def layer_norm_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Spec, Spec, Spec]:
    """The gradients of `layer_norm`.

    With ``z = (x - mean) * rstd``, ``g = grad * weight`` and averages over the normalised dimensions:
    ``dx = rstd * (g - average(g) - z * average(g * z))``; over the leading ones ``dweight = sum(grad * z)``,
    ``dbias = sum(grad)``.

    Args:
        grad, x: of one shape (*leading, *normalized_shape) and one floating dtype.
        weight: the forward's weight, or None.
        mean, rstd: the forward's results, of shape leading.

    Returns:
        dx of x's shape and dtype; dweight and dbias of ``normalized_shape`` and rstd's dtype.

    Raises:
        TypeError: if ``x`` is not floating or dtypes disagree.
        ValueError: if shapes disagree.
    """
    parameter = _backward("layer_norm_backward", grad, x, weight, mean, rstd)
    return Spec(x.shape, x.dtype), parameter, parameter


@operation(samples=_backward_samples(False), wrong=_wrong_backward(False), source=_RMS)
def rms_norm_backward(grad: Array, x: Array, weight: Array | None, rstd: Array) -> tuple[Spec, Spec]:
    """The gradients of `rms_norm`: ``dx = rstd * (g - z * average(g * z))`` and ``dweight = sum(grad * z)``
    with ``z = x * rstd`` and ``g = grad * weight``.

    Args:
        grad, x, weight, rstd: as for `layer_norm_backward`.

    Returns:
        dx of x's shape and dtype; dweight of ``normalized_shape`` and rstd's dtype.

    Raises:
        TypeError, ValueError: as for `layer_norm_backward`.
    """
    parameter = _backward("rms_norm_backward", grad, x, weight, None, rstd)
    return Spec(x.shape, x.dtype), parameter
