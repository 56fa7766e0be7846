// line 7: each thread goes on to the end one by one, so that elements are computed many times
// words: times; written
// y = a * x with 256 threads in all, for any n.

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i++) y[i] = a * x[i];
  // <<<
}
