"""Contracts of activation functions and of their backward kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Spec, Wrong, operation
from ..samples import normal, same_shape, scaled, unary

Array = Any

SLOPES: tuple[dict[str, Any], ...] = ({"negative_slope": 0.01}, {"negative_slope": 0.2}, {"negative_slope": 0.0})
ALPHAS: tuple[dict[str, Any], ...] = ({"alpha": 1.0}, {"alpha": 0.5})
APPROXIMATIONS: tuple[dict[str, Any], ...] = ({"approximate": "none"}, {"approximate": "tanh"})
SOFTPLUS: tuple[dict[str, Any], ...] = ({"beta": 1.0, "threshold": 20.0}, {"beta": 2.5, "threshold": 1.5})

_wide = scaled(normal, 3.0)  # reaches the saturated ends of the curves
_in_unit = scaled(normal, 0.3)


def _one(name: str, x: Array) -> Spec:
    dtype = x.dtype
    if not dtypes.is_floating(dtype):
        raise TypeError(f"{name}: x must have a floating dtype, not {dtype}")
    return Spec(x.shape, dtype)


def _backward(name: str, saved: str, grad: Array, x: Array) -> Spec:
    """The result of a backward kernel: ``grad`` and the saved array have one shape and floating dtype."""
    dtype = x.dtype
    if grad.shape != x.shape:
        check.same_shape(name, **{"grad": grad, saved: x})
    if grad.dtype is not dtype and grad.dtype != dtype:
        check.same_dtype(name, **{"grad": grad, saved: x})
    if not dtypes.is_floating(dtype):
        raise TypeError(f"{name}: {saved} must have a floating dtype, not {dtype}")
    return Spec(x.shape, dtype)


def _approximation(name: str, approximate: str) -> None:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"{name}: approximate (={approximate!r}) must be 'none' or 'tanh'")


def _beta(name: str, beta: float) -> None:
    if not beta > 0:
        raise ValueError(f"{name}: beta (={beta}) must be positive")


def _wrong(**bad: tuple[Any, str]) -> Callable[[], Iterable[Wrong]]:
    """Wrong calls of a forward kernel: no float, no array, and one for each bad attribute."""

    def wrong() -> Iterator[Wrong]:
        yield Wrong((np.ones(3, np.int64),), {}, TypeError, "x must have a floating dtype, not int64")
        yield Wrong(([1.0, 2.0],), {}, TypeError, r"x must be a numpy\.ndarray .*, not builtins\.list")
        for attribute, (value, match) in bad.items():
            yield Wrong((np.ones(3, np.float32),), {attribute: value}, ValueError, match)

    return wrong


def _wrong_backward(saved: str, **bad: tuple[Any, str]) -> Callable[[], Iterable[Wrong]]:
    """Wrong calls of a backward kernel: other shapes, other dtypes, no float, bad attributes."""

    def wrong() -> Iterator[Wrong]:
        x, i = np.ones((2, 3), np.float32), np.ones(3, np.int32)
        yield Wrong((x, x.T), {}, ValueError, rf"grad has shape \(2, 3\) but {saved} has shape \(3, 2\)")
        yield Wrong((x, x.astype(float)), {}, TypeError, f"grad has dtype float32 but {saved} has dtype float64")
        yield Wrong((i, i), {}, TypeError, f"{saved} must have a floating dtype, not int32")
        for attribute, (value, match) in bad.items():
            yield Wrong((x, x), {attribute: value}, ValueError, match)

    return wrong


_BAD_APPROXIMATION = ("erf", r"approximate \(='erf'\) must be 'none' or 'tanh'")
_BAD_BETA = (-1.0, r"beta \(=-1\.0\) must be positive")


@operation(samples=unary(), wrong=_wrong(), error="exact", gradient=1, source="max(x, 0)")
def relu(x: Array) -> Spec:
    """``max(x, 0)`` of a floating array; NaN stays NaN. Raises TypeError for other dtypes."""
    return _one("relu", x)


@operation(samples=same_shape(), wrong=_wrong_backward("y"), error="exact", source="0 where y <= 0, else grad")
def relu_backward(grad: Array, y: Array) -> Spec:
    """Gradient of `relu` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("relu_backward", "y", grad, y)


