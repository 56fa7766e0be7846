// Elements moved as they are: copies between any strides, and the choice between two arrays. What is moved
// is bits, so one kernel serves all dtypes of a size.
#include <pyneural/map.cuh>

using namespace pyneural;

// From the layout's first array to its second.
template <typename T> __device__ __forceinline__ void copy(const Layout<2>& at, const T* x, T* out, Index n) {
  if (at.ndim == 0) return map(n, out, [](T each) { return each; }, x);
  for (Index i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const Places<2> p = places(at, i);
    out[p.at[1]] = x[p.at[0]];
  }
}

__global__ void copy_1(Layout<2> at, const unsigned char* x, unsigned char* out, Index n) { copy(at, x, out, n); }
__global__ void copy_2(Layout<2> at, const unsigned short* x, unsigned short* out, Index n) { copy(at, x, out, n); }
__global__ void copy_4(Layout<2> at, const unsigned int* x, unsigned int* out, Index n) { copy(at, x, out, n); }
__global__ void copy_8(Layout<2> at, const unsigned long long* x, unsigned long long* out, Index n) {
  copy(at, x, out, n);
}

struct Choose {
  template <typename T> __device__ __forceinline__ T operator()(bool condition, T a, T b) const {
    return condition ? a : b;
  }
};

__global__ void where_1(
    Layout<3> at, const bool* condition, const unsigned char* a, const unsigned char* b, unsigned char* out, Index n) {
  map(n, out, Choose{}, at, condition, a, b);
}
__global__ void where_2(
    Layout<3> at, const bool* condition, const unsigned short* a, const unsigned short* b, unsigned short* out,
    Index n) {
  map(n, out, Choose{}, at, condition, a, b);
}
__global__ void where_4(
    Layout<3> at, const bool* condition, const unsigned int* a, const unsigned int* b, unsigned int* out, Index n) {
  map(n, out, Choose{}, at, condition, a, b);
}
__global__ void where_8(
    Layout<3> at, const bool* condition, const unsigned long long* a, const unsigned long long* b,
    unsigned long long* out, Index n) {
  map(n, out, Choose{}, at, condition, a, b);
}
