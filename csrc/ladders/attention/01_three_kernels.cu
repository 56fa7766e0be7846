// Three kernels: softmax(q k^T / sqrt(e)) v as it is written: scores, softmax of their rows, product with the values.
// The rows x keys scores are written to device memory, read and written again, and read a last time; for long sequences
// they are far more than q, k, v and the result together. With `causal`, row i takes keys 0 to i. Limited by the
// scores' traffic.
//
// takes: q[heads, rows, e], k[heads, keys, e], v[heads, keys, ev], causal=0 -> y[heads, rows, ev]
// requires: e >= 1
// scratch: scores[heads, rows, keys]
// launch: attention_scores(q, k, scores, heads, rows, keys, e, causal) grid ceil(heads * rows * keys, THREADS) block THREADS
// launch: attention_softmax(scores, heads * rows, keys) grid ceil(heads * rows, THREADS / 32) block THREADS
// launch: attention_values(scores, v, y, heads, rows, keys, ev) grid ceil(heads * rows * ev, THREADS) block THREADS

#include <math_constants.h>

constexpr int THREADS = 256;

__global__ void attention_scores(const float* q, const float* k, float* scores, int heads, int rows, int keys, int e,
                                 int causal) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= (long long)heads * rows * keys) return;
  const int key = int(i % keys), row = int(i / keys % rows);
  const long long head = i / keys / rows;
  const float *from_q = q + (head * rows + row) * e, *from_k = k + (head * keys + key) * e;
  float sum = 0.0f;
  for (int j = 0; j < e; ++j) sum += from_q[j] * from_k[j];
  scores[i] = causal && key > row ? -CUDART_INF_F : sum / sqrtf(float(e));
}

// A warp for each row.
__global__ void attention_softmax(float* scores, int rows, int keys) {
  const int row = blockIdx.x * (THREADS / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  float* s = scores + size_t(row) * keys;
  float largest = -CUDART_INF_F, sum = 0.0f;
  for (int i = lane; i < keys; i += 32) largest = fmaxf(largest, s[i]);
  for (int offset = 16; offset > 0; offset /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, offset));
  for (int i = lane; i < keys; i += 32) sum += s[i] = expf(s[i] - largest);
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  for (int i = lane; i < keys; i += 32) s[i] /= sum;
}

__global__ void attention_values(const float* scores, const float* v, float* y, int heads, int rows, int keys, int ev) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= (long long)heads * rows * ev) return;
  const long long row = i / ev, head = row / rows;
  float sum = 0.0f;
  for (int key = 0; key < keys; ++key) sum += scores[row * keys + key] * v[(head * keys + key) * ev + i % ev];
  y[i] = sum;
}
