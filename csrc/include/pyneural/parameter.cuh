// A weight, a bias or a statistic that a kernel may be given: of the elements' type, of the wider type they are
// computed in, or not at all.
#pragma once
#include "map.cuh"

namespace pyneural {

// 16-byte accesses, or as many of them as `Width` elements need.
template <typename T, int Width> __device__ __forceinline__ void load_wide(const T* from, Computed<T> (&to)[Width]) {
  constexpr int each = Width * sizeof(T) > 16 ? 16 / int(sizeof(T)) : Width;
#pragma unroll
  for (int part = 0; part < Width / each; ++part) {
    const Vector<T, each> got = load_vector<each>(from, part);
#pragma unroll
    for (int k = 0; k < each; ++k) to[part * each + k] = widen(got.item[k]);
  }
}

template <typename T> struct Parameter {
  const void* data;
  bool wide;

  __device__ __forceinline__ bool aligned() const { return reinterpret_cast<unsigned long long>(data) % 16 == 0; }
  __device__ __forceinline__ const T* narrow_data() const { return static_cast<const T*>(data); }
  __device__ __forceinline__ const Computed<T>* wide_data() const { return static_cast<const Computed<T>*>(data); }

  // The parameters from element `start` on.
  __device__ __forceinline__ Parameter from(Index start) const {
    if (data == nullptr) return *this;
    return wide ? Parameter{wide_data() + start, true} : Parameter{narrow_data() + start, false};
  }
  __device__ __forceinline__ Computed<T> at(Index i, Computed<T> otherwise) const {
    if (data == nullptr) return otherwise;
    return wide ? wide_data()[i] : widen(narrow_data()[i]);
  }
  // Elements [i, i + Width), which lie at a multiple of Width where Width is not 1.
  template <int Width>
  __device__ __forceinline__ void load(Index i, Computed<T> (&to)[Width], Computed<T> otherwise) const {
    if (data == nullptr) {
#pragma unroll
      for (int k = 0; k < Width; ++k) to[k] = otherwise;
    } else if (wide) {
      load_wide(wide_data() + i, to);
    } else {
      load_wide(narrow_data() + i, to);
    }
  }
};

}  // namespace pyneural
