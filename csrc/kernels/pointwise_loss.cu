// Losses of two contiguous arrays of PYNEURAL_ELEMENT, element by element or summed, and their gradients.
#include <pyneural/map.cuh>
#include <pyneural/math.cuh>
#include <pyneural/parameter.cuh>
#include <pyneural/totals.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kWide = 16 / sizeof(Element);

// A loss: its value at an element, and its slope there.
struct Square {
  __device__ __forceinline__ Real value(Real x, Real target) const { return (x - target) * (x - target); }
  __device__ __forceinline__ Real slope(Real x, Real target) const { return Real(2) * (x - target); }
};
// NaN stays.
__device__ __forceinline__ Real clamped(Real d, Real limit) { return d > limit ? limit : d < -limit ? -limit : d; }
struct Absolute {
  __device__ __forceinline__ Real value(Real x, Real target) const { return fabs(x - target); }
  // By comparison: where both are infinite and equal there is no difference to take.
  __device__ __forceinline__ Real slope(Real x, Real target) const {
    return static_cast<Real>(x > target) - static_cast<Real>(x < target);
  }
};
struct SmoothAbsolute {
  Real beta;
  __device__ __forceinline__ Real value(Real x, Real target) const {
    const Real d = fabs(x - target);
    return d < beta ? d * d / (Real(2) * beta) : d - Real(0.5) * beta;
  }
  __device__ __forceinline__ Real slope(Real x, Real target) const {
    return beta == Real(0) ? Absolute{}.slope(x, target) : clamped((x - target) / beta, Real(1));
  }
};
struct Huber {
  Real delta;
  __device__ __forceinline__ Real value(Real x, Real target) const {
    const Real d = fabs(x - target);
    return d < delta ? Real(0.5) * d * d : delta * (d - Real(0.5) * delta);
  }
  __device__ __forceinline__ Real slope(Real x, Real target) const { return clamped(x - target, delta); }
};

template <typename Loss>
__device__ __forceinline__ void each(const Loss& loss, const Element* x, const Element* target, Element* out, Index n) {
  map(n, out, [loss](Element a, Element b) { return narrow<Element>(loss.value(widen(a), widen(b))); }, x, target);
}

// What a reduced loss ends with.
struct Divided {
  Real divisor;
  Element* out;
  __device__ __forceinline__ void operator()(const Real (&sum)[1]) const { *out = narrow<Element>(sum[0] / divisor); }
};

// take(i, x, target) for Width elements from i on, or one, of all n.
template <typename Take>
__device__ __forceinline__ void for_elements(
    bool wide, const Element* x, const Element* target, Index n, const Take& take) {
  Index done = 0;
  if (wide) {
    for (Index v = thread_of_grid(); v < n / kWide; v += threads_of_grid()) {
      Real a[kWide], b[kWide];
      load_wide(x + v * kWide, a);
      load_wide(target + v * kWide, b);
      take(v * kWide, a, b);
    }
    done = n / kWide * kWide;
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) {
    Real a[1] = {widen(x[i])}, b[1] = {widen(target[i])};
    take(i, a, b);
  }
}

template <typename Loss>
__device__ __forceinline__ void total(
    const Loss& loss, const Element* x, const Element* target, Element* out, Index n, Real divisor, Real* partial) {
  Real sum[1] = {0};
  const bool wide = is_aligned<kWide>(x) && is_aligned<kWide>(target);
  for_elements(wide, x, target, n, [&](Index, const auto& a, const auto& b) {
#pragma unroll
    for (int k = 0; k < int(sizeof(a) / sizeof(Real)); ++k) sum[0] += loss.value(a[k], b[k]);
  });
  finish_or_leave(sum, partial, Divided{divisor, out});
}
__global__ void __launch_bounds__(256) total_final(const Real* partial, Index count, Real divisor, Element* out) {
  finish_all<1>(partial, count, Divided{divisor, out});
}

