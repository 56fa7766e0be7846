"""Elementwise operations with Numba's CUDA target: functions of one element, or of two."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import float16, float32, is_floating
from ..numba_launch import copy, cosine, device, exponential, logarithm, logarithm_1p, power, sine, square_root
from ..numba_launch import real_of as _real_of
from ..numba_map import apply as _apply

Array = Any

_magnitude = builtins.abs


def _run(scalar: Callable[..., Any], arrays: tuple[Array, ...], out: Array, a: Any = 0, b: Any = 0) -> None:
    """On elements as they are, halves as float32."""
    dtype = arrays[0].dtype
    _apply(scalar, arrays, out, a, b, real=_real_of(dtype) if is_floating(dtype) else None)


def _add(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x + y


def add(a: Array, b: Array, *, out: Array) -> None:
    _run(_add, (a, b), out)


def _sub(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x - y


def sub(a: Array, b: Array, *, out: Array) -> None:
    _run(_sub, (a, b), out)


def _mul(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x * y


def mul(a: Array, b: Array, *, out: Array) -> None:
    _run(_mul, (a, b), out)


def _div(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x / y


def div(a: Array, b: Array, *, out: Array) -> None:
    _run(_div, (a, b), out)


def _maximum(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x if x > y or x != x else y


def maximum(a: Array, b: Array, *, out: Array) -> None:
    _run(_maximum, (a, b), out)


def _minimum(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x if x < y or x != x else y


def minimum(a: Array, b: Array, *, out: Array) -> None:
    _run(_minimum, (a, b), out)


def _eq(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x == y


def eq(a: Array, b: Array, *, out: Array) -> None:
    _run(_eq, (a, b), out)


def _ne(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x != y


def ne(a: Array, b: Array, *, out: Array) -> None:
    _run(_ne, (a, b), out)


def _lt(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x < y


def lt(a: Array, b: Array, *, out: Array) -> None:
    _run(_lt, (a, b), out)


def _le(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x <= y


def le(a: Array, b: Array, *, out: Array) -> None:
    _run(_le, (a, b), out)


def _gt(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x > y


def gt(a: Array, b: Array, *, out: Array) -> None:
    _run(_gt, (a, b), out)


def _ge(x: Any, y: Any, a: Any, b: Any) -> Any:
    return x >= y


def ge(a: Array, b: Array, *, out: Array) -> None:
    _run(_ge, (a, b), out)


def _integer_power(x: Any, y: Any, one: Any) -> Any:
    """By squaring; what is beyond the type is lost, here or where the result is stored."""
    result, factor, left = one, x, y
    while left > 0:
        if left & 1:
            result = result * factor
        factor = factor * factor
        left >>= 1
    return result


_power_of_integers = device(_integer_power)


def _pow(x: Any, y: Any, a: Any, b: Any) -> Any:
    return power(x, y)


def _pow_integers(x: Any, y: Any, a: Any, b: Any) -> Any:
    return _power_of_integers(x, y, b)  # which is one


def pow(a: Array, b: Array, *, out: Array) -> None:
    _run(_pow if is_floating(a.dtype) else _pow_integers, (a, b), out, 0, 1)


def _logical_not(x: Any, a: Any, b: Any) -> Any:
    return x == a  # which is zero


def logical_not(x: Array, *, out: Array) -> None:
    _run(_logical_not, (x,), out)


def _neg(x: Any, a: Any, b: Any) -> Any:
    return -x


def neg(x: Array, *, out: Array) -> None:
    _run(_neg, (x,), out)


def _abs(x: Any, a: Any, b: Any) -> Any:
    return _magnitude(x)


def abs(x: Array, *, out: Array) -> None:
    _run(_abs, (x,), out)


def _sign(x: Any, a: Any, b: Any) -> Any:
    return b if x > a else (-b if x < a else a)  # 1, -1 and 0


def sign(x: Array, *, out: Array) -> None:
    _run(_sign, (x,), out, 0, 1)


def _exp(x: Any, a: Any, b: Any) -> Any:
    return exponential(x)


def exp(x: Array, *, out: Array) -> None:
    _run(_exp, (x,), out)


def _log(x: Any, a: Any, b: Any) -> Any:
    return logarithm(x)


def log(x: Array, *, out: Array) -> None:
    _run(_log, (x,), out)


def _log1p(x: Any, a: Any, b: Any) -> Any:
    return logarithm_1p(x)


def log1p(x: Array, *, out: Array) -> None:
    _run(_log1p, (x,), out)


def _sqrt(x: Any, a: Any, b: Any) -> Any:
    return square_root(x)


def sqrt(x: Array, *, out: Array) -> None:
    _run(_sqrt, (x,), out)


def _rsqrt(x: Any, a: Any, b: Any) -> Any:
    return b / square_root(x)  # 1 over it


def rsqrt(x: Array, *, out: Array) -> None:
    _run(_rsqrt, (x,), out, 0, 1)


def _sin(x: Any, a: Any, b: Any) -> Any:
    return sine(x)


def sin(x: Array, *, out: Array) -> None:
    _run(_sin, (x,), out)


def _cos(x: Any, a: Any, b: Any) -> Any:
    return cosine(x)


def cos(x: Array, *, out: Array) -> None:
    _run(_cos, (x,), out)


def _clamp_min(x: Any, a: Any, b: Any) -> Any:
    return x if x > a or x != x else a


def _clamp_max(x: Any, a: Any, b: Any) -> Any:
    return x if x < b or x != x else b


def _clamp(x: Any, a: Any, b: Any) -> Any:
    low = x if x > a or x != x else a
    return low if low < b or low != low else b


def _bounds(x: Array, low: Any, high: Any) -> tuple[Any, Any]:
    """The bounds as the dtype holds them; 0 for none."""
    return x.dtype.type(0 if low is None else low), x.dtype.type(0 if high is None else high)


def clamp(x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    scalar = _clamp_max if min is None else _clamp_min if max is None else _clamp
    _run(scalar, (x,), out, *_bounds(x, min, max))


def _clamp_min_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
    return grad if x >= a else 0


def _clamp_max_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
    return grad if x <= b else 0


def _clamp_backward(grad: Any, x: Any, a: Any, b: Any) -> Any:
    return grad if x >= a and x <= b else 0


def clamp_backward(grad: Array, x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    scalar = _clamp_max_backward if min is None else _clamp_min_backward if max is None else _clamp_backward
    _run(scalar, (grad, x), out, *_bounds(x, min, max))


def _where(condition: Any, x: Any, y: Any, a: Any, b: Any) -> Any:
    return x if condition else y


def where(condition: Array, a: Array, b: Array, *, out: Array) -> None:
    _apply(_where, (condition, a, b), out)


def _cast(x: Any, a: Any, b: Any) -> Any:
    return x


def _cast_to_bool(x: Any, a: Any, b: Any) -> Any:
    return x != a  # which is zero


def cast(x: Array, *, dtype: np.dtype[Any], out: Array) -> None:
    if x.dtype == out.dtype:
        copy(x, out)
    elif out.dtype == np.bool_:
        _run(_cast_to_bool, (x,), out)
    else:
        # To 16 bits through float32, as the contract has it.
        _apply(_cast, (x,), out, real=float32.type if float16 in (x.dtype, out.dtype) else None)
