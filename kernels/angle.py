"""Sine and cosine that LLVM vectorises, for angles up to `MOST`; as `vector`, of whose kind they are.

The angle is reduced by a whole number of right angles in float64, whose pi / 2 is three parts: the first two have 33
bits, so that their products with such numbers are exact (Cody and Waite, Software Manual for the Elementary Functions,
1980). Then one of two polynomials, by the quadrant. float32 is computed in float64 and rounded once; float64 errs by up
to 1.8 units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .vector import bits, fma, horner, scalar, select

MOST = 1e6
"""The largest angle: 2^20 right angles and not many more have exact products with the parts."""

_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
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
    inverse, magic = np.float64(2 / math.pi), np.float64(1.5 * 2.0**52)
    high, middle, low = (np.float64(-each) for each in _HALF_PI)
    by_sine = tuple(np.float64(each) for each in (_SIN_32 if kind is np.float32 else _SIN_64))
    by_cosine = tuple(np.float64(each) for each in (_COS_32 if kind is np.float32 else _COS_64))
    one, half, zero = np.float64(1), np.float64(0.5), np.float64(0)
    more, odd, upper = np.int64(quarter), np.int64(1), np.int64(2)

    def function(x: Any) -> Any:
        angle = np.float64(x)
        j = fma(angle, inverse, magic)
        k = j - magic
        quadrant = np.int64(bits(j) + more)
        r = fma(k, low, fma(k, middle, fma(k, high, angle)))
        z = r * r
        sine = fma(r * z, horner(z, by_sine), r)
        sine = select(r == zero, r, sine)  # of both signs
        w = one - half * z
        cosine = w + (((one - w) - half * z) + z * z * horner(z, by_cosine))
        y = select(np.int64(quadrant & odd) == odd, cosine, sine)
        return kind(select(np.int64(quadrant & upper) == upper, -y, y))

    return function


@scalar
def sin(kind: Any, pick: Any) -> Any:
    """The sine of an angle of at most `MOST`."""
    return _turned(kind, 0)


@scalar
def cos(kind: Any, pick: Any) -> Any:
    """The cosine of an angle of at most `MOST`."""
    return _turned(kind, 1)
