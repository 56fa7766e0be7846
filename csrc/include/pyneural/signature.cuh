// A table of the parameters of a kernel, for the host that launches it: see pyneural/cuda/signature.py. NVRTC has no
// type traits, so there are none here.
#pragma once
struct __half;
struct __nv_bfloat16;
namespace pyneural_signature {
struct Argument { char type[16]; unsigned long long size, align, element; int kind, constant; };
template <bool Yes, typename A, typename B> struct Choose { using Type = A; };
template <typename A, typename B> struct Choose<false, A, B> { using Type = B; };
template <bool Enumeration, typename T> struct Underlying { using Type = T; };
template <typename T> struct Underlying<true, T> { using Type = __underlying_type(T); };
struct Other {};
template <typename T> struct Name {
  static constexpr bool scalar = false;
  static constexpr char text[16] = "struct";
};
#define PYNEURAL_SIGNATURE(T, NAME)  \
  template <> struct Name<T> {       \
    static constexpr bool scalar = true;                                                                               \
    static constexpr char text[16] = NAME;                                                                             \
  };
#define PYNEURAL_SIGNATURE_VECTOR(T, NAME)                                                                             \
  template <> struct Name<T> {       \
    static constexpr bool scalar = false;                                                                              \
    static constexpr char text[16] = NAME;                                                                             \
  };
#define PYNEURAL_SIGNATURE_VECTORS(T, NAME)                                                                            \
  PYNEURAL_SIGNATURE_VECTOR(T##2, NAME) PYNEURAL_SIGNATURE_VECTOR(T##3, NAME) PYNEURAL_SIGNATURE_VECTOR(T##4, NAME)
PYNEURAL_SIGNATURE(bool, "b1") PYNEURAL_SIGNATURE(char, "i1") PYNEURAL_SIGNATURE(signed char, "i1")
PYNEURAL_SIGNATURE(unsigned char, "u1") PYNEURAL_SIGNATURE(short, "i2") PYNEURAL_SIGNATURE(unsigned short, "u2")
PYNEURAL_SIGNATURE(int, "i4") PYNEURAL_SIGNATURE(unsigned, "u4") PYNEURAL_SIGNATURE(long, "i8")
PYNEURAL_SIGNATURE(unsigned long, "u8") PYNEURAL_SIGNATURE(long long, "i8") PYNEURAL_SIGNATURE(unsigned long long, "u8")
PYNEURAL_SIGNATURE(float, "f4") PYNEURAL_SIGNATURE(double, "f8")
PYNEURAL_SIGNATURE(__half, "half") PYNEURAL_SIGNATURE(__nv_bfloat16, "bfloat16")
PYNEURAL_SIGNATURE_VECTORS(char, "i1") PYNEURAL_SIGNATURE_VECTORS(uchar, "u1") PYNEURAL_SIGNATURE_VECTORS(short, "i2")
PYNEURAL_SIGNATURE_VECTORS(ushort, "u2") PYNEURAL_SIGNATURE_VECTORS(int, "i4") PYNEURAL_SIGNATURE_VECTORS(uint, "u4")
PYNEURAL_SIGNATURE_VECTORS(longlong, "i8") PYNEURAL_SIGNATURE_VECTORS(ulonglong, "u8")
PYNEURAL_SIGNATURE_VECTORS(float, "f4") PYNEURAL_SIGNATURE_VECTORS(double, "f8")
template <> struct Name<void> {
  static constexpr bool scalar = false;
  static constexpr char text[16] = "void";
};
template <typename T> struct Name<T*> {
  static constexpr bool scalar = false;
  static constexpr char text[16] = "u8";
};
template <typename T> struct Size { static constexpr unsigned long long value = sizeof(T); };
template <> struct Size<void> { static constexpr unsigned long long value = 1; };
template <typename T> struct Mutable { using Type = T; static constexpr bool constant = false; };
template <typename T> struct Mutable<const T> { using Type = T; static constexpr bool constant = true; };
template <typename T> struct Mutable<volatile T> { using Type = T; static constexpr bool constant = false; };
template <typename T> struct Mutable<const volatile T> { using Type = T; static constexpr bool constant = true; };
template <typename P> struct Parameter {
  using Named = Name<typename Underlying<__is_enum(P), P>::Type>;
  static constexpr unsigned long long element = sizeof(P);
  static constexpr int kind = Named::scalar ? 0 : 2, constant = 0;
};
template <typename E> struct Parameter<E*> {
  using Plain = typename Mutable<E>::Type;
  using Named = Name<typename Underlying<__is_enum(Plain), Plain>::Type>;
  static constexpr unsigned long long element = Size<Plain>::value;
  static constexpr int kind = 1, constant = Mutable<E>::constant;
};
template <typename P> __host__ __device__ constexpr Argument argument() {
  using Q = Parameter<P>;
  Argument result = {{}, sizeof(P), alignof(P), Q::element, Q::kind, Q::constant};
  for (int i = 0; i < 16; ++i) result.type[i] = Q::Named::text[i];
  return result;
}
template <int Count> struct Table { Argument rows[Count]; };
template <typename F> struct Signature;
template <typename... P> struct Signature<void (*)(P...)> {
  using Type = Table<sizeof...(P) + 1>;
  static __host__ __device__ constexpr Type make() { return Type{{argument<P>()..., Argument{}}}; }
};
}  // namespace pyneural_signature
