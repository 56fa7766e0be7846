// The logarithm of the sum of exponentials of contiguous rows of PYNEURAL_ELEMENT, and its gradient. A block takes
// a row.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

struct Largest {
  __device__ __forceinline__ Real operator()(Real a, Real b) const { return a > b || a != a ? a : b; }
};
struct Add {
  __device__ __forceinline__ Real operator()(Real a, Real b) const { return a + b; }
};

__global__ void logsumexp(const Element* x, Element* out, Index rows, Index n) {
  __shared__ Real tops[kWarp], sums[kWarp];
  const Real lowest = -Real(__int_as_float(0x7f800000));
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    Real top = lowest;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) top = Largest{}(top, widen(from[i]));
    top = block_reduce(top, lowest, tops, Largest{});
    // What no number can be taken from, an infinity or NaN, comes through the sum as it is.
    if (!(fabs(top) < -lowest)) top = 0;
    Real sum = 0;
    for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += exp(widen(from[i]) - top);
    sum = block_reduce(sum, Real(0), sums, Add{});
    if (threadIdx.x == 0) out[row] = narrow<Element>(log(sum) + top);
    __syncthreads();
  }
}

struct Backward {
  __device__ __forceinline__ Element operator()(Element grad, Element x, Element y) const {
    return narrow<Element>(widen(grad) * exp(widen(x) - widen(y)));
  }
};
__global__ void logsumexp_backward(
    Layout<3> at, const Element* grad, const Element* x, const Element* y, Element* out, Index n) {
  map(n, out, Backward{}, at, grad, x, y);
}
