// The gradient of maximum pooling of PYNEURAL_ELEMENT, at indices anywhere in the plane.
//
// A block owns a range of the result, several planes or a part of one, and sums it up in shared memory. Each warp of
// it owns an eighth of that range and goes through the gradients in order: no atomics, and the same bits each time.
#include <pyneural/map.cuh>
#include <pyneural/reduce.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;

constexpr int kSums = 24 * 1024 / sizeof(Real);  // elements of the result that a block holds
constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// `group` planes to a block, or where that is 1 `parts` blocks to a plane; a plane has `windows` gradients and `size`
// elements.
__global__ void __launch_bounds__(kThreads) max_pool2d_backward(
    const Element* grad, const Index* indices, Element* out, Index planes, Index windows, Index size, Index group,
    Index parts) {
  alignas(16) __shared__ Real sums[kSums];
  __shared__ Real values[kThreads];
  __shared__ int places[kThreads];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const Index groups = (planes + group - 1) / group;
  for (Index task = blockIdx.x; task < groups * parts; task += gridDim.x) {
    const Index plane = task / parts * group, part = task % parts;
    const Index deep = plane + group < planes ? group : planes - plane;
    const Index range = parts == 1 ? deep * size : (size + parts - 1) / parts;
    const Index begin = part * range, end = begin + range < deep * size ? begin + range : deep * size;
    const int share = static_cast<int>((range + kWarps - 1) / kWarps), low = warp * share, high = low + share;
    for (Index i = threadIdx.x; i < end - begin; i += kThreads) sums[i] = 0;
    const Index first = plane * windows, count = deep * windows;
    for (Index chunk = 0; chunk < count; chunk += kThreads) {
      const Index i = chunk + threadIdx.x;
      Index place = -1;
      if (i < count) place = i / windows * size + indices[first + i] - begin;
      const bool inside = place >= 0 && place < end - begin;
      __syncthreads();
      places[threadIdx.x] = inside ? static_cast<int>(place) : -1;
      if (inside) values[threadIdx.x] = widen(grad[first + i]);
      __syncthreads();
      for (int k = 0; k < kWarps; ++k) {
        const int at = places[k * kWarp + lane];
        const bool mine = at >= low && at < high;
        const unsigned all = __ballot_sync(kAllLanes, mine);
        if (mine) {
          const unsigned same = __match_any_sync(all, at);
          if (lane == __ffs(same) - 1) {
            Real sum = sums[at];
            for (unsigned rest = same; rest != 0; rest &= rest - 1) sum += values[k * kWarp + __ffs(rest) - 1];
            sums[at] = sum;
          }
        }
        __syncwarp();
      }
    }
    __syncthreads();
    Element* to = out + plane * size + begin;
    for (Index i = threadIdx.x; i < end - begin; i += kThreads) to[i] = narrow<Element>(sums[i]);
    __syncthreads();
  }
}
