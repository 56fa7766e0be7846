"""Intrinsics and runtime functions that courses seldom need and papers do, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import cuda

SOURCE = """
#include <cuda_bf16.h>
#include <cuda_fp16.h>
__global__ void video(const unsigned* x, const unsigned* y, unsigned* out) {
  const unsigned a = x[threadIdx.x], b = y[threadIdx.x];
  unsigned* o = out + threadIdx.x;
  o[0] = __vadd4(a, b), o[64] = __vsub2(a, b), o[128] = __vabsdiffu4(a, b), o[192] = __vmaxs4(a, b);
  o[256] = __vcmpgts2(a, b), o[320] = __vseteq4(a & 0x03030303u, b & 0x03030303u), o[384] = __vaddss4(a, b);
  o[448] = __vsubus2(a, b), o[512] = __vavgu4(a, b), o[576] = __vsadu4(a, b), o[640] = __vminu2(a, b);
}
__global__ void words(const unsigned* x, const unsigned* y, unsigned* out, long long* wide) {
  const unsigned a = x[threadIdx.x], b = y[threadIdx.x];
  unsigned* o = out + threadIdx.x;
  o[0] = __uhadd(a, b), o[64] = __urhadd(a, b), o[128] = __funnelshift_lc(a, b, threadIdx.x);
  o[192] = __funnelshift_rc(a, b, threadIdx.x), o[256] = __dp2a_lo(a, b, 7u);
  o[320] = unsigned(__dp2a_hi(int(a), int(b), -7));
  wide[threadIdx.x] = llmax((long long)a - b, llmin((long long)b, 5ll));
}
__global__ void halves(const half* x, half* out, __nv_bfloat162* pair) {
  const half v = x[threadIdx.x];
  out[threadIdx.x] = __hadd_sat(v, v);
  out[64 + threadIdx.x] = __hfma_relu(v, v, __float2half(-1.0f));
  const half2 both = __halves2half2(v, __hneg(v));
  out[128 + threadIdx.x] = __high2half(both);
  pair[threadIdx.x] = __halves2bfloat162(__float2bfloat16(1.5f), __float2bfloat16(float(threadIdx.x)));
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    compiled = cuda.compile(SOURCE, "simulator")
    assert isinstance(compiled, cuda.Module)
    return compiled


@pytest.fixture
def words(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.integers(0, 2**32, (2, 64), np.uint32)
    return x, y


def test_lanes_within_a_word(module: cuda.Module, words: tuple[np.ndarray, np.ndarray]) -> None:
    out = np.zeros((11, 64), np.uint32)
    module["video"][1, 64](*words, out)
    u1, v1 = (w.view(np.uint8).astype(int) for w in words)
    s1, t1 = (w.view(np.int8).astype(int) for w in words)
    u2, v2 = (w.view(np.uint16).astype(int) for w in words)
    s2, t2 = (w.view(np.int16).astype(int) for w in words)
    want = [
        (u1 + v1, np.uint8), (u2 - v2, np.uint16), (abs(u1 - v1), np.uint8), (np.maximum(s1, t1), np.uint8),
        (-(s2 > t2).astype(int), np.uint16), ((u1 & 3) == (v1 & 3), np.uint8), (np.clip(s1 + t1, -128, 127), np.uint8),
        (np.maximum(u2 - v2, 0), np.uint16), ((u1 + v1 + 1) // 2, np.uint8),
        (abs(u1 - v1).reshape(64, 4).sum(1), np.uint32), (np.minimum(u2, v2), np.uint16),
    ]  # fmt: skip
    for got, (value, dtype) in zip(out, want, strict=True):
        np.testing.assert_array_equal(got, np.asarray(value).astype(dtype).view(np.uint32))


def test_words(module: cuda.Module, words: tuple[np.ndarray, np.ndarray]) -> None:
    out, wide = np.zeros((6, 64), np.uint32), np.zeros(64, np.int64)
    module["words"][1, 64](*words, out, wide)
    x, y = words
    a, b = x.astype(int).tolist(), y.astype(int).tolist()
    mask = 0xFFFFFFFF
    both = [(q << 32 | p, min(i, 32)) for i, (p, q) in enumerate(zip(a, b, strict=True))]
    shorts, signed = x.view(np.int16).reshape(64, 2).astype(int), y.view(np.int8).reshape(64, 4).astype(int)
    want = [
        [(p + q) // 2 for p, q in zip(a, b, strict=True)],
        [(p + q + 1) // 2 for p, q in zip(a, b, strict=True)],
        [(v << n) >> 32 & mask for v, n in both],
        [v >> n & mask for v, n in both],
        [(7 + (p & 0xFFFF) * (q & 0xFF) + (p >> 16) * (q >> 8 & 0xFF)) & mask for p, q in zip(a, b, strict=True)],
        ((shorts * signed[:, 2:]).sum(1) - 7).astype(np.int32).view(np.uint32),
    ]
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(wide, [max(p - q, min(q, 5)) for p, q in zip(a, b, strict=True)])


def test_halves(module: cuda.Module, rng: np.random.Generator) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = rng.standard_normal(64).astype(np.float16)
    out, pair = np.zeros((3, 64), np.float16), np.zeros((64, 2), bfloat16)
    module["halves"][1, 64](x, out, pair)
    np.testing.assert_array_equal(out[0], np.clip(x + x, 0, 1))
    fused = x.astype(np.float64) ** 2 - 1
    np.testing.assert_array_equal(out[1], np.maximum(fused, 0).astype(np.float16))
    np.testing.assert_array_equal(out[2], -x)
    np.testing.assert_array_equal(pair.astype(float), np.stack([np.full(64, 1.5), np.arange(64)], 1))


def test_launches_by_function_of_the_runtime() -> None:
    result = cuda.run("""
#include <cstdio>
struct Plan { dim3 gridDim; dim3 blockDim; };
__global__ void add(int* x, int v) { atomicAdd(x, v + (threadIdx.x == 0 && blockIdx.x == 0 ? 0 * gridDim.x : 0)); }
int main() {
  int *x, sum = 0, value = 10, least = 1, most = 1;
  cudaMalloc(&x, 3 * sizeof(int));
  cudaMemset2D(x, sizeof(int), 0, sizeof(int), 3);
  Plan plan;
  plan.gridDim = dim3(2);
  plan.blockDim = dim3(3);
  add<<<plan.gridDim, plan.blockDim>>>(x, 1);
  cudaLaunchConfig_t config = {};
  config.gridDim = plan.gridDim;
  config.blockDim = 5;
  cudaLaunchKernelEx(&config, add, x, 100);
  void* arguments[] = {&x, &value};
  cudaLaunchCooperativeKernel((void*)add, dim3(1), dim3(4), arguments, 0, 0);
  cudaDeviceGetStreamPriorityRange(&least, &most);
  cudaMemcpy(&sum, x, sizeof(int), cudaMemcpyDeviceToHost);
  printf("%d %d %d %s\\n", sum, least, most, cudaGetErrorName(cudaGetLastError()));
}
""")
    assert (result.returncode, result.stdout) == (0, f"{6 + 1000 + 40} 0 0 cudaSuccess\n"), result
