// line 7: an index counts elements and not bytes: no sizeof
// words: bytes; elements; sizeof
// y = a * x, one thread for each element; there are exactly as many threads as elements.

__global__ void scale(float a, const float* x, float* y) {
  // >>> your code: which element is this thread's? Write it.
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * sizeof(float);
  y[i] = a * x[i];
  // <<<
}
