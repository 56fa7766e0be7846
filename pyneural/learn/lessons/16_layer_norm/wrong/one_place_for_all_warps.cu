// says: line 43: race: thread 31 of block 0 reads shared joined[31], which thread 127 of the same block wrote (line 43) with no __syncthreads() between (21 rows of 100)
// look: what the warps write to shared memory: each has a row of its own there, and all wait before the sum

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
    along = warp_sum(along) / width;
    for (int e = 0; e < EACH; e++) {
      int i = lane + 32 * e;
      if (i < width) dx[row * width + i] = scale * (g[e] - plain - normed[e] * along);
    }
    // <<<
  }
  // >>> your code: row blockIdx.x of parts, from the dw of all warps.
  int i = threadIdx.x;
  joined[0][i] = 0;
  __syncthreads();
  for (int e = 0; e < EACH; e++) joined[0][lane + 32 * e] += dw[e];
  __syncthreads();
  if (i < width) parts[blockIdx.x * width + i] = joined[0][i];
  // <<<
}
