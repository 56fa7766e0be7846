"""The language as the simulator runs it, against NumPy: warps, atomics, groups, vectors, halves, fragments."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <mma.h>
namespace cg = cooperative_groups;

__global__ void indices(int* out) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

template <typename T, int N> __device__ T block_sum(T v) {
  __shared__ T parts[N];
  parts[threadIdx.x] = v;
  __syncthreads();
  for (int step = N / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) parts[threadIdx.x] += parts[threadIdx.x + step];
    __syncthreads();
  }
  return parts[0];
}
template <typename T, int N> __global__ void sum(const T* x, T* out) {
  const T total = block_sum<T, N>(x[blockIdx.x * N + threadIdx.x]);
  if (threadIdx.x == 0) out[blockIdx.x] = total;
}

__global__ void shuffles(const int* x, int* out) {
  const int v = x[threadIdx.x], t = threadIdx.x;
  out[t] = __shfl_sync(0xffffffff, v, (t + 5) & 31);
  out[32 + t] = __shfl_up_sync(0xffffffff, v, 3);
  out[64 + t] = __shfl_down_sync(0xffffffff, v, 7);
  out[96 + t] = __shfl_xor_sync(0xffffffff, v, 9);
  out[128 + t] = __shfl_down_sync(0xffffffff, v, 2, 8);
  out[160 + t] = __shfl_sync(0xffffffff, v, 11, 8);
  out[192 + t] = __shfl_up_sync(0xffffffff, v, 1, 16);
}
__global__ void votes(const int* x, unsigned* out) {
  const int v = x[threadIdx.x];
  out[threadIdx.x] = __ballot_sync(0xffffffff, v & 1);
  out[32 + threadIdx.x] = __any_sync(0xffffffff, v == 7) * 2 + __all_sync(0xffffffff, v < 1000);
  out[64 + threadIdx.x] = __match_any_sync(0xffffffff, v % 3);
  int same;
  const unsigned all = __match_all_sync(0xffffffff, v / 1000, &same);
  out[96 + threadIdx.x] = all ^ same;
  out[128 + threadIdx.x] = __reduce_add_sync(0xffffffff, unsigned(v));
  out[160 + threadIdx.x] = unsigned(__reduce_min_sync(0xffffffff, v - 10));
}
__global__ void active(unsigned* out) {
  if (threadIdx.x % 3 == 0) out[threadIdx.x] = __activemask();
  else out[threadIdx.x] = __activemask();
}
__global__ void counts(const int* x, int* out) {
  out[threadIdx.x] = __syncthreads_count(x[threadIdx.x] & 1);
  out[64 + threadIdx.x] = __syncthreads_and(x[threadIdx.x] < 1000) + 2 * __syncthreads_or(x[threadIdx.x] == -1);
}

__global__ void atomics(int* i, unsigned* u, float* f, double* d, unsigned long long* l) {
  const int t = threadIdx.x;
  atomicAdd(&i[0], t);
  atomicSub(&i[1], 1);
  atomicMin(&i[2], t - 5);
  atomicMax(&i[3], t);
  atomicAnd(&u[0], ~(1u << (t & 31)));
  atomicOr(&u[1], 1u << (t & 7));
  atomicXor(&u[2], 1u << (t & 15));
  atomicInc(&u[3], 9);
  atomicDec(&u[4], 9);
  atomicAdd(f, 0.5f);
  atomicAdd(d, 0.25);
  atomicAdd(l, 1ull << 33);
  float old = f[1], seen;
  do {
    seen = old;
    old = __int_as_float(atomicCAS((int*)&f[1], __float_as_int(seen), __float_as_int(seen * 1.0f + 2.0f)));
  } while (old != seen);
  atomicExch(&i[4], 77);
}
__global__ void spin(int* lock, int* value) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *value += 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}
__global__ void wait_for_flag(volatile int* flag, int* out) {
  if (threadIdx.x == 0) {
    while (*flag == 0) {}
    *out = 5;
  } else if (threadIdx.x == 40) {
    *flag = 1;
  }
}

__global__ void groups(const float* x, float* out) {
  cg::thread_block block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  auto quad = cg::tiled_partition<4>(warp);
  const float v = x[block.thread_rank()];
  const float total = cg::reduce(warp, v, cg::plus<float>());
  const float most = cg::reduce(quad, v, cg::greater<float>());
  out[block.thread_rank()] = total;
  out[64 + block.thread_rank()] = most;
  out[128 + block.thread_rank()] = cg::inclusive_scan(warp, v);
  out[192 + block.thread_rank()] = quad.shfl(v, 2) + 1000.0f * warp.meta_group_rank();
  if (block.thread_rank() % 2) {
    cg::coalesced_group odd = cg::coalesced_threads();
    out[256 + block.thread_rank()] = odd.size() * 100 + odd.thread_rank();
  }
  cg::sync(block);
}
__global__ void large_tiles(int* out) {
  __shared__ int s[128];
  auto half = cg::tiled_partition<64>(cg::this_thread_block());
  s[threadIdx.x] = threadIdx.x;
  half.sync();
  out[threadIdx.x] = s[half.meta_group_rank() * 64 + 63 - half.thread_rank()];
}

__global__ void vectors(const float4* x, float4* y, const int2* p, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  float4 v = x[i];
  y[i] = make_float4(v.w, v.z, v.y + p[i].x, v.x * p[i].y);
}
__global__ void by_value(float4 v, double2 d, float* out) {
  out[0] = v.x + v.w + float(d.y);
}
struct Pair { int a; float b; };
__global__ void structs(Pair p, const Pair* list, float* out, int n) {
  float s = p.a * p.b;
  for (int i = 0; i < n; ++i) s += list[i].a * list[i].b;
  *out = s;
}

__global__ void halves(const half* x, half* y, const __nv_bfloat16* u, __nv_bfloat16* v, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = __hadd(__hmul(x[i], x[i]), __float2half(1.0f));
  v[i] = u[i] * u[i] + __float2bfloat16(1.0f);
}
__global__ void half2s(const half2* x, half2* y) {
  const half2 v = x[threadIdx.x];
  y[threadIdx.x] = __hfma2(v, v, v);
}

__global__ void fragments(const half* a, const half* b, float* c) {
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 1.0f);
  for (int k = 0; k < 32; k += 16) {
    wmma::load_matrix_sync(fa, a + k, 32);
    wmma::load_matrix_sync(fb, b + k, 32);
    wmma::mma_sync(fc, fa, fb, fc);
  }
  for (int i = 0; i < fc.num_elements; ++i) fc.x[i] *= 2.0f;
  wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}

__global__ void pipeline(const float4* x, float* y, int rounds) {
  __shared__ __align__(16) float stage[2][128];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&stage[0][t * 4], &x[t], 16);
  __pipeline_commit();
  float s = 0;
  for (int r = 0; r < rounds; ++r) {
    if (r + 1 < rounds) __pipeline_memcpy_async(&stage[(r + 1) & 1][t * 4], &x[(r + 1) * 32 + t], 16);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    s += stage[r & 1][t] - stage[r & 1][127 - t];
    __syncthreads();
  }
  y[t] = s;
}

__constant__ float table[3] = {1.0f, 10.0f, 100.0f};
__device__ int total = 3;
__device__ const float& pick(int i) { return table[i % 3]; }
__global__ void file_scope(float* out) {
  out[threadIdx.x] = pick(threadIdx.x) * total;
}
extern __shared__ double pool[];
__global__ void dynamic(const double* x, double* y, int n) {
  float* second = reinterpret_cast<float*>(pool + n);
  pool[threadIdx.x] = x[threadIdx.x];
  second[threadIdx.x] = 2 * threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = pool[n - 1 - threadIdx.x] + second[n - 1 - threadIdx.x];
}
__global__ void bits(const int* x, int* out) {
  const int v = x[threadIdx.x];
  out[threadIdx.x] = __popc(v) + 100 * __clz(v) + 10000 * __ffs(v);
  out[32 + threadIdx.x] = int(__brev(unsigned(v)));
  out[64 + threadIdx.x] = __mulhi(v, 1 << 20);
  out[96 + threadIdx.x] = int(__byte_perm(unsigned(v), 0x44332211u, 0x6540));
  out[128 + threadIdx.x] = __float2int_rd(v * 0.5f) + __float2int_rn(1e20f * (threadIdx.x == 0));
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


LANES = np.arange(32)


def test_indices_to_three_dimensions(module: cuda.Module) -> None:
    out = np.zeros((12, 30), np.int32)
    module["indices"][(2, 3, 2), (5, 3, 2)](out)
    np.testing.assert_array_equal(out, np.arange(12)[:, None] * 1000 + np.arange(30))


@pytest.mark.parametrize(("name", "dtype"), [("float", np.float32), ("double", np.float64), ("int", np.int32)])
def test_template_instances(module: cuda.Module, rng: np.random.Generator, name: str, dtype: type) -> None:
    x = rng.integers(-50, 50, (3, 64)).astype(dtype)
    out = np.zeros(3, dtype)
    module[f"sum<{name}, 64>"][3, 64](x, out)
    np.testing.assert_array_equal(out, x.sum(1))


def test_shuffles(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(0, 1000, 32).astype(np.int32)
    out = np.zeros((7, 32), np.int32)
    module["shuffles"][1, 32](x, out)
    sources = [
        (LANES + 5) % 32,
        np.where(LANES >= 3, LANES - 3, LANES),
        np.where(LANES < 25, LANES + 7, LANES),
        LANES ^ 9,
        np.where(LANES % 8 < 6, LANES + 2, LANES),
        LANES // 8 * 8 + 3,
        np.where(LANES % 16 >= 1, LANES - 1, LANES),
    ]
    np.testing.assert_array_equal(out, [x[s] for s in sources])


def test_votes(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(0, 30, 32).astype(np.int32)
    out = np.zeros((6, 32), np.uint32)
    module["votes"][1, 32](x, out)
    odd = int(sum(1 << i for i in range(32) if x[i] & 1))
    assert (out[0] == odd).all()
    assert (out[1] == 2 * (7 in x) + 1).all()
    np.testing.assert_array_equal(out[2], [sum(1 << j for j in range(32) if x[j] % 3 == x[i] % 3) for i in range(32)])
    assert (out[3] == 0xFFFFFFFE).all()
    assert (out[4] == x.sum()).all()
    assert (out[5].view(np.int32) == x.min() - 10).all()


def test_active_mask_of_a_branch(module: cuda.Module) -> None:
    out = np.zeros(32, np.uint32)
    module["active"][1, 32](out)
    third = sum(1 << i for i in range(0, 32, 3))
    # Both branches stand on lines of their own, so each is a group.
    np.testing.assert_array_equal(out, [third if i % 3 == 0 else 0xFFFFFFFF ^ third for i in range(32)])


def test_barriers_that_count(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(0, 100, 64).astype(np.int32)
    out = np.zeros((2, 64), np.int32)
    module["counts"][1, 64](x, out)
    assert (out[0] == (x & 1).sum()).all()
    assert (out[1] == 1).all()


@pytest.mark.parametrize("schedule", [None, 1, 2])
def test_atomics(module: cuda.Module, schedule: int | None) -> None:
    i, u = np.zeros(5, np.int32), np.array([0xFFFFFFFF, 0, 0, 0, 0], np.uint32)
    f, d, q = np.zeros(2, np.float32), np.zeros(1), np.zeros(1, np.uint64)
    module["atomics"][1, 64](i, u, f, d, q, schedule=schedule)
    assert i.tolist() == [sum(range(64)), -64, -5, 63, 77]
    inc = dec = 0
    for _ in range(64):
        inc = 0 if inc >= 9 else inc + 1
        dec = 9 if dec == 0 or dec > 9 else dec - 1
    assert u.tolist() == [0, 255, 0, inc, dec]
    assert f.tolist() == [32.0, 128.0]
    assert d[0] == 16.0
    assert q[0] == 64 << 33


@pytest.mark.parametrize("schedule", [None, 3])
def test_a_lock_between_all_threads(module: cuda.Module, schedule: int | None) -> None:
    lock, value = np.zeros(1, np.int32), np.zeros(1, np.int32)
    module["spin"][3, 40](lock, value, schedule=schedule, timeout=20)
    assert (lock[0], value[0]) == (0, 120)


def test_a_flag_is_waited_for_when_checked(module: cuda.Module) -> None:
    out = np.zeros(1, np.int32)
    report = cuda.sanitize(module["wait_for_flag"])[1, 64](np.zeros(1, np.int32), out)
    assert report.ok, report
    assert out[0] == 5


def test_cooperative_groups(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(0, 100, 64).astype(np.float32)
    out = np.zeros((5, 64), np.float32)
    module["groups"][1, 64](x, out)
    np.testing.assert_array_equal(out[0], np.repeat(x.reshape(2, 32).sum(1), 32))
    np.testing.assert_array_equal(out[1], np.repeat(x.reshape(16, 4).max(1), 4))
    np.testing.assert_array_equal(out[2], x.reshape(2, 32).cumsum(1).ravel())
    np.testing.assert_array_equal(out[3], np.repeat(x.reshape(16, 4)[:, 2], 4) + 1000 * (np.arange(64) // 32))
    np.testing.assert_array_equal(out[4], np.where(np.arange(64) % 2, 1600 + np.arange(64) % 32 // 2, 0))


def test_tiles_larger_than_a_warp(module: cuda.Module) -> None:
    out = np.zeros((2, 64), np.int32)
    report = cuda.sanitize(module["large_tiles"])[1, 128](out)
    assert report.ok, report
    np.testing.assert_array_equal(out, np.arange(128).reshape(2, 64)[:, ::-1])


def test_vectors(module: cuda.Module, rng: np.random.Generator) -> None:
    x, p = rng.standard_normal((9, 4)).astype(np.float32), rng.integers(0, 9, (9, 2)).astype(np.int32)
    y, q = np.zeros_like(x), p.astype(np.float32)
    module["vectors"][1, 32](x, y, p, 9)
    np.testing.assert_array_equal(y, np.stack([x[:, 3], x[:, 2], x[:, 1] + q[:, 0], x[:, 0] * q[:, 1]], 1))


def test_structs(module: cuda.Module) -> None:
    kind = np.dtype([("a", np.int32), ("b", np.float32)])
    out = np.zeros(1, np.float32)
    listed = np.array([(1, 0.5), (2, 0.25), (3, 1.0)], kind)
    module["structs"][1, 1](np.array((4, 2.0), kind)[()], listed, out, 3)
    assert out[0] == 8 + 0.5 + 0.5 + 3
    module["by_value"][1, 1]((1.0, 0.0, 0.0, 2.0), (0.0, 5.0), out)
    assert out[0] == 8


def test_halves(module: cuda.Module, rng: np.random.Generator) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = rng.standard_normal(100).astype(np.float16)
    u = rng.standard_normal(100).astype(ml_dtypes.bfloat16)
    y, v = np.zeros_like(x), np.zeros_like(u)
    module["halves"][4, 32](x, y, u, v, 100)
    np.testing.assert_array_equal(y, x * x + np.float16(1))
    np.testing.assert_array_equal(v.astype(np.float32), (u * u + ml_dtypes.bfloat16(1)).astype(np.float32))
    z = np.zeros(64, np.float16)
    module["half2s"][1, 32](x[:64], z)
    exact = x[:64].astype(np.float64) ** 2 + x[:64]
    assert np.abs(z - exact).max() <= np.spacing(np.abs(exact).max().astype(np.float16))


def test_fragments(module: cuda.Module, rng: np.random.Generator) -> None:
    a, b = (rng.standard_normal((16, 32)).astype(np.float16) for _ in range(2))
    c = np.zeros((16, 16), np.float32)
    module["fragments"][1, 32](a, b, c)
    np.testing.assert_allclose(c, 2 * (1 + a.astype(np.float64) @ b.astype(np.float64).T), rtol=1e-5, atol=1e-5)


def test_asynchronous_copies(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(0, 100, (3, 128)).astype(np.float32)
    y = np.zeros(32, np.float32)
    report = cuda.sanitize(module["pipeline"])[1, 32](x, y, 3)
    assert report.ok, report
    np.testing.assert_array_equal(y, (x[:, :32] - x[:, ::-1][:, :32]).sum(0))


def test_file_scope_variables(module: cuda.Module) -> None:
    out = np.zeros(4, np.float32)
    module["file_scope"][1, 4](out)
    np.testing.assert_array_equal(out, [3, 30, 300, 3])


def test_dynamic_shared_memory(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.standard_normal(48)
    y = np.zeros(48)
    module["dynamic"][1, 48, 48 * 12](x, y, 48)
    np.testing.assert_array_equal(y, x[::-1] + 2 * np.arange(48)[::-1])


def test_bits(module: cuda.Module, rng: np.random.Generator) -> None:
    x = rng.integers(1, 2**31 - 1, 32).astype(np.int32)
    out = np.zeros((5, 32), np.int32)
    module["bits"][1, 32](x, out)
    words = [f"{v:032b}" for v in x.tolist()]
    count = [w.count("1") + 100 * w.index("1") + 10000 * (32 - w.rindex("1")) for w in words]
    np.testing.assert_array_equal(out[0], count)
    np.testing.assert_array_equal(out[1].view(np.uint32), [int(w[::-1], 2) for w in words])
    np.testing.assert_array_equal(out[2], x.astype(np.int64) * 2**20 >> 32)
    np.testing.assert_array_equal(out[3].view(np.uint32), [0x33221100 | (v & 255) for v in x.tolist()])
    rounded = np.floor(x.astype(np.float32) * np.float32(0.5)).astype(np.int64)
    rounded[0] = (rounded[0] + 2**31 - 1 + 2**31) % 2**32 - 2**31
    np.testing.assert_array_equal(out[4], rounded)
