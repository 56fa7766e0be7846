"""Traces of cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda.trace import sample

SOURCE = r"""
__global__ void reversed(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  y[blockIdx.x * 64 + threadIdx.x] = tile[63 - threadIdx.x];
}
__global__ void columns(float* y) {
  extern __shared__ float rows[];
  rows[threadIdx.x * 32] = 1;
  __syncthreads();
  if (threadIdx.x < 3) y[threadIdx.x] = rows[threadIdx.x * 32];
}
__global__ void turns(float* y) {
  for (int i = 0; i < 4; ++i) {
    y[threadIdx.x + 32 * i] = i;
    __syncthreads();
  }
}
__global__ void grid3(int* y) { atomicAdd(&y[blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z)], 1); }
__global__ void past(float* y, int n) { if (threadIdx.x < n) y[threadIdx.x] = 1; }
__constant__ float factors[4] = {1, 2, 3, 4};
__global__ void scaled(float* y) { y[threadIdx.x] = factors[threadIdx.x % 4]; }
__global__ void falls(float* y, float* wild) { y[threadIdx.x] = 1; __syncthreads(); wild[threadIdx.x] = 1; }
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


def line(text: str) -> int:
    (found,) = [n for n, each in enumerate(SOURCE.split("\n"), 1) if text in each]
    return found


def said(trace: cuda.Trace, block: int, warp: int) -> list[tuple[int, str, int]]:
    """Line, kind and epoch of a warp's requests in their order."""
    rows = trace.requests[(trace.requests["block"] == block) & (trace.requests["warp"] == warp)]
    kinds = [trace.instructions[i] for i in rows["instruction"]]
    return [(each.line, each.kind, int(row["first_epoch"])) for each, row in zip(kinds, rows, strict=True)]


def test_each_request_in_order_with_its_lanes(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.random(192, np.float32), np.zeros(192, np.float32)
    trace = cuda.trace(module["reversed"], blocks=[2, 0])[3, 64](x, y)
    assert np.array_equal(y, x.reshape(3, 64)[:, ::-1].ravel())
    assert trace.blocks == (0, 2)
    assert set(trace.requests["block"]) == {0, 2}
    first, second = line("tile[threadIdx.x] ="), line("63 - threadIdx.x")
    expected = [
        (first, "global_load", 0), (first, "shared_store", 0), (first + 1, "barrier", 0),
        (second, "shared_load", 1), (second, "global_store", 1),
    ]  # fmt: skip
    for block in (0, 2):
        for warp in (0, 1):
            assert said(trace, block, warp) == expected
    load, store, barrier, read, write = trace.requests[-5:]  # block 2, warp 1
    names = [trace.arrays[row["array"]].name for row in (load, store, read, write)]
    assert names == ["x", "tile", "tile", "y"]
    assert barrier["array"] == -1
    lanes = np.arange(32)
    assert np.array_equal(load["offset"], 4 * (128 + 32 + lanes))
    assert np.array_equal(store["offset"], 4 * (32 + lanes))
    assert np.array_equal(read["offset"], 4 * (31 - lanes))
    assert {int(row["mask"]) for row in (load, store, barrier, read, write)} == {2**32 - 1}
    assert (load["size"], trace.arrays[load["array"]].bytes) == (4, 768)
    assert (trace.profile.total["global_load_requests"], trace.dropped) == (6, 0)  # of all three blocks


def test_dynamic_shared_memory_and_few_lanes(module: cuda.Module) -> None:
    trace = cuda.trace(module["columns"])[1, 32, 4096](np.zeros(3, np.float32))
    store, _, load, write = trace.requests
    array = trace.arrays[store["array"]]
    assert (array.name, array.space, array.bytes, array.element) == ("rows", "shared", 4096, 4)
    assert np.array_equal(store["offset"] // 4 % 32, np.zeros(32))  # all in bank 0
    assert (load["mask"], write["mask"]) == (7, 7)
    assert list(load["offset"][:3]) == [0, 128, 256]


def test_epochs_count_barriers(module: cuda.Module) -> None:
    trace = cuda.trace(module["turns"])[1, 32](np.zeros(128, np.float32))
    stores = trace.requests[trace.requests["array"] >= 0]
    assert list(stores["first_epoch"]) == list(stores["last_epoch"]) == [0, 1, 2, 3]
    assert list(stores["offset"][:, 0]) == [0, 128, 256, 384]


def test_blocks_are_numbered_with_x_fastest(module: cuda.Module) -> None:
    y = np.zeros(24, np.int32)
    trace = cuda.trace(module["grid3"], blocks=[17])[(2, 3, 4), 1](y)
    (request,) = trace.requests
    assert (request["block"], request["offset"][0]) == (17, 4 * 17)
    assert trace.instructions[request["instruction"]].kind == "global_atomic"
    assert y.sum() == 24
    assert len(trace.instructions) == 1


def test_an_address_behind_the_array(module: cuda.Module) -> None:
    trace = cuda.trace(module["past"])[1, 32](np.zeros(8, np.float32), 10)
    (request,) = trace.requests
    assert trace.arrays[request["array"]].bytes == 32
    assert list(request["offset"][8:10]) == [32, 36]


def test_constants_are_recorded_but_not_counted(module: cuda.Module) -> None:
    trace = cuda.trace(module["scaled"])[1, 32](np.zeros(32, np.float32))
    load = next(row for row in trace.requests if trace.instructions[row["instruction"]].kind == "constant_load")
    array = trace.arrays[load["array"]]
    assert (array.name, array.space) == ("factors", "constant")
    assert np.array_equal(load["offset"], np.arange(32) % 4 * 4)
    assert trace.profile.total["global_load_requests"] == 0


def test_a_launch_that_ends_early_keeps_what_came_before(module: cuda.Module) -> None:
    trace = cuda.trace(module["falls"])[1, 32](np.zeros(32, np.float32), None)
    assert trace.failure is not None
    assert "illegal memory access" in trace.failure
    assert [kind for _, kind, _ in said(trace, 0, 0)] == ["global_store", "barrier", "global_store"]
    last = trace.requests[-1]
    (lane,) = np.flatnonzero(int(last["mask"]) >> np.arange(32) & 1)
    assert (last["array"], last["offset"][lane]) == (-1, 4 * lane)  # the null pointer is in no array
    again = cuda.profile(module["turns"])[1, 32](np.zeros(128, np.float32)).total
    assert again["global_store_requests"] == 4


def test_no_more_than_asked_for(module: cuda.Module) -> None:
    trace = cuda.trace(module["turns"], most=3)[1, 64](np.zeros(160, np.float32))
    assert (len(trace.requests), trace.dropped) == (3, 13)
    assert trace.profile.total["global_store_requests"] == 8


def test_which_blocks() -> None:
    assert sample(3) == (0, 1, 2)
    assert sample(64) == (0, 21, 42, 63)


def test_refusals(module: cuda.Module) -> None:
    with pytest.raises(TypeError, match="got int"):
        cuda.trace(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"blocks \(=\[0, 4\]\) must be from 0 to 3"):
        cuda.trace(module["turns"], blocks=[4, 0])[4, 32]
