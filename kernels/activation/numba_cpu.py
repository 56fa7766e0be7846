"""Activation functions with Numba, each forward and each backward one pass: a table of scalar functions."""

from __future__ import annotations

import math
from typing import Any

from ..elementwise.loops import chosen_by, pair, pair_with, unary, unary_with
from ..vector import absolute, exp, expm1_below, gelu_slope, log1p_of_exp_minus, normal_cdf, scalar, select
from ..vector import maximum as larger
from ..vector import minimum as smaller
from ..vector import sigmoid as logistic
from ..vector import tanh as hyperbolic_tangent

Array = Any

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # of the tanh approximation of gelu
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@scalar
def gelu_tanh(kind: Any, pick: Any) -> Any:
    """``x (1 + tanh u) / 2``, which is ``x sigmoid(2u)``, with u = sqrt(2/pi) (x + 0.044715 x^3)."""
    linear, cubic = kind(2 * SQRT_2_OVER_PI), kind(2 * SQRT_2_OVER_PI * CUBIC)

    def function(x: Any) -> Any:
        return x * logistic(x * (linear + cubic * x * x))

    return function


@scalar
def gelu_tanh_slope(kind: Any, pick: Any) -> Any:
    """The derivative of `gelu_tanh`."""
    linear, cubic = kind(2 * SQRT_2_OVER_PI), kind(2 * SQRT_2_OVER_PI * CUBIC)
    zero, one, three = kind(0), kind(1), kind(3)

    def function(x: Any) -> Any:
        u = x * (linear + cubic * x * x)
        e = exp(-absolute(u))
        r = one / (one + e)
        bell = e * r * r  # the derivative of the sigmoid
        # Far out the bell is 0 and x^2 may overflow: their product is 0.
        rest = select(bell == zero, zero, bell * x * (linear + three * cubic * x * x))
        return select(u > zero, r, e * r) + rest

    return function


@scalar
def silu_slope(kind: Any, pick: Any) -> Any:
    """``s (1 + x (1 - s))`` with s = sigmoid(x)."""
    one = kind(1)

    def function(x: Any) -> Any:
        s = logistic(x)
        return s * (one + x * (one - s))

    return function


@scalar
def softplus_of(kind: Any, pick: Any) -> Any:
    """``log(1 + e**x)``."""
    zero = kind(0)

    def function(x: Any) -> Any:
        return larger(x, zero) + log1p_of_exp_minus(absolute(x))

    return function


@scalar
def exponential_below(kind: Any, pick: Any) -> Any:
    """``e**x - 1`` where ``x <= 0``, else 0."""
    zero = kind(0)

    def function(x: Any) -> Any:
        return expm1_below(select(x > zero, zero, x))

    return function


@scalar
def selu_of(kind: Any, pick: Any) -> Any:
    """The scaled exponential linear unit."""
    scale, lower, zero = kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA), kind(0)

    def function(x: Any) -> Any:
        return select(x > zero, scale * x, lower * exponential_below(x))

    return function


@scalar
def selu_slope(kind: Any, pick: Any) -> Any:
    """The derivative of `selu_of`."""
    scale, lower, zero = kind(SELU_SCALE), kind(SELU_SCALE * SELU_ALPHA), kind(0)

    def function(x: Any) -> Any:
        return select(x > zero, scale, lower * exp(x))

    return function


@scalar
def mish_gate(kind: Any, pick: Any) -> Any:
    """``tanh(log(1 + e**x))``, which is ``n / (n + 2)`` with ``n = e**x (e**x + 2)``, from ``e**-|x|``."""
    one, two, zero = kind(1), kind(2), kind(0)

    def function(x: Any) -> Any:
        e = exp(-absolute(x))
        above = one + two * e  # n times e**-2x
        n = select(x > zero, above, e * (e + two))
        return n / (n + select(x > zero, two * e * e, two))

    return function


@scalar
def mish_slope(kind: Any, pick: Any) -> Any:
    """The derivative of ``x mish_gate(x)``: the gate, and x times ``4 e**x (1 + e**x) / (n + 2)**2``."""
    one, two, four, zero = kind(1), kind(2), kind(4), kind(0)

    def function(x: Any) -> Any:
        e = exp(-absolute(x))
        positive = x > zero
        n = select(positive, one + two * e, e * (e + two))
        r = one / (n + select(positive, two * e * e, two))
        return n * r + x * (select(positive, four * e * e, four * e) * (one + e) * r * r)

    return function


