"""Products of more than one block in each direction, on the CPU: every way in which operands are copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from pyneural.kernels import tuning
from pyneural.kernels.backend import backend
from pyneural.kernels.matmul import gemm

Array = np.ndarray[Any, Any]

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "rows": lambda x: x,
    "columns": lambda x: np.asfortranarray(x),
    "stepped": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
}


@pytest.mark.parametrize("block", [tuning.MATMUL, tuning.Blocking(16, 32), tuning.Blocking(1, 1)], ids=str)
@pytest.mark.parametrize("k", [131, 2 * gemm.DEPTH + 17, (gemm.OFTEN + 1) * gemm.DEPTH + 17])
@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("b_layout", LAYOUTS)
@pytest.mark.parametrize("a_layout", LAYOUTS)
def test_blocks(
    a_layout: str, b_layout: str, narrow: bool, k: int, block: tuning.Blocking, rng: np.random.Generator
) -> None:
    m = tuning.MATMUL.rows + 9
    n = 67 if narrow else gemm.WIDE * numba.get_num_threads() + 5
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    bias = rng.standard_normal(n)
    product = a @ b
    as_float32 = [LAYOUTS[name](x.astype(np.float32)) for name, x in ((a_layout, a), (b_layout, b))]
    with tuning.forced(block):
        plain = backend("numba_cpu").matmul(*as_float32)
        finished = backend("numba_cpu").linear(
            as_float32[0], as_float32[1].T, bias.astype(np.float32), activation="silu"
        )
    np.testing.assert_allclose(plain, product, rtol=0, atol=2e-4)
    shifted = product + bias
    np.testing.assert_allclose(finished, shifted / (1 + np.exp(-shifted)), rtol=0, atol=2e-4)
