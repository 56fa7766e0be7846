"""Calls of what works element by element or along dimensions, losses of two arrays among it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.kernels import dtypes

from .draw import Array, Draw, Fill, Shape, nonzero, normal, positive, shifted, ties, unit, wide

Call = tuple[tuple[Any, ...], dict[str, Any]]
Case = Callable[[Draw], Call]


def _spread(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Numbers of many magnitudes, about 1e-6 to 100."""
    return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 2, shape)).astype(dtype)


def _above_minus_one(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    x = _spread(rng, shape, dtypes.float64)
    return np.where(x < -0.9, -x, x).astype(dtype)


def _unary(d: Draw, fill: Fill = normal, **attributes: Any) -> Call:
    return (d.array(d.shape(), fill),), attributes


def _binary(d: Draw, first: Fill = normal, second: Fill = normal) -> Call:
    shape = d.shape()
    return (d.array(d.narrowed(shape), first), d.array(d.narrowed(shape), second)), {}


def _same(d: Draw, second: Fill = normal, **attributes: Any) -> Call:
    shape = d.shape()
    return (d.array(shape), d.array(shape, second)), attributes


def _pow(d: Draw) -> Call:
    floating = dtypes.is_floating(d.dtype)
    if d.flag():
        exponent = np.asarray(d.pick(0, 1, 2, 3) if not floating or d.flag() else d.pick(-1, -0.5, 0.5, 1.5))
        base = nonzero if exponent == np.floor(exponent) else positive
        if not floating or d.specials:
            base = normal
        return (d.array(d.shape(), base), exponent.astype(d.dtype).reshape((1,) * d.integer(0, 1))), {}
    if floating:
        return _binary(d, positive, normal)

    def small(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return np.asarray(rng.integers(0, 5, shape)).astype(dtype)

    return _binary(d, normal, small)


def _bounds(d: Draw) -> dict[str, Any]:
    def bound() -> Any:
        if dtypes.is_floating(d.dtype):
            return d.pick(float("inf"), float("-inf"), 0.0, -0.0, d.number(-2, 2), d.number(-2, 2))
        return d.integer(0, 9)

    which = d.pick("min", "max", "both")
    return {name: bound() for name in ("min", "max") if which in (name, "both")}


def _where(d: Draw) -> Call:
    shape = d.shape()
    condition = d.array(d.narrowed(shape), dtype=dtypes.bool_)
    return (condition, d.array(d.narrowed(shape)), d.array(d.narrowed(shape))), {}


def _cast(d: Draw) -> Call:
    target = d.pick(*dtypes.ALL)
    if dtypes.is_floating(d.dtype) and not dtypes.is_floating(target):
        d.specials = False  # what becomes of them is not defined

    def fill(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
        x = normal(rng, shape, dtypes.float32 if dtypes.is_floating(dtype) else dtype)  # of 16 bits by float32
        return np.asarray(np.abs(x) if target == dtypes.uint8 else x).astype(dtype)

    return _unary(d, fill, dtype=target)


def _slope(d: Draw) -> dict[str, Any]:
    return {"negative_slope": d.pick(0.01, 0.0, -0.3, 1.5, d.number(-1, 1))}


def _alpha(d: Draw) -> dict[str, Any]:
    return {"alpha": d.pick(1.0, 0.5, 2.0, d.number(0, 3))}


def _softplus(d: Draw) -> dict[str, Any]:
    return {"beta": d.pick(1.0, 0.5, d.number(0.1, 4)), "threshold": d.pick(20.0, 5.0, d.number(1, 30))}


def _approximate(d: Draw) -> dict[str, Any]:
    return {"approximate": d.pick("none", "tanh")}


def _activation(fill: Fill = wide, attributes: Callable[[Draw], dict[str, Any]] = lambda d: {}) -> Case:
    return lambda d: _unary(d, fill, **attributes(d))


def _backward(fill: Fill = wide, attributes: Callable[[Draw], dict[str, Any]] = lambda d: {}) -> Case:
    return lambda d: _same(d, fill, **attributes(d))


def _reduction(fill: Fill = shifted, one: bool = False, low: int = 0, **more: Callable[[Draw], Any]) -> Case:
    """A reduction, over at most ``one`` dimension; ``low`` is the least length of any."""

    def case(d: Draw) -> Call:
        x = d.array(d.shape(low=low), fill)
        attributes = {name: value(d) for name, value in more.items()}
        dim = d.pick(None, d.dim(x.ndim)) if one else d.dims(x.ndim)
        return (x,), {"dim": dim, "keepdim": d.flag(), **attributes}

    return case


def _factors(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Near 1 in magnitude, so that long products neither vanish nor overflow."""
    if not dtypes.is_floating(dtype):
        return normal(rng, shape, dtype)
    powers = rng.standard_normal(shape) / max(np.prod(shape, dtype=float), 1) ** 0.5
    return np.asarray(rng.choice([-1.0, 1.0], shape) * np.exp(powers)).astype(dtype)


def _sparse(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Zeros, with few others; or the other way round."""
    rare = np.asarray(rng.random(shape) < 0.02)
    return np.asarray(rare if rng.random() < 0.5 else ~rare).astype(dtype)


def _along(d: Draw, fill: Fill = wide, count: int = 1) -> Call:
    shape = d.shape()
    return tuple(d.array(shape, fill if i == count - 1 else normal) for i in range(count)), {"dim": d.dim(len(shape))}


def _log_probabilities(d: Draw) -> Call:
    (grad, x), attributes = _along(d, wide, 2)
    if x.size:
        total = _log_sum(x, attributes["dim"])
        if x.size == total.size:
            d.reject()  # of one element the result is what rounding left of 1 - 1
        x = np.asarray(x - total.reshape(total.shape if x.ndim else ())).astype(x.dtype)
    return (grad, x), attributes


def _log_sum(x: Array, dims: Any) -> Array:
    axes = None if dims is None or (isinstance(dims, tuple) and not dims) else dims
    wider = x.astype(dtypes.float64)
    with np.errstate(all="ignore"):
        return np.asarray(np.log(np.exp(wider).sum(axes if x.ndim else None, keepdims=True)))


def _logsumexp(d: Draw) -> Call:
    x = d.array(d.shape(), wide)
    return (x,), {"dim": _some_dims(d, x.ndim), "keepdim": d.flag()}


def _some_dims(d: Draw, ndim: int) -> Any:
    dims = d.dims(ndim)
    return dims if dims is not None else tuple(range(ndim)) or 0


def _logsumexp_backward(d: Draw) -> Call:
    x = d.array(d.shape(), wide)
    dims = _some_dims(d, x.ndim)
    y = _log_sum(x, dims).astype(x.dtype)
    y = y.reshape(() if not x.ndim else y.shape)
    return (d.array(y.shape), x, y), {"dim": dims}


def _loss(attributes: Callable[[Draw], dict[str, Any]] = lambda d: {}) -> Case:
    def case(d: Draw) -> Call:
        shape = d.shape()
        return (d.array(shape, wide), d.array(shape, wide)), {"reduction": _reduction_of(d), **attributes(d)}

    return case


def _reduction_of(d: Draw) -> str:
    return d.pick("mean", "sum", "none")


def _loss_backward(attributes: Callable[[Draw], dict[str, Any]] = lambda d: {}) -> Case:
    def case(d: Draw) -> Call:
        arrays, kwargs = _loss(attributes)(d)
        return (d.array(arrays[0].shape if kwargs["reduction"] == "none" else ()), *arrays), kwargs

    return case


def _beta(d: Draw) -> dict[str, Any]:
    return {"beta": d.pick(1.0, 0.0, 0.4, d.number(0.1, 3))}


def _delta(d: Draw) -> dict[str, Any]:
    return {"delta": d.pick(1.0, 0.4, d.number(0.1, 3))}


def _probabilities(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    return np.asarray(rng.random(shape)).astype(dtype)


def _logistic(d: Draw) -> Call:
    shape = d.shape()
    weights = [d.array(d.narrowed(shape), positive) if d.flag() else None for _ in range(2)]
    return (d.array(shape, wide), d.array(shape, _probabilities), *weights), {"reduction": _reduction_of(d)}


def _logistic_backward(d: Draw) -> Call:
    arrays, kwargs = _logistic(d)
    d.specials = False  # an infinite gradient meets a difference that rounding may make 0
    return (d.array(arrays[0].shape if kwargs["reduction"] == "none" else ()), *arrays), kwargs


CASES: dict[str, Case] = {
    **dict.fromkeys(("add", "sub", "mul"), _binary),
    **dict.fromkeys(("maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"), lambda d: _binary(d, ties, ties)),
    "div": lambda d: _binary(d, normal, nonzero),
    "pow": _pow,
    **dict.fromkeys(("logical_not", "sign"), lambda d: _unary(d, ties)),
    **dict.fromkeys(("neg", "abs"), _unary),
    **dict.fromkeys(("exp", "sin", "cos"), lambda d: _unary(d, _spread)),
    **dict.fromkeys(("log", "sqrt", "rsqrt"), lambda d: _unary(d, positive)),
    "log1p": lambda d: _unary(d, _above_minus_one),
    "clamp": lambda d: _unary(d, **_bounds(d)),
    "clamp_backward": lambda d: _same(d, ties, **_bounds(d)),
    "where": _where,
    "cast": _cast,
    **dict.fromkeys(
        ("relu", "silu", "sigmoid", "tanh", "selu", "mish", "hardswish", "hardsigmoid"),
        _activation(),
    ),
    "relu_backward": _backward(ties),
    "leaky_relu": _activation(wide, _slope),
    "leaky_relu_backward": _backward(wide, _slope),
    "elu": _activation(wide, _alpha),
    "elu_backward": _backward(wide, _alpha),
    "gelu": _activation(wide, _approximate),
    "gelu_backward": _backward(wide, _approximate),
    "softplus": _activation(wide, _softplus),
    "softplus_backward": _backward(wide, _softplus),
    **dict.fromkeys(
        ("silu_backward", "selu_backward", "mish_backward", "hardswish_backward", "hardsigmoid_backward"),
        _backward(),
    ),
    **dict.fromkeys(("sigmoid_backward", "tanh_backward"), _backward(unit)),
    **dict.fromkeys(("sum", "mean"), _reduction()),
    **dict.fromkeys(("var", "std"), _reduction(correction=lambda d: d.pick(1, 0, 2, 0.5))),
    "prod": _reduction(_factors),
    **dict.fromkeys(("amax", "amin"), _reduction(ties, low=1)),
    **dict.fromkeys(("argmax", "argmin"), _reduction(ties, one=True, low=1)),
    **dict.fromkeys(("any", "all"), _reduction(_sparse)),
    **dict.fromkeys(("cumsum", "cumsum_backward"), lambda d: _along(d, shifted)),
    **dict.fromkeys(("softmax", "log_softmax"), _along),
    "softmax_backward": lambda d: _along(d, unit, 2),
    "log_softmax_backward": _log_probabilities,
    "logsumexp": _logsumexp,
    "logsumexp_backward": _logsumexp_backward,
    **dict.fromkeys(("mse_loss", "l1_loss"), _loss()),
    **dict.fromkeys(("mse_loss_backward", "l1_loss_backward"), _loss_backward()),
    "smooth_l1_loss": _loss(_beta),
    "smooth_l1_loss_backward": _loss_backward(_beta),
    "huber_loss": _loss(_delta),
    "huber_loss_backward": _loss_backward(_delta),
    "binary_cross_entropy_with_logits": _logistic,
    "binary_cross_entropy_with_logits_backward": _logistic_backward,
}
