"""The vectorisable mathematics against NumPy in extended precision: every exponent, special values, subnormals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from pyneural.kernels import angle, vector
from pyneural.kernels.jit import jit

Array = np.ndarray
DTYPES = (np.float32, np.float64)


def normal_cdf(x: Any) -> Any:
    """Below -1 by Laplace's continued fraction, in long doubles: SciPy's loses digits there."""
    far = np.maximum(-x, 1)
    fraction = far
    for term in range(400, 0, -1):
        fraction = far + term / fraction
    tail = np.exp(-far * far / 2) / (fraction * np.sqrt(2 * np.longdouble(np.pi)))
    return np.where(x > -1, special.ndtr(x.astype(np.float64)), tail)


# Name, truth, largest error in units of the last place, domain.
FUNCTIONS: list[tuple[str, Callable[[Any], Any], float, Callable[[Array], Array]]] = [
    ("exp", np.exp, 1.5, lambda x: x),
    ("expm1_below", np.expm1, 2.0, lambda x: -np.abs(x)),
    ("log", np.log, 1.5, np.abs),
    ("tanh", np.tanh, 3.0, lambda x: x),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3.0, lambda x: np.maximum(x, -80 if x.dtype == np.float32 else -700)),
    ("log1p_of_exp_minus", lambda x: np.log1p(np.exp(-x)), 3.0, np.abs),
    ("erf", lambda x: special.erf(x.astype(np.float64)), 4.0, lambda x: x),
    ("normal_cdf", normal_cdf, 8.0, lambda x: np.maximum(x, x.dtype.type(-12.5))),
    ("sin", np.sin, 2.0, lambda x: np.clip(x, -angle.MOST, angle.MOST)),
    ("cos", np.cos, 2.0, lambda x: np.clip(x, -angle.MOST, angle.MOST)),
]


def compiled(name: str) -> Any:
    function = getattr(vector, name, None) or getattr(angle, name)

    def kernel(x: Array, out: Array) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    return jit(kernel, name=f"test_vector_{name}")


def evaluate(name: str, x: Array) -> Array:
    out = np.full_like(x, np.nan)
    compiled(name)(x, out)
    return out


def arguments(dtype: Any, rng: np.random.Generator) -> Array:
    """Numbers of every exponent that the dtype has, and many where the functions are neither 0 nor infinite."""
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    every = np.ldexp(1 + rng.random((20, exponents.size)), exponents).ravel()
    limit = -np.log(float(info.tiny)) * 1.2
    return np.concatenate(
        [every, -every, rng.uniform(-limit, limit, 20_000), rng.standard_normal(20_000) * 3, [0.0, -0.0]]
    ).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "truth", "ulps", "domain"), FUNCTIONS, ids=[each[0] for each in FUNCTIONS])
def test_accuracy(name: str, truth: Any, ulps: float, domain: Any, dtype: Any, rng: np.random.Generator) -> None:
    x = domain(arguments(dtype, rng))
    result = evaluate(name, x)
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.longdouble))
        rounded = expected.astype(dtype)
        finite = np.isfinite(rounded)
        units = np.abs(result.astype(np.longdouble) - expected) / np.spacing(np.abs(rounded))
    np.testing.assert_array_equal(result[~finite], rounded[~finite])
    worst = int(np.argmax(np.where(finite, units, 0)))
    assert units[worst] <= ulps, f"{name}({x[worst]!r}) = {result[worst]!r}, not {rounded[worst]!r}"


SPECIAL_VALUES = [
    ("exp", [np.nan, np.inf, 0.0, 1.0, 1.0]),
    ("log", [np.nan, np.inf, np.nan, -np.inf, -np.inf]),
    ("tanh", [np.nan, 1.0, -1.0, 0.0, -0.0]),
    ("sigmoid", [np.nan, 1.0, 0.0, 0.5, 0.5]),
    ("erf", [np.nan, 1.0, -1.0, 0.0, -0.0]),
    ("normal_cdf", [np.nan, 1.0, 0.0, 0.5, 0.5]),
    ("sin", [np.nan, np.nan, np.nan, 0.0, -0.0]),
    ("cos", [np.nan, np.nan, np.nan, 1.0, 1.0]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "expected"), SPECIAL_VALUES, ids=[each[0] for each in SPECIAL_VALUES])
def test_special_values(name: str, expected: list[float], dtype: Any) -> None:
    result = evaluate(name, np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype))
    np.testing.assert_array_equal(result, np.array(expected, dtype))
    signed = ~np.isnan(result)
    np.testing.assert_array_equal(np.signbit(result[signed]), np.signbit(np.array(expected)[signed]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithm_of_subnormal_numbers(dtype: Any) -> None:
    x = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 3, 1000], dtype)
    np.testing.assert_allclose(evaluate("log", x), np.log(x.astype(np.longdouble)).astype(dtype), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_larger_and_smaller_of_two(dtype: Any) -> None:
    def kernel(a: Array, b: Array, out: Array) -> None:
        for i in range(a.size):
            out[0, i] = vector.maximum(a[i], b[i])
            out[1, i] = vector.minimum(a[i], b[i])
            out[2, i] = vector.maxnum(a[i], b[i])
            out[3, i] = vector.minnum(a[i], b[i])

    values = np.array([np.nan, np.inf, -np.inf, 1.5, -2.0], dtype)
    a, b = (each.ravel() for each in np.meshgrid(values, values))
    out = np.empty((4, a.size), dtype)
    jit(kernel, name="test_vector_larger_and_smaller")(a, b, out)
    expected = np.stack([np.maximum(a, b), np.minimum(a, b), np.fmax(a, b), np.fmin(a, b)])
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, *_ in FUNCTIONS] + ["gelu_slope"])
def test_every_nan_stays_one(name: str, dtype: Any, rng: np.random.Generator) -> None:
    """Whatever its sign and its bits: some functions add to an exponent, which could make a number of it."""
    integer, fraction = (np.uint32, 23) if dtype == np.float32 else (np.uint64, 52)
    payload = rng.integers(1, 1 << fraction, 4096).astype(integer)
    exponent = integer((1 << (np.dtype(dtype).itemsize * 8 - 1 - fraction)) - 1) << integer(fraction)
    sign = rng.integers(0, 2, payload.size).astype(integer) << integer(np.dtype(dtype).itemsize * 8 - 1)
    x = (payload | exponent | sign).view(dtype)
    assert np.isnan(x).all()
    assert np.isnan(evaluate(name, x)).all()