// grad is one value a loss of one value has, or one an element; `scale` is 1, or for a mean 1 / n.
template <typename Loss>
__device__ __forceinline__ void backward(
    const Loss& loss, const Element* grad, bool single, const Element* x, const Element* target, Element* out, Index n,
    Real scale) {
  if (single) {
    const Real g = widen(grad[0]) * scale;
    const auto slope = [loss, g](Element a, Element b) { return narrow<Element>(g * loss.slope(widen(a), widen(b))); };
    map(n, out, slope, x, target);
  } else {
    const auto slope = [loss](Element g, Element a, Element b) {
      return narrow<Element>(widen(g) * loss.slope(widen(a), widen(b)));
    };
    map(n, out, slope, grad, x, target);
  }
}

__global__ void __launch_bounds__(256) mse_loss(const Element* x, const Element* target, Element* out, Index n) {
  each(Square{}, x, target, out, n);
}
__global__ void __launch_bounds__(256) mse_loss_total(
    const Element* x, const Element* target, Element* out, Index n, Real divisor, Real* partial) {
  total(Square{}, x, target, out, n, divisor, partial);
}
__global__ void __launch_bounds__(256) mse_loss_backward(
    const Element* grad, bool single, const Element* x, const Element* target, Element* out, Index n, Real scale) {
  backward(Square{}, grad, single, x, target, out, n, scale);
}

__global__ void __launch_bounds__(256) l1_loss(const Element* x, const Element* target, Element* out, Index n) {
  each(Absolute{}, x, target, out, n);
}
__global__ void __launch_bounds__(256) l1_loss_total(
    const Element* x, const Element* target, Element* out, Index n, Real divisor, Real* partial) {
  total(Absolute{}, x, target, out, n, divisor, partial);
}
__global__ void __launch_bounds__(256) l1_loss_backward(
    const Element* grad, bool single, const Element* x, const Element* target, Element* out, Index n, Real scale) {
  backward(Absolute{}, grad, single, x, target, out, n, scale);
}

__global__ void __launch_bounds__(256) smooth_l1_loss(
    const Element* x, const Element* target, Element* out, Index n, Real beta) {
  each(SmoothAbsolute{beta}, x, target, out, n);
}
__global__ void __launch_bounds__(256) smooth_l1_loss_total(
    const Element* x, const Element* target, Element* out, Index n, Real divisor, Real* partial, Real beta) {
  total(SmoothAbsolute{beta}, x, target, out, n, divisor, partial);
}
__global__ void __launch_bounds__(256) smooth_l1_loss_backward(
    const Element* grad, bool single, const Element* x, const Element* target, Element* out, Index n, Real scale,
    Real beta) {
  backward(SmoothAbsolute{beta}, grad, single, x, target, out, n, scale);
}

__global__ void __launch_bounds__(256) huber_loss(
    const Element* x, const Element* target, Element* out, Index n, Real delta) {
  each(Huber{delta}, x, target, out, n);
}
__global__ void __launch_bounds__(256) huber_loss_total(
    const Element* x, const Element* target, Element* out, Index n, Real divisor, Real* partial, Real delta) {
  total(Huber{delta}, x, target, out, n, divisor, partial);
}
__global__ void __launch_bounds__(256) huber_loss_backward(
    const Element* grad, bool single, const Element* x, const Element* target, Element* out, Index n, Real scale,
    Real delta) {
  backward(Huber{delta}, grad, single, x, target, out, n, scale);
}

// Binary cross-entropy of logits; its weights broadcast to the shape of x, and are 1 where they are null.
struct Weights {
  const Layout<2>& at;
  const Element *weight, *positive;

