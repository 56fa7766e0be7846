"""Products that are prepared once and repeated give the bits of those that are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend, memory
from pyneural.kernels.matmul import numba_cpu

SHAPES = ((97, 131, 71), (16, 128, 512), (128, 784, 512), (700, 33, 67), (32, 784, 64), (9, 289, 700))


def _prepared(kernel: Any, *arrays: Any, out: Any, **attributes: Any) -> Any:
    return kernel.prepare(*arrays, empty=memory.scratch, out=out, **attributes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_it_reads_its_arrays_anew(shape: tuple[int, int, int], dtype: str, transposed: bool, rng: np.random.Generator):
    m, k, n = shape
    a = rng.standard_normal((k, m) if transposed else (m, k)).astype(dtype)
    a = a.T if transposed else a
    b, out = rng.standard_normal((k, n)).astype(dtype), np.empty((m, n), dtype)
    again = _prepared(numba_cpu.matmul, a, b, out=out)
    for _ in range(2):
        a[...], b[...], out[...] = rng.standard_normal(a.shape), rng.standard_normal(b.shape), np.nan
        again()
        assert out.tobytes() == backend("numba_cpu").matmul(a, b).tobytes()


@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
@pytest.mark.parametrize("biased", [False, True])
def test_linear(activation: str | None, biased: bool, rng: np.random.Generator):
    x, weight = (rng.standard_normal(each, np.float32) for each in ((4, 33, 128), (200, 128)))
    bias = rng.standard_normal(200, np.float32) if biased else None
    out = np.full((4, 33, 200), np.nan, np.float32)
    _prepared(numba_cpu.linear, x, weight, bias, activation=activation, out=out)()
    assert out.tobytes() == backend("numba_cpu").linear(x, weight, bias, activation=activation).tobytes()


def test_what_it_would_have_to_copy_is_not_prepared(rng: np.random.Generator):
    x, weight = (rng.standard_normal(each, np.float32) for each in ((64, 4, 128), (200, 128)))
    out, bias = np.empty((64, 4, 200), np.float32), np.zeros(400, np.float32)[::2]
    assert _prepared(numba_cpu.linear, x, weight, out=out) is not None
    assert _prepared(numba_cpu.linear, x, weight, bias, out=out) is None
    assert _prepared(numba_cpu.linear, x.transpose(1, 0, 2), weight, out=out.reshape(4, 64, 200)) is None
    assert _prepared(numba_cpu.linear, x, weight, out=np.empty((64, 4, 400), np.float32)[..., ::2]) is None
    assert _prepared(numba_cpu.matmul, x[0, 0], weight.T, out=out[0, 0]) is None
    assert _prepared(numba_cpu.matmul, x[:2, 0], weight.T, out=np.empty((2, 200), np.float32)) is None
