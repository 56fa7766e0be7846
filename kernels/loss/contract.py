"""Contracts of loss functions and of their backward kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal, positive

Array = Any
DType = np.dtype[Any]


def _classification(
    name: str, logits: Array, target: Array, weight: Array | None, ignore_index: int, label_smoothing: float
) -> None:
    """Check the arguments that `cross_entropy` and its backward kernel have in common."""
    check.floating(name, logits=logits)
    classes = _classes(name, "logits", logits.shape, target, ignore_index)
    if weight is not None:
        check.shape(name, "weight", weight, (classes,))
        check.same_dtype(name, logits=logits, weight=weight)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{name}: label_smoothing (={label_smoothing}) must be in [0, 1]")


def _classes(name: str, what: str, shape: tuple[int, ...], target: Array, ignore_index: int) -> int:
    """The number of classes of an array ``what`` of this shape, whose targets are checked."""
    if len(shape) == 0:
        raise ValueError(f"{name}: {what} must have shape (N, C, ...) or (C,), not ()")
    classes = shape[0] if len(shape) == 1 else shape[1]
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if target.shape != expected:
        raise ValueError(f"{name}: target must have shape {expected} for {what} of shape {shape}, not {target.shape}")
    if target.dtype != dtypes.int64:
        raise TypeError(f"{name}: target must have dtype int64, not {target.dtype}")
    if isinstance(target, np.ndarray) and target.size and (target.min() < 0 or target.max() >= classes):
        _check_targets(name, target, classes, ignore_index)
    return classes


def _check_targets(name: str, target: Array, classes: int, ignore_index: int) -> None:
    wrong = np.argwhere(((target < 0) | (target >= classes)) & (target != ignore_index))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise IndexError(
            f"{name}: target (={target[at]}) at {at} must be in [0, {classes - 1}] for {classes} classes, "
            f"or ignore_index (={ignore_index})"
        )


def _cases(rng: np.random.Generator, dtype: DType) -> Iterator[tuple[str, Array, Array, Array | None, dict[str, Any]]]:
    """Name, logits, target, weight and attributes of calls of `cross_entropy`."""

    def case(
        name: str, shape: tuple[int, ...], *, weighted: bool = False, ignored: int | None = None, smooth: float = 0.0
    ) -> tuple[str, Array, Array, Array | None, dict[str, Any]]:
        classes = shape[0] if len(shape) == 1 else shape[1]
        target = np.asarray(rng.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ()), np.int64)
        attributes: dict[str, Any] = {}
        if ignored is not None:
            attributes["ignore_index"] = ignored
            target = np.where(np.arange(target.size).reshape(target.shape) % 3 == 1, np.int64(ignored), target)
        if smooth:
            attributes["label_smoothing"] = smooth
        weight = positive(rng, (classes,), dtype) if weighted else None
        return name, (normal(rng, shape, dtypes.float64) * 3).astype(dtype), target, weight, attributes

    yield case("matrix", (5, 7))
    yield case("one class", (3, 1))
    yield case("one position", (11,))
    yield case("one position, weighted and smoothed", (5,), weighted=True, smooth=0.2)
    yield case("weighted", (4, 6), weighted=True)
    yield case("ignoring", (7, 5), ignored=-100)
    yield case("ignoring a class, weighted", (7, 5), weighted=True, ignored=2)
    yield case("smoothed", (3, 33), smooth=0.1)
    yield case("all of it", (6, 9), weighted=True, ignored=-1, smooth=0.3)
    yield case("image", (2, 5, 3, 4))
    yield case("image, all of it", (2, 3, 5, 3), weighted=True, ignored=255, smooth=0.25)
    yield case("empty", (0, 5))
    yield case("no positions", (3, 4, 0))
    yield case("large", (131, 127), smooth=0.1)
    yield case("large image", (3, 7, 29, 31), weighted=True)
    name, logits, target, _, attributes = case("strided", (9, 14))
    yield name, logits[::-1, ::2], target % 7, None, attributes
    name, logits, target, _, attributes = case("channels last", (2, 3, 5))
    yield name, np.ascontiguousarray(logits.transpose(0, 2, 1)).transpose(0, 2, 1), target, None, attributes
    name, logits, target, _, attributes = case("special values", (8, 31))
    logits[0, 3], logits[1, 4], logits[2, 5], logits[3], logits[4] = np.nan, np.inf, -np.inf, -np.inf, np.inf
    target[2] = 5
    logits[6] *= 1000
    yield name, logits, target, None, attributes


def _samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for name, logits, target, weight, attributes in _cases(rng, dtype):
        yield Sample((logits, target) if weight is None else (logits, target, weight), attributes, name)


def _backward_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for name, logits, target, weight, attributes in _cases(rng, dtype):
        if name == "one class":  # its gradient is 0, and all that is left of it rounding
            continue
        x = logits.astype(dtypes.float64)
        with np.errstate(all="ignore"):
            lse = np.log(np.exp(x).sum(0 if x.ndim == 1 else 1)) if name != "special values" else x[:, 0] + 3
        lse = np.asarray(lse).astype(dtypes.accumulator(dtype))
        yield Sample((normal(rng, target.shape, dtype), logits, target, lse, weight), attributes, name)


def _with_gradient_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for name, logits, target, weight, attributes in _cases(rng, dtype):
        if name == "one class":
            continue
        scale = np.asarray(rng.random() + 0.5).astype(dtypes.accumulator(dtype))
        yield Sample((logits, target, scale, weight), attributes, name)


def _wrong_with_gradient() -> Iterator[Wrong]:
    x, t, s = np.ones((2, 3), np.float32), np.zeros(2, np.int64), np.ones((), np.float32)
    yield Wrong((x, t, np.ones(2, np.float32)), {}, ValueError, r"scale must have shape \(\), not \(2,\)")
    yield Wrong((x, t, s.astype(float)), {}, TypeError, "scale must have dtype float32, not float64")
    yield Wrong((x, np.array([0, 9]), s), {}, IndexError, r"target \(=9\) at \(1,\)")


def _wrong() -> Iterator[Wrong]:
    x, t = np.ones((2, 3), np.float32), np.zeros(2, np.int64)
    out_of_range = r"target \(=3\) at \(1,\) must be in \[0, 2\] for 3 classes, or ignore_index \(=-100\)"
    yield Wrong((x, np.array([0, 3])), {}, IndexError, out_of_range)
    yield Wrong(
        (x, np.array([-1, 0])), {"ignore_index": 7}, IndexError, r"target \(=-1\) at \(0,\).*ignore_index \(=7\)"
    )
    yield Wrong((x, np.zeros(3, np.int64)), {}, ValueError, r"target must have shape \(2,\) .*, not \(3,\)")
    yield Wrong((x, t.astype(np.int32)), {}, TypeError, "target must have dtype int64, not int32")
    yield Wrong((x, t, np.ones(4, np.float32)), {}, ValueError, r"weight must have shape \(3,\), not \(4,\)")
    yield Wrong((x, t), {"label_smoothing": 1.5}, ValueError, r"label_smoothing \(=1\.5\) must be in \[0, 1\]")


def _wrong_backward() -> Iterator[Wrong]:
    x, t, g = np.ones((2, 3), np.float32), np.zeros(2, np.int64), np.ones(2, np.float32)
    yield Wrong((np.ones(3, np.float32), x, t, g), {}, ValueError, r"grad must have shape \(2,\), not \(3,\)")
    yield Wrong((g, x, t, g.astype(float)), {}, TypeError, "logsumexp must have dtype float32, not float64")
    yield Wrong((g, x, np.array([0, 9]), g), {}, IndexError, r"target \(=9\) at \(1,\)")


@operation(samples=_samples, wrong=_wrong, gradient=2, source="-ln softmax(logits)[target] (Szegedy et al. 2016)")
def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Spec, Spec]:
    """Unreduced cross-entropy of class indices, and the logarithm of each position's sum of exponentials.

    ``logits`` (N, C, ...) or (C,), floating; ``target`` (N, ...) or (), int64; ``weight`` (C,) of the
    logits' dtype. With p the softmax and e the smoothing, the loss is ``-(1-e) w_t ln p_t - e/C sum_c w_c
    ln p_c``, and 0 where the target is ``ignore_index``. Both results have the target's shape; logsumexp
    is float32 for 16-bit logits.

    Raises ValueError for shapes and for a ``label_smoothing`` outside [0, 1], TypeError for dtypes,
    IndexError where a target is no class (checked for host arrays).
    """
    _classification("cross_entropy", logits, target, weight, ignore_index, label_smoothing)
    return Spec(target.shape, logits.dtype), Spec(target.shape, dtypes.accumulator(logits.dtype))


@operation(samples=_backward_samples, wrong=_wrong_backward, source="grad (w_t (p - onehot(t)))")
def cross_entropy_backward(
    grad: Array,
    logits: Array,
    target: Array,
    logsumexp: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Spec:
    """Gradient of `cross_entropy` with respect to the logits, from its second result.

    ``grad`` has the target's shape and the logits' dtype, ``logsumexp`` the target's shape; the rest is
    as for `cross_entropy`, errors as well.
    """
    name = "cross_entropy_backward"
    _classification(name, logits, target, weight, ignore_index, label_smoothing)
    check.shape(name, "grad", grad, target.shape)
    check.shape(name, "logsumexp", logsumexp, target.shape)
    check.same_dtype(name, grad=grad, logits=logits)
    kept = dtypes.accumulator(logits.dtype)
    if logsumexp.dtype != kept:
        raise TypeError(f"{name}: logsumexp must have dtype {kept}, not {logsumexp.dtype}")
    return Spec(logits.shape, logits.dtype)


@operation(
    samples=_with_gradient_samples,
    wrong=_wrong_with_gradient,
    source="cross_entropy and cross_entropy_backward in one pass (Hsu et al., Liger Kernel, 2024, arXiv:2410.10989)",
)
def cross_entropy_with_gradient(
    logits: Array,
    target: Array,
    scale: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Spec, Spec, Spec]:
    """The two results of `cross_entropy`, and the gradient of ``scale`` times the sum of all losses.

    ``scale`` has shape () and the dtype of the log-sum-exp, float32 for 16-bit logits; the gradient has the
    logits' shape and dtype. The rest is as for `cross_entropy`, errors as well.
    """
    name = "cross_entropy_with_gradient"
    _classification(name, logits, target, weight, ignore_index, label_smoothing)
    kept = dtypes.accumulator(logits.dtype)
    check.shape(name, "scale", scale, ())
    if scale.dtype != kept:
        raise TypeError(f"{name}: scale must have dtype {kept}, not {scale.dtype}")
    return Spec(target.shape, logits.dtype), Spec(target.shape, kept), Spec(logits.shape, logits.dtype)


REDUCTIONS = ("mean", "sum", "none")


def _nll(
    name: str,
    what: str,
    shape: tuple[int, ...],
    dtype: DType,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> tuple[int, ...]:
    """Check the arguments that `nll_loss` and its backward kernel have in common; the shape of the loss."""
    classes = _classes(name, what, shape, target, ignore_index)
    if weight is not None:
        check.shape(name, "weight", weight, (classes,))
        if weight.dtype != dtype:
            raise TypeError(f"{name}: weight must have dtype {dtype}, not {weight.dtype}")
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: reduction (={reduction!r}) must be 'mean', 'sum' or 'none'")
    return target.shape if reduction == "none" else ()


def _nll_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for i, (name, x, target, weight, attributes) in enumerate(_cases(rng, dtype)):
        attributes.pop("label_smoothing", None)
        attributes["reduction"] = REDUCTIONS[i % 3]
        yield Sample((x, target) if weight is None else (x, target, weight), attributes, name)


def _nll_backward_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for sample in _nll_samples(rng, dtype):
        x, target, *weight = sample.args
        if sample.name == "special values":  # no value of x has a part in the gradient
            continue
        grad = normal(rng, target.shape if sample.kwargs["reduction"] == "none" else (), dtype)
        total = np.asarray(rng.random() * 5 + 0.5).astype(dtypes.accumulator(dtype))
        yield Sample((grad, target, total, *weight), {"input_shape": x.shape, **sample.kwargs}, sample.name)
    grad, target = normal(rng, (7,), dtype), np.asarray(rng.integers(0, 31, 7))
    grad[2], grad[5] = np.nan, np.inf
    attributes = {"input_shape": (7, 31), "reduction": "none"}
    yield Sample((grad, target, np.ones((), dtypes.accumulator(dtype))), attributes, "NaN and infinity in the gradient")


def _wrong_nll() -> Iterator[Wrong]:
    x, t = np.ones((2, 3), np.float32), np.zeros(2, np.int64)
    yield Wrong((x, np.array([0, 3])), {}, IndexError, r"target \(=3\) at \(1,\) must be in \[0, 2\] for 3 classes")
    yield Wrong((x, np.zeros(3, np.int64)), {}, ValueError, r"target must have shape \(2,\) for x .*, not \(3,\)")
    yield Wrong((x, t.astype(np.int32)), {}, TypeError, "target must have dtype int64, not int32")
    yield Wrong((x, t, np.ones(3)), {}, TypeError, "weight must have dtype float32, not float64")
    yield Wrong((x, t), {"reduction": "max"}, ValueError, r"reduction \(='max'\) must be 'mean', 'sum' or 'none'")


def _wrong_nll_backward() -> Iterator[Wrong]:
    g, t = np.ones((), np.float32), np.zeros(2, np.int64)
    shape = {"input_shape": (2, 3)}
    yield Wrong((np.ones(2, np.float32), t, g), shape, ValueError, r"grad must have shape \(\), not \(2,\)")
    yield Wrong((g, t, g), {"input_shape": (3, 3)}, ValueError, r"target must have shape \(3,\) .*, not \(2,\)")
    yield Wrong((g, t, g.astype(float)), shape, TypeError, "total_weight must have dtype float32, not float64")


@operation(
    samples=_nll_samples,
    wrong=_wrong_nll,
    gradient=2,
    source="-sum w_t x_t, over sum w_t for the mean",
)
def nll_loss(
    x: Array, target: Array, weight: Array | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> tuple[Spec, Spec]:
    """Negative log-likelihood of class indices, and the total weight of the targets that are not ignored.

    ``x`` (N, C, ...) or (C,), logarithms of probabilities, floating; ``target`` (N, ...) or (), int64;
    ``weight`` (C,) of the dtype of ``x``. The loss has the target's shape for ``"none"``, else (); the total
    weight has shape () and is float32 for 16-bit ``x``. The mean of nothing is NaN.

    Raises ValueError for shapes and an unknown reduction, TypeError for dtypes, IndexError where a target
    is no class (checked for host arrays).
    """
    check.floating("nll_loss", x=x)
    shape = _nll("nll_loss", "x", x.shape, x.dtype, target, weight, ignore_index, reduction)
    return Spec(shape, x.dtype), Spec((), dtypes.accumulator(x.dtype))


@operation(samples=_nll_backward_samples, wrong=_wrong_nll_backward, source="-grad w_t at the target, else 0")
def nll_loss_backward(
    grad: Array,
    target: Array,
    total_weight: Array,
    weight: Array | None = None,
    *,
    input_shape: tuple[int, ...],
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Spec:
    """Gradient of `nll_loss` with respect to ``x`` of ``input_shape``, from its second result.

    ``grad`` has the shape of the loss, and its dtype is that of ``weight`` and of the result. Raises as
    `nll_loss` does.
    """
    name = "nll_loss_backward"
    check.floating(name, grad=grad)
    shape = _nll(name, "x", tuple(input_shape), grad.dtype, target, weight, ignore_index, reduction)
    check.shape(name, "grad", grad, shape)
    check.shape(name, "total_weight", total_weight, ())
    kept = dtypes.accumulator(grad.dtype)
    if total_weight.dtype != kept:
        raise TypeError(f"{name}: total_weight must have dtype {kept}, not {total_weight.dtype}")
    return Spec(tuple(input_shape), grad.dtype)
