// says: line 22: 1536 loads of a warp from global memory; 768 do, one for each register of a fragment
// look: the two elements of a register: they are neighbours in memory, and can be loaded as one

#include <pyneural/ptx/mma.cuh>

// Elements `column` and `column + 1` of a row, in one register; zeros, if there is no such row. `column` is even.
__device__ unsigned pair(const __half* x, int row, int column, int height, int width) {
  return row < height ? *reinterpret_cast<const unsigned*>(&x[row * width + column]) : 0;
}

__global__ void matmul(const __half* a, const __half* b, float* c, int m, int n, int k) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int g = lane / 4, q = lane % 4;
  int top = blockIdx.y * 16, left = blockIdx.x * 32 + warp * 8;
  float d[4] = {};
  for (int first = 0; first < k; first += 16) {
    unsigned from_a[4], from_b[2];
    // >>> your code: this lane's registers of the fragments, from places first to first + 15 along k.
    __half held[12];
    for (int i = 0; i < 8; i++) {
      int row = top + g + i / 2 % 2 * 8, column = first + 2 * q + i % 2 + i / 4 * 8;
      held[i] = row < m ? a[row * k + column] : __float2half(0);
    }
    for (int i = 0; i < 4; i++) {
      int row = left + g, column = first + 2 * q + i % 2 + i / 2 * 8;
      held[8 + i] = row < n ? b[row * k + column] : __float2half(0);
    }
    for (int i = 0; i < 6; i++) {
      unsigned low = __half_as_ushort(held[2 * i]), high = __half_as_ushort(held[2 * i + 1]);
      (i < 4 ? from_a[i] : from_b[i - 4]) = high << 16 | low;
    }
    // <<<
    pyneural::ptx::mma_m16n8k16<__half>(d, from_a, from_b);
  }
  // >>> your code: this lane's four results, to c.
  for (int i = 0; i < 4; i++) {
    int row = top + g + i / 2 * 8, column = left + 2 * q + i % 2;
    if (row < m && column < n) c[row * n + column] = d[i];
  }
  // <<<
}
