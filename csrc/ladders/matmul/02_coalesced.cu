// Coalesced: the same kernel with the roles of x and y exchanged. The lanes of a warp now stand in one row of c, beside
// each other: their loads of b are 128 consecutive bytes, 4 sectors that are used whole, and their load of a is one
// element that all of them share, 1 sector. Still 2 loads for each FMA; limited by the load instructions and by the
// same elements being fetched again for every row and column.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_coalesced(a, b, c, m, n, k) grid ceil(n, 32), ceil(m, 8) block 32, 8
// improves: global_load_sectors per FMA

__global__ void matmul_coalesced(const float* a, const float* b, float* c, int m, int n, int k) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= m || column >= n) return;
  float sum = 0.0f;
  for (int i = 0; i < k; ++i) sum += a[size_t(row) * k + i] * b[size_t(i) * n + column];
  c[size_t(row) * n + column] = sum;
}
