// Scopes and orders of the CUDA C++ standard library. In the simulator every scope is the whole device.
#pragma once
#include <stddef.h>

namespace cuda {
enum thread_scope { thread_scope_system, thread_scope_device, thread_scope_block, thread_scope_thread };
namespace std {
enum memory_order { memory_order_relaxed, memory_order_consume, memory_order_acquire, memory_order_release, memory_order_acq_rel, memory_order_seq_cst };
}
using namespace std;
static constexpr memory_order pnsim_default_order = memory_order_seq_cst;

// A number of bytes that is known to be a multiple of Alignment, as are the addresses.
template <size_t Alignment>
struct aligned_size_t {
  size_t value;
  explicit aligned_size_t(size_t bytes) : value(bytes) {}
  operator size_t() const { return value; }
};
}  // namespace cuda
