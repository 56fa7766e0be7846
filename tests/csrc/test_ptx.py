"""The functions for single PTX instructions, and the barriers and atomics of the CUDA C++ library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <cuda/atomic>
#include <cuda/barrier>
#include <pyneural/ptx/cp_async.cuh>
#include <pyneural/ptx/mbarrier.cuh>
#include <pyneural/ptx/mma.cuh>
#include <pyneural/ptx/tf32.cuh>
using namespace pyneural;

__global__ void copy_edge(const float* x, float* y, int n) {
  __shared__ __align__(16) float s[128];
  const int at = threadIdx.x * 4;
  ptx::cp_async_zfill<16>(&s[at], at < n ? &x[at] : x, at < n);
  ptx::cp_async_commit();
  ptx::cp_async_wait<0>();
  __syncthreads();
  for (int i = threadIdx.x; i < 128; i += 32) y[i] = s[127 - i];
}
__global__ void copy_without_wait(const float* x, float* y) {
  __shared__ __align__(16) float s[2][32];
  ptx::cp_async<4>(&s[0][threadIdx.x], &x[threadIdx.x]);
  ptx::cp_async_commit();
  ptx::cp_async<4>(&s[1][threadIdx.x], &x[32 + threadIdx.x]);
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  __syncthreads();
  y[threadIdx.x] = s[0][31 - threadIdx.x] + s[1][31 - threadIdx.x];  // unwaited
}

// One warp produces, the other consumes, through two stages.
template <bool Forgets> __global__ void stages(const float* x, float* y, int rounds) {
  __shared__ float stage[2][32];
  __shared__ ptx::mbarrier full[2], empty[2];
  if (threadIdx.x == 0)
    for (int i = 0; i < 2; ++i) {
      ptx::mbarrier_init(&full[i], 32);
      ptx::mbarrier_init(&empty[i], 32);
    }
  __syncthreads();
  const int lane = threadIdx.x % 32;
  float sum = 0;
  for (int r = 0; r < rounds; ++r) {
    const int s = r % 2, turn = r / 2 % 2;
    if (threadIdx.x < 32) {
      if (r >= 2) ptx::mbarrier_wait(&empty[s], turn ^ 1);
      stage[s][lane] = x[r * 32 + lane];
      if (!Forgets || lane != 5) ptx::mbarrier_arrive(&full[s]);
    } else {
      ptx::mbarrier_wait(&full[s], turn);  // stuck
      sum += stage[s][31 - lane];
      ptx::mbarrier_arrive(&empty[s]);
    }
  }
  if (threadIdx.x >= 32) y[lane] = sum;
}
__global__ void skips_the_wait(const float* x, float* y) {
  __shared__ float s[32];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 32);
  __syncthreads();
  if (threadIdx.x < 32) {
    s[threadIdx.x] = x[threadIdx.x];
    ptx::mbarrier_arrive(&full);
  } else {
    y[threadIdx.x - 32] = s[threadIdx.x - 32];  // skipped
  }
}
__global__ void library_barrier(float* x) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  __shared__ float s[64];
  if (threadIdx.x == 0) init(&bar, blockDim.x);
  __syncthreads();
  s[threadIdx.x] = x[threadIdx.x];
  auto token = bar.arrive();
  bar.wait(std::move(token));
  const float v = s[63 - threadIdx.x];
  bar.arrive_and_wait();
  s[threadIdx.x] = v + 1;
  bar.arrive_and_wait();
  x[threadIdx.x] = s[threadIdx.x ^ 32];
}
__device__ cuda::atomic<int, cuda::thread_scope_device> ready;
__global__ void message(int* data, int* out) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *data = 42;
    ready.store(1, cuda::memory_order_release);
  } else if (blockIdx.x == 1 && threadIdx.x == 0) {
    while (ready.load(cuda::memory_order_acquire) == 0) {}
    *out = *data;
  }
  if (threadIdx.x == 1) {
    cuda::atomic_ref<int, cuda::thread_scope_device> total(out[1]);
    total.fetch_add(3, cuda::memory_order_relaxed);
  }
}

template <typename T> __global__ void product(const T* a, const T* b, float* c) {
  __shared__ __align__(16) T sa[16][16], sb[8][16];
  for (int i = threadIdx.x; i < 256; i += 32) sa[i / 16][i % 16] = a[i];
  for (int i = threadIdx.x; i < 128; i += 32) sb[i / 16][i % 16] = b[i];
  __syncthreads();
  unsigned fa[4], fb[2];
  const int lane = threadIdx.x;
  ptx::ldmatrix<4>(fa, &sa[lane % 16][lane / 16 * 8]);
  ptx::ldmatrix<2>(fb, &sb[lane % 8][lane / 8 % 2 * 8]);
  float d[4] = {1, 1, 1, 1};
  ptx::mma_m16n8k16<T>(d, fa, fb);
  for (int i = 0; i < 4; ++i) c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}
__global__ void transposed(const half* x, half* y) {
  __shared__ __align__(16) half s[8][8];
  s[threadIdx.x / 4][threadIdx.x % 4 * 2] = x[threadIdx.x * 2];
  s[threadIdx.x / 4][threadIdx.x % 4 * 2 + 1] = x[threadIdx.x * 2 + 1];
  __syncthreads();
  unsigned r[1];
  ptx::ldmatrix<1, true>(r, &s[threadIdx.x % 8][0]);
  reinterpret_cast<unsigned*>(y)[threadIdx.x] = r[0];
}
__global__ void rounded(const float* x, unsigned* y, int n) {
  for (int i = threadIdx.x; i < n; i += 32) y[i] = ptx::round_to_tf32(x[i]);
}
__global__ void tf32_product(const unsigned* a, const unsigned* b, float* c) {
  const int lane = threadIdx.x;
  unsigned fa[4], fb[2];
  for (int i = 0; i < 4; ++i) fa[i] = a[(lane / 4 + i % 2 * 8) * 8 + lane % 4 + i / 2 * 4];
  for (int i = 0; i < 2; ++i) fb[i] = b[lane / 4 * 8 + lane % 4 + i * 4];
  float d[4] = {1, 1, 1, 1};
  ptx::mma_m16n8k8<ptx::tf32>(d, fa, fb);
  for (int i = 0; i < 4; ++i) c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}
// Each lane's words to the 8x8 matrices that they belong to, a row of 16 bytes after the other.
template <int Count> __global__ void stored(const unsigned* words, unsigned* y) {
  __shared__ __align__(16) unsigned s[Count * 8][4];
  unsigned r[Count];
  for (int i = 0; i < Count; ++i) r[i] = words[threadIdx.x * Count + i];
  ptx::stmatrix<Count>(s[threadIdx.x % (Count * 8)], r);
  __syncwarp();
  for (int i = threadIdx.x; i < Count * 32; i += 32) y[i] = s[i / 4][i % 4];
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


def f32(n: int) -> np.ndarray[Any, Any]:
    return np.zeros(n, np.float32)


def line_of(mark: str) -> int:
    return next(i for i, line in enumerate(SOURCE.split("\n"), 1) if line.endswith(f"// {mark}"))


def clean(kernel: cuda.Kernel, config: Any, *arguments: Any) -> None:
    for schedule in (None, 1):
        report = cuda.sanitize(kernel, schedule=schedule)[config](*arguments)
        assert report.ok, report


def test_copies_at_an_edge(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal(100).astype(np.float32), f32(128)
    clean(module["copy_edge"], (1, 32), x, y, 100)
    np.testing.assert_array_equal(y, np.pad(x, (0, 28))[::-1])


def test_a_copy_that_is_not_waited_for(module: cuda.Module) -> None:
    findings = cuda.sanitize(module["copy_without_wait"])[1, 32](f32(64), f32(32)).findings
    assert [(f.kind, f.line) for f in findings] == [("race", line_of("unwaited"))]


def test_producer_and_consumer(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 9, (7, 32)).astype(np.float32), f32(32)
    clean(module["stages<false>"], (1, 64), x, y, 7)
    np.testing.assert_array_equal(y, x[:, ::-1].sum(0))
    y[:] = 0
    module["stages<false>"][1, 64](x, y, 7)
    np.testing.assert_array_equal(y, x[:, ::-1].sum(0))


def test_an_arrival_that_is_missing(module: cuda.Module) -> None:
    report = cuda.sanitize(module["stages<true>"])[1, 64](f32(64), f32(32), 2)
    assert [(f.kind, f.line) for f in report.findings] == [("divergent_barrier", line_of("stuck"))]
    with pytest.raises(cuda.LaunchError, match="deadlock"):
        module["stages<true>"][1, 64](f32(64), f32(32), 2)


def test_a_wait_that_is_missing(module: cuda.Module) -> None:
    report = cuda.sanitize(module["skips_the_wait"])[1, 64](f32(32), f32(32))
    assert report.kinds == {"race"}
    assert line_of("skipped") in {report.findings[0].line, report.findings[0].other_line}


def test_barrier_of_the_library(module: cuda.Module) -> None:
    for schedule in (None, 4):
        x = np.arange(64, dtype=np.float32)
        report = cuda.sanitize(module["library_barrier"], schedule=schedule)[2 - 1, 64](x)
        assert report.ok, report
        np.testing.assert_array_equal(x, (63 - (np.arange(64) ^ 32)) + 1)


def test_atomics_of_the_library(module: cuda.Module) -> None:
    data, out = np.zeros(1, np.int32), np.zeros(2, np.int32)
    report = cuda.sanitize(module["message"])[2, 32](data, out)
    assert report.ok, report
    assert out.tolist() == [42, 6]


@pytest.mark.parametrize("name", ["half", "__nv_bfloat16"])
def test_matrix_product(module: cuda.Module, rng: np.random.Generator, name: str) -> None:
    dtype = np.float16 if name == "half" else pytest.importorskip("ml_dtypes").bfloat16
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((16, 16), (8, 16)))
    c = np.zeros((16, 8), np.float32)
    clean(module[f"product<{name}>"], (1, 32), a, b, c)
    np.testing.assert_allclose(c, 1 + a.astype(np.float64) @ b.astype(np.float64).T, rtol=1e-5, atol=1e-5)


def test_transposed_load(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.standard_normal((8, 8)).astype(np.float16)
    y = np.zeros_like(x)
    module["transposed"][1, 32](x, y)
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_matrices_stored(module: cuda.Module, count: int) -> None:
    words, y = np.arange(32 * count, dtype=np.uint32), np.zeros(32 * count, np.uint32)
    clean(module[f"stored<{count}>"], (1, 32), words, y)
    np.testing.assert_array_equal(y.reshape(count, 32), words.reshape(32, count).T)


def test_rounding_to_tf32(module: cuda.Module, rng: np.random.Generator) -> None:
    """To the nearest of 11 significant bits, ties away from zero; what is neither finite nor normal too."""
    random = rng.integers(0, 2**32, 1000, dtype=np.uint32)
    special = np.array(
        [0, 0x80000000, 1, 0x1000, 0x0FFF, 0x3F801000, 0x3F800FFF, 0x3F803000, 0xBF801000, 0x7F7FFFFF, 0x7F800000,
         0xFF800000, 0x7FC00001, 0x7F800001, 0x007FFFFF],
        np.uint32,
    )  # fmt: skip
    want = {0x1000: 0x2000, 0x0FFF: 0, 0x3F801000: 0x3F802000, 0x3F800FFF: 0x3F800000, 0x3F803000: 0x3F804000,
            0xBF801000: 0xBF802000, 0x7F7FFFFF: 0x7F800000, 0x007FFFFF: 0x00800000}  # fmt: skip
    bits = np.concatenate([special, random])
    y = np.zeros(len(bits), np.uint32)
    clean(module["rounded"], (1, 32), bits.view(np.float32), y, len(bits))
    for given, got in zip(bits.tolist(), y.tolist(), strict=True):
        x, rounded = (float(np.uint32(each).view(np.float32)) for each in (given, got))
        if given in want:
            assert got == want[given], hex(given)
        elif np.isnan(x) or np.isinf(x) or got & 0x7FFFFFFF == 0x7F800000:
            assert np.array_equal(x, rounded, equal_nan=True), hex(given)
        else:
            assert got & 0x1FFF == 0
            assert abs(x - rounded) <= 2.0**-11 * max(abs(x), 2.0**-126)


def test_product_of_tf32(module: cuda.Module, rng: np.random.Generator) -> None:
    """What tf32 does not hold is cut off, as wgmma does."""
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 8), (8, 8)))
    c = np.zeros((16, 8), np.float32)
    clean(module["tf32_product"], (1, 32), a.view(np.uint32), b.view(np.uint32), c)
    cut_a, cut_b = ((x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64) for x in (a, b))
    np.testing.assert_allclose(c, 1 + cut_a @ cut_b.T, rtol=1e-5, atol=1e-6)
