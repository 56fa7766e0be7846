"""Launches of ``csrc/kernels/elementwise.cu``, ``elementwise_math.cu`` and ``move.cu``."""

from __future__ import annotations

from typing import Any

from ..cuda_launch import BLOCK, bits, copy, flat_grid, launch, layout_of, written
from ..cuda_launch import binary as _binary
from ..cuda_launch import unary as _unary

Array = Any


def add(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "add", a, b, out)


def sub(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "sub", a, b, out)


def mul(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "mul", a, b, out)


def div(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise_math", "divide", a, b, out)


def pow(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "power", a, b, out)


def maximum(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "maximum", a, b, out)


def minimum(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "minimum", a, b, out)


def eq(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "equal", a, b, out)


def ne(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "not_equal", a, b, out)


def lt(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "less", a, b, out)


def le(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "less_equal", a, b, out)


def gt(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "less", b, a, out)


def ge(a: Array, b: Array, *, out: Array) -> None:
    _binary("elementwise", "less_equal", b, a, out)


def logical_not(x: Array, *, out: Array) -> None:
    _unary("elementwise", "logical_not", x, out)


def neg(x: Array, *, out: Array) -> None:
    _unary("elementwise", "negative", x, out)


def abs(x: Array, *, out: Array) -> None:
    _unary("elementwise", "absolute", x, out)


def sign(x: Array, *, out: Array) -> None:
    _unary("elementwise", "sign", x, out)


def exp(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "exponential", x, out)


def log(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "logarithm", x, out)


def log1p(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "logarithm_1p", x, out)


def sqrt(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "square_root", x, out)


def rsqrt(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "inverse_square_root", x, out)


def sin(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "sine", x, out)


def cos(x: Array, *, out: Array) -> None:
    _unary("elementwise_math", "cosine", x, out)


def _bounds(x: Array, low: Any, high: Any) -> tuple[Any, ...]:
    """Whether there is a bound, and the bound as the dtype holds it, for each of the two."""
    given = [(bound is not None, x.dtype.type(0 if bound is None else bound)) for bound in (low, high)]
    return tuple(each if type(each) is bool else each.item() for pair in given for each in pair)


def clamp(x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    _unary("elementwise", "clamp", x, out, *_bounds(x, min, max))


def clamp_backward(grad: Array, x: Array, *, min: float | None = None, max: float | None = None, out: Array) -> None:
    _binary("elementwise_math", "clamp_backward", grad, x, out, *_bounds(x, min, max))


def where(condition: Array, a: Array, b: Array, *, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        at, (c, x, y) = layout_of("where", out.shape, condition, a, b)
        name = f"where_{out.itemsize}"
        launch("move", name, None, flat_grid(out.size), BLOCK, at, c, bits(x), bits(y), bits(result), out.size)


def cast(x: Array, *, dtype: Any, out: Array) -> None:
    if x.dtype == out.dtype:
        copy(x, out)
    else:
        _unary("elementwise", f"to_{out.dtype.name}", x, out)
