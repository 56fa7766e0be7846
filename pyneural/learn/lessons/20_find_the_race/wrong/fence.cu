// says: line 35: race: thread 127 of block 0 writes shared carry[0], which thread 96 of the same block read (line 31) with no __syncwarp() or __syncthreads() between (2 rows of 600)
// look: what a thread that is already past this line may do, while another one is not there yet
// says: line 29: race: thread 31 of block 0 writes shared part[0], which thread 126 of the same block read (line 32) with no __syncthreads() between (2 rows of 600)
// look: what a thread that is already past this line may do, while another one is not there yet
// says: line 31: race: thread ... of block 1 reads shared carry[0], which thread 127 of the same block wrote (line 35) with no ...__syncthreads() between (2 rows of 600)
// look: what a thread that is already past this line may do, while another one is not there yet
// says: line 33: y[...] is ..., not ...; ... of 1200 elements are wrong (2 rows of 600); this one is the work of thread ... of block ..., in its tile ...; with threads in order the result was right: it depends on an order that nobody promised
// look: which element each thread computes, for the thread named

// Running sums of each row: a block for a row, tile after tile.

constexpr int BLOCK = 128, WARPS = BLOCK / 32;

__global__ void running_sums(const int* x, int* y, int width) {
  __shared__ int part[WARPS];  // the sum of each warp's elements
  __shared__ int carry;        // the sum of the tiles before this one
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  x += blockIdx.x * width;
  y += blockIdx.x * width;
  // >>> mend this kernel.
  if (threadIdx.x == 0) carry = 0;
  for (int first = 0; first < width; first += BLOCK) {
    int i = first + threadIdx.x;
    int sum = i < width ? x[i] : 0;
    for (int distance = 1; distance < 32; distance *= 2) {
      int before = __shfl_up_sync(0xffffffff, sum, distance);
      if (lane >= distance) sum += before;
    }
    if (lane == 31) part[warp] = sum;
    __syncthreads();
    sum += carry;
    for (int w = 0; w < warp; w++) sum += part[w];
    if (i < width) y[i] = sum;
    __threadfence_block();
    if (threadIdx.x == BLOCK - 1) carry = sum;
  }
  // <<<
}
