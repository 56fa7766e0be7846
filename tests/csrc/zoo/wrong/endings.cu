// Kernels that never end, and assertions that fail.
#include <assert.h>

// run <<<1, 32>>> (zeros(32), 32, 0)
__global__ void step_of_zero(float* x, int n, int step) {
  for (int i = threadIdx.x; i < n; i += step) x[i] += 1;  // BUG: hang (the step is zero)
}

// run <<<1, 1>>> (zeros(1))
__global__ void never_exactly_one(float* x) {
  float t = 0;
  while (t != 1.0f) t += 0.3f;  // BUG: hang (0.3 goes past 1 without meeting it)
  x[0] = t;
}

// run <<<1, 1>>> (array([1, 3, 5, 7]), zeros(1, dtype=i32), 4)
__global__ void search_that_stands_still(const int* sorted, int* found, int key) {
  int low = 0, high = 3;
  while (low < high) (sorted[(low + high) / 2] <= key ? low : high) = (low + high) / 2;  // BUG: hang (neighbours stay)
  found[0] = low;
}

// run <<<1, 1>>> (zeros(4, dtype=u32), 4)
__global__ void unsigned_countdown(unsigned* x, unsigned n) {
  for (unsigned i = n; i >= 0; --i) x[i % 4] = i;  // BUG: hang (an unsigned is never below zero)
}

// run <<<1, 64>>> (zeros(1, dtype=i32))
__global__ void waits_for_own_warp(int* turn) {
  __shared__ volatile int next;
  next = 0;
  __syncthreads();
  while (next != 64) {}  // BUG: hang (nobody counts)
  *turn = next;
}

// run <<<1, 32>>> (array([1, 2, 0, 1] * 8), zeros(32, dtype=i32))
__global__ void list_with_a_cycle(const int* next, int* length) {
  int n = 0;
  for (int at = threadIdx.x; at != 31; at = next[at]) ++n;  // BUG: hang (the links lead round in a circle)
  length[threadIdx.x] = n;
}

// run <<<2, 32>>> (rand(64), 50)
__global__ void assert_full_blocks(float* x, int n) {
  assert(blockIdx.x * blockDim.x + blockDim.x <= n);  // BUG: assertion_failed (50 is not a multiple of 32)
  x[blockIdx.x * blockDim.x + threadIdx.x] = 0;
}

// run <<<1, 32>>> (array([4, 2, -1, 8] * 8), zeros(32))
__global__ void assert_positive(const int* x, float* y) {
  assert(x[threadIdx.x] > 0 && "counts are positive");  // BUG: assertion_failed (there is a -1)
  y[threadIdx.x] = 1.0f / x[threadIdx.x];
}

__device__ float checked(const float* x, int i, int n) {
  assert(i < n);
  return x[i];
}
// run <<<1, 1>>> (array([0, 0], dtype=f32), zeros(1))
__global__ void assert_norm(const float* x, float* y) {
  const float norm = checked(x, 0, 2) * x[0] + x[1] * x[1];
  assert(norm > 0);  // BUG: assertion_failed (a vector of length zero)
  y[0] = rsqrtf(norm);
}
