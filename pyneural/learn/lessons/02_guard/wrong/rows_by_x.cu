// says: line 8: out[16, 0] is never written; it must be ...; 256 of 512 elements are wrong (32 rows of 16); this one is the work of thread (0, 0) of block (0, 1)
// look: which element each thread computes, for the thread named: `row = blockIdx.x * blockDim.x + threadIdx.x` (line 6), `column = blockIdx.y * blockDim.y + threadIdx.y` (line 7)

__global__ void invert(const int* in, int* out, int height, int width) {
  // >>> your code: the row and the column of this thread, a guard, one pixel.
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  int column = blockIdx.y * blockDim.y + threadIdx.y;
  if (row < height && column < width) out[row * width + column] = 255 - in[row * width + column];
  // <<<
}
