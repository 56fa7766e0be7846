"""Products that threads share by rows without being laid out give the bits of those that are laid out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import memory
from pyneural.kernels.matmul import epilogue, numba_cpu, small
from pyneural.kernels.parallel import run

# Cut into several parts, the last of fewer rows; of so few rows that these limit the parts; into none; at the limit.
SHAPES = ((129, 67, 131), (151, 113, 97), (41, 300, 301), (3, 700, 300), (128, 128, 256))


def _by_entry(a: Any, b: Any, bias: Any, activation: str | None, out: Any) -> bool:
    code, dtype = epilogue.CODES[activation], out.dtype
    routine = 0 if bias is None and not code else epilogue.routine(code)[dtype]
    held, biased = (out, 0) if bias is None else (bias, 1)
    done = small.product[dtype](np.ndarray, small.routines[dtype], 0, routine, code, biased, a, b, held, out)
    return bool(done)


def _laid_out(a: Any, b: Any, bias: Any, activation: str | None, out: Any) -> None:
    code = epilogue.CODES[activation]
    finish, shift = numba_cpu._finish(bias, code, out.dtype)
    _workspace, tasks = numba_cpu._tasks(a, b, out, finish, shift, code, memory.scratch)
    for each in tasks:
        run(*each)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("layout", ["rows", "a transposed", "b transposed", "a in steps"])
@pytest.mark.parametrize("activation", [None, "gelu"])
def test_bits(shape: tuple[int, int, int], dtype: str, layout: str, activation: str | None, rng: np.random.Generator):
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    if layout == "a transposed":
        a = np.ascontiguousarray(a.T).T
    elif layout == "b transposed":
        b = np.ascontiguousarray(b.T).T
    elif layout == "a in steps":
        a = np.repeat(np.repeat(a, 2, 1), 3, 0)[::3, ::2]
    bias = rng.standard_normal(n).astype(dtype) if activation else None
    results = np.full((2, m, n), np.nan, dtype)
    assert _by_entry(a, b, bias, activation, results[0])
    _laid_out(a, b, bias, activation, results[1])
    assert results[0].tobytes() == results[1].tobytes()
    if activation is None:
        truth = a.astype(np.float64) @ b.astype(np.float64)
        assert np.abs(results[0] - truth).max() <= 4e-7 * k * np.abs(truth).max()


def test_what_is_larger_is_refused(rng: np.random.Generator):
    """And so are a single row and a single column, which have kernels of their own."""
    for m, k, n in ((161, 162, 163), (1, 40, 50), (50, 40, 1)):
        a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
        assert not _by_entry(a, b, None, None, np.empty((m, n), np.float32))
