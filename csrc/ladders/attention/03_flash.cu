// Flash attention with online softmax (Dao et al., 2022): a block takes 32 rows of q and goes over the keys 32 at a
// time, each tile of keys and values loaded into shared memory once for all rows. Four threads share a row. Its largest
// score and sum so far are carried along; when a larger score comes, the result so far is scaled down. One pass, no
// scores in memory, and a 32nd of the loads of keys and values. Limited by shared memory: a load or more for each FMA.
//
// takes: q[heads, rows, e], k[heads, keys, e], v[heads, keys, ev], causal=0 -> y[heads, rows, ev]
// requires: e >= 1
// requires: e <= MOST and ev <= MOST
// launch: attention_flash(q, k, v, y, rows, keys, e, ev, causal) grid ceil(rows, ROWS), heads block THREADS
//   shared (ROWS * (e + 1) + KEYS * (e + 1) + KEYS * ev) * 4
// improves: global_load_sectors per FMA

#include <math_constants.h>

constexpr int ROWS = 32, KEYS = 32;       // of a tile
constexpr int LANES = 4;                  // threads of a row
constexpr int THREADS = ROWS * LANES;
constexpr int MOST = 128;                 // elements of a key or value
constexpr int OWN = MOST / LANES;         // elements of the result in a thread

__global__ void __launch_bounds__(THREADS)
attention_flash(const float* q, const float* k, const float* v, float* y, int rows, int keys, int e, int ev, int causal) {
  extern __shared__ float tiles[];
  __shared__ float weights[ROWS][KEYS + 1];
  const int wide = e + 1;  // one more than an element row has: rows begin in different banks
  float *tile_q = tiles, *tile_k = tile_q + ROWS * wide, *tile_v = tile_k + KEYS * wide;
  const int t = threadIdx.x, own_row = t / LANES, lane = t % LANES, first = blockIdx.x * ROWS, row = first + own_row;
  q += size_t(blockIdx.y) * rows * e;
  k += size_t(blockIdx.y) * keys * e;
  v += size_t(blockIdx.y) * keys * ev;
  y += size_t(blockIdx.y) * rows * ev;
  const float scale = 1.0f / sqrtf(float(e));
  for (int i = t; i < ROWS * e; i += THREADS) {
    tile_q[i / e * wide + i % e] = first + i / e < rows ? q[size_t(first) * e + i] * scale : 0.0f;
  }
  float result[OWN] = {}, largest = -CUDART_INF_F, sum = 0.0f;
  for (int start = 0; start < keys; start += KEYS) {
    __syncthreads();  // the last tiles have been read
    for (int i = t; i < KEYS * e; i += THREADS) {
      tile_k[i / e * wide + i % e] = start + i / e < keys ? k[size_t(start) * e + i] : 0.0f;
    }
    for (int i = t; i < KEYS * ev; i += THREADS) tile_v[i] = start + i / ev < keys ? v[size_t(start) * ev + i] : 0.0f;
    __syncthreads();
    float scores[KEYS / LANES], larger = largest;
#pragma unroll
    for (int j = 0; j < KEYS / LANES; ++j) {
      const int key = j * LANES + lane;
      float s = 0.0f;
      for (int i = 0; i < e; ++i) s += tile_q[own_row * wide + i] * tile_k[key * wide + i];
      scores[j] = start + key >= keys || (causal && start + key > row) ? -CUDART_INF_F : s;
      larger = fmaxf(larger, scores[j]);
    }
    for (int offset = LANES / 2; offset > 0; offset /= 2) larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, offset));
    const float shrink = expf(largest - larger);  // the first tile has a key for every row: `larger` is a number
    sum *= shrink;
#pragma unroll
    for (int j = 0; j < KEYS / LANES; ++j) {
      const float weight = expf(scores[j] - larger);
      weights[own_row][j * LANES + lane] = weight;
      sum += weight;
    }
    largest = larger;
    __syncwarp();  // a row's weights come from lanes of one warp
#pragma unroll
    for (int i = 0; i < OWN; ++i) {
      const int at = i * LANES + lane;
      if (at >= ev) break;
      float added = 0.0f;
      for (int key = 0; key < KEYS; ++key) added += weights[own_row][key] * tile_v[key * ev + at];
      result[i] = result[i] * shrink + added;
    }
    __syncwarp();
  }
  for (int offset = LANES / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
#pragma unroll
  for (int i = 0; i < OWN; ++i) {
    const int at = i * LANES + lane;
    if (at < ev && row < rows) y[size_t(row) * ev + at] = keys ? result[i] / sum : 0.0f;
  }
}
