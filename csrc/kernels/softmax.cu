// Softmax and its logarithm along contiguous rows of PYNEURAL_ELEMENT, and their gradients.
//
// A warp or a block holds a row in registers: each element is read once, 16 bytes an access. Of longer rows a block finds
// maximum and sum in one pass ("online": Milakov and Gimelshein 2018), and reads the row again to write the result.
#include <pyneural/held_rows.cuh>
#include <pyneural/online.cuh>
#include <pyneural/softmax.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);
constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a row a thread holds

template <typename Finish, int Width, typename Team>
__device__ __forceinline__ void rows_held(Team team, const Element* x, Element* out, Index rows, int n) {
  using Row = Held<Element, kItems, Width>;
  for (Index row = team.first(); row < rows; row += team.step()) {
    Row held;
    held.load(team, x + row * n, n);
    Real top = minus_infinity<Real>();
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) top = Largest{}(top, held.at(j, k));
    });
    top = team.combine(top, minus_infinity<Real>(), Largest{});
    Real sum[1] = {0};
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) sum[0] += exp(held.at(j, k) - top);
    });
    team.sum(sum);
    const Finish finish(top, sum[0]);
    Row::for_parts(team, n, [&](int j, int i) {
      store_part<Element, Width>(out + row * n + i, [&](int k) { return finish(held.at(j, k)); });
    });
  }
}

template <int Width, typename Finish>
__device__ __forceinline__ void long_rows(const Element* x, Element* out, Index rows, Index n) {
  __shared__ Real tops[kWarp], sums[kWarp];
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element* from = x + row * n;
    const Online<Real> seen = online_of_row<Width>(from, n, tops, sums);
    const Finish finish(seen.top, seen.sum);
    for (Index i = Index(threadIdx.x) * Width; i < n; i += Index(blockDim.x) * Width) {
      const Vector<Element, Width> some = *reinterpret_cast<const Vector<Element, Width>*>(from + i);
      store_part<Element, Width>(out + row * n + i, [&](int k) { return finish(widen(some.item[k])); });
    }
    __syncthreads();
  }
}

__device__ __forceinline__ bool all_wide(Index n, const Element* x, const Element* y, const Element* out) {
  return n % kWide == 0 && is_aligned<kWide>(x) && is_aligned<kWide>(y) && is_aligned<kWide>(out);
}

template <typename Finish, typename Team>
__device__ __forceinline__ void forward_held(const Team& team, const Element* x, Element* out, Index rows, int n) {
  if (all_wide(n, x, x, out)) {
    rows_held<Finish, kWide>(team, x, out, rows, n);
  } else {
    rows_held<Finish, 1>(team, x, out, rows, n);
  }
}
template <typename Finish>
__device__ __forceinline__ void forward_by_block(const Element* x, Element* out, Index rows, int n) {
  __shared__ Real shared[2][1][kWarp];
  forward_held<Finish>(BlockTeam<Real, 1>(shared), x, out, rows, n);
}
template <typename Finish>
__device__ __forceinline__ void forward_of_long(const Element* x, Element* out, Index rows, Index n) {
  if (all_wide(n, x, x, out)) {
    long_rows<kWide, Finish>(x, out, rows, n);
  } else {
    long_rows<1, Finish>(x, out, rows, n);
  }
}

__global__ void __launch_bounds__(256, 1) softmax_warp(const Element* x, Element* out, Index rows, int n) {
  forward_held<Softmax<Real>>(WarpTeam<Real, 1>{}, x, out, rows, n);
}
__global__ void __launch_bounds__(1024) softmax_block(const Element* x, Element* out, Index rows, int n) {
  forward_by_block<Softmax<Real>>(x, out, rows, n);
}
__global__ void __launch_bounds__(256) softmax_long(const Element* x, Element* out, Index rows, Index n) {
  forward_of_long<Softmax<Real>>(x, out, rows, n);
}
__global__ void __launch_bounds__(256) log_softmax_warp(const Element* x, Element* out, Index rows, int n) {
  forward_held<LogSoftmax<Real>>(WarpTeam<Real, 1>{}, x, out, rows, n);
}
__global__ void __launch_bounds__(1024) log_softmax_block(const Element* x, Element* out, Index rows, int n) {
  forward_by_block<LogSoftmax<Real>>(x, out, rows, n);
}
__global__ void __launch_bounds__(256) log_softmax_long(const Element* x, Element* out, Index rows, Index n) {
  forward_of_long<LogSoftmax<Real>>(x, out, rows, n);
}

