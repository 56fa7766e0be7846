// says: line 25: y[0, ...] is ..., not ...; ... of 1000 elements are wrong (5 rows of 200); this one is the work of lane ... of warp 0 of block 0
// look: which element each thread computes, for the thread named

constexpr float LOWEST = -1e30f;  // below every x, and LOWEST - LOWEST is 0

__global__ void softmax(const float* x, float* y, int height, int width) {
  int lane = threadIdx.x % 32;
  int row = blockIdx.x * 4 + threadIdx.x / 32;
  if (row >= height) return;  // whole warps
  x += row * width;
  y += row * width;
  // >>> your code: a pair for each lane, the pairs of the warp joined, the results.
  float most = LOWEST, sum = 0;
  for (int i = lane; i < width; i += 32) {
    float higher = fmaxf(most, x[i]);
    sum = sum * expf(most - higher) + expf(x[i] - higher);
    most = higher;
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    float other = __shfl_down_sync(0xffffffff, most, distance), more = __shfl_down_sync(0xffffffff, sum, distance);
    float higher = fmaxf(most, other);
    sum = sum * expf(most - higher) + more * expf(other - higher);
    most = higher;
  }
  for (int i = lane; i < width; i += 32) y[i] = expf(x[i] - most) / sum;
  // <<<
}
