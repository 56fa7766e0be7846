// Variance and standard deviation of contiguous rows of floats, PYNEURAL_ELEMENT. A block takes a row.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

struct Add {
  __device__ __forceinline__ Real operator()(Real a, Real b) const { return a + b; }
};

// Two passes: the mean first, then squared deviations from it (Chan, Golub and LeVeque 1983).
__global__ void variance(const Element* x, Element* out, Index rows, Index n, Real divisor, bool root) {
  __shared__ Real sums[kWarp], squares[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    Real sum = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += widen(from[i]);
    const Real mean = block_reduce(sum, Real(0), sums, Add{}) / static_cast<Real>(n);
    Real square = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) {
      const Real deviation = widen(from[i]) - mean;
      square += deviation * deviation;
    }
    const Real total = block_reduce(square, Real(0), squares, Add{});
    if (threadIdx.x == 0) {
      out[row] = narrow<Element>(root ? sqrt(total / divisor) : total / divisor);
    }
    __syncthreads();
  }
}
