// The logarithm of the sum of exponentials of contiguous rows of PYNEURAL_ELEMENT, and its gradient. A block takes
// a row, and reads it once.
#include <pyneural/online.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);

template <int Width>
__device__ __forceinline__ void rows_of(const Element* x, Element* out, Index rows, Index n) {
  __shared__ Real tops[kWarp], sums[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Online<Real> seen = online_of_row<Width>(x + row * n, n, tops, sums);
    // Of an infinity the distance to itself is no number: it, and NaN, are the result as they are.
    const bool finite = fabs(seen.top) < -minus_infinity<Real>();
    if (threadIdx.x == 0) out[row] = narrow<Element>(finite ? log(seen.sum) + seen.top : seen.top);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(256) logsumexp(const Element* x, Element* out, Index rows, Index n) {
  if (n % kWide == 0 && is_aligned<kWide>(x)) {
    rows_of<kWide>(x, out, rows, n);
  } else {
    rows_of<1>(x, out, rows, n);
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
