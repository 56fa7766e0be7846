// Double buffer with cp.async: two buffers for each tile. While the products of one are computed, copies into the other
// are under way: cp.async writes shared memory itself, with no register between, and a thread waits for its copies only
// a step later. So that 16 bytes can be copied at once, a's tile is no longer turned: a thread takes 4 inner places of
// a row in one load instead. One barrier a step is left: behind it the new tiles are complete and nobody reads the old
// ones. Limited by the CUDA cores' rate of FMA, which this form of the product cannot pass.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_double_buffer(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_store_requests per FMA

#include <pyneural/ptx/cp_async.cuh>

using namespace pyneural;

constexpr int BM = 128, BN = 256, BK = 8;
constexpr int WM = 64, WN = 64;  // a warp's tile
constexpr int TM = 16, TN = 8;   // a thread's part of it, in groups of 4 x 4
constexpr int LANES_M = WM / TM, LANES_N = WN / TN;
constexpr int THREADS = BM / WM * (BN / WN) * 32;
static_assert(LANES_M * LANES_N == 32, "a warp has 32 lanes");

__device__ __forceinline__ void store4(float* row, int at, int length, bool aligned, float4 v) {
  if (aligned && at + 3 < length) {
    *reinterpret_cast<float4*>(row + at) = v;
    return;
  }
  if (at < length) row[at] = v.x;
  if (at + 1 < length) row[at + 1] = v.y;
  if (at + 2 < length) row[at + 2] = v.z;
  if (at + 3 < length) row[at + 3] = v.w;
}

// Starts the copy of 4 elements of a row; zeros past the edges of the rows x length matrix.
__device__ __forceinline__ void copy4(float* to, const float* from, int row, int at, int rows, int length, bool aligned) {
  const float* begin = from + size_t(row) * length + at;
  if (aligned) {  // the length is a multiple of 4: all 4 are inside, or none
    const bool inside = row < rows && at < length;
    ptx::cp_async_zfill<16>(to, inside ? begin : from, inside);
    return;
  }
  for (int j = 0; j < 4; ++j) {
    const bool inside = row < rows && at + j < length;
    ptx::cp_async_zfill<4>(to + j, inside ? begin + j : from, inside);
  }
}

// Rows of `length` floats begin at multiples of 16 bytes.
__device__ __forceinline__ bool rows_aligned(const float* p, int length) {
  return length % 4 == 0 && reinterpret_cast<size_t>(p) % 16 == 0;
}

__global__ void __launch_bounds__(THREADS)
matmul_double_buffer(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) float tile_a[2][BM][BK], tile_b[2][BK][BN];
  const int t = threadIdx.x;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int warp = t / 32, lane = t % 32;
  const int x = warp % (BN / WN) * WN + lane % LANES_N * 4;  // of the first group of 4 each way
  const int y = warp / (BN / WN) * WM + lane / LANES_N * 4;
  const bool a_aligned = rows_aligned(a, k), b_aligned = rows_aligned(b, n), c_aligned = rows_aligned(c, n);
  // Starts the copies of the tiles at inner place `start`. a is turned, which takes 4 bytes at a time.
  // Starts the copies of the tiles at inner place `start`; zeros stand past the edges.
  const auto load = [&](int buffer, int start) {
    for (int i = t; i < BM * BK / 4; i += THREADS) {
      const int row = i / (BK / 4), inner = i % (BK / 4) * 4;
      copy4(&tile_a[buffer][row][inner], a, first_row + row, start + inner, m, k, a_aligned);
    }
    for (int i = t; i < BK * BN / 4; i += THREADS) {
      const int inner = i / (BN / 4), column = i % (BN / 4) * 4;
      copy4(&tile_b[buffer][inner][column], b, start + inner, first_column + column, k, n, b_aligned);
    }
    ptx::cp_async_commit();
  };
  float sums[TM][TN] = {};
  if (k > 0) load(0, 0);
  for (int start = 0; start < k; start += BK) {
    const int current = start / BK % 2;
    ptx::cp_async_wait<0>();
    __syncthreads();  // everybody's copies have arrived, and everybody is done with the other buffer
    if (start + BK < k) load(1 - current, start + BK);
#pragma unroll
    for (int inner = 0; inner < BK; inner += 4) {
      float from_b[4][TN];
#pragma unroll
      for (int l = 0; l < 4; ++l) {
#pragma unroll
        for (int j = 0; j < TN; j += 4) {
          const float4 v = *reinterpret_cast<const float4*>(&tile_b[current][inner + l][x + j * LANES_N]);
          from_b[l][j] = v.x, from_b[l][j + 1] = v.y, from_b[l][j + 2] = v.z, from_b[l][j + 3] = v.w;
        }
      }
#pragma unroll
      for (int i = 0; i < TM; ++i) {
        const int row = y + i / 4 * 4 * LANES_M + i % 4;
        const float4 v = *reinterpret_cast<const float4*>(&tile_a[current][row][inner]);
#pragma unroll
        for (int j = 0; j < TN; ++j) {
          sums[i][j] += v.x * from_b[0][j];
          sums[i][j] += v.y * from_b[1][j];
          sums[i][j] += v.z * from_b[2][j];
          sums[i][j] += v.w * from_b[3][j];
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = first_row + y + i / 4 * 4 * LANES_M + i % 4;
    if (row >= m) break;
#pragma unroll
    for (int j = 0; j < TN; j += 4) {
      const float4 v = make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
      store4(c + size_t(row) * n, first_column + x + j * LANES_N, n, c_aligned, v);
    }
  }
}
