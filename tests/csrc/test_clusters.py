"""Thread block clusters: their barrier, distributed shared memory, multicast; mistakes in them; that nvcc takes all."""

from __future__ import annotations

import re
import shutil
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <cooperative_groups.h>
#include <pyneural/ptx/cluster.cuh>
#include <pyneural/ptx/tma.cuh>
using namespace pyneural;
namespace cg = cooperative_groups;

__global__ void __cluster_dims__(2, 2, 1) places(int* y) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const cg::cluster_group cluster = cg::this_cluster();
  if (threadIdx.x == 0) {
    int* at = y + 8 * block;
    at[0] = ptx::cluster_rank();
    at[1] = ptx::cluster_blocks();
    at[2] = cluster.block_rank();
    at[3] = cluster.num_blocks();
    at[4] = cluster.block_index().x + 10 * cluster.block_index().y;
    at[5] = cluster.thread_rank();
    at[6] = cluster.dim_blocks().x * 10 + cluster.dim_blocks().y;
    at[7] = cluster.num_threads();
  }
}
// Each block takes the sum of its part; all read all sums.
template <bool Begin, bool End> __device__ void sums(const float* x, float* y) {
  extern __shared__ float s[];
  const unsigned rank = ptx::cluster_rank();
  s[1 + threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
    s[0] = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) s[0] += s[1 + i];  // own
  }
  __syncthreads();
  if (Begin) {
    ptx::cluster_arrive();
    ptx::cluster_wait();
  }
  float total = 0;
  for (unsigned other = 0; other < ptx::cluster_blocks(); ++other) {
    total += *ptx::map_shared(s, (rank + other) % 4);  // remote
  }
  y[blockIdx.x * blockDim.x + threadIdx.x] = total;
  if (End) cg::this_cluster().sync();  // nobody's memory goes while another one reads it
}
__global__ void __cluster_dims__(4) cluster_sums(const float* x, float* y) { sums<true, true>(x, y); }
__global__ void __cluster_dims__(4) sums_without_barrier(const float* x, float* y) { sums<false, true>(x, y); }
// Written into the next block's memory, which is told by an mbarrier of its own.
template <bool Waits> __device__ void pass_on(const int* x, int* y) {
  extern __shared__ __align__(16) int t[];
  ptx::mbarrier* full = reinterpret_cast<ptx::mbarrier*>(t + 64);
  const unsigned next = (ptx::cluster_rank() + 1) % ptx::cluster_blocks();
  if (threadIdx.x == 0) ptx::mbarrier_init(full, 64);
  ptx::cluster_arrive();
  ptx::cluster_wait();
  *ptx::map_shared(t + threadIdx.x, next) = x[blockIdx.x * 64 + threadIdx.x];  // passed
  ptx::mbarrier_arrive_cluster(full, next);
  if (Waits) ptx::mbarrier_wait(full, 0);
  y[blockIdx.x * 64 + threadIdx.x] = t[63 - threadIdx.x];  // taken
  ptx::cluster_arrive();
  ptx::cluster_wait();
}
__global__ void __cluster_dims__(2) passed(const int* x, int* y) { pass_on<true>(x, y); }
__global__ void __cluster_dims__(2) passed_too_early(const int* x, int* y) { pass_on<false>(x, y); }
// Each of two blocks loads half of a tile for both.
__global__ void __cluster_dims__(2) multicast(const __grid_constant__ CUtensorMap x, float* y, int wait) {
  extern __shared__ __align__(128) float u[];
  ptx::mbarrier* full = reinterpret_cast<ptx::mbarrier*>(u + 256);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::fence_mbarrier_init();
    ptx::mbarrier_arrive_expect_tx(full, 1024);
  }
  ptx::cluster_arrive();
  ptx::cluster_wait();
  if (threadIdx.x == 0) {
    const int rank = ptx::cluster_rank(), at[2] = {0, 8 * rank};
    ptx::tma_load_multicast(u + 128 * rank, &x, full, at, 3);  // loaded
  }
  if (wait) ptx::mbarrier_wait(full, 0);
  for (int i = threadIdx.x; i < 256; i += 32) y[blockIdx.x * 256 + i] = u[i];  // read
  ptx::cluster_arrive();
  ptx::cluster_wait();
}
__global__ void __cluster_dims__(2) beyond(float* y) {
  extern __shared__ float v[];
  v[threadIdx.x] = 1;
  ptx::cluster_arrive();
  ptx::cluster_wait();
  y[threadIdx.x] = ptx::map_shared(v, 1)[threadIdx.x + 1];  // past
  ptx::cluster_arrive();
  ptx::cluster_wait();
}
__global__ void __cluster_dims__(2) twice() {
  ptx::cluster_arrive();
  ptx::cluster_arrive();
}
__global__ void __cluster_dims__(2) left_out(int n) {
  if (int(threadIdx.x) < n) cg::this_cluster().sync();
  __syncthreads();
  if (int(threadIdx.x) >= n) cg::this_cluster().sync();  // stuck
}
__global__ void alone(int* y) {
  cg::this_cluster().sync();
  y[threadIdx.x] = ptx::cluster_rank() + 10 * ptx::cluster_blocks();
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    compiled = cuda.compile(SOURCE, "simulator", options=["-arch=sm_90a"])
    assert isinstance(compiled, cuda.Module)
    return compiled


def line_of(mark: str) -> int:
    return next(i for i, line in enumerate(SOURCE.split("\n"), 1) if line.endswith(f"// {mark}"))


def clean(kernel: cuda.Kernel, config: Any, *arguments: Any) -> None:
    for schedule in (None, 1, 2):
        report = cuda.sanitize(kernel, schedule=schedule)[config](*arguments)
        assert report.ok, report
    kernel[config](*arguments)


def test_places(module: cuda.Module) -> None:
    y = np.zeros((3, 4, 6, 8), np.int32)
    clean(module["places"], ((6, 4, 3), 32), y)
    for z, row, column in np.ndindex(3, 4, 6):
        rank = row % 2 * 2 + column % 2
        assert y[z, row, column].tolist() == [rank, 4, rank, 4, column % 2 + 10 * (row % 2), rank * 32, 22, 128]


def test_distributed_shared_memory(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 99, (3, 4 * 64)).astype(np.float32), np.zeros((3, 4 * 64), np.float32)
    clean(module["cluster_sums"], (12, 64, 65 * 4), x, y)
    np.testing.assert_array_equal(y, np.broadcast_to(x.sum(1, keepdims=True), y.shape))


def test_counted(module: cuda.Module) -> None:
    """Another block's shared memory counts as shared."""
    x = np.ones(256, np.float32)
    counts = cuda.profile(module["cluster_sums"])[4, 64, 65 * 4](x, np.zeros_like(x))
    assert (counts.total["global_load_requests"], counts.total["global_store_requests"]) == (8, 8)
    assert counts.lines[line_of("remote")]["shared_load_requests"] == 4 * 8


def test_a_cluster_barrier_that_is_missing(module: cuda.Module) -> None:
    x = np.ones(256, np.float32)
    report = cuda.sanitize(module["sums_without_barrier"])[4, 64, 65 * 4](x, np.zeros_like(x))
    assert "race" in report.kinds
    races = [f for f in report.findings if f.kind == "race"]
    lines = {line_of("own"), line_of("own") - 1, line_of("remote")}
    assert all({f.line, f.other_line} <= lines for f in races), report
    assert any(f.block != f.other_block for f in races), report


def test_arrivals_at_another_block(module: cuda.Module) -> None:
    x, y = np.arange(256, dtype=np.int32), np.zeros(256, np.int32)
    clean(module["passed"], (4, 64, 264 + 8), x, y)
    np.testing.assert_array_equal(y.reshape(2, 2, 64), x.reshape(2, 2, 64)[:, ::-1, ::-1])
    report = cuda.sanitize(module["passed_too_early"])[4, 64, 264 + 8](x, y)
    assert any({f.line, f.other_line} == {line_of("passed"), line_of("taken")} for f in report.findings), report


def test_multicast(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((16, 16)).astype(np.float32), np.zeros((2, 16, 16), np.float32)
    source = cuda.tensor_map(x, (8, 16))
    clean(module["multicast"], (2, 32, 1024 + 8), source, y, 1)
    np.testing.assert_array_equal(y, [x, x])
    report = cuda.sanitize(module["multicast"])[2, 32, 1024 + 8](source, y, 0)
    assert any(f.kind == "race" and line_of("loaded") in (f.line, f.other_line) for f in report.findings), report


def test_bounds_of_another_block(module: cuda.Module) -> None:
    report = cuda.sanitize(module["beyond"])[2, 32, 128](np.zeros(32, np.float32))
    found = [f for f in report.findings if f.kind == "out_of_bounds"]
    assert {f.line for f in found} == {line_of("past")}, report
    assert {(f.array, f.index) for f in found} == {("v", 32)}


def test_barriers_that_are_wrong(module: cuda.Module) -> None:
    with pytest.raises(cuda.LaunchError, match="arrived twice at the barrier of its cluster"):
        module["twice"][2, 32]()
    with pytest.raises(cuda.LaunchError, match="deadlock"):
        module["left_out"][2, 32](7)
    report = cuda.sanitize(module["left_out"])[2, 32](7)
    assert report.kinds == {"divergent_barrier"}, report


def test_without_clusters_a_block_is_one(module: cuda.Module) -> None:
    y = np.zeros(64, np.int32)
    clean(module["alone"], (3, 64), y)
    assert set(y.tolist()) == {10}


def test_clusters_that_cannot_be(module: cuda.Module) -> None:
    y = np.zeros(4096, np.int32)
    with pytest.raises(ValueError, match=r"grid\.x \(=3\) must be a multiple of the cluster's 2 blocks"):
        module["places"][(3, 2), 32](y)
    with pytest.raises(
        ValueError, match="a cluster of 4 blocks of 512 threads: the simulator runs those of 1024 threads"
    ):
        module["places"][(2, 2), 512](y)
    many = cuda.compile("__global__ void __cluster_dims__(32) k() {}", "simulator")
    with pytest.raises(ValueError, match="a cluster of 32 blocks; the limit is 16"):
        many["k"][32, 32]()
    fixed = cuda.compile("__global__ void __cluster_dims__(2) k() { __shared__ int s[4]; s[0] = 1; }", "simulator")
    with pytest.raises(ValueError, match=r"must be dynamic .* such as s cannot be simulated"):
        fixed["k"][2, 32]()
    with pytest.raises(cuda.CompileError, match="a program's launch of a cluster cannot be simulated"):
        cuda.compile("__global__ void __cluster_dims__(2) k() {}\nint main() { k<<<2, 32>>>(); }", "simulator")


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, which assembles the instructions")
def test_nvcc_assembles() -> None:
    kernels = set(re.findall(r"__global__ void (?:__cluster_dims__\([\d, ]*\) )?(\w+)\(", SOURCE))
    assert kernels <= set(cuda.resources(SOURCE, "sm_90a"))
