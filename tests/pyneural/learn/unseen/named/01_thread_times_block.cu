// line 7: the number of the block is multiplied by the size of a block, not the number of the thread
// words: threadIdx.x * blockDim.x; blockIdx.x
// y = a * x, one thread for each element; there are exactly as many threads as elements.

__global__ void scale(float a, const float* x, float* y) {
  // >>> your code: which element is this thread's? Write it.
  int i = threadIdx.x * blockDim.x + blockIdx.x;
  y[i] = a * x[i];
  // <<<
}
