// assert() in a kernel stops the kernel and says which thread failed; in host code it ends the program.
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#include "pyneural_sim/state.h"
#define assert(condition) ((condition) ? (void)0 : pnsim_assert(#condition, __FILE__, __LINE__, __func__))
#endif
#if !defined(__cplusplus)
#define static_assert _Static_assert
#endif
