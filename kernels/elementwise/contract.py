"""Contracts of elementwise arithmetic, comparison, selection and conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import LARGE_2D, Fill, broadcast, nonzero, normal, positive, same_shape, special, spread, unary, views

Array = Any
DType = np.dtype[Any]

NUMBERS = (*dtypes.FLOATS, *dtypes.INTEGERS)
_NUMBERS = frozenset(NUMBERS)
_ALL = frozenset(dtypes.ALL)
_FLOATS = frozenset(dtypes.FLOATS)
_KINDS = {_NUMBERS: "a number dtype", _ALL: "a known dtype", _FLOATS: "a floating dtype"}


def _one(name: str, x: Array, allowed: frozenset[DType]) -> Spec:
    """The result of an operation of one array."""
    dtype = x.dtype
    if dtype not in allowed:
        raise TypeError(f"{name}: x must have {_KINDS[allowed]}, not {dtype}")
    return Spec(x.shape, dtype)


def _two(name: str, a: Array, b: Array, allowed: frozenset[DType], result: DType | None = None) -> Spec:
    """The result of an operation of two arrays that broadcast and have one dtype."""
    dtype = a.dtype
    if b.dtype is not dtype and b.dtype != dtype:
        raise TypeError(f"{name}: a has dtype {dtype} but b has dtype {b.dtype}")
    if dtype not in allowed:
        raise TypeError(f"{name}: a and b must have {_KINDS[allowed]}, not {dtype}")
    shape = a.shape
    if shape != b.shape:
        shape = check.broadcast(name, shape, b.shape)
    return Spec(shape, result or dtype)


def _wrong_two(unfit: DType = dtypes.bool_) -> Callable[[], Iterable[Wrong]]:
    def wrong() -> Iterator[Wrong]:
        x = np.ones((2, 3), np.float32)
        yield Wrong((x, np.ones(4, np.float32)), {}, ValueError, r"shapes \(2, 3\) and \(4,\) cannot be broadcast")
        yield Wrong((x, np.ones(3)), {}, TypeError, "a has dtype float32 but b has dtype float64")
        yield Wrong((np.ones(3, unfit), np.ones(3, unfit)), {}, TypeError, f"a and b must have .*, not {unfit}")

    return wrong


def _wrong_one(unfit: DType) -> Callable[[], Iterable[Wrong]]:
    def wrong() -> Iterator[Wrong]:
        yield Wrong((np.ones(3, unfit),), {}, TypeError, f"x must have .*, not {unfit}")
        yield Wrong(("text",), {}, TypeError, r"x must be a numpy\.ndarray .*, not builtins\.str")

    return wrong


def _exponent(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    return normal(rng, shape, dtype) if dtype in _FLOATS else np.asarray(rng.integers(0, 4, shape)).astype(dtype)


def _pow_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    skipped = ("empty", "one element", "large row", "large column", "outer", "stepped", "scalar first")
    for sample in broadcast(positive, _exponent, specials=False)(rng, dtype):
        if not sample.name.startswith(skipped):
            yield sample
    for whole in (0, 1, 2, 3):
        yield Sample((nonzero(rng, (17, 13), dtype), np.array(whole, dtype)), {}, f"exponent {whole}")
    if dtype in _FLOATS:
        for exponent in (-1.0, -0.5, 0.5):
            yield Sample((positive(rng, (33,), dtype), np.array([exponent], dtype)), {}, f"exponent {exponent}")
        # Negative bases have a power where the exponent is a whole number, and none elsewhere.
        exponents = np.asarray(rng.integers(-3, 4, (16, 16))).astype(dtype)
        yield Sample((nonzero(rng, (16, 16), dtype), exponents), {}, "whole exponents")
        values = special(dtype, 15)
        yield Sample((values[:, None], values.repeat(2)), {}, "special values")
        yield Sample((values, np.array([0.5], dtype)), {}, "special values, exponent 0.5")


def _clamp_bounds(dtype: DType) -> list[dict[str, Any]]:
    if dtype in _FLOATS:
        return [{"min": -0.5, "max": 0.5}, {"min": 0.0}, {"max": 0.25}, {"min": 1.0, "max": -1.0}]
    return [{"min": 2, "max": 5}, {"min": 3}, {"max": 4}, {"min": 5, "max": 2}]


def _clamp_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    yield from unary(variants=_clamp_bounds(dtype))(rng, dtype)
    if dtype in _FLOATS:
        yield Sample((normal(rng, (211,), dtype),), {"min": float("nan"), "max": 1.0}, "NaN as a bound")
        yield Sample((special(dtype),), {"max": float("inf"), "min": -2.5}, "infinity as a bound")


def _clamp_backward_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    yield from same_shape(variants=_clamp_bounds(dtype))(rng, dtype)
    yield Sample((special(dtype), normal(rng, (217,), dtype)), {"min": -0.5, "max": 0.5}, "special gradients")


def _where_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    def of(name: str, condition: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> Sample:
        return Sample((normal(rng, condition, dtypes.bool_), normal(rng, a, dtype), normal(rng, b, dtype)), {}, name)

    for shape in ((), (0,), (1,), (33,), (3, 5, 7)):
        yield of(f"shape {shape}", shape, shape, shape)
    yield of("three-way broadcast", (5, 1, 1), (1, 6, 1), (7,))
    yield of("scalar branches", (4, 9), (), ())
    yield of("scalar condition", (), (4, 9), (9,))
    yield of("one scalar branch", (4, 9), (4, 9), (1,))
    yield of("mask row", (1, 9), (2, 5, 9), ())
    yield of("six dimensions", (2, 1, 3, 1, 2, 1), (1, 2, 1, 2, 1, 2), (2, 2, 3, 2, 2, 2))
    yield of("large", LARGE_2D, LARGE_2D, LARGE_2D)
    yield of("large mask", (131, 1), LARGE_2D, ())
    yield Sample(
        (normal(rng, (7, 5), dtypes.bool_).T, normal(rng, (10, 7), dtype)[::-2], normal(rng, (14,), dtype)[::2]),
        {},
        "strided",
    )
    yield Sample((normal(rng, (217,), dtypes.bool_), special(dtype), special(dtype)[::-1]), {}, "special values")


def _cast_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    targets = (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.bool_, *dtypes.HALVES, dtypes.uint8, dtypes.int32)

    def of(shape: tuple[int, ...], target: DType) -> Array:
        # Exact in float32, through which a conversion to 16 bits goes; positive, because uint8 holds no sign.
        x = normal(rng, shape, dtypes.float32 if dtype in _FLOATS else dtype)
        return (np.abs(x) if target == dtypes.uint8 else x).astype(dtype)

    # What integers become is the same for all of them.
    for i, target in enumerate(targets if dtype in _FLOATS else targets[:4]):
        yield Sample((of((3, 11 + i), target),), {"dtype": target}, f"to {target}")
    for name, x in views(rng, dtype):
        yield Sample((x,), {"dtype": dtype}, f"contiguous copy, {name}")
    yield Sample((normal(rng, LARGE_2D, dtype).T,), {"dtype": dtype}, "large transposed copy")
    yield Sample((normal(rng, (3, 73, 83), dtype).transpose(0, 2, 1),), {"dtype": dtype}, "large batched transpose")
    yield Sample((normal(rng, (), dtype),), {"dtype": dtype}, "scalar")
    yield Sample((normal(rng, (0, 4), dtype),), {"dtype": dtypes.float32}, "empty")
    if dtype in _FLOATS:
        yield Sample((special(dtype),), {"dtype": dtypes.float64}, "special values")
        yield Sample((special(dtype),), {"dtype": dtypes.bool_}, "truth of special values")
    else:
        yield Sample((special(dtype),), {"dtype": dtypes.int64}, "limits")


_EXACT_NUMBERS: dict[str, Any] = {"dtypes": NUMBERS, "error": "exact"}
_COMPARISON: dict[str, Any] = {"dtypes": dtypes.ALL, "error": "exact", "wrong": _wrong_two(np.dtype("complex64"))}


def _above_minus_one(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Numbers of many magnitudes above -0.9."""
    x = spread(rng, shape, dtypes.float64)
    return np.where(x < -0.9, -x, x).astype(dtype)


