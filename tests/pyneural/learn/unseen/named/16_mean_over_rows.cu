// line 33: the mean is over a row, which has width elements, not height
// words: `height`; name
// Layer norm, backward: the gradient of x, and for each block a part of the weights' gradient. A warp has a row.

constexpr int WARPS = 4, ROWS = 16;  // of a block
constexpr int EACH = 4;              // elements of a row that a lane holds: rows of up to 128

__device__ float warp_sum(float v) {  // in all lanes
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_xor_sync(0xffffffff, v, distance);
  return v;
}

__global__ void layer_norm_backward(const float* x, const float* dy, const float* w, const float* mean,
                                    const float* rstd, float* dx, float* parts, int height, int width) {
  __shared__ float joined[WARPS][32 * EACH];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int end = min(height, (blockIdx.x + 1) * ROWS);
  float dw[EACH] = {};  // of columns lane, lane + 32, lane + 64, lane + 96, over this warp's rows
  for (int row = blockIdx.x * ROWS + warp; row < end; row += WARPS) {
    // >>> your code: dx of this row, and what the row adds to dw.
    float centre = mean[row], scale = rstd[row], normed[EACH], g[EACH];
    float plain = 0, along = 0;
    for (int e = 0; e < EACH; e++) {
      int i = lane + 32 * e, at = row * width + i;
      float grad = i < width ? dy[at] : 0;
      normed[e] = i < width ? (x[at] - centre) * scale : 0;
      g[e] = i < width ? grad * w[i] : 0;
      dw[e] += grad * normed[e];
      plain += g[e];
      along += g[e] * normed[e];
    }
    plain = warp_sum(plain) / width;
    along = warp_sum(along) / height;
    for (int e = 0; e < EACH; e++) {
      int i = lane + 32 * e;
      if (i < width) dx[row * width + i] = scale * (g[e] - plain - normed[e] * along);
    }
    // <<<
  }
  // >>> your code: row blockIdx.x of parts, from the dw of all warps.
  for (int e = 0; e < EACH; e++) joined[warp][lane + 32 * e] = dw[e];
  __syncthreads();
  int i = threadIdx.x;
  float sum = 0;
  for (int other = 0; other < WARPS; other++) sum += joined[other][i];
  if (i < width) parts[blockIdx.x * width + i] = sum;
  // <<<
}
