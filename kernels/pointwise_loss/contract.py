"""Contracts of losses that compare two arrays element by element, and of their backward kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..samples import arrays, normal, positive, scaled, special

Array = Any
DType = np.dtype[Any]
Samples = Callable[[np.random.Generator, DType], Iterable[Sample]]

REDUCTIONS = ("mean", "sum", "none")

_wide = scaled(normal, 3.0)


def _loss(name: str, x: Array, target: Array, reduction: str) -> Spec:
    """The result of a loss of two floating arrays of one shape and dtype."""
    if x.shape != target.shape:
        check.same_shape(name, x=x, target=target)
    if x.dtype is not target.dtype:
        check.same_dtype(name, x=x, target=target)
    check.floating(name, x=x)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: reduction (={reduction!r}) must be 'mean', 'sum' or 'none'")
    return Spec(x.shape if reduction == "none" else (), x.dtype)


def _backward(name: str, grad: Array, x: Array, target: Array, reduction: str) -> Spec:
    """The result of its backward kernel, whose ``grad`` has the shape of the loss."""
    loss = _loss(name, x, target, reduction)
    check.shape(name, "grad", grad, loss.shape)
    check.same_dtype(name, grad=grad, x=x)
    return Spec(x.shape, x.dtype)


def _beta(name: str, beta: float) -> None:
    if not beta >= 0:
        raise ValueError(f"{name}: beta (={beta}) must not be negative")


def _delta(name: str, delta: float) -> None:
    if not delta > 0:
        raise ValueError(f"{name}: delta (={delta}) must be positive")


def _samples(*variants: dict[str, Any]) -> Samples:
    """Every reduction, with the ``variants`` of the attributes dealt out in turn."""

    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        def of(i: int, name: str, x: Array, target: Array, reduction: str) -> Sample:
            return Sample((x, target), {"reduction": reduction, **variants[i % len(variants)]}, name)

        # 3 and 2 have no common factor: each reduction meets each variant.
        for i, (name, x) in enumerate(arrays(rng, dtype)):
            yield of(i, name, x, normal(rng, x.shape, dtype), REDUCTIONS[i % 3])
        x = normal(rng, (131, 127), dtype)
        yield of(0, "large mean", x, normal(rng, x.shape, dtype), "mean")
        yield of(1, "large transposed", x.T, normal(rng, (127, 131), dtype), "none")
        yield of(0, "special values", special(dtype), np.zeros(217, dtype), "none")
        yield of(1, "NaN in a sum", special(dtype), np.zeros(217, dtype), "sum")

    return samples


def _backward_samples(forward: Samples) -> Samples:
    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        for sample in forward(rng, dtype):
            x = sample.args[0]
            grad = normal(rng, x.shape if sample.kwargs["reduction"] == "none" else (), dtype)
            yield Sample((grad, *sample.args), sample.kwargs, sample.name)

    return samples


def _wrong(**bad: tuple[Any, str]) -> Callable[[], Iterable[Wrong]]:
    def wrong() -> Iterator[Wrong]:
        x = np.ones((2, 3), np.float32)
        yield Wrong((x, x[0]), {}, ValueError, r"x has shape \(2, 3\) but target has shape \(3,\)")
        yield Wrong((x, x.astype(float)), {}, TypeError, "x has dtype float32 but target has dtype float64")
        yield Wrong((x, x), {"reduction": "max"}, ValueError, r"reduction \(='max'\) must be 'mean', 'sum' or 'none'")
        yield Wrong((np.ones(3, int), np.ones(3, int)), {}, TypeError, "x must have a floating dtype, not int64")
        for attribute, (value, match) in bad.items():
            yield Wrong((x, x), {attribute: value}, ValueError, match)

    return wrong


def _wrong_backward(**bad: tuple[Any, str]) -> Callable[[], Iterable[Wrong]]:
    def wrong() -> Iterator[Wrong]:
        x, g = np.ones((2, 3), np.float32), np.ones((), np.float32)
        yield Wrong((x, x, x), {"reduction": "mean"}, ValueError, r"grad must have shape \(\), not \(2, 3\)")
        yield Wrong((g, x, x), {"reduction": "none"}, ValueError, r"grad must have shape \(2, 3\), not \(\)")
        yield Wrong((g.astype(float), x, x), {}, TypeError, "grad has dtype float64 but x has dtype float32")
        for attribute, (value, match) in bad.items():
            yield Wrong((g, x, x), {attribute: value}, ValueError, match)

    return wrong


_BAD_BETA = (-0.5, r"beta \(=-0\.5\) must not be negative")
_BAD_DELTA = (0.0, r"delta \(=0\.0\) must be positive")

_mse_samples = _samples({})
_l1_samples = _samples({})
_smooth_l1_samples = _samples({"beta": 1.0}, {"beta": 0.4}, {"beta": 1.0}, {"beta": 0.0})
_huber_samples = _samples({"delta": 1.0}, {"delta": 0.4})


@operation(samples=_mse_samples, wrong=_wrong(), gradient=2, source="mean (x - target)^2")
def mse_loss(x: Array, target: Array, *, reduction: str = "mean") -> Spec:
    """Squared difference of two floating arrays of one shape and dtype: its mean, its sum or each element's.

    The result has shape () for ``"mean"`` and ``"sum"``; the mean of nothing is NaN. Raises ValueError
    where the shapes differ or the reduction is unknown, TypeError where the dtypes differ or are not floating.
    """
    return _loss("mse_loss", x, target, reduction)


@operation(samples=_backward_samples(_mse_samples), wrong=_wrong_backward(), source="2 grad (x - target) / n")
def mse_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean") -> Spec:
    """Gradient of `mse_loss` with respect to ``x``; ``grad`` has the shape of its result.

    Raises ValueError where shapes do not fit or the reduction is unknown, TypeError where the dtypes
    differ or are not floating.
    """
    return _backward("mse_loss_backward", grad, x, target, reduction)


@operation(samples=_l1_samples, wrong=_wrong(), gradient=1, source="mean |x - target|")
def l1_loss(x: Array, target: Array, *, reduction: str = "mean") -> Spec:
    """Absolute difference of two floating arrays of one shape and dtype: its mean, its sum or each element's.

    The result has shape () for ``"mean"`` and ``"sum"``; the mean of nothing is NaN. Raises ValueError
    where the shapes differ or the reduction is unknown, TypeError where the dtypes differ or are not floating.
    """
    return _loss("l1_loss", x, target, reduction)


@operation(samples=_backward_samples(_l1_samples), wrong=_wrong_backward(), source="grad sign(x - target) / n")
def l1_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean") -> Spec:
    """Gradient of `l1_loss` with respect to ``x``, 0 where the two are equal; ``grad`` has the shape of its result.

    Raises ValueError where shapes do not fit or the reduction is unknown, TypeError where the dtypes
    differ or are not floating.
    """
    return _backward("l1_loss_backward", grad, x, target, reduction)


@operation(
    samples=_smooth_l1_samples,
    wrong=_wrong(beta=_BAD_BETA),
    gradient=1,
    source="d^2 / (2 beta) where d = |x - target| < beta, else d - beta/2 (Girshick 2015)",
)
def smooth_l1_loss(x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0) -> Spec:
    """`l1_loss` with a parabola where the difference is below ``beta``; `l1_loss` itself for a ``beta`` of 0.

    Raises ValueError where the shapes differ, the reduction is unknown or ``beta`` is negative, TypeError
    where the dtypes differ or are not floating.
    """
    _beta("smooth_l1_loss", beta)
    return _loss("smooth_l1_loss", x, target, reduction)


@operation(
    samples=_backward_samples(_smooth_l1_samples),
    wrong=_wrong_backward(beta=_BAD_BETA),
    source="grad clamp((x - target) / beta, -1, 1) / n",
)
def smooth_l1_loss_backward(
    grad: Array, x: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0
) -> Spec:
    """Gradient of `smooth_l1_loss` with respect to ``x``; ``grad`` has the shape of its result.

    Raises ValueError where shapes do not fit, the reduction is unknown or ``beta`` is negative, TypeError
    where the dtypes differ or are not floating.
    """
    _beta("smooth_l1_loss_backward", beta)
    return _backward("smooth_l1_loss_backward", grad, x, target, reduction)


@operation(
    samples=_huber_samples,
    wrong=_wrong(delta=_BAD_DELTA),
    gradient=1,
    source="d^2 / 2 where d = |x - target| < delta, else delta (d - delta/2) (Huber 1964)",
)
def huber_loss(x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> Spec:
    """Half the squared difference up to ``delta``, from there on its tangent.

    Raises ValueError where the shapes differ, the reduction is unknown or ``delta`` is not positive,
    TypeError where the dtypes differ or are not floating.
    """
    _delta("huber_loss", delta)
    return _loss("huber_loss", x, target, reduction)


@operation(
    samples=_backward_samples(_huber_samples),
    wrong=_wrong_backward(delta=_BAD_DELTA),
    source="grad clamp(x - target, -delta, delta) / n",
)
def huber_loss_backward(grad: Array, x: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> Spec:
    """Gradient of `huber_loss` with respect to ``x``; ``grad`` has the shape of its result.

    Raises ValueError where shapes do not fit, the reduction is unknown or ``delta`` is not positive,
    TypeError where the dtypes differ or are not floating.
    """
    _delta("huber_loss_backward", delta)
    return _backward("huber_loss_backward", grad, x, target, reduction)


def _weights(name: str, x: Array, weight: Array | None, pos_weight: Array | None) -> None:
    for argument, value in (("weight", weight), ("pos_weight", pos_weight)):
        if value is None:
            continue
        check.same_dtype(name, **{"x": x, argument: value})
        if value.shape != x.shape and check.broadcast(name, value.shape, x.shape) != x.shape:
            raise ValueError(f"{name}: {argument} of shape {value.shape} does not broadcast to x of shape {x.shape}")


def _bce_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    def of(
        name: str, shape: tuple[int, ...], weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
    ) -> Sample:
        target = rng.random(shape) if len(shape) != 2 else rng.integers(0, 2, shape)
        weights = [None if each is None else positive(rng, each, dtype) for each in (weight, pos_weight)]
        while weights and weights[-1] is None:
            weights.pop()
        arrays = _wide(rng, shape, dtype), np.asarray(target).astype(dtype), *weights
        return Sample(arrays, {"reduction": reduction}, name)

    yield of("scalar", ())
    yield of("empty", (0,), reduction="sum")
    yield of("empty with a weight", (3, 0), (3, 1), reduction="none")
    yield of("one element", (1,), (1,), (1,), "none")
    yield of("vector", (31,))
    yield of("weight of each", (5, 7), (5, 7), reduction="none")
    yield of("weight of rows", (5, 7), (5, 1), reduction="sum")
    yield of("weight of classes", (33, 3), (3,), reduction="mean")
    yield of("weight of positives", (9, 5), None, (5,), "none")
    yield of("both weights", (4, 11), (4, 1), (11,), "mean")
    yield of("channels", (2, 3, 4, 5), (2, 1, 1, 1), (3, 1, 1), "sum")
    yield of("scalar weights", (13, 2), (), (1,), "none")
    yield of("large", (131, 127), None, (127,), "none")
    yield of("large mean", (5501, 3), (5501, 1), (3,), "mean")
    x = _wide(rng, (14, 7), dtype)
    yield Sample((x[::-2].T, rng.random((7, 7)).astype(dtype)), {"reduction": "none"}, "strided")
    target = np.resize(np.array([0.0, 1.0, 0.25]), 217).astype(dtype)
    yield Sample((special(dtype), target), {"reduction": "none"}, "special values")


def _wrong_bce() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield from _wrong()()
    yield Wrong((x, x, np.ones(4, np.float32)), {}, ValueError, r"shapes \(4,\) and \(2, 3\) cannot be broadcast")
    yield Wrong((x, x, None, np.ones((5, 2, 3), np.float32)), {}, ValueError, r"pos_weight of shape \(5, 2, 3\)")
    yield Wrong((x, x, np.ones(3)), {}, TypeError, "x has dtype float32 but weight has dtype float64")


@operation(
    samples=_bce_samples,
    wrong=_wrong_bce,
    gradient=2,
    source="-w (p t ln s + (1 - t) ln (1 - s)), s = sigmoid(x), p = pos_weight",
)
def binary_cross_entropy_with_logits(
    x: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None, *, reduction: str = "mean"
) -> Spec:
    """Cross-entropy of logits ``x`` against probabilities ``target`` of the same shape and floating dtype.

    ``weight`` multiplies each element's loss and ``pos_weight`` its positive part; both broadcast to the
    shape of ``x``. The result has shape () for ``"mean"`` and ``"sum"``; the mean divides by the number of
    elements, whatever the weights. Raises ValueError where shapes do not fit or the reduction is unknown,
    TypeError where the dtypes differ or are not floating.
    """
    name = "binary_cross_entropy_with_logits"
    spec = _loss(name, x, target, reduction)
    _weights(name, x, weight, pos_weight)
    return spec


@operation(
    samples=_backward_samples(_bce_samples),
    wrong=_wrong_backward(),
    source="grad w ((p t + 1 - t) sigmoid(x) - p t) / n",
)
def binary_cross_entropy_with_logits_backward(
    grad: Array,
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
) -> Spec:
    """Gradient of `binary_cross_entropy_with_logits` with respect to ``x``; ``grad`` has the shape of its result.

    Raises as that operation.
    """
    name = "binary_cross_entropy_with_logits_backward"
    spec = _backward(name, grad, x, target, reduction)
    _weights(name, x, weight, pos_weight)
    return spec
