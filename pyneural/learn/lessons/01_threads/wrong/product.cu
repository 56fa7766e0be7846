// says: line 7: y[1] is never written; it must be ...; 31 of 32 elements are wrong (grid 1, block 32); this one is the work of thread 1 of block 0
// look: which element each thread computes, for the thread named: `i = blockIdx.x * threadIdx.x` (line 6)

__global__ void scale(float a, const float* x, float* y) {
  // >>> your code: which element is this thread's? Write it.
  int i = blockIdx.x * threadIdx.x;
  y[i] = a * x[i];
  // <<<
}
