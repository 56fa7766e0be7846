// 3xTF32: float32 on tensor cores. mma.sync multiplies tf32, floats with 10 bits of fraction instead of 23. Each
// operand is split into a tf32 and the tf32 nearest to what is left, and three of the four products are added: high by
// high, and high by low both ways; low by low is below a float's last bit. A warp multiplies 64 x 32 x 8 at a time, and
// each lane holds elements that the whole warp uses: far fewer trips to shared memory for each FMA. Limited by three
// products where one was asked for, and by the splitting, which each warp does anew.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_tf32x3(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_load_wavefronts per FMA

#include <pyneural/ptx/cp_async.cuh>
#include <pyneural/ptx/tf32.cuh>

using namespace pyneural;

constexpr int BM = 128, BN = 128, BK = 16;
constexpr int WM = 64, WN = 32;  // a warp's tile
constexpr int THREADS = BM / WM * (BN / WN) * 32;
constexpr int PAD_A = 4, PAD_B = 8;  // floats; the elements that the lanes of a warp load lie in 32 different banks

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

// x as high + low, both tf32. An infinity is its own high part, and so is what would be rounded to one.
__device__ __forceinline__ void split(float x, unsigned& high, unsigned& low) {
  high = ptx::round_to_tf32(x);
  const bool finite = (high & 0x7fffffffu) != 0x7f800000u;
  if (!finite) high = __float_as_uint(x);
  low = finite ? ptx::round_to_tf32(x - __uint_as_float(high)) : 0u;
}

__global__ void __launch_bounds__(THREADS)
matmul_tf32x3(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) float tile_a[2][BM][BK + PAD_A], tile_b[2][BK][BN + PAD_B];
  const int t = threadIdx.x, warp = t / 32, lane = t % 32;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int y = warp / (BN / WN) * WM, x = warp % (BN / WN) * WN;
  const bool a_aligned = rows_aligned(a, k), b_aligned = rows_aligned(b, n);
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
  // The small products are summed apart: less of them is lost, and where a low part of 0 meets an infinity, they are not
  // added to the infinite result.
  float sums[WM / 16][WN / 8][4] = {}, small[WM / 16][WN / 8][4] = {};
  if (k > 0) load(0, 0);
  for (int start = 0; start < k; start += BK) {
    const int current = start / BK % 2;
    ptx::cp_async_wait<0>();
    __syncthreads();
    if (start + BK < k) load(1 - current, start + BK);
#pragma unroll
    for (int inner = 0; inner < BK; inner += 8) {
      unsigned high_b[WN / 8][2], low_b[WN / 8][2];
#pragma unroll
      for (int j = 0; j < WN / 8; ++j) {
#pragma unroll
        for (int l = 0; l < 2; ++l) {
          split(tile_b[current][inner + lane % 4 + l * 4][x + j * 8 + lane / 4], high_b[j][l], low_b[j][l]);
        }
      }
#pragma unroll
      for (int i = 0; i < WM / 16; ++i) {
        unsigned high_a[4], low_a[4];
#pragma unroll
        for (int l = 0; l < 4; ++l) {
          split(tile_a[current][y + i * 16 + lane / 4 + l % 2 * 8][inner + lane % 4 + l / 2 * 4], high_a[l], low_a[l]);
        }
#pragma unroll
        for (int j = 0; j < WN / 8; ++j) {
          ptx::mma_m16n8k8<ptx::tf32>(small[i][j], low_a, high_b[j]);
          ptx::mma_m16n8k8<ptx::tf32>(small[i][j], high_a, low_b[j]);
          ptx::mma_m16n8k8<ptx::tf32>(sums[i][j], high_a, high_b[j]);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < WM / 16; ++i) {
#pragma unroll
    for (int j = 0; j < WN / 8; ++j) {
#pragma unroll
      for (int l = 0; l < 4; ++l) {
        const int row = first_row + y + i * 16 + lane / 4 + l / 2 * 8, column = first_column + x + j * 8 + lane % 4 * 2 + l % 2;
        const float sum = sums[i][j][l];
        if (row < m && column < n) c[size_t(row) * n + column] = fabsf(sum) <= 3.402823466e38f ? sum + small[i][j][l] : sum;
      }
    }
  }
}
