// Naive: one thread for each element of c, one multiplication and addition at a time. Both factors of each come from
// global memory: 2 loads for 1 FMA. Neighbouring threads of a warp (threadIdx.x) stand in neighbouring rows of a, whose
// elements lie k apart, so that a warp's one load touches 32 sectors of 32 bytes and uses 4 bytes of each. Limited by
// the number of sectors that move for each FMA.
//
// takes: a[m, k], b[k, n] -> c[m, n]
// launch: matmul_naive(a, b, c, m, n, k) grid ceil(m, 32), ceil(n, 8) block 32, 8

__global__ void matmul_naive(const float* a, const float* b, float* c, int m, int n, int k) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  const int column = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= m || column >= n) return;
  float sum = 0.0f;
  for (int i = 0; i < k; ++i) sum += a[size_t(row) * k + i] * b[size_t(i) * n + column];
  c[size_t(row) * n + column] = sum;
}
