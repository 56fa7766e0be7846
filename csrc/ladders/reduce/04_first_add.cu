// First add during load: each thread loads two elements and adds them on the way to shared memory. Half as many blocks,
// trees and barriers do the same work, and no thread is idle from the start. Limited by the tree's last steps, in which
// a whole block waits at a barrier for one warp.
//
// takes: x[n] -> total[]
// zero: total
// launch: reduce_first_add(x, total, n) grid ceil(n, 2 * THREADS) block THREADS
// improves: shared_load_requests per element

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) reduce_first_add(const float* x, float* total, long long n) {
  __shared__ float part[THREADS];
  const int t = threadIdx.x;
  const long long i = (long long)blockIdx.x * 2 * THREADS + t;
  part[t] = (i < n ? x[i] : 0.0f) + (i + THREADS < n ? x[i + THREADS] : 0.0f);
  __syncthreads();
  for (int s = THREADS / 2; s > 0; s /= 2) {
    if (t < s) part[t] += part[t + s];
    __syncthreads();
  }
  if (t == 0) atomicAdd(total, part[0]);
}
