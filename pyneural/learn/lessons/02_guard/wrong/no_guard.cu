// says: line 8: out_of_bounds: thread (0, 2) of block (0, 1) reads global in[378], 4 bytes past the end of its 378 elements (18 rows of 21)
// look: the guard: a thread may have a row without a column, or a column without a row

__global__ void invert(const int* in, int* out, int height, int width) {
  // >>> your code: the row and the column of this thread, a guard, one pixel.
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  int row = blockIdx.y * blockDim.y + threadIdx.y;
  out[row * width + column] = 255 - in[row * width + column];
  // <<<
}