@operation(
    samples=unary(variants=SLOPES),
    wrong=_wrong(),
    error="elementwise",
    gradient=1,
    source="x where x > 0, else negative_slope x (Maas et al. 2013)",
)
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Spec:
    """``x`` where positive, else ``negative_slope * x``. Raises TypeError unless ``x`` is floating."""
    return _one("leaky_relu", x)


@operation(
    samples=same_shape(variants=SLOPES),
    wrong=_wrong_backward("x"),
    error="elementwise",
    source="grad where x > 0, else negative_slope grad",
)
def leaky_relu_backward(grad: Array, x: Array, *, negative_slope: float = 0.01) -> Spec:
    """Gradient of `leaky_relu`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("leaky_relu_backward", "x", grad, x)


@operation(
    samples=unary(_wide, variants=ALPHAS),
    wrong=_wrong(),
    error="elementwise",
    gradient=2,
    source="x where x > 0, else alpha (e^x - 1) (Clevert et al. 2016)",
)
def elu(x: Array, *, alpha: float = 1.0) -> Spec:
    """``x`` where positive, else ``alpha * (exp(x) - 1)``. Raises TypeError unless ``x`` is floating."""
    return _one("elu", x)


@operation(
    samples=same_shape(second=_wide, variants=ALPHAS),
    wrong=_wrong_backward("x"),
    error="elementwise",
    source="grad where x > 0, else grad alpha e^x",
)
def elu_backward(grad: Array, x: Array, *, alpha: float = 1.0) -> Spec:
    """Gradient of `elu`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("elu_backward", "x", grad, x)


@operation(
    samples=unary(_wide, variants=APPROXIMATIONS),
    wrong=_wrong(approximate=_BAD_APPROXIMATION),
    gradient=2,
    source="x Phi(x), or x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel 2016)",
)
def gelu(x: Array, *, approximate: str = "none") -> Spec:
    """``x`` times the normal distribution function of ``x``, or its tanh approximation.

    ``approximate`` is ``"none"`` or ``"tanh"``; NaN at minus infinity, as in PyTorch. Raises TypeError
    unless ``x`` is floating, ValueError for another ``approximate``.
    """
    _approximation("gelu", approximate)
    return _one("gelu", x)


@operation(
    samples=same_shape(second=_wide, variants=APPROXIMATIONS),
    wrong=_wrong_backward("x", approximate=_BAD_APPROXIMATION),
    source="grad (Phi(x) + x phi(x)), or the derivative of the tanh approximation",
)
def gelu_backward(grad: Array, x: Array, *, approximate: str = "none") -> Spec:
    """Gradient of `gelu`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ or ``approximate`` is unknown, TypeError where the dtypes
    differ or are not floating.
    """
    _approximation("gelu_backward", approximate)
    return _backward("gelu_backward", "x", grad, x)


@operation(samples=unary(_wide), wrong=_wrong(), gradient=2, source="x / (1 + e^-x) (Elfwing et al. 2018)")
def silu(x: Array) -> Spec:
    """``x * sigmoid(x)``; NaN at minus infinity, as in PyTorch. Raises TypeError unless ``x`` is floating."""
    return _one("silu", x)


@operation(
    samples=same_shape(second=_wide), wrong=_wrong_backward("x"), source="grad s (1 + x (1 - s)), s = sigmoid(x)"
)
def silu_backward(grad: Array, x: Array) -> Spec:
    """Gradient of `silu`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("silu_backward", "x", grad, x)


@operation(samples=unary(_wide), wrong=_wrong(), error="elementwise", gradient=2, source="1 / (1 + e^-x)")
def sigmoid(x: Array) -> Spec:
    """``1 / (1 + exp(-x))``. Raises TypeError unless ``x`` is floating."""
    return _one("sigmoid", x)


@operation(
    samples=same_shape(second=_in_unit), wrong=_wrong_backward("y"), error="elementwise", source="grad y (1 - y)"
)
def sigmoid_backward(grad: Array, y: Array) -> Spec:
    """Gradient of `sigmoid` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("sigmoid_backward", "y", grad, y)


@operation(samples=unary(_wide), wrong=_wrong(), error="elementwise", gradient=2, source="(e^x - e^-x) / (e^x + e^-x)")
def tanh(x: Array) -> Spec:
    """Hyperbolic tangent. Raises TypeError unless ``x`` is floating."""
    return _one("tanh", x)


