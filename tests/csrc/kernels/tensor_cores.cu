// Half-precision products: tensor cores fed by asynchronous copies in two stages, and packed arithmetic.
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <mma.h>
#include <cstdint>

using namespace nvcuda::wmma;

template <int kWarpsM = 2, int kWarpsN = 2>
__global__ void hgemm_async(const __half* __restrict__ a, const __half* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
  constexpr int kTileM = kWarpsM * 16, kTileN = kWarpsN * 16, kTileK = 16, kSkew = 8;
  __shared__ __align__(16) __half sa[2][kTileM][kTileK + kSkew];
  __shared__ __align__(16) __half sb[2][kTileK][kTileN + kSkew];
  const int warp = threadIdx.x / 32, warp_m = warp / kWarpsN, warp_n = warp % kWarpsN;
  const int row0 = blockIdx.y * kTileM, col0 = blockIdx.x * kTileN;

  auto load_stage = [&](int stage, int k0) {
    // 8 halves, that is 16 bytes, at a time
    for (int i = threadIdx.x; i < kTileM * kTileK / 8; i += blockDim.x) {
      const int r = i / (kTileK / 8), col = i % (kTileK / 8) * 8;
      __pipeline_memcpy_async(&sa[stage][r][col], &a[(row0 + r) * k + k0 + col], 16);
    }
    for (int i = threadIdx.x; i < kTileK * kTileN / 8; i += blockDim.x) {
      const int r = i / (kTileN / 8), col = i % (kTileN / 8) * 8;
      __pipeline_memcpy_async(&sb[stage][r][col], &b[(k0 + r) * n + col0 + col], 16);
    }
    __pipeline_commit();
  };

  fragment<accumulator, 16, 16, 16, float> acc;
  fill_fragment(acc, 0.f);
  load_stage(0, 0);
  const int steps = k / kTileK;
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      load_stage((step + 1) & 1, (step + 1) * kTileK);
      __pipeline_wait_prior(1);
    } else {
      __pipeline_wait_prior(0);
    }
    __syncthreads();
    fragment<matrix_a, 16, 16, 16, __half, row_major> fa;
    fragment<matrix_b, 16, 16, 16, __half, row_major> fb;
    load_matrix_sync(fa, &sa[step & 1][warp_m * 16][0], kTileK + kSkew);
    load_matrix_sync(fb, &sb[step & 1][0][warp_n * 16], kTileN + kSkew);
    mma_sync(acc, fa, fb, acc);
    __syncthreads();
  }
  store_matrix_sync(&c[(row0 + warp_m * 16) * n + col0 + warp_n * 16], acc, n, mem_row_major);
}

// z = a x + y on pairs of halves; an odd last element by thread 0.
__global__ void haxpy(int n, __half a, const __half* x, const __half* y, __half* z) {
  const int start = threadIdx.x + blockDim.x * blockIdx.x;
  const int stride = blockDim.x * gridDim.x;
  const int n2 = n / 2;
  const __half2* x2 = (const __half2*)x;
  const __half2* y2 = (const __half2*)y;
  __half2* z2 = (__half2*)z;
  for (int i = start; i < n2; i += stride) z2[i] = __hfma2(__halves2half2(a, a), x2[i], y2[i]);
  if (start == 0 && (n % 2)) z[n - 1] = __hfma(a, x[n - 1], y[n - 1]);
}

// int8 products, four at a time, for a row of weights with a scale each.
__global__ void gemv_int8(const int32_t* __restrict__ weight, const int32_t* __restrict__ x, const float* __restrict__ scale,
                          float x_scale, float* __restrict__ y, int rows, int packed) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  int sum = 0;
  for (int i = threadIdx.x; i < packed; i += 32) sum = __dp4a(weight[row * packed + i], x[i], sum);
  sum = __reduce_add_sync(0xffffffff, sum);
  if (threadIdx.x == 0) y[row] = sum * scale[row] * x_scale;
}
