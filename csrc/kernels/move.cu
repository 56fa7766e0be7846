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

constexpr int kSide = 32;  // of a tile: _SIDE of kernels/cuda_launch.py

// Planes of rows and columns, neighbours along the rows in x and along the columns in out: element (r, c) is r + c * x_step
// behind the plane's place in x, and c + r * out_step behind that in out. Tiles turn in shared memory, so that both sides
// are read and written in whole lines. A block of (kSide, 8) threads.
template <typename T> __device__ __forceinline__ void transpose(
    const Layout<2>& at, Index planes, const T* x, T* out, Index rows, Index columns, Index x_step, Index out_step) {
  // Lines an odd number of banks apart: neither way two lanes meet one.
  __shared__ T tile[kSide][kSide + (sizeof(T) < 4 ? 4 / sizeof(T) : 1)];
  const Index down = (rows + kSide - 1) / kSide, across = (columns + kSide - 1) / kSide;
  for (Index t = blockIdx.x; t < planes * down * across; t += gridDim.x) {
    const Index plane = t / (down * across), rest = t - plane * down * across;
    const Index row = rest / across * kSide, column = rest % across * kSide;
    const Places<2> place = places(at, plane);
    for (int k = threadIdx.y; k < kSide; k += blockDim.y) {
      const Index r = row + threadIdx.x, c = column + k;
      if (r < rows && c < columns) tile[k][threadIdx.x] = x[place.at[0] + r + c * x_step];
    }
    __syncthreads();
    for (int k = threadIdx.y; k < kSide; k += blockDim.y) {
      const Index r = row + k, c = column + threadIdx.x;
      if (r < rows && c < columns) out[place.at[1] + c + r * out_step] = tile[threadIdx.x][k];
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(256) transpose_1(
    Layout<2> at, Index planes, const unsigned char* x, unsigned char* out, Index rows, Index columns, Index x_step,
    Index out_step) {
  transpose(at, planes, x, out, rows, columns, x_step, out_step);
}
__global__ void __launch_bounds__(256) transpose_2(
    Layout<2> at, Index planes, const unsigned short* x, unsigned short* out, Index rows, Index columns, Index x_step,
    Index out_step) {
  transpose(at, planes, x, out, rows, columns, x_step, out_step);
}
__global__ void __launch_bounds__(256) transpose_4(
    Layout<2> at, Index planes, const unsigned int* x, unsigned int* out, Index rows, Index columns, Index x_step,
    Index out_step) {
  transpose(at, planes, x, out, rows, columns, x_step, out_step);
}
__global__ void __launch_bounds__(256) transpose_8(
    Layout<2> at, Index planes, const unsigned long long* x, unsigned long long* out, Index rows, Index columns,
    Index x_step, Index out_step) {
  transpose(at, planes, x, out, rows, columns, x_step, out_step);
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

// One value everywhere.
template <typename T> __device__ __forceinline__ void fill(T* out, Index n, unsigned long long pattern) {
  const T value = static_cast<T>(pattern);
  constexpr int width = vector_width<T>();
  Index done = 0;
  if (is_aligned<width>(out)) {
    Vector<T, width> vector;
#pragma unroll
    for (int k = 0; k < width; ++k) vector.item[k] = value;
    done = n / width * width;
    for (Index i = thread_of_grid(); i < done / width; i += threads_of_grid()) {
      reinterpret_cast<Vector<T, width>*>(out)[i] = vector;
    }
  }
  for (Index i = done + thread_of_grid(); i < n; i += threads_of_grid()) out[i] = value;
}

__global__ void fill_1(unsigned char* out, Index n, unsigned long long pattern) { fill(out, n, pattern); }
__global__ void fill_2(unsigned short* out, Index n, unsigned long long pattern) { fill(out, n, pattern); }
__global__ void fill_4(unsigned int* out, Index n, unsigned long long pattern) { fill(out, n, pattern); }
__global__ void fill_8(unsigned long long* out, Index n, unsigned long long pattern) { fill(out, n, pattern); }
