// Global atomics: each thread adds 1 to the count of its element, in global memory. Values below 0 or not below `bins`
// are left out. One atomic of global memory for each element; limited by those, above all where many elements are
// equal: they wait for each other at one address.
//
// takes: x:int32[n], bins=256 -> counts:int32[bins]
// zero: counts
// launch: histogram_global_atomics(x, counts, n, bins) grid ceil(n, 256) block 256

__global__ void histogram_global_atomics(const int* x, int* counts, long long n, int bins) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] >= 0 && x[i] < bins) atomicAdd(&counts[x[i]], 1);
}
