// One launch for many tensors: a table of their addresses, passed by value, so that nothing is copied to the device
// first, and a block for each chunk of each. The idea is that of Apex's multi_tensor_apply.
#pragma once
#include "held_rows.cuh"
#include "parameter.cuh"

namespace pyneural {

constexpr int kTensors = 64;   // a launch: with five arrays each, the table stays below 4 KiB
constexpr int kChunk = 4096;   // elements a block

// Filled in by kernels/optimizer/cuda.py. Arrays that an operation does not need are null.
template <typename T, int Arrays> struct Tensors {
  T* data[kTensors][Arrays];
  Index size[kTensors];
  int first[kTensors + 1];  // block of each tensor, and how many blocks there are
  int count;
};

// update(value), of Real value[Arrays][Width], for all elements of this block's chunk. What `reads` and `writes` have
// a bit for is loaded before and stored after.
template <int Arrays, int Width, typename T, typename Update>
__device__ __forceinline__ void update_range(
    T* const (&data)[Arrays], Index begin, Index end, unsigned reads, unsigned writes, const Update& update) {
  for (Index i = begin + Index(threadIdx.x) * Width; i < end; i += Index(blockDim.x) * Width) {
    Computed<T> value[Arrays][Width];
#pragma unroll
    for (int a = 0; a < Arrays; ++a) {
      if (reads >> a & 1) load_wide(data[a] + i, value[a]);
    }
#pragma unroll
    for (int k = 0; k < Width; ++k) {
      Computed<T> one[Arrays];
#pragma unroll
      for (int a = 0; a < Arrays; ++a) one[a] = reads >> a & 1 ? value[a][k] : Computed<T>(0);
      update(one);
#pragma unroll
      for (int a = 0; a < Arrays; ++a) value[a][k] = one[a];
    }
#pragma unroll
    for (int a = 0; a < Arrays; ++a) {
      if (writes >> a & 1) store_part<T, Width>(data[a] + i, [&](int k) { return value[a][k]; });
    }
  }
}

template <int Arrays, typename T, typename Update>
__device__ __forceinline__ void update_chunk(
    const Tensors<T, Arrays>& tensors, unsigned reads, unsigned writes, const Update& update) {
  constexpr int wide = 16 / sizeof(T);
  const int block = blockIdx.x;
  int low = 0, high = tensors.count;  // the last tensor whose first block is not behind this one
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (tensors.first[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  T* data[Arrays];
  bool aligned = true;
#pragma unroll
  for (int a = 0; a < Arrays; ++a) {
    data[a] = tensors.data[low][a];
    aligned = aligned && is_aligned<wide>(data[a]);
  }
  const Index begin = Index(block - tensors.first[low]) * kChunk, size = tensors.size[low];
  const Index end = begin + kChunk < size ? begin + kChunk : size;
  const Index whole = aligned ? begin + (end - begin) / wide * wide : begin;
  update_range<Arrays, wide>(data, begin, whole, reads, writes, update);
  update_range<Arrays, 1>(data, whole, end, reads, writes, update);
}

}  // namespace pyneural