def _math(fill: Fill, source: str, **more: Any) -> dict[str, Any]:
    return {
        "samples": unary(fill), "wrong": _wrong_one(dtypes.int32), "error": "elementwise", "gradient": 2,
        "source": source, **more,
    }  # fmt: skip


@operation(samples=broadcast(), wrong=_wrong_two(), gradient=2, source="a + b", **_EXACT_NUMBERS)
def add(a: Array, b: Array) -> Spec:
    """Sum of two arrays of one number dtype that broadcast; integers wrap around.

    Raises TypeError where the dtypes differ or are bool, ValueError where the shapes do not broadcast.
    """
    return _two("add", a, b, _NUMBERS)


@operation(samples=broadcast(), wrong=_wrong_two(), gradient=2, source="a - b", **_EXACT_NUMBERS)
def sub(a: Array, b: Array) -> Spec:
    """Difference of two arrays of one number dtype that broadcast; integers wrap around.

    Raises TypeError where the dtypes differ or are bool, ValueError where the shapes do not broadcast.
    """
    return _two("sub", a, b, _NUMBERS)


@operation(samples=broadcast(), wrong=_wrong_two(), gradient=2, source="a b", **_EXACT_NUMBERS)
def mul(a: Array, b: Array) -> Spec:
    """Product of two arrays of one number dtype that broadcast; integers wrap around.

    Raises TypeError where the dtypes differ or are bool, ValueError where the shapes do not broadcast.
    """
    return _two("mul", a, b, _NUMBERS)


