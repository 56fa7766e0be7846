// wgmma and TMA (Hopper): a warpgroup of 128 threads multiplies 64 x 128 x 16 with one instruction, whose operands stay
// in shared memory: no instruction loads them into registers. And one thread asks the TMA unit for whole tiles,
// swizzled on their way, which says by a barrier object (mbarrier) when their bytes have come. Two stages: while one is
// multiplied, the other is filled. Neither passes through the load and store unit, where only the results are left.
// Limited by the __syncthreads of each step, at which both warpgroups wait before a stage is filled anew, and by the
// results' stores, during which nothing is multiplied.
//
// arch: sm_90a
// takes: a:float16[m, k], b:float16[k, n] -> c:float16[m, n]
// let: k8 = max(8, ceil(k, 8) * 8)
// let: n8 = ceil(n, 8) * 8
// let: a_fits = k == k8
// let: b_fits = n == n8 and k > 0
// scratch: padded_a:float16[pick(a_fits, 0, m), k8], padded_b:float16[pick(b_fits, 0, max(k, 1)), n8]
// launch: matmul_wgmma_tma_pad(a, padded_a, m, k, k8) grid pick(a_fits, 0, ceil(m * k8, 256)) block 256
// launch: matmul_wgmma_tma_pad(b, padded_b, k, n, n8) grid pick(b_fits, 0, ceil(max(k, 1) * n8, 256)) block 256
// launch: matmul_wgmma_tma(tma(pick(a_fits, a, padded_a), BM, BK),
//   tma(pick(b_fits, b, padded_b), BK, 64), c, m, n, k)
//   grid ceil(n, BN), ceil(m, BM) block THREADS shared STAGES * STAGE
// improves: memory_instructions per FMA

#include <pyneural/ptx/mma.cuh>
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>

using namespace pyneural;

constexpr int BM = 128, BN = 128, BK = 64;
constexpr int THREADS = BM / 64 * 128;
constexpr int STAGES = 2;
constexpr int LEFT = BM * BK * 2, STAGE = LEFT + BK * BN * 2;  // bytes

// TMA takes rows whose bytes are a multiple of 16: a copy of `rows` rows of `from` in rows of `wide`, zeros behind them.
__global__ void matmul_wgmma_tma_pad(const __half* from, __half* to, int rows, int columns, int wide) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const int column = int(i % wide);
  if (i < (long long)rows * wide) to[i] = column < columns ? from[i / wide * columns + column] : __float2half(0.0f);
}

// What wgmma is told of 64 rows of a's tile (lines of 128 bytes are 64 inner places) and of b's (boxes of 64 columns, whose
// lines are inner places), both swizzled by 128 bytes.
__device__ __forceinline__ unsigned long long describe_a(const unsigned char* tile) {
  return ptx::wgmma_descriptor(tile, 16, 8 * 128, ptx::Swizzle::B128);
}
__device__ __forceinline__ unsigned long long describe_b(const unsigned char* tile) {
  return ptx::wgmma_descriptor(tile, 64 * 128, 8 * 128, ptx::Swizzle::B128);
}
constexpr unsigned long long NEXT_A = 16 * 2 >> 4, NEXT_B = 16 * 128 >> 4;  // 16 inner places on, in 16 bytes

// Starts the copies of one step's tiles. What lies outside of the matrices arrives as zeros.
__device__ __forceinline__ void load_stage(unsigned char* stage, ptx::mbarrier* full, const CUtensorMap& a,
                                           const CUtensorMap& b, int row, int column, int inner) {
  ptx::mbarrier_arrive_expect_tx(full, STAGE);
  const int at_a[2] = {inner, row};
  ptx::tma_load(stage, &a, full, at_a);
#pragma unroll
  for (int j = 0; j < BN; j += 64) {
    const int at_b[2] = {column + j, inner};
    ptx::tma_load(stage + LEFT + j * 128, &b, full, at_b);
  }
}

// 64 x BN x 64 products of a warpgroup.
__device__ __forceinline__ void multiply_stage(float (&sums)[BN / 2], const unsigned char* stage, int group, bool first) {
  const unsigned long long left = describe_a(stage + group * 64 * 128), right = describe_b(stage + LEFT);
  ptx::wgmma_fence();
#pragma unroll
  for (int i = 0; i < BK / 16; ++i) {
    ptx::wgmma<BN, __half, false, true>(sums, left + i * NEXT_A, right + i * NEXT_B, i > 0 || !first);
  }
  ptx::wgmma_commit();
}

__global__ void __launch_bounds__(THREADS)
matmul_wgmma_tma(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b, __half* c, int m, int n, int k) {
  extern __shared__ __align__(1024) unsigned char stages[];
  __shared__ ptx::mbarrier full[STAGES];
  const int t = threadIdx.x, group = t / 128, warp = t % 128 / 32, lane = t % 32;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int steps = (k + BK - 1) / BK;
  if (t == 0) {
    for (int i = 0; i < STAGES; ++i) ptx::mbarrier_init(&full[i], 1);
    ptx::fence_mbarrier_init();
    for (int i = 0; i < STAGES && i < steps; ++i) {
      load_stage(stages + i * STAGE, &full[i], a, b, first_row, first_column, i * BK);
    }
  }
  __syncthreads();
  float sums[BN / 2] = {};
  for (int step = 0; step < steps; ++step) {
    const int stage = step % STAGES;
    ptx::mbarrier_wait(&full[stage], step / STAGES % 2);
    multiply_stage(sums, stages + stage * STAGE, group, step == 0);
    ptx::wgmma_wait<0>();
    __syncthreads();  // both warpgroups are done with this stage
    if (t == 0 && step + STAGES < steps) {
      load_stage(stages + stage * STAGE, &full[stage], a, b, first_row, first_column, (step + STAGES) * BK);
    }
  }
  ptx::wgmma_settle(sums);
#pragma unroll
  for (int i = 0; i < BN / 2; i += 2) {
    const int row = first_row + group * 64 + warp * 16 + lane / 4 + i / 2 % 2 * 8;
    const int column = first_column + i / 4 * 8 + lane % 4 * 2;
    __half* to = c + size_t(row) * n + column;
    if (row < m && column + 1 < n && n % 2 == 0) {
      *reinterpret_cast<__half2*>(to) = __floats2half2_rn(sums[i], sums[i + 1]);
    } else if (row < m) {
      if (column < n) to[0] = __float2half(sums[i]);
      if (column + 1 < n) to[1] = __float2half(sums[i + 1]);
    }
  }
}
