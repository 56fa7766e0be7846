// Bitonic sort of keys with values: small steps within shared memory, large ones over global memory.
#include <algorithm>
#include <cassert>
#include <cstdio>
#include <random>
#include <vector>

using uint = unsigned int;
constexpr uint SHARED_SIZE_LIMIT = 256;

__host__ __device__ constexpr bool isPowerOfTwo(uint n) { return n && (n & (n - 1)) == 0; }
static_assert(isPowerOfTwo(SHARED_SIZE_LIMIT), "the limit must be a power of two");

template <typename K, typename V>
__device__ inline void Comparator(K &keyA, V &valA, K &keyB, V &valB, bool dir)
{
  if ((keyA > keyB) == dir)
  {
    K k = keyA; keyA = keyB; keyB = k;
    V v = valA; valA = valB; valB = v;
  }
}

template <typename K, typename V>
__global__ void __launch_bounds__(SHARED_SIZE_LIMIT / 2) sortShared(K *keys, V *values)
{
  __shared__ K s_key[SHARED_SIZE_LIMIT];
  __shared__ V s_val[SHARED_SIZE_LIMIT];
  keys += blockIdx.x * SHARED_SIZE_LIMIT + threadIdx.x;
  values += blockIdx.x * SHARED_SIZE_LIMIT + threadIdx.x;
  s_key[threadIdx.x] = keys[0];
  s_val[threadIdx.x] = values[0];
  s_key[threadIdx.x + SHARED_SIZE_LIMIT / 2] = keys[SHARED_SIZE_LIMIT / 2];
  s_val[threadIdx.x + SHARED_SIZE_LIMIT / 2] = values[SHARED_SIZE_LIMIT / 2];
  for (uint size = 2; size < SHARED_SIZE_LIMIT; size <<= 1)
  {
    const bool ddd = (threadIdx.x & (size / 2)) == 0;
    for (uint stride = size / 2; stride > 0; stride >>= 1)
    {
      __syncthreads();
      const uint pos = 2 * threadIdx.x - (threadIdx.x & (stride - 1));
      Comparator(s_key[pos], s_val[pos], s_key[pos + stride], s_val[pos + stride], ddd);
    }
  }
  const bool dir = (blockIdx.x & 1) == 0;
  for (uint stride = SHARED_SIZE_LIMIT / 2; stride > 0; stride >>= 1)
  {
    __syncthreads();
    const uint pos = 2 * threadIdx.x - (threadIdx.x & (stride - 1));
    Comparator(s_key[pos], s_val[pos], s_key[pos + stride], s_val[pos + stride], dir);
  }
  __syncthreads();
  keys[0] = s_key[threadIdx.x];
  values[0] = s_val[threadIdx.x];
  keys[SHARED_SIZE_LIMIT / 2] = s_key[threadIdx.x + SHARED_SIZE_LIMIT / 2];
  values[SHARED_SIZE_LIMIT / 2] = s_val[threadIdx.x + SHARED_SIZE_LIMIT / 2];
}

template <typename K, typename V>
__global__ void mergeGlobal(K *keys, V *values, uint size, uint stride)
{
  const uint comparator = blockIdx.x * blockDim.x + threadIdx.x;
  const bool ddd = (comparator & (size / 2)) == 0;
  const uint pos = 2 * comparator - (comparator & (stride - 1));
  K keyA = keys[pos], keyB = keys[pos + stride];
  V valA = values[pos], valB = values[pos + stride];
  Comparator(keyA, valA, keyB, valB, ddd);
  keys[pos] = keyA;
  values[pos] = valA;
  keys[pos + stride] = keyB;
  values[pos + stride] = valB;
}

template <typename K, typename V>
cudaError_t bitonicSort(K *keys, V *values, uint n)
{
  assert(isPowerOfTwo(n) && n >= 2 * SHARED_SIZE_LIMIT);
  sortShared<K, V><<<n / SHARED_SIZE_LIMIT, SHARED_SIZE_LIMIT / 2>>>(keys, values);
  for (uint size = 2 * SHARED_SIZE_LIMIT; size <= n; size <<= 1)
    for (uint stride = size / 2; stride > 0; stride >>= 1)
      mergeGlobal<<<n / 256, 128>>>(keys, values, size, stride);
  return cudaGetLastError();
}

template <typename K>
bool test(uint n)
{
  std::mt19937 generator(n);
  std::vector<K> keys(n);
  std::vector<uint> values(n);
  for (uint i = 0; i < n; ++i)
  {
    keys[i] = static_cast<K>(generator() % 10000) / 3;
    values[i] = i;
  }
  const std::vector<K> original = keys;
  K *d_keys; uint *d_values;
  bool ok = cudaMalloc(&d_keys, n * sizeof(K)) == cudaSuccess;
  ok &= cudaMalloc(&d_values, n * sizeof(uint)) == cudaSuccess;
  ok &= cudaMemcpy(d_keys, keys.data(), n * sizeof(K), cudaMemcpyHostToDevice) == cudaSuccess;
  ok &= cudaMemcpy(d_values, values.data(), n * sizeof(uint), cudaMemcpyHostToDevice) == cudaSuccess;
  ok &= bitonicSort(d_keys, d_values, n) == cudaSuccess;
  ok &= cudaMemcpy(keys.data(), d_keys, n * sizeof(K), cudaMemcpyDeviceToHost) == cudaSuccess;
  ok &= cudaMemcpy(values.data(), d_values, n * sizeof(uint), cudaMemcpyDeviceToHost) == cudaSuccess;
  cudaFree(d_keys);
  cudaFree(d_values);
  std::vector<bool> seen(n, false);
  for (uint i = 0; i < n; ++i)
  {
    ok &= (i == 0 || keys[i - 1] <= keys[i]) && original[values[i]] == keys[i] && !seen[values[i]];
    seen[values[i]] = true;
  }
  std::printf("%u keys of %zu bytes: %s\n", n, sizeof(K), ok ? "sorted" : "not sorted");
  return ok;
}

int main()
{
  const bool ok = test<uint>(512) && test<float>(1024) && test<long long>(2048);
  std::puts(ok ? "PASS" : "FAIL");
  return !ok;
}
