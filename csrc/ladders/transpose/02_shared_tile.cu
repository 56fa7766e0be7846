// Shared tile: a block copies a tile of 32 x 32 into shared memory by rows and takes it out by columns. Global memory
// is read and written side by side; the turn happens in shared memory, which has no sectors. Limited by its banks
// instead: the elements of a column lie 32 words apart, all in one bank, and a warp's load is served one lane at a
// time.
//
// takes: x[rows, columns] -> y[columns, rows]
// launch: transpose_shared_tile(x, y, rows, columns) grid ceil(columns, TILE), ceil(rows, TILE) block TILE, TILE
// improves: global_store_sectors per element

constexpr int TILE = 32;

__global__ void __launch_bounds__(TILE * TILE) transpose_shared_tile(const float* x, float* y, int rows, int columns) {
  __shared__ float tile[TILE][TILE];
  const int left = blockIdx.x * TILE, top = blockIdx.y * TILE, i = threadIdx.x, j = threadIdx.y;
  if (top + j < rows && left + i < columns) tile[j][i] = x[size_t(top + j) * columns + left + i];
  __syncthreads();
  if (left + j < columns && top + i < rows) y[size_t(left + j) * rows + top + i] = tile[i][j];
}
