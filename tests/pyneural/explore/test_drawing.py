"""A trace in characters: hand-counted lines, and the turns of shared memory against `cuda.profile`."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import cuda
from pyneural.explore.drawing import LANES, drawing, turns

SOURCE = r"""__global__ void shown(const float* x, float* y, int* count, int n) {
  __shared__ float tile[32][32];
  int t = threadIdx.x;
  tile[t][0] = x[8 * t];
  __syncthreads();
  if (t % 2) y[t] = tile[31 - t][0];
  if (t < n) atomicAdd(&count[t / 8], 1);
}
template <typename V> __global__ void strided(float* y, int stride) {
  __shared__ V tile[32 * 33];
  V v = tile[threadIdx.x * stride];
  y[threadIdx.x] = *(const float*)&v;
}"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


@pytest.fixture(scope="module")
def trace(module: cuda.Module) -> cuda.Trace:
    arrays = np.ones(256, np.float32), np.zeros(32, np.float32), np.zeros(4, np.int32)
    return cuda.trace(module["shown"])[2, 32](*arrays, 12)


def test_lines_counted_by_hand(trace: cuda.Trace):
    half = ".#" * 16
    assert drawing(trace, 0, 0) == [
        f"load x        {'#' * 32}  32 sectors  [0 8 16 .. 248]",
        f"store tile    {'#' * 32}  32 turns    [0 32 64 .. 992]",
        "-" * 46 + " barrier",
        f"load tile     {half}  16 turns    [960 896 832 .. 0]",
        f"store y       {half}   4 sectors  [1 3 5 .. 31]",
        f"atomic count  {'#' * 12}{'.' * 20}   8 at once  [0 0 0 .. 1]",
    ]


def test_a_part_of_it(trace: cuda.Trace):
    whole = drawing(trace, 1, 0)
    assert drawing(trace, 1, 0, skip=2, rows=2) == ["...", *whole[2:4], "..."]
    assert drawing(trace, 1, 0, skip=4) == ["...", *whole[4:]]
    assert drawing(trace, 1, 0, rows=1, cost=False) == [f"load x        {'#' * LANES} [0 8 16 .. 248]", "..."]


def test_what_was_not_recorded_is_refused(trace: cuda.Trace):
    with pytest.raises(ValueError, match=r"drawing: block \(=7\) was not recorded; there are \[0, 1\]"):
        drawing(trace, 7, 0)
    with pytest.raises(ValueError, match=r"drawing: warp \(=1\) of block 0 made no request"):
        drawing(trace, 0, 1)


@pytest.mark.parametrize("element", ["float", "double", "float4"])
def test_turns_are_those_of_the_profile(module: cuda.Module, element: str, rng: np.random.Generator):
    size = {"float": 4, "double": 8, "float4": 16}[element]
    for stride in (0, 1, 2, 3, int(rng.integers(4, 32)), 32, 33):
        y = np.zeros(32, np.float32)
        counted = cuda.profile(module[f"strided<{element}>"])[1, 32](y, stride)
        offsets = [lane * stride * size for lane in range(LANES)]
        assert turns(offsets, size) == counted.total["shared_load_wavefronts"], stride
