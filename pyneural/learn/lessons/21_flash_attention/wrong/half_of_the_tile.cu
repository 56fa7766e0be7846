// says: line 38: uninitialized_read: thread 510 of block 0 reads shared kt[990], which nothing has written (17 rows of q, 70 of k and v)
// look: a tile has 32 rows for 16 warps, and the last tile has rows past the end
// says: line 44: uninitialized_read: thread 31 of block 0 reads shared vt[543], which nothing has written (17 rows of q, 70 of k and v)
// look: a tile has 32 rows for 16 warps, and the last tile has rows past the end
// says: line 48: o[...] is ..., not ...; ... of 544 elements are wrong (17 rows of q, 70 of k and v); this one is the work of ...
// look: which element each thread computes, for the thread named

// Attention of one head: o = softmax(q k^T / sqrt(D)) v. A warp for a row of q; k and v pass by in tiles of 32 rows.

constexpr int D = 32, TILE = 32, WARPS = 16;
constexpr unsigned ALL = 0xffffffff;
constexpr float LOWEST = -1e30f;  // below every score

__device__ float warp_max(float x) {
  for (int distance = 16; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(ALL, x, distance));
  return x;
}
__device__ float warp_sum(float x) {
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(ALL, x, distance);
  return x;
}

__global__ void attention(const float* q, const float* k, const float* v, float* o, int m, int n) {
  __shared__ float kt[TILE][D + 1], vt[TILE][D], qt[WARPS][D];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int row = blockIdx.x * WARPS + warp;
  qt[warp][lane] = row < m ? q[row * D + lane] : 0;
  float most = LOWEST, sum = 0;  // of the scores so far, as in lesson 15
  float out = 0;                 // so far, of column `lane` of o
  // >>> your code: for each tile of k and v: load, scores, weights, output so far.
  for (int first = 0; first < n; first += TILE) {
    __syncthreads();
    int t = warp;
    kt[t][lane] = first + t < n ? k[(first + t) * D + lane] : 0;
    vt[t][lane] = first + t < n ? v[(first + t) * D + lane] : 0;
    __syncthreads();
    float score = 0;
    for (int j = 0; j < D; j++) score += qt[warp][j] * kt[lane][j];
    score = first + lane < n ? score * rsqrtf(D) : LOWEST;
    float higher = fmaxf(most, warp_max(score));
    float weight = expf(score - higher), fade = expf(most - higher);
    sum = sum * fade + warp_sum(weight);
    out *= fade;
    for (int j = 0; j < TILE; j++) out += __shfl_sync(ALL, weight, j) * vt[j][lane];
    most = higher;
  }
  // <<<
  if (row < m) o[row * D + lane] = out / sum;
}
