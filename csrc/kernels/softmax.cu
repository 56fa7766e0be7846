// Softmax and its logarithm along contiguous rows of PYNEURAL_ELEMENT, and their gradients.
//
// A warp takes a row that fits its registers: each element is read once. A block takes a longer one, finds maximum
// and sum in one pass ("online": Milakov and Gimelshein 2018), and reads the row again to write the result.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kItems = 16;  // of a lane: rows of up to 512 elements stay in registers

__device__ __forceinline__ Real minus_infinity() { return -Real(__int_as_float(0x7f800000)); }

struct Largest {
  __device__ __forceinline__ Real operator()(Real a, Real b) const { return a > b || a != a ? a : b; }
};
struct Add {
  __device__ __forceinline__ Real operator()(Real a, Real b) const { return a + b; }
};

// The largest element seen, and the sum of e^(x - largest) over all seen.
struct Online {
  Real top, sum;
  // An infinite top has met nothing but minus infinity so far, whose exponentials are 0.
  __device__ __forceinline__ void scale_to(Real higher) {
    sum = top == minus_infinity() ? Real(0) : sum * exp(top - higher);
    top = higher;
  }
  __device__ __forceinline__ void take(Real x) {
    if (x > top || x != x) scale_to(x);
    if (x != minus_infinity()) sum += exp(x - top);
  }
};

struct Softmax {
  Real top, scale;
  __device__ __forceinline__ Softmax(Real top, Real sum) : top(top), scale(sum) {}
  __device__ __forceinline__ Element operator()(Real x) const { return narrow<Element>(exp(x - top) / scale); }
};
struct LogSoftmax {
  Real top, log_sum;
  __device__ __forceinline__ LogSoftmax(Real top, Real sum) : top(top), log_sum(log(sum)) {}
  __device__ __forceinline__ Element operator()(Real x) const { return narrow<Element>(x - top - log_sum); }
};

template <typename Finish>
__device__ __forceinline__ void rows_in_registers(const Element* x, Element* out, Index rows, int n) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index row = thread_of_grid() / kWarp; row < rows; row += warps) {
    Real value[kItems];
    Real top = minus_infinity();
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      const int i = lane + k * kWarp;
      value[k] = i < n ? widen(x[row * n + i]) : minus_infinity();
      top = Largest{}(top, value[k]);
    }
    top = warp_reduce(top, Largest{});
    Real sum = 0;
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      if (lane + k * kWarp < n) sum += exp(value[k] - top);
    }
    const Finish finish(top, warp_reduce(sum, Add{}));
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      const int i = lane + k * kWarp;
      if (i < n) out[row * n + i] = finish(value[k]);
    }
  }
}

template <typename Finish>
__device__ __forceinline__ void long_rows(const Element* x, Element* out, Index rows, Index n) {
  __shared__ Real tops[kWarp], sums[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    Online seen{minus_infinity(), Real(0)};
    for (Index i = threadIdx.x; i < n; i += blockDim.x) seen.take(widen(from[i]));
    const Real top = block_reduce(seen.top, minus_infinity(), tops, Largest{});
    // A thread that saw minus infinity alone adds nothing, unless there was nothing else: then all is NaN.
    if (seen.top != minus_infinity()) seen.scale_to(top);
    const Real sum = block_reduce(seen.sum, Real(0), sums, Add{});
    const Finish finish(top, sum);
    for (Index i = threadIdx.x; i < n; i += blockDim.x) out[row * n + i] = finish(widen(from[i]));
    __syncthreads();
  }
}

__global__ void softmax_short(const Element* x, Element* out, Index rows, int n) {
  rows_in_registers<Softmax>(x, out, rows, n);
}
__global__ void softmax_long(const Element* x, Element* out, Index rows, Index n) { long_rows<Softmax>(x, out, rows, n); }
__global__ void log_softmax_short(const Element* x, Element* out, Index rows, int n) {
  rows_in_registers<LogSoftmax>(x, out, rows, n);
}
__global__ void log_softmax_long(const Element* x, Element* out, Index rows, Index n) {
  long_rows<LogSoftmax>(x, out, rows, n);
}

// What is summed over a row for the gradient, and the gradient from that sum.
struct SoftmaxBackward {
  __device__ __forceinline__ Real term(Real grad, Real y) const { return grad * y; }
  __device__ __forceinline__ Real finish(Real grad, Real y, Real sum) const { return y * (grad - sum); }
};
struct LogSoftmaxBackward {
  __device__ __forceinline__ Real term(Real grad, Real) const { return grad; }
  __device__ __forceinline__ Real finish(Real grad, Real y, Real sum) const { return grad - exp(y) * sum; }
};

template <typename Op>
__device__ __forceinline__ void backward_in_registers(
    const Op& op, const Element* grad, const Element* y, Element* out, Index rows, int n) {
  const int lane = threadIdx.x % kWarp;
  const Index warps = threads_of_grid() / kWarp;
  for (Index row = thread_of_grid() / kWarp; row < rows; row += warps) {
    Real g[kItems], p[kItems];
    Real sum = 0;
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      const int i = lane + k * kWarp;
      g[k] = i < n ? widen(grad[row * n + i]) : Real(0);
      p[k] = i < n ? widen(y[row * n + i]) : Real(0);
      sum += op.term(g[k], p[k]);
    }
    sum = warp_reduce(sum, Add{});
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      const int i = lane + k * kWarp;
      if (i < n) out[row * n + i] = narrow<Element>(op.finish(g[k], p[k], sum));
    }
  }
}

template <typename Op>
__device__ __forceinline__ void backward_of_long(
    const Op& op, const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  __shared__ Real sums[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    Real part = 0;
    for (Index i = row * n + threadIdx.x; i < (row + 1) * n; i += blockDim.x) part += op.term(widen(grad[i]), widen(y[i]));
    const Real sum = block_reduce(part, Real(0), sums, Add{});
    for (Index i = row * n + threadIdx.x; i < (row + 1) * n; i += blockDim.x) {
      out[i] = narrow<Element>(op.finish(widen(grad[i]), widen(y[i]), sum));
    }
    __syncthreads();
  }
}

__global__ void softmax_backward_short(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_in_registers(SoftmaxBackward{}, grad, y, out, rows, n);
}
__global__ void softmax_backward_long(const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  backward_of_long(SoftmaxBackward{}, grad, y, out, rows, n);
}
__global__ void log_softmax_backward_short(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_in_registers(LogSoftmaxBackward{}, grad, y, out, rows, n);
}
__global__ void log_softmax_backward_long(const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  backward_of_long(LogSoftmaxBackward{}, grad, y, out, rows, n);
}
