// Interleaved, with divergence: a tree in shared memory. In step s every thread whose number is a multiple of 2 s adds
// its neighbour s places on. The threads that work lie ever further apart: all 8 warps go through every step, each with
// fewer lanes that have something to do. Limited by instructions that are issued for lanes that are idle.
//
// takes: x[n] -> total[]
// zero: total
// launch: reduce_interleaved(x, total, n) grid ceil(n, THREADS) block THREADS

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) reduce_interleaved(const float* x, float* total, long long n) {
  __shared__ float part[THREADS];
  const int t = threadIdx.x;
  const long long i = (long long)blockIdx.x * THREADS + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int s = 1; s < THREADS; s *= 2) {
    if (t % (2 * s) == 0) part[t] += part[t + s];
    __syncthreads();
  }
  if (t == 0) atomicAdd(total, part[0]);
}
