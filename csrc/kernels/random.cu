// Random numbers of PYNEURAL_ELEMENT, and dropout. A thread makes the Philox blocks whose numbers fill 16 bytes.
#include <pyneural/map.cuh>
#include <pyneural/philox.cuh>

using namespace pyneural;
using Element = PYNEURAL_ELEMENT;
using Real = Computed<Element>;
using Word64 = unsigned long long;

constexpr int kNumbers = sizeof(Real) == 8 ? 2 : 4;  // of a Philox block
constexpr int kWidth = 16 / sizeof(Element);
constexpr int kBlocks = kWidth / kNumbers;

// `number(block, value)` makes of the words of a Philox block the values of kNumbers elements.
template <typename Number>
__device__ __forceinline__ void generate(Element* out, Index n, Word64 seed, Word64 offset, const Number& number) {
  const bool aligned = is_aligned<kWidth>(out);
  for (Index i = thread_of_grid(); i * kWidth < n; i += threads_of_grid()) {
    Vector<Element, kWidth> result;
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      Element value[kNumbers];
      number(philox_block(seed, offset, i * kBlocks + b), value);
#pragma unroll
      for (int k = 0; k < kNumbers; ++k) result.item[b * kNumbers + k] = value[k];
    }
    if (aligned && (i + 1) * kWidth <= n) {
      reinterpret_cast<Vector<Element, kWidth>*>(out)[i] = result;
    } else {
#pragma unroll
      for (int k = 0; k < kWidth; ++k) {
        if (i * kWidth + k < n) out[i * kWidth + k] = result.item[k];
      }
    }
  }
}

// The largest value of T that does not exceed x.
__device__ __forceinline__ void round_down(double x, double& result) { result = x; }
__device__ __forceinline__ void round_down(float x, float& result) { result = x; }
template <typename T> __device__ __forceinline__ void round_down(float x, T& result) {
  result = narrow<T>(x);
  if (widen(result) > x) {
    unsigned short bits;
    memcpy(&bits, &result, sizeof bits);
    bits = (bits & 0x7fff) == 0 ? 0x8001 : bits & 0x8000 ? bits + 1 : bits - 1;
    memcpy(&result, &bits, sizeof bits);
  }
}

struct Uniform {
  Real low, high, length, below;  // `below` is the number before `high`
  __device__ __forceinline__ void number(Real unit, Element& result) const {
    const Real x = exact::add(low, exact::mul(unit, length));
    round_down(x >= high ? below : x, result);
  }
  __device__ __forceinline__ void operator()(const PhiloxBlock& block, Element (&value)[4]) const {
#pragma unroll
    for (int k = 0; k < 4; ++k) number(uniform_unit(block.word[k]), value[k]);
  }
  __device__ __forceinline__ void operator()(const PhiloxBlock& block, Element (&value)[2]) const {
#pragma unroll
    for (int k = 0; k < 2; ++k) number(uniform_unit(philox_value64(block, k)), value[k]);
  }
};

struct Normal {
  Real mean, std;
  __device__ __forceinline__ Element number(Real z) const {
    return narrow<Element>(exact::add(exact::mul(z, std), mean));
  }
  __device__ __forceinline__ void operator()(const PhiloxBlock& block, Element (&value)[4]) const {
#pragma unroll
    for (int k = 0; k < 4; k += 2) {
      const NormalPair<float> pair = box_muller<float>(block.word[k], block.word[k + 1]);
      value[k] = number(pair.first);
      value[k + 1] = number(pair.second);
    }
  }
  __device__ __forceinline__ void operator()(const PhiloxBlock& block, Element (&value)[2]) const {
    const NormalPair<double> pair = box_muller<double>(philox_value64(block, 0), philox_value64(block, 1));
    value[0] = number(pair.first);
    value[1] = number(pair.second);
  }
};

__global__ void uniform(
    Element* out, Index n, Word64 seed, Word64 offset, Real low, Real high, Real length, Real below) {
  generate(out, n, seed, offset, Uniform{low, high, length, below});
}
__global__ void normal(Element* out, Index n, Word64 seed, Word64 offset, Real mean, Real std) {
  generate(out, n, seed, offset, Normal{mean, std});
}

// A word an element, whatever its dtype: dropped below `threshold`.
__global__ void dropout(
    const Element* x, Element* out, Index n, Word64 seed, Word64 offset, Word64 threshold, Real scale) {
  constexpr int blocks = (kWidth + 3) / 4;
  const bool aligned = is_aligned<kWidth>(x) && is_aligned<kWidth>(out);
  const auto dropped = [&](Element each, std::uint32_t word) {
    return narrow<Element>(word >= threshold ? widen(each) * scale : Real(0));
  };
  // Two vectors of 64-bit elements make use of a block's four words.
  constexpr int vectors = 4 * blocks / kWidth, items = vectors * kWidth;
  for (Index i = thread_of_grid(); i * items < n; i += threads_of_grid()) {
    std::uint32_t word[items];
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
      const PhiloxBlock block = philox_block(seed, offset, i * blocks + b);
#pragma unroll
      for (int k = 0; k < 4; ++k) word[b * 4 + k] = block.word[k];
    }
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
      const Index at = i * vectors + v;
      if (aligned && (at + 1) * kWidth <= n) {
        Vector<Element, kWidth> each = load_vector<kWidth>(x, at);
#pragma unroll
        for (int k = 0; k < kWidth; ++k) each.item[k] = dropped(each.item[k], word[v * kWidth + k]);
        reinterpret_cast<Vector<Element, kWidth>*>(out)[at] = each;
      } else {
#pragma unroll
        for (int k = 0; k < kWidth; ++k) {
          const Index j = at * kWidth + k;
          if (j < n) out[j] = dropped(x[j], word[v * kWidth + k]);
        }
      }
    }
  }
}
