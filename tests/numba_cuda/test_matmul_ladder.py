"""Each rung of the ladder of matrix products, in Numba's CUDA simulator, against the contract's reference."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import accuracy, dtypes, numba_launch
from pyneural.kernels.backend import Backend, backend
from pyneural.kernels.contract import OPERATIONS, Sample
from pyneural.kernels.matmul.ladder_numba_cuda import RUNGS

pytestmark = [
    pytest.mark.numba_cuda,
    pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") != "1", reason="needs NUMBA_ENABLE_CUDASIM=1"),
]

# Less than a tile, whole tiles, edges on both sides, one row, one column, many inner places, none, no result.
SHAPES = ((1, 1, 1), (8, 4, 8), (9, 13, 11), (1, 7, 10), (10, 7, 1), (3, 50, 2), (3, 0, 2), (0, 3, 2))


class _Rung(Backend):
    """A backend whose only operation is one rung."""

    def __init__(self, rung: Any) -> None:
        super().__init__("numba_cuda", backend("numba_cuda").engine)
        self._rung = rung

    def matmul(self, a: Any, b: Any, *, out: Any) -> None:
        self._rung(a, b, out)


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.float16], ids=str)
@pytest.mark.parametrize("rung", RUNGS.values(), ids=RUNGS)
def test_rung(rung: Any, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    wrong = []
    for m, inner, n in SHAPES:
        a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((m, inner), (inner, n)))
        verdict = accuracy.compare(OPERATIONS["matmul"], Sample((a, b)), _Rung(rung))
        if not verdict.ok:
            wrong.append(f"{(m, inner, n)}: {verdict.message}")
    assert not wrong, "\n".join(wrong)


def test_rungs_are_three_kernels(rng: np.random.Generator) -> None:
    """None is another under a new name, and the last is what `matmul` launches."""
    a, b = (rng.standard_normal((5, 5)).astype(np.float32) for _ in range(2))  # too few places to be split

    def launched(call: Any) -> list[Any]:
        found: list[Any] = []
        with numba_launch.launched_by(lambda launch: found.append(launch.kernel)):
            call(a, b, np.empty((5, 5), np.float32))
        return found

    kernels = [launched(rung) for rung in RUNGS.values()]
    assert [len(each) for each in kernels] == [1, 1, 1]
    assert len({id(each) for (each,) in kernels}) == 3
    assert launched(lambda a, b, out: backend("numba_cuda").matmul(a, b, out=out)) == kernels[-1]


def test_few_results_of_many_places_are_split(rng: np.random.Generator) -> None:
    """Parts of the inner dimension are blocks of their own, added up by a second kernel; a bias is added once."""
    grids: list[Any] = []
    a, b = rng.standard_normal((3, 50)), rng.standard_normal((50, 2))
    with numba_launch.launched_by(lambda launch: grids.append((launch.kernel.name, launch.grid))):
        backend("numba_cuda").matmul(a, b)
        backend("numba_cuda").linear(a, b.T.copy(), rng.standard_normal(2))
    (product, (*_, splits)), (addition, _), (_, (*_, whole)) = grids
    assert (product, addition, whole) == ("register_tiles", "sum_parts", 1)
    assert splits > 1
