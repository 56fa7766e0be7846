// says: line 6: 62464 bytes move to and from global memory; 16384 would do (n = 2048)
// look: this line, which moves most of them

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) y[i] = a * x[i];
  // <<<
}
