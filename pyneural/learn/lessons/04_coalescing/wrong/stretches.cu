// says: line 8: a load of a warp touches 32 sectors on average; 32 floats side by side lie in 4
// look: docs/simulator.md, `global_load_sectors_per_request`

__global__ void scale_all(float a, const float* x, float* y, int n) {
  // >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
  int each = (n + gridDim.x * blockDim.x - 1) / (gridDim.x * blockDim.x);
  int first = (blockIdx.x * blockDim.x + threadIdx.x) * each;
  for (int i = first; i < n && i < first + each; i++) y[i] = a * x[i];
  // <<<
}
