// The gradient of padding by the array itself: each element of the input owns the sum of what it was repeated to.
#include <pyneural/map.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kDims = 3;  // padded dimensions that one launch folds, outermost first
enum Mode { kReflect, kReplicate, kCircular };

struct Fold {
  Index n[kDims];       // of the input
  Index padded[kDims];  // of the gradient
  Index before[kDims];  // added in front, negative where cropped
  Index low[kDims];     // the input's coordinates that cropping leaves: [low, high)
  Index high[kDims];
};

// Where in the gradient a coordinate of the input was repeated to: a range, and up to two more places.
struct Places3 {
  Index first, count, second, third;
  int others;
  __device__ __forceinline__ Index total() const { return count + others; }
  __device__ __forceinline__ Index operator[](Index k) const {
    return k < count ? first + k : k == count ? second : third;
  }
  __device__ __forceinline__ void add(Index place) {
    third = place;
    if (others++ == 0) second = place;
  }
};

__device__ __forceinline__ Places3 repeated(const Fold& fold, int d, Index c, int mode) {
  const Index n = fold.n[d], padded = fold.padded[d], before = fold.before[d], at = c + before;
  const auto within = [&](Index place) { return place >= 0 && place < padded; };
  Places3 result{at, within(at) ? 1 : 0, 0, 0, 0};
  if (mode == kReplicate) {
    const Index first = c == 0 ? 0 : at, last = c == n - 1 ? padded - 1 : at;
    result.first = first > 0 ? first : 0;
    const Index end = last < padded ? last + 1 : padded;
    result.count = end > result.first ? end - result.first : 0;
    return result;
  }
  if (mode == kReflect) {
    if (c > 0 && within(before - c)) result.add(before - c);
    const Index mirrored = 2 * (n - 1) - c + before;
    if (c < n - 1 && within(mirrored)) result.add(mirrored);
  } else if (c >= fold.low[d] && c < fold.high[d]) {
    const Index kept = fold.high[d] - fold.low[d];
    if (within(at - kept)) result.add(at - kept);
    if (within(at + kept)) result.add(at + kept);
  }
  return result;
}

// (outer, padded[0], padded[1], padded[2], inner) to (outer, n[0], n[1], n[2], inner).
__global__ void pad_backward(Fold fold, const Element* grad, Element* out, Index count, Index inner, int mode) {
  for (Index i = thread_of_grid(); i < count; i += threads_of_grid()) {
    Index rest = i / inner;
    const Index within = i - rest * inner;
    Index coordinate[kDims];
#pragma unroll
    for (int d = kDims - 1; d >= 0; --d) {
      const Index next = rest / fold.n[d];
      coordinate[d] = rest - next * fold.n[d];
      rest = next;
    }
    const Places3 a = repeated(fold, 0, coordinate[0], mode), b = repeated(fold, 1, coordinate[1], mode),
                  c = repeated(fold, 2, coordinate[2], mode);
    Real sum = 0;
    for (Index j = 0; j < a.total(); ++j) {
      for (Index k = 0; k < b.total(); ++k) {
        const Index line = ((rest * fold.padded[0] + a[j]) * fold.padded[1] + b[k]) * fold.padded[2];
        for (Index l = 0; l < c.total(); ++l) sum += widen(grad[(line + c[l]) * inner + within]);
      }
    }
    out[i] = narrow<Element>(sum);
  }
}
