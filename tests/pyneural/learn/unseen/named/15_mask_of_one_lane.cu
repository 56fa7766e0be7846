// line 21 or 22: the mask names one lane, and a value comes only from lanes that it names
// words: mask; lanes
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
    sum = sum * expf(most - higher) + expf(x[i] - higher);
    most = higher;
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    float other = __shfl_xor_sync(1u << lane, most, distance);
    float more = __shfl_xor_sync(1u << lane, sum, distance);
    float higher = fmaxf(most, other);
    sum = sum * expf(most - higher) + more * expf(other - higher);
    most = higher;
  }
  for (int i = lane; i < width; i += 32) y[i] = expf(x[i] - most) / sum;
  // <<<
}
