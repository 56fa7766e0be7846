// says: line 22: out_of_bounds: thread 0 of block (0, 1) reads global a[1152], 292 bytes past the end of its 1008 elements ((21, 48) times (13, 48) transposed)
// look: rows beyond m of a and beyond n of b: their elements are 0, and are not loaded
// says: line 33: c[16, 0] is never written; it must be ...; ... of 273 elements are wrong ((21, 48) times (13, 48) transposed); this one is the work of lane 0 of warp 0 of block (0, 1), its d[0]
// look: which element each thread computes, for the thread named: `row = top + g + i / 2 * 8` (line 32), `column = left + 2 * q + i % 2` (line 32)

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
    from_a[0] = pair(a, top + g, first + 2 * q, m, k);
    from_a[1] = *reinterpret_cast<const unsigned*>(&a[(top + g + 8) * k + first + 2 * q]);
    from_a[2] = pair(a, top + g, first + 2 * q + 8, m, k);
    from_a[3] = *reinterpret_cast<const unsigned*>(&a[(top + g + 8) * k + first + 2 * q + 8]);
    from_b[0] = pair(b, left + g, first + 2 * q, n, k);
    from_b[1] = pair(b, left + g, first + 2 * q + 8, n, k);
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
