// Padded tile: a row of the tile is one word longer than it needs to be. The elements of a column now lie 33 words
// apart, in 32 different banks. Limited by instructions: for each element one load and one store of each memory.
//
// takes: x[rows, columns] -> y[columns, rows]
// launch: transpose_padded_tile(x, y, rows, columns) grid ceil(columns, TILE), ceil(rows, TILE) block TILE, TILE
// improves: bank_conflicts per element

constexpr int TILE = 32;

__global__ void __launch_bounds__(TILE * TILE) transpose_padded_tile(const float* x, float* y, int rows, int columns) {
  __shared__ float tile[TILE][TILE + 1];
  const int left = blockIdx.x * TILE, top = blockIdx.y * TILE, i = threadIdx.x, j = threadIdx.y;
  if (top + j < rows && left + i < columns) tile[j][i] = x[size_t(top + j) * columns + left + i];
  __syncthreads();
  if (left + j < columns && top + i < rows) y[size_t(left + j) * rows + top + i] = tile[i][j];
}
