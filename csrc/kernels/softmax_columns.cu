// Softmax and its logarithm along the middle of arrays (outer, n, inner) of PYNEURAL_ELEMENT, and their gradients: what
// softmax.cu does to rows. Columns that a block cannot hold in registers are read for maximum and sum, and again.
#include <pyneural/columns.cuh>
#include <pyneural/online.cuh>
#include <pyneural/softmax.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kItems = sizeof(Element) == 8 ? 8 : 16;  // of a column a thread holds

template <typename Finish> __device__ __forceinline__ void columns_held(const Columns& at, const Element* x, Element* out) {
  using Column = HeldColumn<Element, kItems>;
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index, bool inside) {
    Column held;
    Real top = minus_infinity<Real>(), sum = 0;
    if (inside) {
      held.load(at, x + first);
      Column::for_rows(at, [&](int j, Index) { top = Largest{}(top, held.at(j)); });
    }
    top = team.combine(top, Largest{});
    if (inside) Column::for_rows(at, [&](int j, Index) { sum += exp(held.at(j) - top); });
    const Finish finish(top, team.combine(sum, Plus{}));
    if (inside) {
      Column::for_rows(at, [&](int j, Index i) { out[first + i * at.inner] = narrow<Element>(finish(held.at(j))); });
    }
  });
}

template <typename Finish> __device__ __forceinline__ void columns_long(const Columns& at, const Element* x, Element* out) {
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index, bool inside) {
    Online<Real> seen{minus_infinity<Real>(), Real(0)};
    if (inside) at.for_rows([&](Index i) { seen.take(widen(x[first + i * at.inner])); });
    const Real top = team.combine(seen.top, Largest{});
    // A thread that saw minus infinity alone adds nothing, unless there was nothing else: then all is NaN.
    if (seen.top != minus_infinity<Real>()) seen.scale_to(top);
    const Finish finish(top, team.combine(seen.sum, Plus{}));
    if (inside) {
      at.for_rows([&](Index i) {
        const Index k = first + i * at.inner;
        out[k] = narrow<Element>(finish(widen(x[k])));
      });
    }
  });
}

// Two arrays are held: half as many elements of each.
template <typename Op>
__device__ __forceinline__ void gradients_held(const Columns& at, const Element* grad, const Element* y, Element* out) {
  using Column = HeldColumn<Element, kItems / 2>;
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index, bool inside) {
    Column g, p;
    Real sum = 0;
    if (inside) {
      g.load(at, grad + first);
      p.load(at, y + first);
      Column::for_rows(at, [&](int j, Index) { sum += Op::term(g.at(j), p.at(j)); });
    }
    sum = team.combine(sum, Plus{});
    if (inside) {
      Column::for_rows(at, [&](int j, Index i) {
        out[first + i * at.inner] = narrow<Element>(Op::finish(g.at(j), p.at(j), sum));
      });
    }
  });
}

template <typename Op>
__device__ __forceinline__ void gradients_long(const Columns& at, const Element* grad, const Element* y, Element* out) {
  __shared__ Real shared[2][kColumnThreads];
  ColumnTeam<Real> team(shared);
  at.for_strips([&](Index first, Index, bool inside) {
    Real sum = 0;
    if (inside) {
      at.for_rows([&](Index i) {
        const Index k = first + i * at.inner;
        sum += Op::term(widen(grad[k]), widen(y[k]));
      });
    }
    sum = team.combine(sum, Plus{});
    if (inside) {
      at.for_rows([&](Index i) {
        const Index k = first + i * at.inner;
        out[k] = narrow<Element>(Op::finish(widen(grad[k]), widen(y[k]), sum));
      });
    }
  });
}

__global__ void __launch_bounds__(1024) softmax_held(Columns at, const Element* x, Element* out) {
  columns_held<Softmax<Real>>(at, x, out);
}
__global__ void __launch_bounds__(1024, 1) softmax_long(Columns at, const Element* x, Element* out) {
  columns_long<Softmax<Real>>(at, x, out);
}
__global__ void __launch_bounds__(1024) log_softmax_held(Columns at, const Element* x, Element* out) {
  columns_held<LogSoftmax<Real>>(at, x, out);
}
__global__ void __launch_bounds__(1024) log_softmax_long(Columns at, const Element* x, Element* out) {
  columns_long<LogSoftmax<Real>>(at, x, out);
}
__global__ void __launch_bounds__(1024)
    softmax_backward_held(Columns at, const Element* grad, const Element* y, Element* out) {
  gradients_held<SoftmaxBackward<Real>>(at, grad, y, out);
}
__global__ void __launch_bounds__(1024)
    softmax_backward_long(Columns at, const Element* grad, const Element* y, Element* out) {
  gradients_long<SoftmaxBackward<Real>>(at, grad, y, out);
}
__global__ void __launch_bounds__(1024)
    log_softmax_backward_held(Columns at, const Element* grad, const Element* y, Element* out) {
  gradients_held<LogSoftmaxBackward<Real>>(at, grad, y, out);
}
__global__ void __launch_bounds__(1024)
    log_softmax_backward_long(Columns at, const Element* grad, const Element* y, Element* out) {
  gradients_long<LogSoftmaxBackward<Real>>(at, grad, y, out);
}
