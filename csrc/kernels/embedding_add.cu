// Adding by indices, PYNEURAL_ELEMENT: always over indices sorted by what they name (random_sort.cu, stable), so that
// one thread or warp owns each sum and takes its terms in the order in which they stand. No atomics.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>
#include <pyneural/selection.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;

// Integers wrap: they are added in unsigned 64 bits.
template <bool Floating> struct Numbers {
  using Sum = unsigned long long;
};
template <> struct Numbers<true> {
  using Sum = Computed<Element>;
};
using Sum = Numbers<Traits<Element>::floating>::Sum;

constexpr int kWidth = 16 / sizeof(Element);
constexpr int kWarps = 8;
constexpr Index kLong = 128;  // terms of a sum that the warps of a block share

// starts[r] is the first of the sorted indices that is at least r, for r = 0, ..., rows.
__global__ void starts(const Index* sorted, Index* starts, Index count, Index rows) {
  for (Index row = thread_of_grid(); row <= rows; row += threads_of_grid()) {
    Index low = 0, high = count;
    while (low < high) {
      const Index middle = (low + high) / 2;
      if (sorted[middle] < row) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    starts[row] = low;
  }
}

// (outer, count, inner) to (outer, rows, inner): row r is the sum of the slices order[starts[r]], ...
struct Segments {
  Index outer, count, rows, inner;
  Index left_out;  // a row that stays 0, or -1
  bool mean;
};

template <int Width> struct Strip {
  Sum sum[Width];
};

template <int Width>
__device__ __forceinline__ Strip<Width> sum_of(
    const Element* grad, const Index* order, Index inner, Index begin, Index end) {
  Strip<Width> result{};
  for (Index k = begin; k < end; ++k) {
    const Element* from = grad + order[k] * inner;
    if (Width > 1) {
      const auto vector = load_vector<Width>(from, 0);
#pragma unroll
      for (int j = 0; j < Width; ++j) result.sum[j] += static_cast<Sum>(widen(vector.item[j]));
    } else {
      result.sum[0] += static_cast<Sum>(widen(*from));
    }
  }
  return result;
}

template <int Width>
__device__ __forceinline__ void write(Element* to, const Strip<Width>& strip, Index terms, bool mean) {
  Vector<Element, Width> result;
#pragma unroll
  for (int j = 0; j < Width; ++j) {
    result.item[j] = narrow<Element>(mean && terms > 1 ? strip.sum[j] / static_cast<Sum>(terms) : strip.sum[j]);
  }
  *reinterpret_cast<Vector<Element, Width>*>(to) = result;
}

// A warp takes kWarp * Width columns of a row; a sum of many terms is shared by the warps of the block, an eighth of
// the terms each, in order.
template <int Width>
__device__ __forceinline__ void sum_rows(
    const Segments& size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  __shared__ Strip<Width> parts[kWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const Index strips = (size.inner + kWarp * Width - 1) / (kWarp * Width);
  const Index tasks = size.outer * strips * size.rows;
  struct Task {
    Index begin, end, from, to;
    bool holds;
  };
  const auto task_of = [&](Index number) {
    const Index line = number / size.rows, row = number - line * size.rows, plane = line / strips;
    const Index column = ((line - plane * strips) * kWarp + lane) * Width;
    const bool left_out = row == size.left_out;
    return Task{left_out ? 0 : starts[row], left_out ? 0 : starts[row + 1], plane * size.count * size.inner + column,
                (plane * size.rows + row) * size.inner + column, column < size.inner};
  };
  for (Index first = Index(blockIdx.x) * kWarps; first < tasks; first += Index(gridDim.x) * kWarps) {
    bool many = false;
    if (first + warp < tasks) {
      const Task task = task_of(first + warp);
      many = task.end - task.begin > kLong;
      if (!many && task.holds) {
        const auto strip = sum_of<Width>(grad + task.from, order, size.inner, task.begin, task.end);
        write(out + task.to, strip, task.end - task.begin, size.mean);
      }
    }
    if (!__syncthreads_or(many)) continue;
    for (int w = 0; w < kWarps && first + w < tasks; ++w) {
      const Task task = task_of(first + w);
      const Index terms = task.end - task.begin;
      if (terms <= kLong) continue;
      const Index share = (terms + kWarps - 1) / kWarps, begin = task.begin + warp * share;
      const Index end = begin + share < task.end ? begin + share : task.end;
      if (task.holds) parts[warp][lane] = sum_of<Width>(grad + task.from, order, size.inner, begin, end);
      __syncthreads();
      if (warp == 0 && task.holds) {
        Strip<Width> strip = parts[0][lane];
        for (int other = 1; other < kWarps; ++other) {
#pragma unroll
          for (int j = 0; j < Width; ++j) strip.sum[j] += parts[other][lane].sum[j];
        }
        write(out + task.to, strip, terms, size.mean);
      }
      __syncthreads();
    }
  }
}

__global__ void sum_segments(
    Segments size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  if (size.inner % kWidth == 0 && is_aligned<kWidth>(grad) && is_aligned<kWidth>(out)) {
    sum_rows<kWidth>(size, grad, order, starts, out);
  } else {
    sum_rows<1>(size, grad, order, starts, out);
  }
}

// The same for slices of a few elements: a thread an element of the result.
__global__ void sum_elements(
    Segments size, const Element* grad, const Index* order, const Index* starts, Element* out) {
  const Index n = size.outer * size.rows * size.inner;
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Index line = i / size.inner, plane = line / size.rows, row = line - plane * size.rows;
    const bool left_out = row == size.left_out;
    const Index begin = left_out ? 0 : starts[row], end = left_out ? 0 : starts[row + 1];
    const Element* from = grad + plane * size.count * size.inner + i - line * size.inner;
    write(out + i, sum_of<1>(from, order, size.inner, begin, end), end - begin, size.mean);
  }
}

// Writes, or adds, `values` at the places of a selection whose indices are sorted places: the first of several equal
// ones owns the element and adds them in order, or takes the last. `values_at` has the same shape, and its index
// dimension's stride is that of the order of the values.
__global__ void put(
    Selection selection, Selection values_at, const Index* sorted, const Index* order, const Element* values,
    Element* x, Index n, Index count, bool accumulate) {
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Chosen to = choose(selection, i);
    const Index place = sorted[to.which];
    if (to.which > 0 && sorted[to.which - 1] == place) continue;
    const Index from = choose(values_at, i).at, step = values_at.stride[values_at.index_dim];
    Index k = to.which;
    Sum sum = accumulate ? static_cast<Sum>(widen(x[to.at + place])) : Sum(0);
    for (; k < count && sorted[k] == place; ++k) {
      if (accumulate) sum += static_cast<Sum>(widen(values[from + order[k] * step]));
    }
    x[to.at + place] = accumulate ? narrow<Element>(sum) : values[from + order[k - 1] * step];
  }
}

__global__ void zeros(Element* out, Index n) {
  const Element zero = narrow<Element>(Sum(0));
  Index done = 0;
  if (is_aligned<kWidth>(out)) {
    Vector<Element, kWidth> vector;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) vector.item[k] = zero;
    done = n / kWidth * kWidth;
    for (Index i = thread_of_grid(); i < done / kWidth; i += threads_of_grid()) {
      reinterpret_cast<Vector<Element, kWidth>*>(out)[i] = vector;
    }
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) out[i] = zero;
}
