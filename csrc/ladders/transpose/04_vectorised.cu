// Vectorised, swizzled: each thread moves 4 elements, 16 bytes a request, but for the turn itself. Padding by one word
// would break the alignment of 16 bytes, so groups of 4 words are exchanged within a row of the tile instead: group g
// of row r lies at g ^ (r / 4). Limited by the bandwidth of device memory. Matrices whose rows are not aligned take the
// scalar way.
//
// takes: x[rows, columns] -> y[columns, rows]
// launch: transpose_vectorised(x, y, rows, columns) grid ceil(columns, TILE), ceil(rows, TILE) block TILE / 4, TILE
// improves: memory_instructions per element

constexpr int TILE = 32;

// Where element `at` of a row of the turned tile lies in shared memory.
__device__ __forceinline__ int place(int row, int at) { return row * TILE + ((at / 4) ^ (row / 4)) * 4 + at % 4; }

__global__ void __launch_bounds__(TILE / 4 * TILE) transpose_vectorised(const float* x, float* y, int rows, int columns) {
  __shared__ __align__(16) float tile[TILE * TILE];
  const int left = blockIdx.x * TILE, top = blockIdx.y * TILE, i = threadIdx.x * 4, j = threadIdx.y;
  const int row = top + j, column = left + i;
  if (row < rows && column < columns) {
    const float* from = x + size_t(row) * columns + column;
    if (columns % 4 == 0 && reinterpret_cast<size_t>(x) % 16 == 0) {
      const float4 v = *reinterpret_cast<const float4*>(from);
      tile[place(i, j)] = v.x;
      tile[place(i + 1, j)] = v.y;
      tile[place(i + 2, j)] = v.z;
      tile[place(i + 3, j)] = v.w;
    } else {
      for (int l = 0; l < 4 && column + l < columns; ++l) tile[place(i + l, j)] = from[l];
    }
  }
  __syncthreads();
  const int out_row = left + j, out_column = top + i;
  if (out_row < columns && out_column < rows) {
    float* to = y + size_t(out_row) * rows + out_column;
    if (rows % 4 == 0 && reinterpret_cast<size_t>(y) % 16 == 0) {
      *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(&tile[place(j, i)]);
    } else {
      for (int l = 0; l < 4 && out_column + l < rows; ++l) to[l] = tile[place(j, i + l)];
    }
  }
}
