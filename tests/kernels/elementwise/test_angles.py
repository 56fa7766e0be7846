"""Sine and cosine of large angles, and of angles next to a multiple of pi/2, where the result is small."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import kernels


def _angles(rng: np.random.Generator) -> np.ndarray:
    """Of every exponent; roundings of multiples of pi/2; both sides of 105615."""
    sign = rng.choice([-1.0, 1.0], 3_000)
    return np.concatenate(
        [
            np.ldexp(rng.uniform(1, 2, 3_000), rng.integers(-40, 1_024, 3_000)) * sign,
            np.round(rng.uniform(-70_000, 70_000, 2_000)) * (np.pi / 2),
            rng.integers(1, 2**50, 2_000) * (np.pi / 2),
            [np.nextafter(105_615.0, 0), 105_615.0, np.nextafter(105_615.0, 1e6)],
        ]
    )


@pytest.mark.parametrize("backend", ["numba_cpu", "cuda"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_angles(backend: str, name: str, rng: np.random.Generator) -> None:
    x = _angles(rng)
    result = getattr(kernels.backend(backend), name)(x)
    np.testing.assert_allclose(result, getattr(np, name)(x), rtol=4 * np.finfo(float).eps, atol=0)


@pytest.mark.parametrize("backend", ["numba_cpu", "cuda"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_singles_next_to_multiples(backend: str, name: str, rng: np.random.Generator) -> None:
    """Most of the angle cancels, and so does all that a reduction to a single number loses."""
    x = (np.round(rng.uniform(-600_000, 600_000, 5_000)) * (np.pi / 2)).astype(np.float32)
    result, expected = getattr(kernels.backend(backend), name)(x), getattr(np, name)(x.astype(float))
    assert result.dtype == np.float32
    np.testing.assert_array_less(np.abs(result - expected) / np.spacing(np.abs(expected.astype(np.float32))), 2.0)


def test_the_double_closest_to_a_multiple() -> None:
    """Its cosine to 17 digits is Kahan's example, computed with 1,500 bits; NumPy's own is 8 units off."""
    x = np.array([np.ldexp(6381956970095103.0, 797)])
    cosine = kernels.backend("cuda").cos(x)
    np.testing.assert_allclose(cosine, [-4.6871659242546276e-19], rtol=2 * np.finfo(float).eps, atol=0)


@pytest.mark.parametrize("backend", ["numba_cpu", "cuda"])
def test_the_sign_of_zero(backend: str) -> None:
    x = np.array([0.0, -0.0])
    np.testing.assert_array_equal(np.signbit(kernels.backend(backend).sin(x)), [False, True])
    np.testing.assert_array_equal(kernels.backend(backend).cos(x), [1.0, 1.0])
