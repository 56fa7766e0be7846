"""Scalar mathematics that LLVM vectorises: exp, log, tanh, erf and relatives for Numba kernels.

Numba calls the C library for `math.exp` and the like, one element at a time. The functions here are
branch-free arithmetic, so that a loop over them becomes vector instructions. Each takes float32 or
float64 and computes in that precision, to 1 to 3 units in the last place (`normal_cdf`: 8), with the C standard's
results at NaN, infinities, overflow, underflow and subnormal numbers. They work inside functions
compiled by `jit` only, and keep their own floating-point flags: reassociation, which a caller may
allow itself, would undo the splitting of constants into a high and a low part.

The polynomials interpolate at Chebyshev nodes, computed in 60 digits; the largest relative error of
each is given beside it. Methods: Muller, Elementary Functions (2016), chapters 3 and 11; for erfc:
Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc(x) (1981).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import types
from numba.extending import overload

from .jit import jit

intrinsic: Any = extending.intrinsic  # its own annotations fit no use of it

_INTEGER = {types.float32: types.int32, types.float64: types.int64}
_FRACTION_BITS = {types.float32: 23, types.float64: 52}


def _declared(builder: Any, name: str, type: Any, count: int) -> Any:
    return builder.module.declare_intrinsic(f"llvm.{name}", (type,), ir.FunctionType(type, (type,) * count))


def _unify(*arguments: Any) -> Any:
    """The one float type of ``arguments``; None, which refuses the call, where there is no such type."""
    first = arguments[0]
    return first if first in _INTEGER and all(each == first for each in arguments) else None


def _llvm(name: str, count: int, doc: str) -> Any:
    """An LLVM intrinsic of ``count`` floats as a function for kernels."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = _declared(builder, name, values[0].type, count)
        return builder.call(function, values)

    if count == 1:

        def typed(typing_context: Any, x: Any) -> Any:
            return (x(x), emit) if _unify(x) else None

    elif count == 2:

        def typed(typing_context: Any, a: Any, b: Any) -> Any:  # type: ignore[misc]
            return (a(a, b), emit) if _unify(a, b) else None

    else:

        def typed(typing_context: Any, a: Any, b: Any, c: Any) -> Any:  # type: ignore[misc]
            return (a(a, b, c), emit) if _unify(a, b, c) else None

    typed.__name__ = typed.__qualname__ = name
    typed.__doc__ = doc
    return intrinsic(typed)


fma = _llvm("fmuladd", 3, "``a * b + c``, rounded once where the machine has such an instruction.")
maximum = _llvm("maximum", 2, "The larger of two floats, NaN where either is NaN.")
minimum = _llvm("minimum", 2, "The smaller of two floats, NaN where either is NaN.")
maxnum = _llvm("maxnum", 2, "The larger of two floats, the other where one is NaN; vectorises as a reduction.")
minnum = _llvm("minnum", 2, "The smaller of two floats, the other where one is NaN; vectorises as a reduction.")
copysign = _llvm("copysign", 2, "The magnitude of the first float under the sign of the second.")
absolute = _llvm("fabs", 1, "The float without its sign.")
sqrt = _llvm("sqrt", 1, "The square root, rounded once; NaN below zero.")


@intrinsic  # type: ignore[untyped-decorator]
def bits(typing_context: Any, x: Any) -> Any:
    """The bits of a float as a signed integer of the same width."""
    if x not in _INTEGER:
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], context.get_value_type(signature.return_type))

    integer: Any = _INTEGER[x]
    return integer(x), emit


@intrinsic  # type: ignore[untyped-decorator]
def from_bits(typing_context: Any, i: Any) -> Any:
    """The float whose bits are the int32 or int64 ``i``."""
    floats: dict[Any, Any] = {integer: real for real, integer in _INTEGER.items()}
    if i not in floats:
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], context.get_value_type(signature.return_type))

    return floats[i](i), emit


