// says: line 13: 1064960 bytes move to and from global memory; 49152 would do ((64, 64) times (64, 64))
// look: this line, which moves most of them

constexpr int SIDE = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float at[SIDE][SIDE], bt[SIDE][SIDE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * SIDE + ty, column = blockIdx.x * SIDE + tx;
  // >>> your code: a loop over pairs of tiles; then the result.
  if (row >= m || column >= n) return;
  float sum = 0;
  for (int j = 0; j < k; j++) sum += a[row * k + j] * b[j * n + column];
  c[row * n + column] = sum;
  // <<<
}