@operation(samples=same_shape(second=_in_unit), wrong=_wrong_backward("y"), source="grad (1 - y^2)")
def tanh_backward(grad: Array, y: Array) -> Spec:
    """Gradient of `tanh` from its result ``y``, of the same shape and floating dtype as ``grad``.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("tanh_backward", "y", grad, y)


@operation(
    samples=unary(_wide, variants=SOFTPLUS),
    wrong=_wrong(beta=_BAD_BETA),
    gradient=2,
    source="ln(1 + e^(beta x)) / beta (Dugas et al. 2001)",
)
def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Spec:
    """``log(1 + exp(beta * x)) / beta``, and ``x`` itself where ``beta * x > threshold``.

    Raises TypeError unless ``x`` is floating, ValueError unless ``beta`` is positive.
    """
    _beta("softplus", beta)
    return _one("softplus", x)


@operation(
    samples=same_shape(second=_wide, variants=SOFTPLUS),
    wrong=_wrong_backward("x", beta=_BAD_BETA),
    source="grad sigmoid(beta x), grad where beta x > threshold",
)
def softplus_backward(grad: Array, x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Spec:
    """Gradient of `softplus`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ or ``beta`` is not positive, TypeError where the dtypes
    differ or are not floating.
    """
    _beta("softplus_backward", beta)
    return _backward("softplus_backward", "x", grad, x)


@operation(
    samples=unary(_wide),
    wrong=_wrong(),
    error="elementwise",
    gradient=2,
    source="s x where x > 0, else s a (e^x - 1) (Klambauer et al. 2017)",
)
def selu(x: Array) -> Spec:
    """``s * x`` where positive, else ``s * a * (exp(x) - 1)``, s = 1.0507... and a = 1.6732...

    Raises TypeError unless ``x`` is floating.
    """
    return _one("selu", x)


@operation(
    samples=same_shape(second=_wide),
    wrong=_wrong_backward("x"),
    error="elementwise",
    source="grad s where x > 0, else grad s a e^x",
)
def selu_backward(grad: Array, x: Array) -> Spec:
    """Gradient of `selu`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("selu_backward", "x", grad, x)


@operation(samples=unary(_wide), wrong=_wrong(), gradient=2, source="x tanh(ln(1 + e^x)) (Misra 2019)")
def mish(x: Array) -> Spec:
    """``x * tanh(softplus(x))``; NaN at minus infinity, as in PyTorch. Raises TypeError unless ``x`` is floating."""
    return _one("mish", x)


@operation(
    samples=same_shape(second=_wide),
    wrong=_wrong_backward("x"),
    source="grad (t + x (1 - t^2) sigmoid(x)), t = tanh(ln(1 + e^x))",
)
def mish_backward(grad: Array, x: Array) -> Spec:
    """Gradient of `mish`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("mish_backward", "x", grad, x)


@operation(samples=unary(_wide), wrong=_wrong(), gradient=2, source="x clamp(x + 3, 0, 6) / 6 (Howard et al. 2019)")
def hardswish(x: Array) -> Spec:
    """``x * clamp(x + 3, 0, 6) / 6``; NaN at minus infinity, as in PyTorch.

    Raises TypeError unless ``x`` is floating.
    """
    return _one("hardswish", x)


@operation(
    samples=same_shape(second=_wide),
    wrong=_wrong_backward("x"),
    source="0 where x <= -3, grad where x >= 3, else grad (x/3 + 1/2)",
)
def hardswish_backward(grad: Array, x: Array) -> Spec:
    """Gradient of `hardswish`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("hardswish_backward", "x", grad, x)


@operation(samples=unary(_wide), wrong=_wrong(), gradient=1, source="clamp(x + 3, 0, 6) / 6 (Courbariaux et al. 2015)")
def hardsigmoid(x: Array) -> Spec:
    """``clamp(x + 3, 0, 6) / 6``. Raises TypeError unless ``x`` is floating."""
    return _one("hardsigmoid", x)


@operation(samples=same_shape(second=_wide), wrong=_wrong_backward("x"), source="grad / 6 where -3 < x < 3, else 0")
def hardsigmoid_backward(grad: Array, x: Array) -> Spec:
    """Gradient of `hardsigmoid`; ``grad`` and ``x`` have one shape and floating dtype.

    Raises ValueError where the shapes differ, TypeError where the dtypes differ or are not floating.
    """
    return _backward("hardsigmoid_backward", "x", grad, x)
