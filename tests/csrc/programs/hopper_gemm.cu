// C = A B^T in bfloat16 on an H100: tiles come by TMA through a ring of stages, a warpgroup multiplies with wgmma,
// and the result leaves by TMA. Usage: hopper_gemm [m n k]
#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>

using namespace pyneural;

#define CHECK(call)                                                                            \
  do {                                                                                         \
    cudaError_t status = (call);                                                               \
    if (status != cudaSuccess) {                                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(status));          \
      exit(1);                                                                                 \
    }                                                                                          \
  } while (0)

constexpr int BM = 64, BN = 96, BK = 64, STAGES = 3;

struct Shared {
  alignas(1024) __nv_bfloat16 a[STAGES][BM * BK];
  alignas(1024) __nv_bfloat16 b[STAGES][BN * BK];
  alignas(128) float c[BM * BN];
  ptx::mbarrier full[STAGES], empty[STAGES];
};

__global__ void __launch_bounds__(160)
gemm(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, const __grid_constant__ CUtensorMap c, int k) {
  extern __shared__ __align__(1024) unsigned char raw[];
  Shared& s = *reinterpret_cast<Shared*>(raw);
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN, steps = (k + BK - 1) / BK;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) {
      ptx::mbarrier_init(&s.full[i], 1);
      ptx::mbarrier_init(&s.empty[i], 128);
    }
    ptx::fence_mbarrier_init();
  }
  __syncthreads();

  if (threadIdx.x >= 128) {  // the producer's warp
    if (ptx::elect_one()) {
      for (int i = 0; i < steps; ++i) {
        const int stage = i % STAGES;
        if (i >= STAGES) ptx::mbarrier_wait(&s.empty[stage], (i / STAGES - 1) & 1);
        ptx::mbarrier_arrive_expect_tx(&s.full[stage], sizeof s.a[0] + sizeof s.b[0]);
        const int at_a[2] = {i * BK, m0}, at_b[2] = {i * BK, n0};
        ptx::tma_load(s.a[stage], &a, &s.full[stage], at_a);
        ptx::tma_load(s.b[stage], &b, &s.full[stage], at_b);
      }
    }
    return;
  }

  float d[BN / 2];
  for (int i = 0; i < steps; ++i) {
    const int stage = i % STAGES;
    ptx::mbarrier_wait(&s.full[stage], (i / STAGES) & 1);
    ptx::wgmma_fence();
    for (int kk = 0; kk < BK / 16; ++kk)
      ptx::wgmma<BN, __nv_bfloat16>(d, ptx::wgmma_descriptor(s.a[stage] + kk * 16, 16, 1024, ptx::Swizzle::B128),
                                    ptx::wgmma_descriptor(s.b[stage] + kk * 16, 16, 1024, ptx::Swizzle::B128), i + kk > 0);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    ptx::mbarrier_arrive(&s.empty[stage]);
  }

  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int i = 0; i < BN / 2; ++i)
    s.c[(warp * 16 + lane / 4 + i / 2 % 2 * 8) * BN + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
  ptx::fence_proxy_async();
  ptx::named_barrier_sync(1, 128);
  if (threadIdx.x == 0) {
    const int at[2] = {n0, m0};
    ptx::tma_store(&c, s.c, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

typedef CUresult (*Encode)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                           const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// The driver's function is asked for at run time, so that nothing has to be linked with libcuda.
Encode find_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) exit(2);
  return reinterpret_cast<Encode>(function);
}

CUtensorMap map_of(void* p, CUtensorMapDataType type, size_t width, int rows, int columns, int box_rows, int box_columns,
                   CUtensorMapSwizzle swizzle) {
  static const Encode encode = find_encode();
  CUtensorMap map;
  const cuuint64_t sizes[2] = {cuuint64_t(columns), cuuint64_t(rows)}, strides[1] = {columns * width};
  const cuuint32_t box[2] = {cuuint32_t(box_columns), cuuint32_t(box_rows)}, steps[2] = {1, 1};
  const CUresult result = encode(&map, type, 2, p, sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    fprintf(stderr, "no tensor map for %d x %d\n", rows, columns);
    exit(2);
  }
  return map;
}

int main(int argc, char** argv) {
  const int m = argc > 3 ? atoi(argv[1]) : 100, n = argc > 3 ? atoi(argv[2]) : 120, k = argc > 3 ? atoi(argv[3]) : 264;
  std::vector<__nv_bfloat16> a(size_t(m) * k), b(size_t(n) * k);
  for (size_t i = 0; i < a.size(); ++i) a[i] = __float2bfloat16(float(int(i * 7 % 11) - 5));
  for (size_t i = 0; i < b.size(); ++i) b[i] = __float2bfloat16(float(int(i * 5 % 13) - 6));
  __nv_bfloat16 *da, *db;
  float* dc;
  CHECK(cudaMalloc(&da, a.size() * sizeof a[0]));
  CHECK(cudaMalloc(&db, b.size() * sizeof b[0]));
  CHECK(cudaMalloc(&dc, size_t(m) * n * sizeof(float)));
  CHECK(cudaMemcpy(da, a.data(), a.size() * sizeof a[0], cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(db, b.data(), b.size() * sizeof b[0], cudaMemcpyHostToDevice));

  const CUtensorMap ma = map_of(da, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, m, k, BM, BK, CU_TENSOR_MAP_SWIZZLE_128B);
  const CUtensorMap mb = map_of(db, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, n, k, BN, BK, CU_TENSOR_MAP_SWIZZLE_128B);
  const CUtensorMap mc = map_of(dc, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4, m, n, BM, BN, CU_TENSOR_MAP_SWIZZLE_NONE);
  CHECK(cudaFuncSetAttribute(gemm, cudaFuncAttributeMaxDynamicSharedMemorySize, int(sizeof(Shared))));
  const dim3 grid((n + BN - 1) / BN, (m + BM - 1) / BM);
  gemm<<<grid, 160, sizeof(Shared)>>>(ma, mb, mc, k);
  CHECK(cudaGetLastError());
  CHECK(cudaDeviceSynchronize());

  std::vector<float> c(size_t(m) * n);
  CHECK(cudaMemcpy(c.data(), dc, c.size() * sizeof c[0], cudaMemcpyDeviceToHost));
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;  // of small integers: exact in any order
      for (int p = 0; p < k; ++p) sum += __bfloat162float(a[size_t(i) * k + p]) * __bfloat162float(b[size_t(j) * k + p]);
      if (sum != c[size_t(i) * n + j]) {
        printf("FAIL at (%d, %d): %g instead of %g\n", i, j, c[size_t(i) * n + j], sum);
        return 1;
      }
    }
  CHECK(cudaFree(da));
  CHECK(cudaFree(db));
  CHECK(cudaFree(dc));
  printf("PASS\n");
  return 0;
}
