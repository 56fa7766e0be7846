"""The CPU's ladder of matrix products: every rung is right, at any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import dtypes
from pyneural.kernels.matmul import ladder_cpu

SIZES = [(1, 1, 1), (0, 4, 3), (3, 0, 5), (3, 5, 7), (8, 256, 32), (33, 31, 65), (17, 300, 530), (9, 517, 1)]


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=str)
@pytest.mark.parametrize("rung", ladder_cpu.RUNGS)
def test_rung(rung: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    for m, k, n in SIZES:
        a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
        wide = a.astype(np.float64), b.astype(np.float64)
        out = np.full((m, n), np.nan, dtype)
        ladder_cpu.RUNGS[rung](a, b, out)
        allowed = (k + 1) * dtypes.epsilon(dtype) * (np.abs(wide[0]) @ np.abs(wide[1]))
        assert np.all(np.abs(out - wide[0] @ wide[1]) <= allowed), (m, k, n)


def test_the_last_rung_is_what_the_package_ships() -> None:
    assert list(ladder_cpu.RUNGS.values())[-1] is ladder_cpu.parallel
    assert all(rung.__doc__ for rung in ladder_cpu.RUNGS.values())
