// says: line 16: race: thread 8 of block 0 writes shared tile[8], which thread 0 of the same block read (line 21) with no __syncwarp() or __syncthreads() between (32 rows of 64)
// look: what orders the two accesses: between them every thread of the block must pass a barrier
// says: line 21: race: thread 8 of block 0 reads shared tile[264], which thread 0 of the same block wrote (line 16) with no __syncwarp() or __syncthreads() between (32 rows of 64)
// look: what orders the two accesses: between them every thread of the block must pass a barrier
// says: line 21: y[0, 1] is ..., not ...; 992 of 2048 elements are wrong (32 rows of 64)
// look: which element each thread computes, for the thread named

constexpr int SIDE = 32, ROWS = 8;

__global__ void transpose(const float* x, float* y, int height, int width) {
  // >>> your code: a tile, filled by rows of x, emptied by rows of y.
  __shared__ float tile[SIDE][SIDE + 1];
  int column = blockIdx.x * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int row = blockIdx.y * SIDE + t;
    if (row < height && column < width) tile[t][threadIdx.x] = x[row * width + column];
  }
  int to = blockIdx.y * SIDE + threadIdx.x;
  for (int t = threadIdx.y; t < SIDE; t += ROWS) {
    int from = blockIdx.x * SIDE + t;
    if (from < width && to < height) y[from * height + to] = tile[threadIdx.x][t];
  }
  // <<<
}
