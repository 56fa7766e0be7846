// Exclusive prefix sum of an array of any length: Blelloch's work-efficient scan in each block with
// padding against bank conflicts, block sums scanned by recursion and added back.
#include <cstdio>
#include <cstdlib>

#define NUM_BANKS 32
#define LOG_NUM_BANKS 5
#define CONFLICT_FREE_OFFSET(n) ((n) >> LOG_NUM_BANKS)

const int BLOCK_SIZE = 128;
const int ELEMENTS = 2 * BLOCK_SIZE;

#define cudaCheck(e) if ((e) != cudaSuccess) { printf("%s: line %d\n", cudaGetErrorName(e), __LINE__); exit(1); }

__global__ void prescan(int *g_odata, const int *g_idata, int *g_sums, int n) {
  extern __shared__ int temp[];
  const int thid = threadIdx.x;
  const int base = blockIdx.x * ELEMENTS;
  int offset = 1;

  const int ai = thid;
  const int bi = thid + BLOCK_SIZE;
  const int bankOffsetA = CONFLICT_FREE_OFFSET(ai);
  const int bankOffsetB = CONFLICT_FREE_OFFSET(bi);
  temp[ai + bankOffsetA] = base + ai < n ? g_idata[base + ai] : 0;
  temp[bi + bankOffsetB] = base + bi < n ? g_idata[base + bi] : 0;

  for (int d = ELEMENTS >> 1; d > 0; d >>= 1) {  // up-sweep
    __syncthreads();
    if (thid < d) {
      int i = offset * (2 * thid + 1) - 1;
      int j = offset * (2 * thid + 2) - 1;
      i += CONFLICT_FREE_OFFSET(i);
      j += CONFLICT_FREE_OFFSET(j);
      temp[j] += temp[i];
    }
    offset *= 2;
  }
  if (thid == 0) {
    const int last = ELEMENTS - 1 + CONFLICT_FREE_OFFSET(ELEMENTS - 1);
    if (g_sums) g_sums[blockIdx.x] = temp[last];
    temp[last] = 0;
  }
  for (int d = 1; d < ELEMENTS; d *= 2) {  // down-sweep
    offset >>= 1;
    __syncthreads();
    if (thid < d) {
      int i = offset * (2 * thid + 1) - 1;
      int j = offset * (2 * thid + 2) - 1;
      i += CONFLICT_FREE_OFFSET(i);
      j += CONFLICT_FREE_OFFSET(j);
      const int t = temp[i];
      temp[i] = temp[j];
      temp[j] += t;
    }
  }
  __syncthreads();
  if (base + ai < n) g_odata[base + ai] = temp[ai + bankOffsetA];
  if (base + bi < n) g_odata[base + bi] = temp[bi + bankOffsetB];
}

__global__ void uniformAdd(int *data, const int *increments, int n) {
  __shared__ int uni;
  if (threadIdx.x == 0) uni = increments[blockIdx.x];
  __syncthreads();
  unsigned address = blockIdx.x * ELEMENTS + threadIdx.x;
  for (int half = 0; half < 2; half++, address += BLOCK_SIZE)
    if (address < n) data[address] += uni;
}

void scan(int *d_out, const int *d_in, int n) {
  const int blocks = (n + ELEMENTS - 1) / ELEMENTS;
  const size_t shared = (ELEMENTS + CONFLICT_FREE_OFFSET(ELEMENTS)) * sizeof(int);
  if (blocks == 1) {
    prescan<<<1, BLOCK_SIZE, shared>>>(d_out, d_in, nullptr, n);
    return;
  }
  int *d_sums, *d_increments;
  cudaCheck(cudaMalloc(&d_sums, blocks * sizeof(int)));
  cudaCheck(cudaMalloc(&d_increments, blocks * sizeof(int)));
  prescan<<<blocks, BLOCK_SIZE, shared>>>(d_out, d_in, d_sums, n);
  scan(d_increments, d_sums, blocks);
  uniformAdd<<<blocks, BLOCK_SIZE>>>(d_out, d_increments, n);
  cudaCheck(cudaDeviceSynchronize());
  cudaCheck(cudaFree(d_sums));
  cudaCheck(cudaFree(d_increments));
}

int main(int argc, char **argv) {
  const int sizes[] = {1, 255, 256, 257, 5000};
  for (int s = 0; s < 5; s++) {
    const int n = sizes[s];
    int *h_in = new int[n], *h_out = new int[n];
    for (int i = 0; i < n; i++) h_in[i] = i % 7 - 2;
    int *d_in, *d_out;
    cudaCheck(cudaMalloc((void **)&d_in, n * sizeof(int)));
    cudaCheck(cudaMalloc((void **)&d_out, n * sizeof(int)));
    cudaCheck(cudaMemcpy(d_in, h_in, n * sizeof(int), cudaMemcpyHostToDevice));
    scan(d_out, d_in, n);
    cudaCheck(cudaMemcpy(h_out, d_out, n * sizeof(int), cudaMemcpyDeviceToHost));
    int sum = 0;
    for (int i = 0; i < n; i++) {
      if (h_out[i] != sum) {
        printf("n = %d: element %d is %d, not %d\nFAIL\n", n, i, h_out[i], sum);
        return EXIT_FAILURE;
      }
      sum += h_in[i];
    }
    cudaFree(d_in), cudaFree(d_out);
    delete[] h_in;
    delete[] h_out;
  }
  printf("PASS\n");
}
