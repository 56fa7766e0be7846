// Loops that look endless and assertions that look bold.
#include <assert.h>

// run <<<1, 32>>> (array([27] * 32), zeros(32, dtype=i32))
// gives steps = full(32, 111)
__global__ void collatz(const int* start, int* steps) {
  int n = 0;
  for (long long v = start[threadIdx.x]; v != 1; ++n) v = v % 2 ? 3 * v + 1 : v / 2;
  steps[threadIdx.x] = n;
}

// run <<<1, 1>>> (array([1, 3, 5, 7]), zeros(1, dtype=i32), 4)
// gives found = array([1])
__global__ void binary_search(const int* sorted, int* found, int key) {
  int low = 0, high = 3;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (sorted[middle] <= key) low = middle;
    else high = middle - 1;
  }
  found[0] = low;
}

// run <<<1, 1>>> (zeros(4, dtype=u32), 4)
// gives x = arange(4)
__global__ void unsigned_countdown_to_zero(unsigned* x, unsigned n) {
  for (unsigned i = n; i-- > 0;) x[i] = i;
}

// run <<<1, 64>>> (zeros(1, dtype=i32))
// gives total = array([64])
__global__ void turns_one_after_another(int* total) {
  __shared__ int turn;
  turn = 0;
  __syncthreads();
  while (atomicAdd(&turn, 0) != threadIdx.x) {}
  *total += 1;
  __threadfence_block();
  atomicAdd(&turn, 1);
}

// run <<<1, 32>>> (array([1, 2, 31, 1] * 8), zeros(32, dtype=i32))
// gives length = array([array([3, 2, 1, 3])[k % 4] for k in range(31)] + [0])
__global__ void list_that_ends(const int* next, int* length) {
  int n = 0;
  for (int at = threadIdx.x; at != 31; at = next[at]) ++n;
  length[threadIdx.x] = n;
}

// run <<<2, 32>>> (rand(64), 64)
// gives x = sqrt(x)
__global__ void assertions_that_hold(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  assert(gridDim.x * blockDim.x == n);
  assert(x[i] >= 0 && x[i] < 1);
  x[i] = sqrtf(x[i]);
}

// run <<<1, 32>>> (ints(32, high=9), zeros(32, dtype=i32))
// gives y = array([v if v > 4 else 0 for v in x])
__global__ void endless_loop_with_break(const int* x, int* y) {
  int v = x[threadIdx.x];
  while (true) {
    if (v > 4 || v <= 0) break;
    --v;
  }
  y[threadIdx.x] = v;
}
