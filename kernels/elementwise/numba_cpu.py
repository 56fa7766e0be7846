"""Elementwise operations with Numba: one scalar function an operation, the loops around it in `loops`.

Conversion and selection, whose loops are of their own kind, are in `moves`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from .. import angle, vector
from .loops import binary, chosen_by, pair_with, unary, unary_with, unary_within
from .moves import cast, where

Array = Any
BOOL = np.dtype("bool")


def _by_kind(name: str, floats: Any, integers: Any) -> Any:
    """A function of two numbers for kernels: ``floats`` of floating ones, ``integers`` of whole ones."""
    floats.__qualname__, integers.__qualname__ = f"{name}_of_floats", f"{name}_of_integers"

    def stub(a: Any, b: Any) -> Any:
        raise NotImplementedError("works inside compiled kernels only")

    options: Any = {"fastmath": False, "error_model": "numpy", "forceinline": True}
    overload(stub, jit_options=options)(lambda a, b: floats if isinstance(a, types.Float) else integers)
    return stub


def _int_power(a, b):  # type: ignore[no-untyped-def]
    """By repeated squaring; products wrap around."""
    result, base, exponent = 1, np.int64(a), np.int64(b)
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


_larger = _by_kind("larger", lambda a, b: vector.maximum(a, b), lambda a, b: a if a > b else b)
_lesser = _by_kind("lesser", lambda a, b: vector.minimum(a, b), lambda a, b: a if a < b else b)
_power = _by_kind("power", lambda a, b: math.pow(a, b), _int_power)


@vector.scalar
def _log1p(kind: Any, pick: Any) -> Any:
    """``ln(1 + x)`` by the logarithm of the rounded sum, times the ratio of the two (Goldberg 1991, theorem 4)."""
    one, infinity = kind(1), kind(math.inf)

    def function(x: Any) -> Any:
        u = one + x
        y = vector.log(u) * (x / (u - one))
        return vector.select(u == one, x, vector.select(u == infinity, u, y))

    return function


# fmt: off
add     = binary("add",     lambda a, b: a + b)
sub     = binary("sub",     lambda a, b: a - b)
mul     = binary("mul",     lambda a, b: a * b)
div     = binary("div",     lambda a, b: a / b)
maximum = binary("maximum", lambda a, b: _larger(a, b))
minimum = binary("minimum", lambda a, b: _lesser(a, b))
eq      = binary("eq",      lambda a, b: a == b, BOOL)
ne      = binary("ne",      lambda a, b: a != b, BOOL)
lt      = binary("lt",      lambda a, b: a < b, BOOL)
le      = binary("le",      lambda a, b: a <= b, BOOL)

logical_not = unary("logical_not", lambda x: x == 0, BOOL)
neg         = unary("neg",         lambda x: -x)
abs         = unary("abs",         lambda x: _larger(x, -x))
sign        = unary("sign",        lambda x: (x > 0) - (x < 0))
exp         = unary("exp",         lambda x: vector.exp(x))
log         = unary("log",         lambda x: vector.log(x))
log1p       = unary("log1p",       lambda x: _log1p(x))
sqrt        = unary("sqrt",        lambda x: vector.sqrt(x))
rsqrt       = unary("rsqrt",       lambda x: 1 / vector.sqrt(x))
sin         = unary_within("sin",  lambda x: angle.sin(x), lambda x: math.sin(x), angle.MOST)
cos         = unary_within("cos",  lambda x: angle.cos(x), lambda x: math.cos(x), angle.MOST)

_any_power = binary("pow", lambda a, b: _power(a, b))
_powers    = {
    -1.0: unary("pow_minus_1", lambda x: 1 / x),
    2.0:  unary("pow_2",       lambda x: x * x),
    3.0:  unary("pow_3",       lambda x: x * x * x),
}
_clamp = unary_with("clamp", lambda x, low, high: _lesser(_larger(x, low), high), min=0, max=0)
# fmt: on
_clamp_backward = pair_with(
    "clamp_backward", lambda g, x, low, high: g if (x >= low) & (x <= high) else type(g)(0), min=0, max=0
)


def gt(a: Array, b: Array, *, out: Array) -> None:
    lt(b, a, out=out)


def ge(a: Array, b: Array, *, out: Array) -> None:
    le(b, a, out=out)


def pow(a: Array, b: Array, *, out: Array) -> None:
    if b.size == 1 and a.shape == out.shape and a.dtype.kind == "f":
        special = _powers.get(b.item())  # a square is far quicker than a power
        if special is not None:
            special(a, out=out)
            return
    _any_power(a, b, out=out)


def _bounds(x: Array, min: Any, max: Any) -> tuple[Any, Any]:
    """The bounds as numbers, the widest of the dtype in the place of None."""
    if x.dtype.kind == "f":
        return _floating_bounds(min, max)
    info = np.iinfo(x.dtype)
    return info.min if min is None else int(min), info.max if max is None else int(max)


def _within(min: float | None = None, max: float | None = None) -> tuple[Any, dict[str, float]]:
    return _clamp, dict(zip(("min", "max"), _floating_bounds(min, max), strict=True))


def _within_backward(min: float | None = None, max: float | None = None) -> tuple[Any, dict[str, float]]:
    return _clamp_backward, dict(zip(("min", "max"), _floating_bounds(min, max), strict=True))


def _floating_bounds(min: float | None, max: float | None) -> tuple[float, float]:
    return -math.inf if min is None else float(min), math.inf if max is None else float(max)


@chosen_by(_within)
def clamp(x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    low, high = _bounds(x, min, max)
    _clamp(x, min=low, max=high, out=out)


@chosen_by(_within_backward)
def clamp_backward(grad: Array, x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    low, high = _bounds(x, min, max)
    _clamp_backward(grad, x, min=low, max=high, out=out)


__all__ = [
    "abs", "add", "cast", "clamp", "clamp_backward", "cos", "div", "eq", "exp", "ge", "gt", "le", "log", "log1p",
    "logical_not", "lt", "maximum", "minimum", "mul", "ne", "neg", "pow", "rsqrt", "sign", "sin", "sqrt", "sub",
    "where",
]  # fmt: skip
