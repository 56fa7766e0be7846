// Whether two types are one: NVRTC has neither <type_traits> nor the compilers' own __is_same.
#pragma once

namespace pyneural::ptx {

template <typename A, typename B> inline constexpr bool same_type = false;
template <typename A> inline constexpr bool same_type<A, A> = true;

}  // namespace pyneural::ptx
