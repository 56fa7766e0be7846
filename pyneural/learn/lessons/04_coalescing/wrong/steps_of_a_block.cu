// says: line 6: elements are written 3.81 times each on average; once would do (n = 2048)
// look: how many threads, and which rounds of a loop, come to one element

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) y[i] = a * x[i];
  // <<<
}
