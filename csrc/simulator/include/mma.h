// The simulator's mma.h: nvcuda::wmma. A fragment is spread over the 32 lanes of a warp; which element lies
// where is the simulator's own choice, as the interface allows. Products are summed in float (double for double).
#pragma once
#include "cuda_bf16.h"
#include "cuda_fp16.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32 {};
}  // namespace precision

namespace details {
template <typename T> struct storage { using type = T; };
template <> struct storage<precision::tf32> { using type = float; };
template <typename Use, int M, int N, int K> struct shape;
template <int M, int N, int K> struct shape<matrix_a, M, N, K> { static constexpr int rows = M, columns = K; };
template <int M, int N, int K> struct shape<matrix_b, M, N, K> { static constexpr int rows = K, columns = N; };
template <int M, int N, int K> struct shape<accumulator, M, N, K> { static constexpr int rows = M, columns = N; };
PNSIM_INLINE float round_tf32(float x) {
  const unsigned u = pnsim::bits<unsigned>(x);
  if ((u & 0x7fffffffu) >= 0x7f800000u) return x;
  return pnsim::bits<float>((u + 0x1000u) & ~0x1fffu);
}
}  // namespace details

// Element e of a lane is element e * 32 + lane of the matrix, counted by rows.
template <typename Use, int M, int N, int K, typename T, typename Layout = void>
struct fragment {
  using element_type = typename details::storage<T>::type;
  using storage_element_type = element_type;
  static constexpr int rows = details::shape<Use, M, N, K>::rows, columns = details::shape<Use, M, N, K>::columns;
  static constexpr int num_elements = rows * columns / 32;
  static constexpr int num_storage_elements = num_elements;
  element_type x[num_elements];
};

PNSIM_INLINE float __float_to_tf32(float x) { return details::round_tf32(x); }

template <typename F, typename V>
PNSIM_INLINE void fill_fragment(F& f, V value) {
  for (int e = 0; e < F::num_elements; ++e) f.x[e] = typename F::element_type(value);
}

namespace details {
template <typename F, typename T>
PNSIM_INLINE void load(F& f, const T* p, unsigned stride, bool by_rows, const char* file, int line) {
  if (stride * sizeof(T) % 16) pnsim_trap("wmma: the leading dimension must be a multiple of 16 bytes", file, line);
  for (int e = 0; e < F::num_elements; ++e) {
    const int i = e * 32 + int(pnsim::lane()), row = i / F::columns, column = i % F::columns;
    const T* from = p + (by_rows ? size_t(row) * stride + column : size_t(column) * stride + row);
    pnsim::told(from, sizeof(T), PNSIM_READ, file, line);
    f.x[e] = typename F::element_type(pnsim::fetch(from));
  }
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
}
}  // namespace details

template <int M, int N, int K, typename T, typename Layout, typename Use, typename P>
PNSIM_INLINE void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const P* p, unsigned stride, PNSIM_HERE) {
  details::load(f, p, stride, std::is_same_v<Layout, row_major>, file, line);
}
template <int M, int N, int K, typename T, typename P>
PNSIM_INLINE void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const P* p, unsigned stride, layout_t layout, PNSIM_HERE) {
  details::load(f, p, stride, layout == mem_row_major, file, line);
}

template <int M, int N, int K, typename T, typename P>
PNSIM_INLINE void store_matrix_sync(P* p, const fragment<accumulator, M, N, K, T>& f, unsigned stride, layout_t layout, PNSIM_HERE) {
  using F = fragment<accumulator, M, N, K, T>;
  for (int e = 0; e < F::num_elements; ++e) {
    const int i = e * 32 + int(pnsim::lane()), row = i / F::columns, column = i % F::columns;
    P* to = p + (layout == mem_row_major ? size_t(row) * stride + column : size_t(column) * stride + row);
    pnsim::told(to, sizeof(P), PNSIM_WRITE, file, line);
    pnsim::apply<pnsim::Take>(to, P(f.x[e]));
  }
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);
}

// Every lane needs whole rows and columns, so the lanes look into each other's fragments.
template <int M, int N, int K, typename TD, typename TA, typename LA, typename TB, typename LB, typename TC>
PNSIM_INLINE void mma_sync(fragment<accumulator, M, N, K, TD>& d, const fragment<matrix_a, M, N, K, TA, LA>& a,
                           const fragment<matrix_b, M, N, K, TB, LB>& b, const fragment<accumulator, M, N, K, TC>& c, bool = false, PNSIM_HERE) {
  using FA = fragment<matrix_a, M, N, K, TA, LA>;
  using FB = fragment<matrix_b, M, N, K, TB, LB>;
  using FD = fragment<accumulator, M, N, K, TD>;
  using S = std::conditional_t<std::is_same_v<TD, double>, double, std::conditional_t<std::is_same_v<TD, int>, int, float>>;
  unsigned long long as[32], bs[32];
  pnsim_gather(0xffffffffu, (unsigned long long)&a, as, file, line);
  pnsim_gather(0xffffffffu, (unsigned long long)&b, bs, file, line);
  S sums[FD::num_elements];
  for (int e = 0; e < FD::num_elements; ++e) {
    const int i = e * 32 + int(pnsim::lane()), row = i / N, column = i % N;
    S sum = S(c.x[e]);
    for (int k = 0; k < K; ++k) {
      const int ia = row * K + k, ib = k * N + column;
      // Another lane's registers: no access that a kernel makes.
      sum += S(pnsim::fetch(&((const FA*)as[ia % 32])->x[ia / 32])) * S(pnsim::fetch(&((const FB*)bs[ib % 32])->x[ib / 32]));
    }
    sums[e] = sum;
  }
  pnsim_warp(PNSIM_SYNC, 0xffffffffu, 0, 0, 32, file, line);  // d may be one of the others' operands
  for (int e = 0; e < FD::num_elements; ++e) d.x[e] = typename FD::element_type(sums[e]);
}

}  // namespace nvcuda::wmma
