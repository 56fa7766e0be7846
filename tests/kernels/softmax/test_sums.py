"""Sums of exponentials are as exact as a few roundings, however long they are and wherever the logits lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

BACKENDS = pytest.mark.parametrize("backend", ["numba_cpu", "cuda"])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def _exact(x: np.ndarray) -> Any:
    """Softmax along the first dimension in extended precision."""
    e = np.exp((x - x.max(0)).astype(np.longdouble))
    return e / e.sum(0)


@DTYPES
@BACKENDS
def test_long_columns(backend: str, dtype: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((4_099, 17)).astype(dtype)
    result = kernels.backend(backend).softmax(x, dim=0)
    np.testing.assert_allclose(result, _exact(x).astype(np.float64), rtol=8 * np.finfo(dtype).eps, atol=0)


@DTYPES
@BACKENDS
@pytest.mark.parametrize("shape", [(2, 3), (2, 5_003), (2, 3, 7)], ids=["row", "long row", "columns"])
def test_probabilities_of_large_logits(
    backend: str, dtype: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    """A logsumexp of 5,000 is rounded by more than a probability may be."""
    x = (rng.standard_normal(shape) + 5_000).astype(dtype)
    target = np.zeros((shape[0], *shape[2:]), np.int64)
    _, _, gradient = kernels.backend(backend).cross_entropy_with_gradient(x, target, np.ones((), dtype))
    expected = np.moveaxis(_exact(np.moveaxis(x, 1, 0)), 0, 1).astype(np.float64)
    others = (slice(None), slice(1, None))  # a target's is the difference to 1
    np.testing.assert_allclose(gradient[others], expected[others], rtol=8 * np.finfo(dtype).eps, atol=0)
