// Naive: thread (row, column) copies one element to (column, row). Lanes read beside each other, 4 sectors for 32
// elements, and write `rows` elements apart: each lane's 4 bytes in a sector of their own. Limited by those stores,
// which move 8 times the bytes that they write.
//
// takes: x[rows, columns] -> y[columns, rows]
// launch: transpose_naive(x, y, rows, columns) grid ceil(columns, 32), ceil(rows, 8) block 32, 8

__global__ void transpose_naive(const float* x, float* y, int rows, int columns) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row < rows && column < columns) y[size_t(column) * rows + row] = x[size_t(row) * columns + column];
}
