// Two ways into a kernel: from Python through a table that describes its parameters, and from a program
// through `kernel<<<grid, block>>>(...)`, which the source rewriter turns into pnsim::launch.
#pragma once
#include <tuple>
#include <type_traits>
#include <utility>

#include "language.h"

#if defined(PNSIM_INSTRUMENTED)
#define PNSIM_UNCOUNTED __attribute__((no_sanitize("thread")))
#else
#define PNSIM_UNCOUNTED
#endif

namespace pnsim {

// What Python must hand over for an element type; class types that are not listed match by size.
template <typename T>
struct type_tag {
  static constexpr const char* name() {
    if constexpr (std::is_void_v<T>) return "void";
    else if constexpr (std::is_same_v<T, bool>) return "b1";
    else if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? "f4" : sizeof(T) == 8 ? "f8" : "struct";
    else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      constexpr bool is_signed = T(-1) < T(0);
      if constexpr (sizeof(T) == 1) return is_signed ? "i1" : "u1";
      else if constexpr (sizeof(T) == 2) return is_signed ? "i2" : "u2";
      else if constexpr (sizeof(T) == 4) return is_signed ? "i4" : "u4";
      else return is_signed ? "i8" : "u8";
    } else if constexpr (std::is_pointer_v<T>) return "u8";
    else return "struct";
  }
};

#define PNSIM_TAG(vector, scalar)                                                                                      \
  template <> struct type_tag<vector##2> : type_tag<scalar> {};                                                        \
  template <> struct type_tag<vector##3> : type_tag<scalar> {};                                                        \
  template <> struct type_tag<vector##4> : type_tag<scalar> {};
PNSIM_TAG(char, signed char) PNSIM_TAG(uchar, uchar) PNSIM_TAG(short, short) PNSIM_TAG(ushort, ushort)
PNSIM_TAG(int, int) PNSIM_TAG(uint, uint) PNSIM_TAG(longlong, long long) PNSIM_TAG(ulonglong, unsigned long long)
PNSIM_TAG(float, float) PNSIM_TAG(double, double)
#undef PNSIM_TAG

template <typename P>
constexpr pnsim_argument describe() {
  if constexpr (std::is_pointer_v<P>) {
    using E = std::remove_pointer_t<P>;
    constexpr unsigned element = [] { if constexpr (std::is_void_v<std::remove_cv_t<E>>) return 1u; else return unsigned(sizeof(E)); }();
    return {type_tag<std::remove_cv_t<E>>::name(), sizeof(P), alignof(P), element, PNSIM_POINTER, std::is_const_v<E>};
  } else {
    // half and bfloat16 are scalars to Python, though classes to C++.
    constexpr char first = type_tag<P>::name()[0], second = type_tag<P>::name()[1];
    constexpr bool scalar = std::is_arithmetic_v<P> || std::is_enum_v<P> ||
                            (sizeof(P) == 2 && (first == 'h' || (first == 'b' && second == 'f')));
    return {type_tag<P>::name(), sizeof(P), alignof(P), sizeof(P), scalar ? PNSIM_SCALAR : PNSIM_STRUCT, false};
  }
}

template <auto Kernel>
struct entry;

template <typename... P, void (*Kernel)(P...)>
struct entry<Kernel> {
  static constexpr unsigned count = sizeof...(P);
  static constexpr pnsim_argument arguments[count + 1] = {describe<P>()..., pnsim_argument{}};
  static constexpr unsigned param_bytes = (0u + ... + unsigned(sizeof(P)));

  // Parameters travel in the constant bank: reading them is no access to report.
  template <size_t... I>
  PNSIM_UNCOUNTED static void unpack(void** args, std::index_sequence<I...>) {
    Kernel(*static_cast<P*>(args[I])...);
  }
  PNSIM_UNCOUNTED static void run(void** args) { unpack(args, std::make_index_sequence<count>{}); }
};

struct launch_config {
  dim3 grid, block;
  size_t shared;
  const char* file;
  int line;
  launch_config(dim3 grid, dim3 block, size_t shared = 0, const void* = nullptr, PNSIM_HERE)
      : grid(grid), block(block), shared(shared), file(file), line(line) {}
  int start(void (*entry)(void**), void** args, size_t param_bytes, const char* name) const {
    const unsigned g[3] = {grid.x, grid.y, grid.z}, b[3] = {block.x, block.y, block.z};
    return pnsim_launch(entry, args, param_bytes, g, b, shared, name, file, line);
  }
};

template <typename F, typename... A>
int launch_pack(const launch_config& config, const char* name, std::tuple<F, A...>& pack) {
  using Pack = std::tuple<F, A...>;
  void* args[] = {&pack};
  return config.start(
      [](void** v) { std::apply([](F& f, A&... a) { f(a...); }, *static_cast<Pack*>(v[0])); }, args, sizeof(pack), name);
}

// A function or a pointer to one. The arguments convert to its parameters where the user's call stands, so that
// a NULL is a null pointer and the compiler's errors have the user's line.
template <typename... P>
struct kernel_taking {
  const launch_config& config;
  const char* name;
  void (*kernel)(P...);
  int operator()(P... p) const {
    std::tuple<void (*)(P...), P...> pack(kernel, static_cast<P&&>(p)...);
    return launch_pack(config, name, pack);
  }
};
template <typename... P>
kernel_taking<P...> launch(const launch_config& config, const char* name, void (*kernel)(P...)) {
  return {config, name, kernel};
}

// A template whose arguments are to be deduced: the rewriter wraps it in a generic lambda.
template <typename F, typename... A>
int launch_deduced(const launch_config& config, const char* name, F kernel, A&&... a) {
  std::tuple<F, std::decay_t<A>...> pack(kernel, std::forward<A>(a)...);
  return launch_pack(config, name, pack);
}

}  // namespace pnsim
