// Scopes and orders of the CUDA C++ standard library. In the simulator every scope is the whole device.
#pragma once

namespace cuda {
enum thread_scope { thread_scope_system, thread_scope_device, thread_scope_block, thread_scope_thread };
namespace std {
enum memory_order { memory_order_relaxed, memory_order_consume, memory_order_acquire, memory_order_release, memory_order_acq_rel, memory_order_seq_cst };
}
using namespace std;
static constexpr memory_order pnsim_default_order = memory_order_seq_cst;
}  // namespace cuda
