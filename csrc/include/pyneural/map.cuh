// One result an element, of one to three arrays: 16 bytes an access where all arrays are contiguous and aligned.
#pragma once
#include "layout.cuh"

namespace pyneural {

template <typename T, int Width> struct alignas(sizeof(T) * Width) Vector {
  T item[Width];
};

// Elements so that the widest type of an operation fills 16 bytes.
template <typename... T> __host__ __device__ constexpr int vector_width() {
  int widest = 1;
  ((widest = int(sizeof(T)) > widest ? int(sizeof(T)) : widest), ...);
  return 16 / widest;
}

template <int Width, typename T> __device__ __forceinline__ bool is_aligned(const T* pointer) {
  return reinterpret_cast<unsigned long long>(pointer) % (sizeof(T) * Width) == 0;
}

template <int Width, typename T> __device__ __forceinline__ Vector<T, Width> load_vector(const T* from, Index i) {
  return reinterpret_cast<const Vector<T, Width>*>(from)[i];
}

template <int Width, typename Out, typename Op, typename... In>
__device__ __forceinline__ void map_vector(Out* out, Index i, const Op& op, const Vector<In, Width>... in) {
  Vector<Out, Width> result;
#pragma unroll
  for (int k = 0; k < Width; ++k) result.item[k] = op(in.item[k]...);
  reinterpret_cast<Vector<Out, Width>*>(out)[i] = result;
}

__device__ __forceinline__ Index thread_of_grid() { return Index(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ Index threads_of_grid() { return Index(gridDim.x) * blockDim.x; }

// out[i] = op(in[i]...) for contiguous arrays, `width` elements an access.
template <int width, typename Out, typename Op, typename... In>
__device__ __forceinline__ void map_by(Index n, Out* out, const Op& op, const In*... in) {
  Index done = 0;
  if (is_aligned<width>(out) && (is_aligned<width>(in) && ...)) {
    const Index vectors = n / width;
    for (Index i = thread_of_grid(); i < vectors; i += threads_of_grid()) {
      map_vector<width>(out, i, op, load_vector<width>(in, i)...);
    }
    done = vectors * width;
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) out[i] = op(in[i]...);
}

// The same in the widest accesses there are.
template <typename Out, typename Op, typename... In>
__device__ __forceinline__ void map(Index n, Out* out, const Op& op, const In*... in) {
  map_by<vector_width<Out, In...>()>(n, out, op, in...);
}

// The same for two arrays that broadcast or have strides.
template <typename Out, typename Op, typename A, typename B>
__device__ __forceinline__ void map(
    Index n, Out* out, const Op& op, const Layout<2>& layout, const A* a, const B* b) {
  if (layout.ndim == 0) return map(n, out, op, a, b);
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Places<2> p = places(layout, i);
    out[i] = op(a[p.at[0]], b[p.at[1]]);
  }
}

// And for three.
template <typename Out, typename Op, typename A, typename B, typename C>
__device__ __forceinline__ void map(
    Index n, Out* out, const Op& op, const Layout<3>& layout, const A* a, const B* b, const C* c) {
  if (layout.ndim == 0) return map(n, out, op, a, b, c);
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Places<3> p = places(layout, i);
    out[i] = op(a[p.at[0]], b[p.at[1]], c[p.at[2]]);
  }
}

}  // namespace pyneural
