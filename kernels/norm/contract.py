"""Contracts of batch normalisation: training with its gradient, and inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation

Array = Any

_SOURCE = "Ioffe and Szegedy, Batch Normalization, ICML 2015; torch.nn.functional.batch_norm"
_SHAPES: tuple[tuple[int, ...], ...] = (
    (4, 1),
    (7, 5),
    (3, 2, 4),
    (2, 3, 5, 3),
    (1, 3, 2, 2, 2),
    (3, 0, 4),
    (33, 31, 6, 7),
    (5, 3, 70, 65),
    (700, 31),
    (9, 40, 16, 16),
    (17, 1, 65, 64),
)


def _channels(name: str, parameter: str, x: Array) -> tuple[int, ...]:
    """The shape (C,) after checking dtype and dimensions."""
    check.floating(name, **{parameter: x})
    shape = x.shape
    if len(shape) < 2:
        raise ValueError(
            f"{name}: {parameter} must have at least 2 dimensions, not {len(shape)} (shape {tuple(shape)})"
        )
    return (shape[1],)


def _per_channel(name: str, x: Array, shape: tuple[int, ...], **arrays: Array | None) -> None:
    """Refuse a per-channel array of another shape, or of a dtype neither x's nor its accumulator's."""
    for parameter, array in arrays.items():
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(
                f"{name}: {parameter} must have shape {shape}, one element a channel of x {tuple(x.shape)}, "
                f"not {tuple(array.shape)}"
            )
        if array.dtype != x.dtype and array.dtype != dtypes.accumulator(x.dtype):
            raise TypeError(f"{name}: x has dtype {x.dtype} but {parameter} has dtype {array.dtype}")


def _eps(name: str, eps: float) -> None:
    if not eps >= 0:
        raise ValueError(f"{name}: eps (={eps}) must not be negative")


def _more_than_one(name: str, x: Array) -> None:
    count = x.shape[0]
    for n in x.shape[2:]:
        count *= n
    if count < 2:
        raise ValueError(f"{name}: more than one value per channel is needed in training, x has shape {tuple(x.shape)}")


def _inputs(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[tuple[Array, Array, Array, str]]:
    """Images and a weight and bias for each. They are not centered, so that the mean is no difference of equals."""
    for shape in _SHAPES:
        weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
        yield (rng.standard_normal(shape) + 0.7).astype(dtype), weight, bias, f"{shape}"
    weight, bias = rng.standard_normal((2, 4)).astype(dtype)
    yield (rng.standard_normal((5, 3, 4)) + 0.7).astype(dtype).transpose(1, 2, 0), weight, bias, "channels last"
    yield (rng.standard_normal((6, 8, 5)) - 0.7).astype(dtype)[::-1, ::2, 1:], weight[::-1], bias, "strided"


def _train_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for x, weight, bias, name in _inputs(rng, dtype):
        yield Sample((x, weight, bias), {"eps": 1e-5}, name)
    x = rng.standard_normal((4, 3, 5, 5)) + 0.7
    yield Sample((x[:2, :, 0, 0].astype(dtype),), {}, "two values a channel")
    yield Sample((x.astype(dtype),), {"eps": 0.1}, "no weight, no bias")
    yield Sample((x.astype(dtype), rng.standard_normal(3).astype(dtype)), {}, "weight only")
    yield Sample(((x + np.array([50.0, 0.0, -50.0])[:, None, None]).astype(dtype),), {"eps": 1e-3}, "far from zero")
    x = (rng.standard_normal((4, 3, 9, 9)) + 0.7).astype(dtype)
    x[:, 1], x[2, 2, 4, 4] = 0.0, np.nan
    yield Sample((x,), {}, "constant channel, NaN in another")


def _wrong_train() -> Iterator[Wrong]:
    x, c = np.zeros((2, 3, 4), np.float32), np.ones(3, np.float32)
    yield Wrong((x[0, 0],), {}, ValueError, r"at least 2 dimensions, not 1 \(shape \(4,\)\)")
    yield Wrong((x, c[:2]), {}, ValueError, r"weight must have shape \(3,\).* x \(2, 3, 4\), not \(2,\)")
    yield Wrong((x, None, c.astype(np.float64)), {}, TypeError, "x has dtype float32 but bias has dtype float64")
    yield Wrong((x[:1, :, :1],), {}, ValueError, r"more than one value per channel .* shape \(1, 3, 1\)")
    yield Wrong((x,), {"eps": -1.0}, ValueError, r"eps \(=-1.0\) must not be negative")
    yield Wrong((x.astype(np.int32),), {}, TypeError, "x must have a floating dtype, not int32")


@operation(
    samples=_train_samples,
    wrong=_wrong_train,
    source=_SOURCE + "; Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing "
    "Sample Variances, 1979",
)
def batch_norm_train(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> tuple[Spec, Spec, Spec]:
    """Normalise each channel by the batch's own mean and (population) variance.

    ``y = (x - mean) * rstd * weight + bias`` with ``rstd = 1 / sqrt(var + eps)``.

    Args:
        x: floating, (N, C, ...), with more than one value per channel.
        weight, bias: (C,) of x's dtype or its accumulator's (float32 for the halves), or None for 1 and 0.
        eps: added to the variance, not negative.

    Returns:
        y of x's shape and dtype, mean (C,) and rstd (C,) of the accumulator's dtype.

    Raises:
        TypeError: if ``x`` is not floating, or weight or bias has another dtype.
        ValueError: if ``x`` has fewer than 2 dimensions or values per channel, a parameter's shape is not
            (C,), or ``eps`` is negative.
    """
    channels = _channels("batch_norm_train", "x", x)
    _per_channel("batch_norm_train", x, channels, weight=weight, bias=bias)
    _more_than_one("batch_norm_train", x)
    _eps("batch_norm_train", eps)
    statistic = Spec(channels, dtypes.accumulator(x.dtype))
    return Spec(x.shape, x.dtype), statistic, statistic


def _backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    wide = dtypes.accumulator(dtype)
    for x, weight, _, name in _inputs(rng, dtype):
        grad = rng.standard_normal(x.shape).astype(dtype)
        axes = (0, *range(2, x.ndim))
        mean = x.astype(np.float64).mean(axis=axes)
        rstd = 1 / np.sqrt(x.astype(np.float64).var(axis=axes) + 1e-5)
        yield Sample((grad, x, weight, mean.astype(wide), rstd.astype(wide)), {}, name)
        if name in ("(3, 2, 4)", "(9, 40, 16, 16)"):
            yield Sample((grad, x, None, mean.astype(wide), rstd.astype(wide)), {}, f"{name}, no weight")


def _wrong_backward() -> Iterator[Wrong]:
    x, c = np.zeros((2, 3, 4), np.float32), np.ones(3, np.float32)
    yield Wrong((x[:1], x, c, c, c), {}, ValueError, r"grad has shape \(1, 3, 4\) but x has shape \(2, 3, 4\)")
    yield Wrong((x, x, c, c[:1], c), {}, ValueError, r"mean must have shape \(3,\).*, not \(1,\)")
    yield Wrong((x, x, c, c, c.astype(np.float64)), {}, TypeError, "x has dtype float32 but rstd has dtype float64")
    yield Wrong((x.astype(np.float64), x, c, c, c), {}, TypeError, "grad has dtype float64 but x has dtype float32")


@operation(samples=_backward_samples, wrong=_wrong_backward, source=_SOURCE)
def batch_norm_train_backward(
    grad: Array, x: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Spec, Spec, Spec]:
    """The gradients of `batch_norm_train`.

    With ``z = (x - mean) * rstd`` and averages over a channel:
    ``dx = weight * rstd * (grad - average(grad) - z * average(grad * z))``,
    ``dweight = sum(grad * z)``, ``dbias = sum(grad)``.

    Args:
        grad: of x's shape and dtype.
        x: the forward's input, (N, C, ...).
        weight: the forward's weight, (C,), or None.
        mean, rstd: the forward's results, (C,).

    Returns:
        dx of x's shape and dtype; dweight and dbias (C,) of mean's dtype, computed with or without weight.

    Raises:
        TypeError: if ``x`` is not floating or dtypes disagree.
        ValueError: if shapes disagree, or as `batch_norm_train`.
    """
    channels = _channels("batch_norm_train_backward", "x", x)
    check.same_shape("batch_norm_train_backward", grad=grad, x=x)
    check.same_dtype("batch_norm_train_backward", grad=grad, x=x)
    _per_channel("batch_norm_train_backward", x, channels, weight=weight, mean=mean, rstd=rstd)
    _more_than_one("batch_norm_train_backward", x)
    parameter = Spec(channels, mean.dtype)
    return Spec(x.shape, x.dtype), parameter, parameter


def _infer_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for x, weight, bias, name in _inputs(rng, dtype):
        mean = rng.standard_normal(x.shape[1]).astype(dtype)
        variance = (rng.random(x.shape[1]) + 0.1).astype(dtype)
        yield Sample((x, weight, bias, mean, variance), {"eps": 1e-5}, name)
    x, mean, variance = (rng.standard_normal((1, 3)) ** 2 for _ in range(3))
    wide = dtypes.accumulator(dtype)
    arguments = (x.astype(dtype), None, None, mean[0].astype(wide), variance[0].astype(wide))
    yield Sample(arguments, {"eps": 0.1}, "one value, no weight, wide statistics")
    yield Sample((x[:0].astype(dtype), *arguments[1:]), {"eps": 0.1}, "empty")


def _wrong_infer() -> Iterator[Wrong]:
    x, c = np.zeros((2, 3, 4), np.float32), np.ones(3, np.float32)
    yield Wrong((x, c, c, c, c[:2]), {"eps": 1e-5}, ValueError, r"var must have shape \(3,\).*, not \(2,\)")
    yield Wrong((x, c, c, c, c), {"eps": float("nan")}, ValueError, r"eps \(=nan\) must not be negative")
    yield Wrong((x, c.astype(np.float16), c, c, c), {"eps": 1e-5}, TypeError, "float32 but weight has dtype float16")


@operation(samples=_infer_samples, wrong=_wrong_infer, source=_SOURCE)
def batch_norm_infer(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, *, eps: float
) -> Spec:
    """Normalise each channel by given statistics: ``(x - mean) / sqrt(var + eps) * weight + bias``.

    Args:
        x: floating, (N, C, ...).
        weight, bias: (C,) or None for 1 and 0; mean, var: (C,). All of x's dtype or its accumulator's.
        eps: added to the variance, not negative.

    Returns:
        y of x's shape and dtype.

    Raises:
        TypeError, ValueError: as for `batch_norm_train`; one value per channel is enough here.
    """
    channels = _channels("batch_norm_infer", "x", x)
    _per_channel("batch_norm_infer", x, channels, weight=weight, bias=bias, mean=mean, var=var)
    _eps("batch_norm_infer", eps)
    return Spec(x.shape, x.dtype)
