// What arrays hold, and what it is computed in: 16-bit floats in float, everything else in itself.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace pyneural {

using Index = long long;

template <typename T> struct Traits {
  using Computed = T;
  static constexpr bool floating = false;
};
template <> struct Traits<double> {
  using Computed = double;
  static constexpr bool floating = true;
};
template <> struct Traits<float> {
  using Computed = float;
  static constexpr bool floating = true;
};
template <> struct Traits<__half> {
  using Computed = float;
  static constexpr bool floating = true;
};
template <> struct Traits<__nv_bfloat16> {
  using Computed = float;
  static constexpr bool floating = true;
};

template <typename T> using Computed = typename Traits<T>::Computed;

template <typename T> __device__ __forceinline__ Computed<T> widen(T x) { return x; }
template <> __device__ __forceinline__ float widen(__half x) { return __half2float(x); }
template <> __device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

// A computed value as T: rounded once to 16 bits, cut to the low bits of a narrow integer.
template <typename T> struct Narrow {
  template <typename From> static __device__ __forceinline__ T from(From x) { return static_cast<T>(x); }
};
template <> struct Narrow<bool> {
  template <typename From> static __device__ __forceinline__ bool from(From x) { return x != From(0); }
};
template <> struct Narrow<__half> {
  template <typename From> static __device__ __forceinline__ __half from(From x) {
    return __float2half_rn(static_cast<float>(x));
  }
};
template <> struct Narrow<__nv_bfloat16> {
  template <typename From> static __device__ __forceinline__ __nv_bfloat16 from(From x) {
    return __float2bfloat16_rn(static_cast<float>(x));
  }
};

template <typename T, typename From> __device__ __forceinline__ T narrow(From x) { return Narrow<T>::from(x); }

}  // namespace pyneural
