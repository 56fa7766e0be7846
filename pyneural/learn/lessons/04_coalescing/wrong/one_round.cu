// says: line 7: y[256] is never written; it must be ...; 1 of 257 elements are wrong (n = 257); this one is the work of thread 0 of block 0 in round 1
// look: which element each thread computes, for the thread named: `i = blockIdx.x * blockDim.x + threadIdx.x` (line 6)

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i];
  // <<<
}
