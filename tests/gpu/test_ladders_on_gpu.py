"""Rungs of the CUDA ladders on CuPy's arrays: each way in which a launch passes its arguments and memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.cuda import ladders
from pyneural.kernels import backend

pytestmark = pytest.mark.simulator


def _run(ladder: str, number: int, *arrays: np.ndarray, **options: Any) -> np.ndarray:
    import cupy

    result = ladders.rung(ladder, number).run(*map(cupy.asarray, arrays), **options)
    assert isinstance(result, cupy.ndarray)
    return np.asarray(cupy.asnumpy(result))


@pytest.mark.parametrize("number", [1, 8, 10, 12, 13, 14])
def test_matmul(number: int, rng: np.random.Generator) -> None:
    """Templates (8), cp.async (10), tensor maps of operands or their padded copies (13, 14)."""
    dtype = np.float32 if number < 12 else np.float16
    for m, n, k in ((67, 71, 37), (130, 136, 72)):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        wanted = a.astype(np.float64) @ b.astype(np.float64)
        error = 1e-5 if dtype == np.float32 else 2e-2
        np.testing.assert_allclose(_run("matmul", number, a, b), wanted, rtol=0, atol=error * np.abs(wanted).max())


@pytest.mark.parametrize("number", [7, 8])
def test_reduce(number: int, rng: np.random.Generator) -> None:
    """A result that must be zero before, and scratch memory between two launches."""
    x = rng.standard_normal(20001).astype(np.float32)
    np.testing.assert_allclose(_run("reduce", number, x), x.astype(np.float64).sum(), atol=1e-2)


@pytest.mark.parametrize("number", [3, 5, 7])
def test_conv(number: int, rng: np.random.Generator) -> None:
    """Structs by value: sizes, and the weights that go to constant memory."""
    x = rng.standard_normal((2, 3, 9, 11)).astype(np.float32)
    w = rng.standard_normal((5, 3, 3, 3)).astype(np.float32)
    wanted = backend("reference").conv2d(x.astype(np.float64), w.astype(np.float64), padding=1)
    np.testing.assert_allclose(_run("conv", number, x, w, padding=1), wanted, atol=1e-4)
