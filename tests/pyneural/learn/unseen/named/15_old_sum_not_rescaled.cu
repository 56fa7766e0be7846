// line 17: when the maximum grows, the sum so far must be rescaled by exp(most - higher)
// words: rescaled
// The softmax of each row, maximum and sum in one pass: one warp for a row, 4 rows in a block.

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
    sum += expf(x[i] - higher);
    most = higher;
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    float other = __shfl_xor_sync(0xffffffff, most, distance), more = __shfl_xor_sync(0xffffffff, sum, distance);
    float higher = fmaxf(most, other);
    sum = sum * expf(most - higher) + more * expf(other - higher);
    most = higher;
  }
  for (int i = lane; i < width; i += 32) y[i] = expf(x[i] - most) / sum;
  // <<<
}