// Two arrays are held: half as many elements of each.
template <typename Op, int Width, typename Team>
__device__ __forceinline__ void gradients_held(
    Team team, const Element* grad, const Element* y, Element* out, Index rows, int n) {
  using Row = Held<Element, kItems / 2, Width>;
  for (Index row = team.first(); row < rows; row += team.step()) {
    Row g, p;
    g.load(team, grad + row * n, n);
    p.load(team, y + row * n, n);
    Real sum[1] = {0};
    Row::for_parts(team, n, [&](int j, int) {
#pragma unroll
      for (int k = 0; k < Width; ++k) sum[0] += Op::term(g.at(j, k), p.at(j, k));
    });
    team.sum(sum);
    Row::for_parts(team, n, [&](int j, int i) {
      store_part<Element, Width>(out + row * n + i, [&](int k) { return Op::finish(g.at(j, k), p.at(j, k), sum[0]); });
    });
  }
}

template <typename Op, int Width>
__device__ __forceinline__ void gradients_of_long(
    const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  using Some = Vector<Element, Width>;
  __shared__ Real sums[kWarp];
  const Index first = Index(threadIdx.x) * Width, step = Index(blockDim.x) * Width;
  for (Index row = blockIdx.x; row < rows; row += gridDim.x) {
    const Element *of_grad = grad + row * n, *of_y = y + row * n;
    Real part = 0;
    for (Index i = first; i < n; i += step) {
      const Some g = *reinterpret_cast<const Some*>(of_grad + i), p = *reinterpret_cast<const Some*>(of_y + i);
#pragma unroll
      for (int k = 0; k < Width; ++k) part += Op::term(widen(g.item[k]), widen(p.item[k]));
    }
    const Real sum = block_reduce(part, Real(0), sums, Plus{});
    for (Index i = first; i < n; i += step) {
      const Some g = *reinterpret_cast<const Some*>(of_grad + i), p = *reinterpret_cast<const Some*>(of_y + i);
      store_part<Element, Width>(
          out + row * n + i, [&](int k) { return Op::finish(widen(g.item[k]), widen(p.item[k]), sum); });
    }
    __syncthreads();
  }
}

template <typename Op, typename Team>
__device__ __forceinline__ void backward_held(
    const Team& team, const Element* grad, const Element* y, Element* out, Index rows, int n) {
  if (all_wide(n, grad, y, out)) {
    gradients_held<Op, kWide>(team, grad, y, out, rows, n);
  } else {
    gradients_held<Op, 1>(team, grad, y, out, rows, n);
  }
}
template <typename Op>
__device__ __forceinline__ void backward_by_block(
    const Element* grad, const Element* y, Element* out, Index rows, int n) {
  __shared__ Real shared[2][1][kWarp];
  backward_held<Op>(BlockTeam<Real, 1>(shared), grad, y, out, rows, n);
}
template <typename Op>
__device__ __forceinline__ void backward_of_long(
    const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  if (all_wide(n, grad, y, out)) {
    gradients_of_long<Op, kWide>(grad, y, out, rows, n);
  } else {
    gradients_of_long<Op, 1>(grad, y, out, rows, n);
  }
}

__global__ void __launch_bounds__(256)
    softmax_backward_warp(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_held<SoftmaxBackward<Real>>(WarpTeam<Real, 1>{}, grad, y, out, rows, n);
}
__global__ void __launch_bounds__(1024)
    softmax_backward_block(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_by_block<SoftmaxBackward<Real>>(grad, y, out, rows, n);
}
__global__ void __launch_bounds__(256)
    softmax_backward_long(const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  backward_of_long<SoftmaxBackward<Real>>(grad, y, out, rows, n);
}
__global__ void __launch_bounds__(256, 1)
    log_softmax_backward_warp(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_held<LogSoftmaxBackward<Real>>(WarpTeam<Real, 1>{}, grad, y, out, rows, n);
}
__global__ void __launch_bounds__(1024)
    log_softmax_backward_block(const Element* grad, const Element* y, Element* out, Index rows, int n) {
  backward_by_block<LogSoftmaxBackward<Real>>(grad, y, out, rows, n);
}
__global__ void __launch_bounds__(256)
    log_softmax_backward_long(const Element* grad, const Element* y, Element* out, Index rows, Index n) {
  backward_of_long<LogSoftmaxBackward<Real>>(grad, y, out, rows, n);
}
