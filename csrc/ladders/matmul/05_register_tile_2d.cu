// 2-D register tile: each thread computes 8 x 8 elements of c. For each inner place it loads 8 elements of a and 8 of b
// into registers and multiplies each with each: 16 shared loads for 64 FMA. The block's tile grows to 128 x 128, which
// halves the sectors for each FMA as well. Limited by bank conflicts: the lanes read places that lie 8 apart, and 4 of
// them meet in each bank.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_register_tile_2d(a, b, c, m, n, k) grid ceil(n, BN), ceil(m, BM) block THREADS
// improves: shared_load_wavefronts per FMA

constexpr int BM = 128, BN = 128, BK = 8;
constexpr int TM = 8, TN = 8;
constexpr int THREADS = BM / TM * (BN / TN);

__global__ void __launch_bounds__(THREADS, 2)
matmul_register_tile_2d(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float tile_a[BM][BK], tile_b[BK][BN];
  const int t = threadIdx.x;
  const int first_row = blockIdx.y * BM, first_column = blockIdx.x * BN;
  const int x = t % (BN / TN) * TN, y = t / (BN / TN) * TM;
  float sums[TM][TN] = {};
  for (int start = 0; start < k; start += BK) {
    for (int i = t; i < BM * BK; i += THREADS) {
      const int row = first_row + i / BK, inner = start + i % BK;
      tile_a[i / BK][i % BK] = row < m && inner < k ? a[size_t(row) * k + inner] : 0.0f;
    }
    for (int i = t; i < BK * BN; i += THREADS) {
      const int inner = start + i / BN, column = first_column + i % BN;
      tile_b[i / BN][i % BN] = inner < k && column < n ? b[size_t(inner) * n + column] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int inner = 0; inner < BK; ++inner) {
      float from_a[TM], from_b[TN];
#pragma unroll
      for (int i = 0; i < TM; ++i) from_a[i] = tile_a[y + i][inner];
#pragma unroll
      for (int j = 0; j < TN; ++j) from_b[j] = tile_b[inner][x + j];
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] += from_a[i] * from_b[j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < TM; ++i) {
    const int row = first_row + y + i;
    for (int j = 0; j < TN; ++j) {
      const int column = first_column + x + j;
      if (row < m && column < n) c[size_t(row) * n + column] = sums[i][j];
    }
  }
}