@scalar
def ramp(kind: Any, pick: Any) -> Any:
    """``x + 3`` between 0 and 6."""
    zero, three, six = kind(0), kind(3), kind(6)

    def function(x: Any) -> Any:
        return smaller(larger(x + three, zero), six)

    return function


@scalar
def hardswish_slope(kind: Any, pick: Any) -> Any:
    """The derivative of ``x ramp(x) / 6``."""
    zero, half, one, three = kind(0), kind(0.5), kind(1), kind(3)

    def function(x: Any) -> Any:
        return select(x <= -three, zero, select(x >= three, one, x / three + half))

    return function


# fmt: off
relu             = unary("relu",    lambda x: select(x <= 0, type(x)(0), x))
sigmoid          = unary("sigmoid", lambda x: logistic(x))
tanh             = unary("tanh",    lambda x: hyperbolic_tangent(x))
silu             = unary("silu",    lambda x: x * logistic(x))
_gelu            = unary("gelu",      lambda x: x * normal_cdf(x))
_gelu_tanh       = unary("gelu_tanh", lambda x: gelu_tanh(x))
selu             = unary("selu",        lambda x: selu_of(x))
mish             = unary("mish",        lambda x: x * mish_gate(x))
hardswish        = unary("hardswish",   lambda x: x * ramp(x) / type(x)(6))
hardsigmoid      = unary("hardsigmoid", lambda x: ramp(x) / type(x)(6))

relu_backward       = pair("relu_backward",      lambda g, y: select(y <= 0, type(g)(0), g))
sigmoid_backward    = pair("sigmoid_backward",   lambda g, y: g * y * (type(g)(1) - y))
tanh_backward       = pair("tanh_backward",      lambda g, y: g * (type(g)(1) - y * y))
silu_backward       = pair("silu_backward",      lambda g, x: g * silu_slope(x))
selu_backward        = pair("selu_backward",        lambda g, x: g * selu_slope(x))
mish_backward        = pair("mish_backward",        lambda g, x: g * mish_slope(x))
hardswish_backward   = pair(  # 0 and not a product with 0, which an infinite gradient turns to NaN
    "hardswish_backward", lambda g, x: select(x <= type(x)(-3), type(g)(0), g * hardswish_slope(x))
)
hardsigmoid_backward = pair(
    "hardsigmoid_backward", lambda g, x: select(absolute(x) < type(x)(3), g / type(g)(6), type(g)(0))
)
_gelu_backward      = pair("gelu_backward",      lambda g, x: g * gelu_slope(x))
_gelu_tanh_backward = pair("gelu_tanh_backward", lambda g, x: g * gelu_tanh_slope(x))

leaky_relu = unary_with("leaky_relu", lambda x, slope, _: select(x > 0, x, x * slope), negative_slope=0.01)
elu        = unary_with("elu", lambda x, alpha, _: select(x > 0, x, alpha * exponential_below(x)), alpha=1.0)
softplus   = unary_with(
    "softplus", lambda x, beta, top: select(x * beta > top, x, softplus_of(x * beta) / beta), beta=1.0, threshold=20.0
)
leaky_relu_backward = pair_with(
    "leaky_relu_backward", lambda g, x, slope, _: select(x > 0, g, g * slope), negative_slope=0.01
)
elu_backward = pair_with("elu_backward", lambda g, x, alpha, _: select(x > 0, g, g * alpha * exp(x)), alpha=1.0)
softplus_backward = pair_with(
    "softplus_backward", lambda g, x, beta, top: select(x * beta > top, g, g * logistic(x * beta)),
    beta=1.0, threshold=20.0,
)
# fmt: on


def _gelu_formula(approximate: str = "none") -> tuple[Any, dict[str, float]]:
    return _gelu_tanh if approximate == "tanh" else _gelu, {}


def _gelu_slope_formula(approximate: str = "none") -> tuple[Any, dict[str, float]]:
    return _gelu_tanh_backward if approximate == "tanh" else _gelu_backward, {}


@chosen_by(_gelu_formula)
def gelu(x: Array, *, approximate: str = "none", out: Array) -> None:
    _gelu_formula(approximate)[0](x, out=out)


@chosen_by(_gelu_slope_formula)
def gelu_backward(grad: Array, x: Array, *, approximate: str = "none", out: Array) -> None:
    _gelu_slope_formula(approximate)[0](grad, x, out=out)
