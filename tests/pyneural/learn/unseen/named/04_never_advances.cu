// line 9 or 10 or 11: nothing changes i within the loop, which therefore never ends
// words: loop; changes
// y = a * x with 256 threads in all, for any n.

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int stride = gridDim.x * blockDim.x;
  while (i < n) {
    y[i] = a * x[i];
    i + stride;
  }
  // <<<
}
