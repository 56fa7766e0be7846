"""The constants that define the random numbers, shared by every backend.

From the bits on, each result is a fixed sequence of IEEE additions, multiplications, divisions and
square roots in float32 or float64, none of them contracted into a fused multiply-add. That is what
makes a normal number the same on a CPU and on a GPU, which a library's ``log`` and ``cos`` are not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85  # the golden ratio and sqrt(3) - 1, times 2**32

LN2 = math.log(2.0)
SQRT_HALF = math.sqrt(0.5)
HALF_PI = math.pi / 2

# Horner coefficients, highest power first, of the series after their first term:
#   log(m) = 2 (s + s s^2 LOG(s^2)) with s = (m - 1) / (m + 1), |s| <= 0.172
#   sin(a) = a + a a^2 SIN(a^2),  cos(a) = 1 + a^2 COS(a^2),  |a| <= pi / 4
# each cut where the rest is below a tenth of the dtype's rounding error.
_LOG_TERMS = {"float32": 5, "float64": 11}
_SIN_TERMS = {"float32": 4, "float64": 8}
_COS_TERMS = {"float32": 5, "float64": 9}
LOG = {name: tuple(1.0 / (2 * k + 1) for k in range(n, 0, -1)) for name, n in _LOG_TERMS.items()}
SIN = {name: tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(n, 0, -1)) for name, n in _SIN_TERMS.items()}
COS = {name: tuple((-1) ** k / math.factorial(2 * k) for k in range(n, 0, -1)) for name, n in _COS_TERMS.items()}


def bounds(dtype: np.dtype[Any], low: float, high: float) -> tuple[Any, Any, Any]:
    """Low, high and their distance: the bounds rounded to ``dtype``, all as its accumulator dtype."""
    wide = dtypes.accumulator(dtype)
    bottom, top = np.array([low, high]).astype(dtype).astype(wide)
    return bottom, top, top - bottom


def threshold(p: float) -> Any:
    """Random words below it are dropped with probability ``p``, to 32 bits."""
    return np.uint64(round(p * 2.0**32))


def keep_scale(wide: np.dtype[Any], p: float) -> Any:
    """``1 / (1 - p)``; 0 where everything is dropped."""
    return wide.type(1.0 / (1.0 - p) if p < 1.0 else 0.0)