  __device__ __forceinline__ Real of(const Element* data, Index place) const {
    return data == nullptr ? Real(1) : widen(data[place]);
  }
  // Width weights from `place` on, `stride` apart.
  template <int Width>
  __device__ __forceinline__ void run(const Element* data, Index place, Index stride, Real (&to)[Width]) const {
    if (data == nullptr || stride == 0) {
      const Real one = of(data, place);
#pragma unroll
      for (int k = 0; k < Width; ++k) to[k] = one;
    } else if (stride == 1 && is_aligned<Width>(data + place)) {
      load_wide(data + place, to);
    } else {
#pragma unroll
      for (int k = 0; k < Width; ++k) to[k] = widen(data[place + k * stride]);
    }
  }
  // Those of elements [i, i + Width).
  template <int Width> __device__ __forceinline__ void load(Index i, Real (&w)[Width], Real (&p)[Width]) const {
    const int last = static_cast<int>(at.ndim) - 1;
    if ((weight == nullptr && positive == nullptr) || last < 0) {
      run(weight, i, 1, w);
      run(positive, i, 1, p);
      return;
    }
    const Places<2> place = places(at, i);
    if (i % at.shape[last] + Width <= at.shape[last]) {
      run(weight, place.at[0], at.stride[0][last], w);
      run(positive, place.at[1], at.stride[1][last], p);
      return;
    }
#pragma unroll
    for (int k = 0; k < Width; ++k) {  // across the end of the last dimension
      const Places<2> own = places(at, i + k);
      w[k] = of(weight, own.at[0]);
      p[k] = of(positive, own.at[1]);
    }
  }
};

// -ln sigmoid(x) is ln(1 + e^-x), and -ln(1 - sigmoid(x)) is that plus x.
__device__ __forceinline__ Real binary_loss(Real x, Real target, Real w, Real p) {
  const Real positive = target * p;
  return w * ((Real(1) - target) * x + (positive + Real(1) - target) * log1p_exp(-x));
}
__device__ __forceinline__ Real binary_slope(Real x, Real target, Real w, Real p) {
  const Real positive = target * p;
  return w * ((positive + Real(1) - target) * sigmoid_of(x) - positive);
}


__global__ void __launch_bounds__(256, 1) binary_cross_entropy(
    Layout<2> at, const Element* x, const Element* target, const Element* weight, const Element* positive, Element* out,
    Index n) {
  const Weights weights{at, weight, positive};
  const bool wide = is_aligned<kWide>(x) && is_aligned<kWide>(target) && is_aligned<kWide>(out);
  for_elements(wide, x, target, n, [&](Index i, const auto& a, const auto& b) {
    constexpr int width = sizeof(a) / sizeof(Real);
    Real w[width], p[width];
    weights.load(i, w, p);
    store_part<Element, width>(out + i, [&](int k) { return binary_loss(a[k], b[k], w[k], p[k]); });
  });
}
__global__ void __launch_bounds__(256, 1) binary_cross_entropy_total(
    Layout<2> at, const Element* x, const Element* target, const Element* weight, const Element* positive, Element* out,
    Index n, Real divisor, Real* partial) {
  const Weights weights{at, weight, positive};
  Real sum[1] = {0};
  const bool wide = is_aligned<kWide>(x) && is_aligned<kWide>(target);
  for_elements(wide, x, target, n, [&](Index i, const auto& a, const auto& b) {
    constexpr int width = sizeof(a) / sizeof(Real);
    Real w[width], p[width];
    weights.load(i, w, p);
#pragma unroll
    for (int k = 0; k < width; ++k) sum[0] += binary_loss(a[k], b[k], w[k], p[k]);
  });
  finish_or_leave(sum, partial, Divided{divisor, out});
}
__global__ void __launch_bounds__(256, 1) binary_cross_entropy_backward(
    Layout<2> at, const Element* grad, bool single, const Element* x, const Element* target, const Element* weight,
    const Element* positive, Element* out, Index n, Real scale) {
  const Weights weights{at, weight, positive};
  const bool wide = is_aligned<kWide>(x) && is_aligned<kWide>(target) && is_aligned<kWide>(out) &&
                    (single || is_aligned<kWide>(grad));
  const Real one = single ? widen(grad[0]) * scale : Real(0);
  for_elements(wide, x, target, n, [&](Index i, const auto& a, const auto& b) {
    constexpr int width = sizeof(a) / sizeof(Real);
    Real w[width], p[width], g[width];
    weights.load(i, w, p);
    if (!single) load_wide(grad + i, g);
    store_part<Element, width>(out + i, [&](int k) {
      return (single ? one : g[k]) * binary_slope(a[k], b[k], w[k], p[k]);
    });
  });
}
