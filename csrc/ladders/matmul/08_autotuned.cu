// Autotuned: the same kernel as a template of its tile's sizes. What is best depends on the card and on the problem:
// larger tiles move fewer bytes for each FMA, smaller ones fill more multiprocessors. The candidates below are what a
// tuner has to choose from; the first, taken where nothing else is asked for, has 16 x 8 elements in each of 256
// threads and loads 24 elements for 128 FMA where 8 x 8 loads 16 for 64. Limited by how many sums fit into registers,
// and by the lanes of a warp, which share few of a tile's columns.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_tuned<BM, BN, BK, TM, TN>(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block BM / TM * (BN / TN)
// candidate: BM=128 BN=256 BK=8 TM=16 TN=8
// candidate: BM=128 BN=128 BK=8 TM=8 TN=8
// candidate: BM=128 BN=128 BK=16 TM=8 TN=8
// candidate: BM=64 BN=128 BK=8 TM=8 TN=8
// candidate: BM=64 BN=64 BK=8 TM=4 TN=4
// improves: shared_load_wavefronts per FMA

constexpr int PAD = 4;

// 4 elements of a row of `length`, from `at` on; zeros past its end. One load where the rows are aligned.
__device__ __forceinline__ float4 load4(const float* row, int at, int length, bool aligned) {
  if (aligned && at + 3 < length) return *reinterpret_cast<const float4*>(row + at);
  return make_float4(at < length ? row[at] : 0.0f, at + 1 < length ? row[at + 1] : 0.0f,
                     at + 2 < length ? row[at + 2] : 0.0f, at + 3 < length ? row[at + 3] : 0.0f);
}

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

// Rows of `length` floats begin at multiples of 16 bytes.
__device__ __forceinline__ bool rows_aligned(const float* p, int length) {
  return length % 4 == 0 && reinterpret_cast<size_t>(p) % 16 == 0;
}

template <int BM, int BN, int BK, int TM, int TN>
__global__ void __launch_bounds__(BM / TM * (BN / TN))
matmul_tuned(const float* a, const float* b, float* c, int m, int n, int k) {
  constexpr int THREADS = BM / TM * (BN / TN);
  static_assert(TM % 4 == 0 && TN % 4 == 0 && BK % 4 == 0 && BN % 4 == 0, "whole float4");
  __shared__ __align__(16) float tile_a[BK][BM + PAD], tile_b[BK][BN];
  const int t = threadIdx.x;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int x = t % (BN / TN) * 4, y = t / (BN / TN) * 4;  // of the first group of 4 each way
  const bool a_aligned = rows_aligned(a, k), b_aligned = rows_aligned(b, n), c_aligned = rows_aligned(c, n);
  float sums[TM][TN] = {};
  for (int start = 0; start < k; start += BK) {
    for (int i = t; i < BM * BK / 4; i += THREADS) {
      const int row = i / (BK / 4), inner = i % (BK / 4) * 4;
      float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (first_row + row < m) v = load4(a + size_t(first_row + row) * k, start + inner, k, a_aligned);
      tile_a[inner][row] = v.x;
      tile_a[inner + 1][row] = v.y;
      tile_a[inner + 2][row] = v.z;
      tile_a[inner + 3][row] = v.w;
    }
    for (int i = t; i < BK * BN / 4; i += THREADS) {
      const int inner = i / (BN / 4), column = i % (BN / 4) * 4;
      float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (start + inner < k) v = load4(b + size_t(start + inner) * n, first_column + column, n, b_aligned);
      *reinterpret_cast<float4*>(&tile_b[inner][column]) = v;
    }
    __syncthreads();
#pragma unroll
    for (int inner = 0; inner < BK; ++inner) {
      float from_a[TM], from_b[TN];
#pragma unroll
      for (int i = 0; i < TM; i += 4) {
        const float4 v = *reinterpret_cast<const float4*>(&tile_a[inner][y + i * (BM / TM)]);
        from_a[i] = v.x, from_a[i + 1] = v.y, from_a[i + 2] = v.z, from_a[i + 3] = v.w;
      }
#pragma unroll
      for (int j = 0; j < TN; j += 4) {
        const float4 v = *reinterpret_cast<const float4*>(&tile_b[inner][x + j * (BN / TN)]);
        from_b[j] = v.x, from_b[j + 1] = v.y, from_b[j + 2] = v.z, from_b[j + 3] = v.w;
      }
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] += from_a[i] * from_b[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = first_row + y + i / 4 * 4 * (BM / TM) + i % 4;
    if (row >= m) break;
#pragma unroll
    for (int j = 0; j < TN; j += 4) {
      const float4 v = make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
      store4(c + size_t(row) * n, first_column + x + j * (BN / TN), n, c_aligned, v);
    }
  }
}
