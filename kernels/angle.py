"""Sine and cosine that LLVM vectorises, for angles up to `MOST`; as `vector`, of whose kind they are.

The angle is reduced by a whole number of right angles, and pi / 2 is three parts (Cody and Waite, Software Manual for
the Elementary Functions, 1980). In float64 the first two have 33 bits, so that their products with such numbers are
exact. In float32 they have all 24, and multiplied and added by one instruction the first leaves no error, as what is
left has no more bits than it, and the others one rounding each. Where the processor has no such instruction, float32 is
computed in float64. Then one of two polynomials, by the quadrant. Results err by up to 1.8 units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .simd import CHOSEN
from .vector import bits, fma, horner, scalar, select

MOST = 1e6
"""The largest angle: 2^20 right angles and not many more have exact products with the parts."""

_HALF_PI_32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
_HALF_PI_64 = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
# (sin(x) / x - 1) / x^2 and (cos(x) - 1 + x^2 / 2) / x^4 in x^2, |x| <= pi/4: the functions are right to 1.9e-11 and
# 2.0e-17.
_SIN_32 = (-0.1666666666385529, 0.008333331874710208, -0.00019840086735384846, 2.724992580305979e-06)
_SIN_64 = (
    -0.16666666666666666, 0.008333333333330948, -0.00019841269836758574, 2.755731610255244e-06,
    -2.5051131845003624e-08, 1.5918129294866608e-10,
)  # fmt: skip
_COS_32 = (0.0416666666643212, -0.001388888767201679, 2.480060037715673e-05, -2.730095920390147e-07)
_COS_64 = (
    0.041666666666666664, -0.0013888888888887398, 2.480158729876569e-05, -2.7557317271729793e-07,
    2.08761462684032e-09, -1.1382632425521717e-11,
)  # fmt: skip


def _turned(kind: Any, quarter: int) -> Callable[[Any], Any]:
    """The sine of x and so many right angles."""
    single = kind is np.float32 and CHOSEN.fma
    real: Any = np.float32 if single else np.float64
    whole: Any = np.int32 if single else np.int64
    inverse, magic = real(2 / math.pi), real(1.5 * 2.0 ** np.finfo(real).nmant)
    high, middle, low = (real(-each) for each in (_HALF_PI_32 if single else _HALF_PI_64))
    by_sine = tuple(real(each) for each in (_SIN_32 if kind is np.float32 else _SIN_64))
    by_cosine = tuple(real(each) for each in (_COS_32 if kind is np.float32 else _COS_64))
    one, half, zero = real(1), real(0.5), real(0)
    more, odd, upper = whole(quarter), whole(1), whole(2)

    def function(x: Any) -> Any:
        angle = real(x)
        j = fma(angle, inverse, magic)
        k = j - magic
        quadrant = whole(bits(j) + more)
        r = fma(k, low, fma(k, middle, fma(k, high, angle)))
        z = r * r
        sine = fma(r * z, horner(z, by_sine), r)
        sine = select(r == zero, angle, sine)  # of both signs
        w = one - half * z
        cosine = w + (((one - w) - half * z) + z * z * horner(z, by_cosine))
        y = select(whole(quadrant & odd) == odd, cosine, sine)
        return kind(select(whole(quadrant & upper) == upper, -y, y))

    return function


@scalar
def sin(kind: Any, pick: Any) -> Any:
    """The sine of an angle of at most `MOST`."""
    return _turned(kind, 0)


@scalar
def cos(kind: Any, pick: Any) -> Any:
    """The cosine of an angle of at most `MOST`."""
    return _turned(kind, 1)