@intrinsic  # type: ignore[untyped-decorator]
def select(typing_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """``a`` where ``condition``, else ``b``; both are evaluated, and no branch stands in a vector's way."""
    if condition != types.boolean or a != b:
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(*values)

    return a(condition, a, b), emit


@intrinsic  # type: ignore[untyped-decorator]
def horner(typing_context: Any, x: Any, coefficients: Any) -> Any:
    """The polynomial in ``x`` whose tuple of coefficients begins with the constant one."""
    if not (x in _INTEGER and isinstance(coefficients, types.UniTuple) and coefficients.dtype == x):
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        variable, packed = values
        function = _declared(builder, "fmuladd", variable.type, 3)
        result = builder.extract_value(packed, coefficients.count - 1)
        for i in reversed(range(coefficients.count - 1)):
            result = builder.call(function, (result, variable, builder.extract_value(packed, i)))
        return result

    return x(x, coefficients), emit


@intrinsic  # type: ignore[untyped-decorator]
def scaled(typing_context: Any, x: Any, biased: Any) -> Any:
    """``x`` times 2 to the whole number k, given as the float ``1.5 * 2**fraction_bits + k``.

    The power is applied in two halves, so that the result may be subnormal or overflow. Nothing but k is left of
    ``biased`` where its bits are shifted to an exponent's place: the lowest ones of the number added to k are 0.
    """
    if _unify(x, biased) is None:
        return None
    fraction = _FRACTION_BITS[x]
    one = (127 if x == types.float32 else 1023) << fraction

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        value, j = values
        integer = context.get_value_type(_INTEGER[x])
        whole = builder.bitcast(j, integer)
        half = builder.ashr(whole, ir.Constant(integer, 1))
        for part in (half, builder.sub(whole, half)):
            exponent = builder.shl(part, ir.Constant(integer, fraction))
            power = builder.bitcast(builder.add(exponent, ir.Constant(integer, one)), value.type)
            value = builder.fmul(value, power)
        return value

    return x(x, biased), emit


@intrinsic  # type: ignore[untyped-decorator]
def scaled_normal(typing_context: Any, x: Any, biased: Any) -> Any:
    """`scaled`, where both ``x`` and the result are normal numbers; of a NaN it may make a number."""
    if _unify(x, biased) is None:
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        integer = context.get_value_type(_INTEGER[x])
        value, k = (builder.bitcast(each, integer) for each in values)
        exponent = builder.shl(k, ir.Constant(integer, _FRACTION_BITS[x]))
        return builder.bitcast(builder.add(value, exponent), values[0].type)

    return x(x, biased), emit


def scalar(make: Callable[[Any, Any], Callable[[Any], Any]]) -> Any:
    """A function for kernels from ``make(kind, pick)``, which builds it for np.float32 and np.float64.

    ``pick(single, double)`` is the constant, or the tuple of constants, of that kind.
    """

    def pick(kind: Any, single: Any, double: Any) -> Any:
        value = single if kind is np.float32 else double
        return tuple(kind(each) for each in value) if isinstance(value, tuple) else kind(value)

    def version(kind: Any) -> Any:
        function = make(kind, functools.partial(pick, kind))
        function.__annotations__ = {}  # Numba compares the signature with the selecting function's
        return function

    versions = {types.float32: version(np.float32), types.float64: version(np.float64)}

    def stub(x: Any) -> Any:
        raise NotImplementedError(f"{make.__name__} works inside compiled kernels only")

    stub.__name__ = stub.__qualname__ = make.__name__
    stub.__doc__ = make.__doc__
    options: Any = {"fastmath": False, "error_model": "numpy", "forceinline": True}
    overload(stub, jit_options=options)(lambda x: versions.get(x))
    return stub


# (e^r - 1 - r) / r^2 for |r| <= ln(2)/2: e^r is right to 1.0e-8 and 1.7e-17.
_EXP_32 = (0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578, 0.0013926183587713494)
_EXP_64 = (
    0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
    0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
    2.510038549551032e-08,
)  # fmt: skip
# (2 atanh(s) / s - 2) / s^2 in s^2, for 1 + s up to the square root of 2: the logarithm is right to 2.7e-9 and 4.5e-18.
_LOG_32 = (0.6666668509542907, 0.39988757716604845, 0.29580985929974424)
_LOG_64 = (
    0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496, 0.1818289243253687,
    0.15331611722055008, 0.14617807153417325,
)  # fmt: skip
# erf(x) / x - 1 in x^2 <= 0.7: right to 5.4e-9 and 9.0e-18.
_ERF_32 = (
    0.12837916173539807, -0.376125837023336, 0.11282865767134506, -0.026808985101089988, 0.005062407091868928,
    -0.0006384235407088821,
)  # fmt: skip
_ERF_64 = (
    0.12837916709551256, -0.37612638903183454, 0.11283791670938019, -0.026866170641310826, 0.0052239775816341925,
    -0.0008548324088574753, 0.00012055210141926477, -1.492233729189381e-05, 1.64043772465993e-06,
    -1.5733777777321388e-07, 1.0784137268777398e-08,
)  # fmt: skip
# (x + 3) e^(x^2) erfc(x) in t = (x - 3) / (x + 3), for x up to 10.5 and 28: right to 6.5e-9 and 9.9e-17.
_ERFCX_32 = (
    1.0740069058441986, -0.8833944637484836, 0.5902284472024083, -0.31046651801320224, 0.11952707769183597,
    -0.026837425744763773, -0.0012172093228500463, 0.0030796321469769255, -0.0004971422377149683,
    -0.00033315035514392625,
)  # fmt: skip
_ERFCX_64 = (
    1.0740069070883398, -0.8833944531698822, 0.5902283571040834, -0.3104672619007076, 0.11952776128820793,
    -0.0268272346202972, -0.0012124166447237397, 0.0030340619426476403, -0.000548309523208722,
    -0.000276777385409292, 0.00010756056294457399, 3.0395933600042993e-05, -1.746752460495402e-05,
    -4.742312628919742e-06, 2.7593436512725854e-06, 9.850187404535528e-07, -4.011149500675881e-07,
    -2.1584134251948163e-07, 4.2575172945714996e-08, 3.711758008722039e-08, -1.3625838478763073e-09,
    -2.9899720844114534e-09,
)  # fmt: skip

# ln 2 as a high part with enough trailing zeros that its product with an exponent is exact, and the rest.
_LN2_HIGH_32, _LN2_LOW_32 = 0.693145751953125, 1.428606765330187e-06
_LN2_HIGH_64, _LN2_LOW_64 = 0.6931471803691238, 1.9082149292705877e-10


def _reduction(pick: Any) -> tuple[Any, Any, Any, Any, Any]:
    """1/ln 2, the number that rounds to an integer by being added, ln 2's two parts negated, the polynomial."""
    return (
        pick(1 / math.log(2), 1 / math.log(2)),
        pick(1.5 * 2.0**23, 1.5 * 2.0**52),
        pick(-_LN2_HIGH_32, -_LN2_HIGH_64),
        pick(-_LN2_LOW_32, -_LN2_LOW_64),
        pick(_EXP_32, _EXP_64),
    )


def _exp_parts(kind: Any, pick: Any) -> Any:
    """``(m, j)`` of ``x``, for functions made by `scalar`: ``scaled(m, j)`` is ``e**x``."""
    inverse, magic, high, low, polynomial = _reduction(pick)
    one = kind(1)

    def function(x: Any) -> Any:
        j = fma(x, inverse, magic)
        k = j - magic
        r = fma(k, low, fma(k, high, x))
        return fma(horner(r, polynomial), r * r, r) + one, j

    return jit(function, inline=True, forceinline=True, fastmath=False, name=f"exp_parts_{kind.__name__}")


@scalar
def exp(kind: Any, pick: Any) -> Any:
    """``e**x``."""
    parts, most, least = _exp_parts(kind, pick), pick(89.0, 710.0), pick(-104.0, -746.0)

    def function(x: Any) -> Any:
        x = select(x > most, most, x)
        x = select(x < least, least, x)
        m, j = parts(x)
        return scaled(m, j)

    return function


@scalar
def exp_normal(kind: Any, pick: Any) -> Any:
    """``e**x`` where that is a normal number; of a NaN it may make a number (`scaled_normal`)."""
    parts = _exp_parts(kind, pick)

    def function(x: Any) -> Any:
        m, j = parts(x)
        return scaled_normal(m, j)

    return function


@scalar
def expm1_below(kind: Any, pick: Any) -> Any:
    """``e**x - 1`` for ``x <= 0``, accurate near 0."""
    inverse, magic, high, low, polynomial = _reduction(pick)
    least, one, zero = pick(-20.0, -40.0), kind(1), kind(0)  # the result is -1 from there on

    def function(x: Any) -> Any:
        y = select(x < least, least, x)
        j = fma(y, inverse, magic)
        k = j - magic
        r = fma(k, low, fma(k, high, y))
        part = scaled(fma(horner(r, polynomial), r * r, r), j)
        return select(x == zero, x, part + (scaled(one, j) - one))

    return function


def _log_parts(pick: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The parts of ln 2, the polynomial, and 0.5 and 2 in the right precision."""
    return (
        pick(_LN2_HIGH_32, _LN2_HIGH_64),
        pick(_LN2_LOW_32, _LN2_LOW_64),
        pick(_LOG_32, _LOG_64),
        pick(0.5, 0.5),
        pick(2.0, 2.0),
    )


@scalar
def log(kind: Any, pick: Any) -> Any:
    """The natural logarithm: -inf at 0, NaN below."""
    high, low, polynomial, half, two = _log_parts(pick)
    integer = np.int32 if kind is np.float32 else np.int64
    fraction = integer(23 if kind is np.float32 else 52)
    root = np.array(math.sqrt(0.5), kind).view(integer)[()]
    exponent_mask = integer(-1 << int(fraction))
    tiny, lift, lifted = kind(np.finfo(kind).tiny), kind(2.0 ** int(fraction)), kind(int(fraction))
    zero, one, infinity, nan = kind(0), kind(1), kind(math.inf), kind(math.nan)

    def function(x: Any) -> Any:
        subnormal = x < tiny
        i = bits(select(subnormal, x * lift, x))
        # The exponent that leaves a mantissa between the roots of 1/2 and 2.
        above = integer(integer(i - root) & exponent_mask)
        k = kind(integer(above >> fraction)) - select(subnormal, lifted, zero)
        f = from_bits(integer(i - above)) - one
        s = f / (two + f)
        z = s * s
        h = half * f * f
        y = fma(k, high, f - (h - fma(s, fma(z, horner(z, polynomial), h), k * low)))
        y = select(x == infinity, x, y)
        y = select(x == zero, -infinity, y)
        return select(x >= zero, y, nan)

    return function


@scalar
def log1p_of_exp_minus(kind: Any, pick: Any) -> Any:
    """``log(1 + e**-x)`` for ``x >= 0``, accurate where the exponential is tiny."""
    high, low, polynomial, half, two = _log_parts(pick)
    zero, one, middle = kind(0), kind(1), kind(math.sqrt(2) - 1)

    def function(x: Any) -> Any:
        u = exp(-x)
        large = u > middle
        k = select(large, one, zero)
        f = select(large, (u - one) * half, u)
        s = f / (two + f)
        z = s * s
        h = half * f * f
        return fma(k, high, f - (h - fma(s, fma(z, horner(z, polynomial), h), k * low)))

    return function


@scalar
def tanh(kind: Any, pick: Any) -> Any:
    """The hyperbolic tangent."""
    two = kind(2)

    def function(x: Any) -> Any:
        e = expm1_below(absolute(x) * -two)
        return copysign(e / (two + e), x)

    return function


@scalar
def sigmoid(kind: Any, pick: Any) -> Any:
    """``1 / (1 + e**-x)``; 0 from where ``e**-x`` overflows."""
    one = kind(1)

    def function(x: Any) -> Any:
        return one / (one + exp(-x))

    return function


@scalar
def erfcx(kind: Any, pick: Any) -> Any:
    """``e**(x*x) * erfc(x)`` for ``0 <= x <= 28``, in float32 for ``x <= 10.5``."""
    polynomial, three, one = pick(_ERFCX_32, _ERFCX_64), kind(3), kind(1)

    def function(x: Any) -> Any:
        r = one / (x + three)
        return horner((x - three) * r, polynomial) * r

    return function


@scalar
def erf(kind: Any, pick: Any) -> Any:
    """The error function."""
    polynomial, limit, one, border = pick(_ERF_32, _ERF_64), pick(10.5, 28.0), kind(1), kind(0.7)

    def function(x: Any) -> Any:
        z = x * x
        near = fma(x, horner(select(z < border, z, border), polynomial), x)
        a = absolute(x)
        a = select(a > limit, limit, a)
        far = copysign(one - exp(-a * a) * erfcx(a), x)
        return select(z < border, near, far)

    return function


def normal_parts(kind: Any, pick: Any) -> Any:
    """``(e**(-x*x/2), Phi(-|x|))`` of ``x``, for functions made by `scalar`."""
    limit, half, root = pick(14.8, 39.5), kind(0.5), kind(math.sqrt(0.5))  # beyond the limit all of it is 0
    quarter = kind(0.25)

    def function(x: Any) -> Any:
        y = absolute(x)
        y = select(y > limit, limit, y)
        square = y * y
        s = exp_normal(-quarter * square)  # whose square may be none
        e = s * s
        # What the square lost to rounding, where the machine can tell; and NaN, if y is.
        e = fma(-half * e, fma(y, y, -square), e)
        return e, half * e * erfcx(y * root)

    return jit(function, inline=True, forceinline=True, fastmath=False, name=f"normal_parts_{kind.__name__}")


@scalar
def normal_cdf(kind: Any, pick: Any) -> Any:
    """The distribution function of the standard normal, accurate in both tails."""
    parts, zero, one = normal_parts(kind, pick), kind(0), kind(1)

    def function(x: Any) -> Any:
        _, tail = parts(x)
        return select(x > zero, one - tail, tail)

    return function


@scalar
def gelu_slope(kind: Any, pick: Any) -> Any:
    """``Phi(x) + x phi(x)``, the derivative of ``x Phi(x)``, from one exponential."""
    parts, zero, one, density = normal_parts(kind, pick), kind(0), kind(1), kind(1 / math.sqrt(2 * math.pi))

    def function(x: Any) -> Any:
        e, tail = parts(x)
        return select(x > zero, one - tail, tail) + x * (density * e)

    return function