@operation(
    samples=broadcast(normal, nonzero), wrong=_wrong_two(dtypes.int64), error="exact", gradient=2, source="a / b"
)
def div(a: Array, b: Array) -> Spec:
    """Quotient of two floating arrays of one dtype that broadcast, rounded once; division by zero as IEEE 754.

    Raises TypeError where the dtypes differ or are not floating, ValueError where the shapes do not broadcast.
    """
    return _two("div", a, b, _FLOATS)


def _wrong_pow() -> Iterator[Wrong]:
    yield from _wrong_two()()
    yield Wrong((np.array([2, 3]), np.array([1, -4])), {}, ValueError, "exponent b .*negative.*-4")


@operation(samples=_pow_samples, wrong=_wrong_pow, dtypes=NUMBERS, error="elementwise", gradient=2, source="a^b")
def pow(a: Array, b: Array) -> Spec:
    """``a`` to the power ``b``, arrays of one number dtype that broadcast; special cases as C99's ``pow``.

    Integers wrap around. Raises TypeError where the dtypes differ or are bool, ValueError where the shapes
    do not broadcast, and for integers where an exponent is negative (checked for host arrays).
    """
    spec = _two("pow", a, b, _NUMBERS)
    if spec.dtype.kind == "i" and isinstance(b, np.ndarray) and b.size and (least := b.min()) < 0:
        raise ValueError(f"pow: an exponent b of integers must not be negative (found {least})")
    return spec


@operation(samples=broadcast(), wrong=_wrong_two(), gradient=1, source="max(a, b)", **_EXACT_NUMBERS)
def maximum(a: Array, b: Array) -> Spec:
    """The larger of two numbers, NaN where either is NaN; arrays of one number dtype that broadcast.

    Raises TypeError where the dtypes differ or are bool, ValueError where the shapes do not broadcast.
    """
    return _two("maximum", a, b, _NUMBERS)


@operation(samples=broadcast(), wrong=_wrong_two(), gradient=1, source="min(a, b)", **_EXACT_NUMBERS)
def minimum(a: Array, b: Array) -> Spec:
    """The smaller of two numbers, NaN where either is NaN; arrays of one number dtype that broadcast.

    Raises TypeError where the dtypes differ or are bool, ValueError where the shapes do not broadcast.
    """
    return _two("minimum", a, b, _NUMBERS)


@operation(samples=broadcast(), source="a = b", **_COMPARISON)
def eq(a: Array, b: Array) -> Spec:
    """Where ``a == b``, as bool; arrays of one dtype that broadcast. NaN equals nothing.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("eq", a, b, _ALL, dtypes.bool_)


@operation(samples=broadcast(), source="a != b", **_COMPARISON)
def ne(a: Array, b: Array) -> Spec:
    """Where ``a != b``, as bool; arrays of one dtype that broadcast. NaN differs from everything.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("ne", a, b, _ALL, dtypes.bool_)


@operation(samples=broadcast(), source="a < b", **_COMPARISON)
def lt(a: Array, b: Array) -> Spec:
    """Where ``a < b``, as bool; arrays of one dtype that broadcast.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("lt", a, b, _ALL, dtypes.bool_)


@operation(samples=broadcast(), source="a <= b", **_COMPARISON)
def le(a: Array, b: Array) -> Spec:
    """Where ``a <= b``, as bool; arrays of one dtype that broadcast.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("le", a, b, _ALL, dtypes.bool_)


