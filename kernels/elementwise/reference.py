"""Elementwise operations in plain NumPy. Infinities and NaN are results here: NumPy is not to warn of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


@np.errstate(all="ignore")
def add(a: Array, b: Array) -> Array:
    return np.add(a, b)


@np.errstate(all="ignore")
def sub(a: Array, b: Array) -> Array:
    return np.subtract(a, b)


@np.errstate(all="ignore")
def mul(a: Array, b: Array) -> Array:
    return np.multiply(a, b)


@np.errstate(all="ignore")
def div(a: Array, b: Array) -> Array:
    return np.divide(a, b)


@np.errstate(all="ignore")
def pow(a: Array, b: Array) -> Array:
    result = np.power(a, b)
    if not dtypes.is_floating(result.dtype):
        return result
    # NumPy takes the square root where one exponent serves all bases: of -0.0 and of minus infinity it is another.
    root = np.equal(b, 0.5) & (np.equal(a, 0.0) | np.equal(a, -np.inf))
    return np.asarray(np.where(root, np.abs(a), result), result.dtype)


@np.errstate(all="ignore")
def maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@np.errstate(all="ignore")
def minimum(a: Array, b: Array) -> Array:
    return np.minimum(a, b)


@np.errstate(all="ignore")
def eq(a: Array, b: Array) -> Array:
    return np.equal(a, b)


@np.errstate(all="ignore")
def ne(a: Array, b: Array) -> Array:
    return np.not_equal(a, b)


@np.errstate(all="ignore")
def lt(a: Array, b: Array) -> Array:
    return np.less(a, b)


@np.errstate(all="ignore")
def le(a: Array, b: Array) -> Array:
    return np.less_equal(a, b)


@np.errstate(all="ignore")
def gt(a: Array, b: Array) -> Array:
    return np.greater(a, b)


@np.errstate(all="ignore")
def ge(a: Array, b: Array) -> Array:
    return np.greater_equal(a, b)


@np.errstate(all="ignore")
def logical_not(x: Array) -> Array:
    return np.equal(x, np.zeros((), x.dtype))


@np.errstate(all="ignore")
def neg(x: Array) -> Array:
    return np.negative(x)


@np.errstate(all="ignore")
def abs(x: Array) -> Array:
    return np.absolute(x)


@np.errstate(all="ignore")
def sign(x: Array) -> Array:
    zero = np.zeros((), x.dtype)
    return (x > zero).astype(x.dtype) - (x < zero).astype(x.dtype)


@np.errstate(all="ignore")
def exp(x: Array) -> Array:
    return np.exp(x)


@np.errstate(all="ignore")
def log(x: Array) -> Array:
    return np.log(x)


@np.errstate(all="ignore")
def log1p(x: Array) -> Array:
    return np.log1p(x)


@np.errstate(all="ignore")
def sqrt(x: Array) -> Array:
    return np.sqrt(x)


@np.errstate(all="ignore")
def rsqrt(x: Array) -> Array:
    return np.ones((), x.dtype) / np.sqrt(x)


@np.errstate(all="ignore")
def sin(x: Array) -> Array:
    return np.sin(x)


@np.errstate(all="ignore")
def cos(x: Array) -> Array:
    return np.cos(x)


@np.errstate(all="ignore")
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    low = x if min is None else np.maximum(x, np.array(min, x.dtype))
    return np.array(low if max is None else np.minimum(low, np.array(max, x.dtype)))


@np.errstate(all="ignore")
def clamp_backward(grad: Array, x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    inside = np.full(x.shape, True)
    if min is not None:
        inside &= x >= np.array(min, x.dtype)
    if max is not None:
        inside &= x <= np.array(max, x.dtype)
    return np.where(inside, grad, np.zeros((), x.dtype))


@np.errstate(all="ignore")
def where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition, a, b)


@np.errstate(all="ignore")
def cast(x: Array, *, dtype: np.dtype[Any]) -> Array:
    return np.not_equal(x, np.zeros((), x.dtype)) if dtype == np.bool_ else x.astype(dtype)
