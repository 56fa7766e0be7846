"""Each kind of finding, at the right line, and none on correct code that looks suspicious."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

WRONG = r"""
__global__ void race_in_block(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[63 - threadIdx.x];                      // race
}
__global__ void race_in_warp(float* y) {
  __shared__ float s[32];
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[31 - threadIdx.x];                      // race_warp
}
__global__ void race_of_blocks(int* count) {
  if (threadIdx.x == 0) *count += 1;                         // race_blocks
}
__global__ void race_with_atomic(int* count, int* out) {
  atomicAdd(count, 1);
  if (threadIdx.x == 40) *out = *count;                      // race_atomic
}
__global__ void missing_fence(int* data, unsigned* tickets, int* out) {
  __shared__ unsigned ticket;
  if (threadIdx.x == 0) {
    data[blockIdx.x] = 1;
    ticket = atomicAdd(tickets, 1u);
  }
  __syncthreads();
  if (ticket == gridDim.x - 1 && threadIdx.x < gridDim.x) out[threadIdx.x] = data[threadIdx.x];  // race_fence
}
__global__ void volatile_warp(volatile float* x) {
  __shared__ volatile float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) {
    s[threadIdx.x] += s[threadIdx.x + 32];
    s[threadIdx.x] += s[threadIdx.x + 16];                   // race_volatile
    x[threadIdx.x] = s[threadIdx.x];
  }
}
__global__ void past_the_end(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = x[i];                                   // oob_global
}
__global__ void before_the_start(float* y) { y[int(threadIdx.x) - 1] = 1; }  // oob_before
__global__ void shared_too_small(float* y) {
  __shared__ float s[32];
  float* p = s;
  p[threadIdx.x] = 1;                                        // oob_shared
  __syncthreads();
  y[threadIdx.x] = p[0];
}
__global__ void dynamic_too_small(float* y) {
  extern __shared__ float dyn[];
  dyn[threadIdx.x] = 1;                                      // oob_dynamic
}
__global__ void local_array(float* y, int n) {
  float a[4] = {0, 0, 0, 0};
  for (int i = 0; i < n; ++i) a[i] = y[i];                   // oob_local
  y[0] = a[0] + a[1] + a[2] + a[3];
}
__global__ void wild(float* y) { y[1ll << 40] = 1; }         // oob_wild
__global__ void null_pointer(float* y) { y[threadIdx.x] = 1; }  // oob_null
__global__ void misaligned(float* y) { *reinterpret_cast<float4*>(y + 1) = make_float4(1, 2, 3, 4); }  // misaligned
__global__ void uninitialized_shared(float* y) {
  __shared__ float s[33];
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x + 1];                       // uninit_shared
}
__global__ void uninitialized_global(float* y) { y[threadIdx.x] += 1; }  // uninit_global
__global__ void exited(float* y, int n) {
  if (threadIdx.x >= n) return;
  __syncthreads();                                           // divergent_exit
  y[threadIdx.x] = 1;
}
__global__ void two_barriers(float* y) {
  if (threadIdx.x < 40) {
    __syncthreads();                                         // divergent_two
  } else {
    y[threadIdx.x] = 1;
    __syncthreads();
  }
}
__global__ void shuffle_in_branch(float* y) {
  float v = threadIdx.x;
  if (threadIdx.x < 16) v = __shfl_down_sync(0xffffffff, v, 8);  // warp_branch
  __syncthreads();
  y[threadIdx.x] = v;
}
__global__ void shuffle_after_exit(float* y, int n) {
  if (threadIdx.x >= n) return;
  y[threadIdx.x] = __shfl_xor_sync(0xffffffff, 1.0f, 16);    // warp_exit
}
__global__ void mask_without_me(float* y) {
  y[threadIdx.x] = __shfl_sync(0x0000ffff, 1.0f, 0);         // warp_caller
}
__global__ void failed_assert(int n) {
  assert(n == 3);                                            // assertion
}
__global__ void endless(int n) {
  while (n) n |= 1;                                          // hang_compute
}
__global__ void waits_forever(volatile int* flag) {
  while (*flag == 0) {}                                      // hang_flag
}
__global__ void waits_for_lock(int* mutex) {
  while (atomicCAS(mutex, 0, 1) != 0) {}                     // hang_atomic
}
__global__ void waits_for_float(float* x) {
  float t = 0;
  while (t != 1.0f) t += 0.3f;                               // hang_float
  *x = t;
}
__global__ void follows_links(const int* next, int* length) {
  for (int at = 0; at != 3; at = next[at]) ++*length;        // hang_reads
}
__global__ void meets_for_ever(int* x) {
  while (true) __syncthreads();                              // hang_barrier
}
__global__ void into_other_stack(float* y) {
  __shared__ float* shared;
  float mine[4] = {1, 2, 3, 4};
  if (threadIdx.x == 0) shared = mine;
  __syncthreads();
  if (threadIdx.x == 1) y[0] = shared[2];                    // oob_stack
  y[1 + threadIdx.x] = mine[threadIdx.x & 3];
}
__global__ void unwaited_copy(const float* x, float* y) {
  __shared__ __align__(16) float s[32];
  __pipeline_memcpy_async(&s[threadIdx.x], &x[threadIdx.x], 4);
  __pipeline_commit();
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];                           // race_copy
}
"""

F32, I32, U32 = np.float32, np.int32, np.uint32


def zeros(n: int, dtype: Any = F32) -> np.ndarray[Any, Any]:
    return np.zeros(n, dtype)


CASES: list[tuple[str, str, str, Any, tuple[Any, ...]]] = [
    ("race_in_block", "race", "race", (1, 64), (zeros(64),)),
    ("race_in_warp", "race", "race_warp", (1, 32), (zeros(32),)),
    ("race_of_blocks", "race", "race_blocks", (2, 32), (zeros(1, I32),)),
    ("race_with_atomic", "race", "race_atomic", (1, 64), (zeros(1, I32), zeros(1, I32))),
    ("missing_fence", "race", "race_fence", (4, 32), (zeros(4, I32), zeros(1, U32), zeros(4, I32))),
    ("volatile_warp", "race", "race_volatile", (1, 64), (zeros(64),)),
    ("unwaited_copy", "race", "race_copy", (1, 32), (zeros(32), zeros(32))),
    ("past_the_end", "out_of_bounds", "oob_global", (2, 64), (zeros(100), zeros(100), 100)),
    ("before_the_start", "out_of_bounds", "oob_before", (1, 32), (zeros(32),)),
    ("shared_too_small", "out_of_bounds", "oob_shared", (1, 33), (zeros(33),)),
    ("dynamic_too_small", "out_of_bounds", "oob_dynamic", (1, 33, 128), (zeros(33),)),
    ("local_array", "out_of_bounds", "oob_local", (1, 1), (zeros(8), 5)),
    ("wild", "out_of_bounds", "oob_wild", (1, 1), (zeros(8),)),
    ("null_pointer", "out_of_bounds", "oob_null", (1, 1), (None,)),
    ("into_other_stack", "out_of_bounds", "oob_stack", (1, 2), (zeros(8),)),
    ("misaligned", "misaligned", "misaligned", (1, 1), (zeros(8),)),
    ("uninitialized_shared", "uninitialized_read", "uninit_shared", (1, 32), (zeros(32),)),
    ("uninitialized_global", "uninitialized_read", "uninit_global", (1, 32), (cuda.empty(32),)),
    ("exited", "divergent_barrier", "divergent_exit", (1, 64), (zeros(64), 50)),
    ("two_barriers", "divergent_barrier", "divergent_two", (1, 64), (zeros(64),)),
    ("shuffle_in_branch", "invalid_warp_sync", "warp_branch", (1, 32), (zeros(32),)),
    ("shuffle_after_exit", "invalid_warp_sync", "warp_exit", (1, 32), (zeros(32), 20)),
    ("mask_without_me", "invalid_warp_sync", "warp_caller", (1, 32), (zeros(32),)),
    ("failed_assert", "assertion_failed", "assertion", (1, 2), (4,)),
]


@pytest.fixture(scope="module")
def wrong() -> cuda.Module:
    return cuda.compile("#include <cuda_pipeline.h>" + WRONG, "simulator")


def line_of(mark: str) -> int:
    return next(i for i, line in enumerate(WRONG.split("\n"), 1) if line.rstrip().endswith(f"// {mark}"))


@pytest.mark.parametrize("schedule", [None, 5])
@pytest.mark.parametrize(("name", "kind", "mark", "config", "arguments"), CASES, ids=[c[0] for c in CASES])
def test_wrong_kernel(
    wrong: cuda.Module, name: str, kind: str, mark: str, config: Any, arguments: tuple[Any, ...], schedule: int | None
) -> None:
    report = cuda.sanitize(wrong[name], schedule=schedule)[config](*map(copy.deepcopy, arguments))
    places = {(finding.kind, finding.line) for finding in report.findings}
    # A race has two ends: which thread comes second depends on the schedule.
    found = {line for k, line in places if k == kind} | {f.other_line for f in report.findings if f.kind == kind}
    assert line_of(mark) in found, report
    assert {k for k, _ in places} == {kind}, report


@pytest.mark.parametrize(
    ("name", "mark", "arguments"),
    [
        ("endless", "hang_compute", (1,)),
        ("waits_forever", "hang_flag", (zeros(1, I32),)),
        ("waits_for_lock", "hang_atomic", (zeros(1, I32),)),
        ("waits_for_float", "hang_float", (zeros(1),)),
        ("follows_links", "hang_reads", (np.array([1, 2, 1], I32), zeros(1, I32))),
        ("meets_for_ever", "hang_barrier", (zeros(1, I32),)),
    ],
)
def test_a_kernel_without_end_is_a_finding(
    wrong: cuda.Module, name: str, mark: str, arguments: tuple[Any, ...]
) -> None:
    report = cuda.sanitize(wrong[name], timeout=0.3)[1, 32](*arguments)
    assert [(f.kind, f.line) for f in report.findings] == [("hang", line_of(mark))]
    assert report.failure is not None
    assert "0.3 seconds" in report.failure


def test_details_of_an_access_out_of_bounds(wrong: cuda.Module) -> None:
    (finding,) = cuda.sanitize(wrong["past_the_end"])[2, 64](zeros(100), zeros(100), 100).findings
    assert (finding.file, finding.block, finding.thread) == ("<source>", (1, 0, 0), (36, 0, 0))
    assert (finding.array, finding.index, finding.distance) == ("x", 100, 4)
    assert "reads global x[100], 4 bytes past the end of its 100 elements" in finding.message
    (finding,) = cuda.sanitize(wrong["before_the_start"])[1, 32](zeros(32)).findings
    assert (finding.array, finding.index, finding.distance) == ("y", -1, -4)
    (finding,) = cuda.sanitize(wrong["shared_too_small"])[1, 33](zeros(33)).findings
    assert (finding.array, finding.index) == ("s", 32)
    (finding,) = cuda.sanitize(wrong["dynamic_too_small"])[1, 33, 128](zeros(33)).findings
    assert (finding.array, finding.index, finding.thread) == ("dyn", 32, (32, 0, 0))
    finding = cuda.sanitize(wrong["local_array"])[1, 1](zeros(8), 5).findings[0]
    assert (finding.array, finding.index) == ("a", 4)


def test_details_of_a_race(wrong: cuda.Module) -> None:
    (finding,) = cuda.sanitize(wrong["race_of_blocks"])[2, 32](zeros(1, I32)).findings
    assert (finding.block, finding.other_block, finding.array, finding.index) == ((1, 0, 0), (0, 0, 0), "count", 0)
    finding = cuda.sanitize(wrong["race_in_block"])[1, 64](zeros(64)).findings[0]
    assert {finding.line, finding.other_line} == {line_of("race"), line_of("race") - 1}
    assert finding.other_thread == (63 - finding.thread[0], 0, 0)
    assert "with no __syncthreads() between" in finding.message


def test_results_are_those_of_a_plain_launch(wrong: cuda.Module) -> None:
    x, y, z = np.arange(64, dtype=F32), zeros(64), zeros(64)
    wrong["past_the_end"][1, 64](x, y, 64)
    assert cuda.sanitize(wrong["past_the_end"])[1, 64](x, z, 64).ok
    np.testing.assert_array_equal(y, z)


def test_fresh_memory_is_fresh_until_written(wrong: cuda.Module) -> None:
    kernel = cuda.sanitize(wrong["uninitialized_global"])
    x = cuda.empty(32)
    assert kernel[1, 32](x).kinds == {"uninitialized_read"}
    assert kernel[1, 32](x).ok
    x = cuda.empty(32)
    x[:16] = 1
    assert kernel[1, 32](x).ok
    x = cuda.empty(64)
    assert kernel[1, 32](x[32:]).kinds == {"uninitialized_read"}
    assert kernel[1, 32](x).ok


SAME_NAMES = r"""
__global__ void floats(float* y) {
  __shared__ float s[4][8];
  s[0][threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[0][threadIdx.x ^ 16];
}
__global__ void doubles(double* y) {
  __shared__ double s[32];
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[threadIdx.x ^ 16];
}
__global__ void local(float* y, int n) {
  float s[4][4] = {};
  for (int i = 0; i < n; ++i) s[1][i] = y[i];
  y[0] = s[1][int(y[0])];
}
"""


def test_one_name_in_several_kernels() -> None:
    """Each kernel's array has its own dimensions and elements, and a local one is no shared one."""
    module = cuda.compile(SAME_NAMES, "simulator")
    for name, dtype in (("floats", F32), ("doubles", np.float64)):
        finding = cuda.sanitize(module[name])[1, 32](zeros(32, dtype)).findings[0]
        assert finding.kind == "race"
        assert finding.index in (finding.thread[0], finding.thread[0] ^ 16)
    (finding,) = cuda.sanitize(module["local"])[1, 1](zeros(8), 5).findings
    assert (finding.kind, finding.line, finding.array, finding.index) == ("out_of_bounds", 14, "s", 4)


STRAYS = """
__global__ void far_and_odd(int* y, long far) { y[0] = *(int*)((char*)y + far); }
__global__ void filled_from_a_parameter(const int* x, int* y, int n) {
  __shared__ int tile[4];
  if (threadIdx.x < n) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[0] = tile[0];
}
__global__ void whole_tile_beside_a_local(const int* x, float* y) {
  __shared__ float tile[4][8];
  float sum[2] = {};
  tile[threadIdx.x / 8 % 4][threadIdx.x % 8] = x[threadIdx.x];
  __syncthreads();
  for (int r = 0; r < 2; r++) sum[r] += tile[threadIdx.x + r][0];
  y[threadIdx.x] = sum[0] + sum[1];
}
"""


def test_whose_an_access_is_that_strays() -> None:
    """Of no array, where it is far from all; of the shared one, where a parameter or a local one stands on the line."""
    module = cuda.compile(STRAYS, "simulator")
    (finding,) = cuda.sanitize(module["far_and_odd"])[1, 1](zeros(8, np.int32), (1 << 45) + 2).findings
    assert (finding.kind, finding.array) == ("misaligned", None)
    assert "no multiple of 4" in finding.message
    (finding,) = cuda.sanitize(module["filled_from_a_parameter"])[1, 8](
        zeros(8, np.int32), zeros(8, np.int32), 5
    ).findings
    assert (finding.array, finding.index) == ("tile", 4)
    report = cuda.sanitize(module["whole_tile_beside_a_local"])[1, 4](zeros(32, np.int32), zeros(32))
    (finding,) = (each for each in report.findings if each.kind == "out_of_bounds")
    assert (finding.array, finding.index) == ("tile", 4)


def test_arrays_that_overlap_stay_so(wrong: cuda.Module) -> None:
    memory = np.arange(65, dtype=F32)
    report = cuda.sanitize(wrong["past_the_end"])[1, 64](memory[:64], memory[1:], 63)
    assert report.kinds == {"race"}
    assert report.findings[0].array == "x, y"


CORRECT = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

__global__ void warp_tree(float* x) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) {
    float v = s[threadIdx.x] + s[threadIdx.x + 32];
    for (int step = 16; step > 0; step /= 2) {
      s[threadIdx.x] = v;
      __syncwarp();
      if (threadIdx.x < step) v += s[threadIdx.x + step];
      __syncwarp();
    }
    if (threadIdx.x == 0) x[0] = v;
  }
}
__global__ void last_block(const float* x, float* parts, unsigned* tickets, float* out) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = x[blockIdx.x];
    __threadfence();
    last = atomicInc(tickets, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 1) {
    float s = 0;
    for (int i = 0; i < gridDim.x; ++i) s += parts[i];
    *out = s;
  }
}
__global__ void lock(int* mutex, int* value) {
  if (threadIdx.x == 0) {
    while (atomicCAS(mutex, 0, 1) != 0) {}
    *value += 1;
    __threadfence();
    atomicExch(mutex, 0);
  }
}
__global__ void same_value(int* flag, const int* x) { if (x[threadIdx.x]) *flag = 1; }
__global__ void histogram(const int* x, int* bins) {
  __shared__ int s[8];
  if (threadIdx.x < 8) s[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&s[x[threadIdx.x] & 7], 1);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&bins[threadIdx.x], s[threadIdx.x]);
}
__global__ void double_buffer(const float* x, float* y, int n) {
  __shared__ float s[2][32];
  float sum = 0;
  for (int i = 0; i < n; ++i) {
    s[i & 1][threadIdx.x] = x[i * 32 + threadIdx.x];
    __syncthreads();
    sum += s[i & 1][31 - threadIdx.x];
  }
  y[threadIdx.x] = sum;
}
__global__ void tiles(float* x) {
  __shared__ float s[64];
  auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  s[threadIdx.x] = x[threadIdx.x];
  tile.sync();
  const float other = s[threadIdx.x ^ 7];
  tile.sync();
  s[threadIdx.x] = other;
  tile.sync();
  x[threadIdx.x] = cg::reduce(tile, s[threadIdx.x ^ 1], cg::plus<float>());
}
__global__ void guarded_tail(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned mask = __ballot_sync(0xffffffff, i < n);
  if (i < n) {
    float v = x[i];
    for (int step = 16; step > 0; step /= 2) {
      const float other = __shfl_down_sync(mask, v, step);
      if ((threadIdx.x & 31) + step < 32 && i + step < n) v += __shfl_sync(mask, other, threadIdx.x & 31);
      else __shfl_sync(mask, other, threadIdx.x & 31);
    }
    y[i] = v;
  }
}
__global__ void bytes(unsigned char* x) { x[threadIdx.x] = (unsigned char)(x[threadIdx.x] + 1); }
__global__ void flat_tile(float* y) {
  __shared__ float s[4][8];
  s[0][threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x / 8][threadIdx.x % 8];
}
__global__ void aggregated(int* count, const int* x) {
  if (x[threadIdx.x]) {
    cg::coalesced_group g = cg::coalesced_threads();
    if (g.thread_rank() == 0) atomicAdd(count, int(g.size()));
  }
}
"""

RIGHT: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("warp_tree", (1, 64), (zeros(64),)),
    ("last_block", (5, 64), (zeros(5), zeros(5), zeros(1, U32), zeros(1))),
    ("lock", (4, 32), (zeros(1, I32), zeros(1, I32))),
    ("same_value", (2, 32), (zeros(1, I32), np.arange(32, dtype=I32))),
    ("histogram", (3, 64), (np.arange(64, dtype=I32), zeros(8, I32))),
    ("double_buffer", (1, 32), (zeros(160), zeros(32), 5)),
    ("tiles", (1, 64), (zeros(64),)),
    ("guarded_tail", (2, 64), (zeros(100), zeros(100), 100)),
    ("bytes", (1, 61), (zeros(61, np.uint8),)),
    ("flat_tile", (1, 32), (zeros(32),)),
    ("aggregated", (2, 64), (zeros(1, I32), np.arange(64, dtype=I32) % 3)),
]


@pytest.fixture(scope="module")
def right() -> cuda.Module:
    return cuda.compile(CORRECT, "simulator")


@pytest.mark.parametrize("schedule", [None, 1, 2])
@pytest.mark.parametrize(("name", "config", "arguments"), RIGHT, ids=[c[0] for c in RIGHT])
def test_correct_kernel(
    right: cuda.Module, name: str, config: Any, arguments: tuple[Any, ...], schedule: int | None
) -> None:
    report = cuda.sanitize(right[name], schedule=schedule)[config](*map(copy.deepcopy, arguments))
    assert report.ok, report


def test_kinds_are_the_public_ones() -> None:
    assert {case[1] for case in CASES} | {"hang"} == set(cuda.KINDS)


def test_only_kernels_are_checked() -> None:
    with pytest.raises(TypeError, match="expected a kernel compiled for the simulator, got str"):
        cuda.sanitize("saxpy")  # type: ignore[arg-type]
