// says: line 7: y[70] is never written; it must be ...; 122 of 192 elements are wrong (grid 3, block 64); this one is the work of thread 6 of block 1
// look: a block has blockDim.x threads; gridDim.x is the number of blocks

__global__ void scale(float a, const float* x, float* y) {
  // >>> your code: which element is this thread's? Write it.
  int i = blockIdx.x * gridDim.x + threadIdx.x;
  y[i] = a * x[i];
  // <<<
}