@operation(samples=broadcast(), source="a > b", **_COMPARISON)
def gt(a: Array, b: Array) -> Spec:
    """Where ``a > b``, as bool; arrays of one dtype that broadcast.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("gt", a, b, _ALL, dtypes.bool_)


@operation(samples=broadcast(), source="a >= b", **_COMPARISON)
def ge(a: Array, b: Array) -> Spec:
    """Where ``a >= b``, as bool; arrays of one dtype that broadcast.

    Raises TypeError where the dtypes differ, ValueError where the shapes do not broadcast.
    """
    return _two("ge", a, b, _ALL, dtypes.bool_)


@operation(samples=unary(), wrong=_wrong_one(np.dtype("complex64")), dtypes=dtypes.ALL, error="exact", source="x = 0")
def logical_not(x: Array) -> Spec:
    """Where ``x`` is zero (False), as bool; an array of any dtype."""
    spec = _one("logical_not", x, _ALL)
    return Spec(spec.shape, dtypes.bool_)


@operation(samples=unary(), wrong=_wrong_one(dtypes.bool_), gradient=2, source="-x", **_EXACT_NUMBERS)
def neg(x: Array) -> Spec:
    """``-x`` of a number array; integers wrap around. Raises TypeError for bool."""
    return _one("neg", x, _NUMBERS)


@operation(samples=unary(), wrong=_wrong_one(dtypes.bool_), gradient=1, source="|x|", **_EXACT_NUMBERS)
def abs(x: Array) -> Spec:
    """Absolute value of a number array; the least integer stays itself. Raises TypeError for bool."""
    return _one("abs", x, _NUMBERS)


@operation(samples=unary(), wrong=_wrong_one(dtypes.bool_), gradient=1, source="(x > 0) - (x < 0)", **_EXACT_NUMBERS)
def sign(x: Array) -> Spec:
    """-1, 0 or 1 of a number array; 0 for NaN, as in PyTorch. Raises TypeError for bool."""
    return _one("sign", x, _NUMBERS)


@operation(**_math(spread, "e^x"))
def exp(x: Array) -> Spec:
    """``e**x`` of a floating array. Raises TypeError for other dtypes."""
    return _one("exp", x, _FLOATS)


@operation(**_math(positive, "ln x"))
def log(x: Array) -> Spec:
    """Natural logarithm of a floating array: -inf at 0, NaN below. Raises TypeError for other dtypes."""
    return _one("log", x, _FLOATS)


@operation(**_math(_above_minus_one, "ln(1 + x)"))
def log1p(x: Array) -> Spec:
    """Natural logarithm of ``1 + x`` of a floating array, accurate near 0: -inf at -1, NaN below.

    Raises TypeError for other dtypes.
    """
    return _one("log1p", x, _FLOATS)


@operation(**_math(positive, "x^(1/2)", error="exact"))
def sqrt(x: Array) -> Spec:
    """Square root of a floating array, rounded once: NaN below 0. Raises TypeError for other dtypes."""
    return _one("sqrt", x, _FLOATS)


@operation(**_math(positive, "x^(-1/2)"))
def rsqrt(x: Array) -> Spec:
    """One over the square root of a floating array: inf at 0, NaN below. Raises TypeError for other dtypes."""
    return _one("rsqrt", x, _FLOATS)


@operation(**_math(spread, "sin x"))
def sin(x: Array) -> Spec:
    """Sine of a floating array of radians of any size: NaN at infinity. Raises TypeError for other dtypes."""
    return _one("sin", x, _FLOATS)


@operation(**_math(spread, "cos x"))
def cos(x: Array) -> Spec:
    """Cosine of a floating array of radians of any size: NaN at infinity. Raises TypeError for other dtypes."""
    return _one("cos", x, _FLOATS)


def _bounds(name: str, dtype: DType, min: Any, max: Any) -> None:
    if min is None and max is None:
        raise ValueError(f"{name}: min and max must not both be None")
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        for which, bound in (("min", min), ("max", max)):
            if bound is None:
                continue
            if isinstance(bound, (float, np.floating)):
                raise TypeError(f"{name}: {which} (={bound}) must be an int for an array of {dtype}")
            if not info.min <= bound <= info.max:
                raise ValueError(f"{name}: {which} (={bound}) is out of the range of {dtype}")


def _wrong_clamp() -> Iterator[Wrong]:
    x = np.ones(3, np.float32)
    yield Wrong((x,), {}, ValueError, "min and max must not both be None")
    yield Wrong((np.ones(3, bool),), {"min": 0}, TypeError, "x must have a number dtype, not bool")
    yield Wrong((np.ones(3, np.int8),), {"max": 300}, ValueError, r"max \(=300\) is out of the range of int8")
    yield Wrong((np.ones(3, np.int32),), {"min": 0.5}, TypeError, r"min \(=0\.5\) must be an int .* int32")


@operation(samples=_clamp_samples, wrong=_wrong_clamp, gradient=1, source="min(max(x, min), max)", **_EXACT_NUMBERS)
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Spec:
    """``x`` limited to ``[min, max]``; ``max`` where ``min > max``. NaN stays NaN.

    Raises TypeError for bool and for a float bound of integers; ValueError where both bounds are None,
    and where a bound of integers is out of the dtype's range.
    """
    spec = _one("clamp", x, _NUMBERS)
    _bounds("clamp", spec.dtype, min, max)
    return spec


def _wrong_clamp_backward() -> Iterator[Wrong]:
    x = np.ones(3, np.float32)
    yield Wrong((x, np.ones(4, np.float32)), {"min": 0.0}, ValueError, r"grad has shape \(3,\) but x has shape \(4,\)")
    yield Wrong((x, np.ones(3)), {"min": 0.0}, TypeError, "grad has dtype float32 but x has dtype float64")
    yield Wrong((x, x), {}, ValueError, "min and max must not both be None")


@operation(
    samples=_clamp_backward_samples,
    wrong=_wrong_clamp_backward,
    error="exact",
    source="grad where min <= x <= max, else 0",
)
def clamp_backward(grad: Array, x: Array, *, min: float | None = None, max: float | None = None) -> Spec:
    """Gradient of `clamp`: ``grad`` where ``x`` lies within the bounds, 0 elsewhere and at NaN.

    Raises ValueError where the shapes differ or both bounds are None, TypeError where the dtypes differ
    or are not floating.
    """
    check.same_shape("clamp_backward", grad=grad, x=x)
    check.same_dtype("clamp_backward", grad=grad, x=x)
    spec = _one("clamp_backward", x, _FLOATS)
    _bounds("clamp_backward", spec.dtype, min, max)
    return spec


def _wrong_where() -> Iterator[Wrong]:
    x = np.ones((2, 3), np.float32)
    yield Wrong((x, x, x), {}, TypeError, "condition must have dtype bool, not float32")
    yield Wrong((x > 0, x, np.ones(3)), {}, TypeError, "a has dtype float32 but b has dtype float64")
    yield Wrong((np.ones(4, bool), x, x), {}, ValueError, r"shapes \(4,\) and \(2, 3\) cannot be broadcast")


@operation(
    samples=_where_samples,
    wrong=_wrong_where,
    dtypes=dtypes.ALL,
    error="exact",
    gradient=2,
    source="a where condition, else b",
)
def where(condition: Array, a: Array, b: Array) -> Spec:
    """``a`` where ``condition`` (bool), else ``b``; all three broadcast, ``a`` and ``b`` have one dtype.

    Raises TypeError where ``condition`` is not bool or the dtypes differ, ValueError where the shapes do
    not broadcast.
    """
    if condition.dtype != dtypes.bool_:
        raise TypeError(f"where: condition must have dtype bool, not {condition.dtype}")
    spec = _two("where", a, b, _ALL)
    shape = check.broadcast("where", condition.shape, spec.shape)
    return spec if shape == spec.shape else Spec(shape, spec.dtype)


def _wrong_cast() -> Iterator[Wrong]:
    unknown = np.dtype("complex64")
    yield Wrong((np.ones(3),), {"dtype": unknown}, TypeError, "dtype must be a known dtype, not complex64")
    yield Wrong((np.ones(3, unknown),), {"dtype": dtypes.float32}, TypeError, "x must have .*, not complex64")


@operation(samples=_cast_samples, wrong=_wrong_cast, dtypes=dtypes.ALL, error="exact", source="IEEE 754 conversion")
def cast(x: Array, *, dtype: DType) -> Spec:
    """``x`` as ``dtype``, a new contiguous array even where ``x`` has that dtype already.

    Floats round to nearest (to 16 bits through float32); floats become integers by truncation, undefined
    beyond the integer's range and at NaN; everything but zero becomes True. Raises TypeError for unknown
    dtypes.
    """
    spec = _one("cast", x, _ALL)
    if dtype not in _ALL:
        raise TypeError(f"cast: dtype must be a known dtype, not {dtype}")
    return Spec(spec.shape, dtype)
