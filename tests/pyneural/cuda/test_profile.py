"""Profiles of textbook cases have the known answers, exactly."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
__global__ void strided(const float* x, float* y, int stride) {
  y[threadIdx.x] = x[threadIdx.x * stride];
}
__global__ void vector(const float4* x, float4* y) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void doubles(const double* x, double* y) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void offset(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
__global__ void broadcast(const float* x, float* y) { y[threadIdx.x] = x[0]; }
template <int PAD> __global__ void transpose(const float* x, float* y) {
  __shared__ float tile[32][32 + PAD];
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
  __syncthreads();
  y[threadIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}
template <typename T> __global__ void shared_rows(T* y) {
  __shared__ T s[64];
  s[threadIdx.x] = T();
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
__global__ void one_counter(int* c) { atomicAdd(c, 1); }
__global__ void own_counter(int* c) { atomicAdd(&c[threadIdx.x], 1); }
__global__ void shared_counter(int* c) {
  __shared__ int s[2];
  if (threadIdx.x < 2) s[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&s[threadIdx.x & 1], 1);
  __syncthreads();
  if (threadIdx.x < 2) c[threadIdx.x] = s[threadIdx.x];
}
__global__ void half_active(float* y) { if (threadIdx.x % 2) y[threadIdx.x] = 1; }
__global__ void loop(const float* x, float* y, int n) {
  float s = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += x[i];
  y[threadIdx.x] = s;
}
__global__ void rounds(float* y, int n) {
  for (int i = 0; i < n; ++i) {
    if (i % 48 == threadIdx.x) y[i] = 1;
    __syncthreads();
  }
}
__constant__ float factor = 2.0f;
__global__ void constants(float* y) { y[threadIdx.x] = factor; }
__device__ __noinline__ float pick(const float* a, int k) { return a[k]; }
__global__ void local(float* y, int k) {
  float a[64];
  for (int i = 0; i < 64; ++i) a[i] = i;
  y[threadIdx.x] = pick(a, (threadIdx.x * k) & 63);
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


def f32(n: int) -> np.ndarray[Any, Any]:
    return np.zeros(n, np.float32)


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (4, 16), (8, 32), (32, 32)])
def test_sectors_of_a_stride(module: cuda.Module, stride: int, sectors: int) -> None:
    total = cuda.profile(module["strided"])[1, 32](f32(1024), f32(32), stride).total
    assert total["global_load_requests"] == 1
    assert total["global_load_sectors_per_request"] == sectors
    assert total["global_store_sectors_per_request"] == 4
    assert total["global_load_bytes"] == sectors * 32
    assert total["global_load_bytes_needed"] == 128


@pytest.mark.parametrize(
    ("name", "x", "sectors"),
    [
        ("vector", f32(128), 16),
        ("doubles", np.zeros(32), 8),
        ("offset", f32(33), 5),
        ("broadcast", f32(1), 1),
    ],
)
def test_sectors_of_a_pattern(module: cuda.Module, name: str, x: np.ndarray[Any, Any], sectors: int) -> None:
    y = np.zeros(128 if name == "vector" else 32, x.dtype)
    assert cuda.profile(module[name])[1, 32](x, y).total["global_load_sectors_per_request"] == sectors


@pytest.mark.parametrize(("pad", "ways"), [(0, 32), (1, 1), (2, 2)])
def test_bank_conflicts_of_a_transpose(module: cuda.Module, pad: int, ways: int) -> None:
    total = cuda.profile(module[f"transpose<{pad}>"])[1, (32, 32)](f32(1024), f32(1024)).total
    assert total["shared_load_bank_conflict_ways"] == ways
    assert total["shared_store_bank_conflict_ways"] == 1
    assert total["shared_load_requests"] == 32
    assert total["shared_load_bank_conflicts"] == 32 * (ways - 1)


@pytest.mark.parametrize(("name", "wavefronts"), [("char", 1), ("float", 1), ("double", 2), ("float4", 4)])
def test_wide_accesses_go_in_parts(module: cuda.Module, name: str, wavefronts: int) -> None:
    kernel = module[f"shared_rows<{name}>"]
    y = np.zeros(256, {"char": np.int8, "double": np.float64}.get(name, np.float32))
    total = cuda.profile(kernel)[1, 32](y).total
    assert total["shared_load_wavefronts"] == wavefronts
    assert total["shared_load_bank_conflict_ways"] == 1


def test_atomics(module: cuda.Module) -> None:
    counters = np.zeros(32, np.int32)
    one = cuda.profile(module["one_counter"])[2, 32](counters).total
    assert (one["atomic_requests"], one["atomic_operations"], one["atomic_contention"]) == (2, 64, 32)
    own = cuda.profile(module["own_counter"])[1, 32](counters).total
    assert own["atomic_contention"] == 1
    shared = cuda.profile(module["shared_counter"])[1, 64](counters).total
    assert (shared["atomic_shared_requests"], shared["atomic_global_requests"], shared["atomic_contention"]) == (
        2,
        0,
        16,
    )


def test_lanes(module: cuda.Module) -> None:
    assert cuda.profile(module["half_active"])[1, 64](f32(64)).total["active_lanes_per_instruction"] == 16


def test_barriers_count_once_for_each_warp(module: cuda.Module) -> None:
    shared = cuda.profile(module["shared_counter"])[3, 64](np.zeros(2, np.int32))
    assert shared.total["barriers"] == 3 * 2 * 2
    assert shared.total["memory_instructions"] == sum(c["memory_instructions"] for c in shared.lines.values())
    rounds = cuda.profile(module["rounds"])[1, 48](f32(48), 5).total
    assert rounds["barriers"] == 5 * 2


def test_executions_of_a_loop_are_requests(module: cuda.Module) -> None:
    total = cuda.profile(module["loop"])[1, 64](f32(64 * 10 + 16), f32(64), 64 * 10 + 16).total
    assert total["global_load_requests"] == 21
    assert total["global_load_sectors"] == 82


def test_constants_and_locals(module: cuda.Module) -> None:
    total = cuda.profile(module["constants"])[1, 32](f32(32)).total
    assert (total["global_load_requests"], total["global_store_requests"]) == (0, 1)
    local = cuda.profile(module["local"])[1, 32](f32(32), 3).total
    assert local["local_load_requests"] == 1
    assert local["global_store_requests"] == 1


@pytest.mark.parametrize("schedule", [0, 3])
def test_the_order_of_lanes_and_blocks_changes_nothing(module: cuda.Module, schedule: int) -> None:
    launches: list[tuple[str, Any, tuple[Any, ...]]] = [
        ("strided", (3, 32), (f32(1024), f32(32), 8)),
        ("transpose<0>", (2, (32, 32)), (f32(1024), f32(1024))),
        ("shared_counter", (2, 64), (np.zeros(2, np.int32),)),
        ("loop", (2, 64), (f32(656), f32(64), 656)),
    ]
    for name, config, arguments in launches:
        in_order = cuda.profile(module[name])[config](*arguments)
        assert cuda.profile(module[name], schedule=schedule)[config](*arguments).total == in_order.total, name


def test_lines(module: cuda.Module) -> None:
    profile = cuda.profile(module["transpose<0>"])[1, (32, 32)](f32(1024), f32(1024))
    text = SOURCE.split("\n")
    store = next(i for i, line in enumerate(text, 1) if "tile[threadIdx.y][threadIdx.x] =" in line)
    assert set(profile.lines) == {store, store + 1, store + 2}
    assert profile.lines[store + 1]["barriers"] == 32
    assert profile.lines[store]["global_load_requests"] == 32
    assert profile.lines[store + 2]["shared_load_bank_conflict_ways"] == 32
    assert set(profile.lines[store]) == set(profile.total)
    annotated = profile.annotated().split("\n")
    assert annotated[store + 1].startswith("st 4 sect/req, lds 32-way")
    assert len(annotated) == len(text) - 1
    assert json.loads(profile.to_json())["lines"]["<source>"][str(store)]["global_load_requests"] == 32


def test_the_table_can_be_printed(module: cuda.Module) -> None:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=120).print(cuda.profile(module["strided"])[1, 32](f32(64), f32(32), 2).table())
    assert "total" in out.getvalue()


def test_a_failed_kernel_has_no_profile(module: cuda.Module) -> None:
    with pytest.raises(cuda.LaunchError, match="illegal memory access"):
        cuda.profile(module["broadcast"])[1, 32](None, f32(32))
