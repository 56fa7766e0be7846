// Adding PYNEURAL_ELEMENT at indices along the middle of an array (outer, n, inner): the gradient of maximum pooling,
// and scatter_add.
//
// A block owns some columns of a plane (n, inner), all or a part of n, and sums them up in shared memory; of small
// planes it owns several. Each warp of it owns an eighth of that range and goes through what is added in order: no
// atomics, and the same bits each time.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

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

constexpr int kSums = 44 * 1024 / sizeof(Sum);  // elements of the result that a block holds
constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// `count` values to add to each column of `n` elements. `columns` columns of `group` planes to a block, or of one plane
// by `parts` blocks; of several planes only whole ones.
struct Planes {
  Index outer, count, n, inner;
  Index columns, group, parts;
};

// The result begins as `start`, or as 0 where that is null.
template <typename Int>
__device__ __forceinline__ void add_in_planes(
    const Planes& size, const Element* values, const Int* indices, const Element* start, Element* out) {
  alignas(16) __shared__ Sum sums[kSums];
  __shared__ Sum staged[kThreads];
  __shared__ int places[kThreads];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const Index groups = (size.outer + size.group - 1) / size.group;
  const Index strips = (size.inner + size.columns - 1) / size.columns;
  for (Index task = blockIdx.x; task < groups * strips * size.parts; task += gridDim.x) {
    const Index line = task / size.parts, part = task - line * size.parts;
    const Index group = line / strips, plane = group * size.group, left = (line - group * strips) * size.columns;
    const Index deep = plane + size.group < size.outer ? size.group : size.outer - plane;
    const Index across = left + size.columns < size.inner ? size.columns : size.inner - left;
    const Index all = deep * size.n * across, range = (all + size.parts - 1) / size.parts;
    const Index begin = part * range, end = begin + range < all ? begin + range : all;
    const int share = static_cast<int>((range + kWarps - 1) / kWarps), low = warp * share, high = low + share;
    // Element e of the block's columns, and value i that is added to them, in memory.
    const Index corner = plane * size.n * size.inner + left;
    const bool whole = across == size.inner;
    const auto element = [&](Index e) { return corner + (whole ? e : e / across * size.inner + e % across); };
    const Index first = plane * size.count * size.inner + left;
    const auto value = [&](Index i) { return first + (whole ? i : i / across * size.inner + i % across); };
    for (Index i = begin + threadIdx.x; i < end; i += kThreads) {
      sums[i - begin] = start ? static_cast<Sum>(widen(start[element(i)])) : Sum(0);
    }
    const Index count = deep * size.count * across;
    for (Index chunk = 0; chunk < count; chunk += kThreads) {
      const Index i = chunk + threadIdx.x;
      Index place = -1;
      if (i < count) {
        const Index layer = deep == 1 ? 0 : i / (size.count * across), row = layer * size.n + indices[value(i)];
        place = row * across + (across == 1 ? 0 : i % across) - begin;
      }
      const bool inside = place >= 0 && place < end - begin;
      __syncthreads();
      places[threadIdx.x] = inside ? static_cast<int>(place) : -1;
      if (inside) staged[threadIdx.x] = static_cast<Sum>(widen(values[value(i)]));
      __syncthreads();
      for (int k = 0; k < kWarps; ++k) {
        const int at = places[k * kWarp + lane];
        const bool mine = at >= low && at < high;
        const unsigned owned = __ballot_sync(kAllLanes, mine);
        if (mine) {
          const unsigned same = __match_any_sync(owned, at);
          if (lane == __ffs(same) - 1) {
            Sum sum = sums[at];
            for (unsigned rest = same; rest != 0; rest &= rest - 1) sum += staged[k * kWarp + __ffs(rest) - 1];
            sums[at] = sum;
          }
        }
        __syncwarp();
      }
    }
    __syncthreads();
    for (Index i = begin + threadIdx.x; i < end; i += kThreads) out[element(i)] = narrow<Element>(sums[i - begin]);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads, 1) add_in_planes_int32(
    Planes size, const Element* values, const int* indices, const Element* start, Element* out) {
  add_in_planes(size, values, indices, start, out);
}
__global__ void __launch_bounds__(kThreads, 1) add_in_planes_int64(
    Planes size, const Element* values, const Index* indices, const Element* start, Element* out) {
  add_in_planes(size, values, indices, start, out);
}
