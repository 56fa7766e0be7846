"""The CPU's ladder of convolutions: every rung is right, at any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend, dtypes
from pyneural.kernels.conv import ladder_cpu

# Images and filters.
SIZES = [
    ((1, 1, 1, 1), (1, 1, 1, 1)),
    ((2, 3, 5, 7), (5, 3, 3, 3)),
    ((1, 2, 9, 8), (6, 2, 2, 5)),
    ((0, 2, 4, 4), (3, 2, 3, 3)),
    ((3, 4, 6, 33), (9, 4, 1, 4)),
]


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=str)
@pytest.mark.parametrize("rung", ladder_cpu.RUNGS)
def test_rung(rung: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    reference = backend("reference")
    for image, filters in SIZES:
        x, weight = (rng.standard_normal(shape).astype(dtype) for shape in (image, filters))
        wide = x.astype(np.float64), weight.astype(np.float64)
        exact = reference.conv2d(*wide)
        out = np.full(exact.shape, np.nan, dtype)
        ladder_cpu.RUNGS[rung](x, weight, out)
        allowed = (weight[0].size + 1) * dtypes.epsilon(dtype) * reference.conv2d(*(np.abs(each) for each in wide))
        assert np.all(np.abs(out - exact) <= allowed), (image, filters)
