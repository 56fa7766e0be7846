// The functions that -fsanitize=thread makes an instrumented kernel call, one per load and store, and the
// places where the scheduler meets the checkers.
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "checker.h"
#include "flight.h"
#include "launch.h"
#include "profiler.h"
#include "sanitizer.h"

namespace pnsim {

namespace {

inline void touch(uintptr_t a, unsigned size, int kind, const Where& at) {
  Worker& w = *worker;
  Thread& t = *w.current();
  if (w.launch->mode == SANITIZE) {
    const uintptr_t stack = reinterpret_cast<uintptr_t>(t.fiber->stack);
    if (a - stack < t.fiber->frames - stack) {  // its own local memory
      if ((++t.steps & 0xfff) == 0 && cancel_requested) check_cancel(at.pc);
      if (t.accumulating) flight::check_accumulators(w, t, a, size, kind, at);
      return;
    }
    sanitizer::access(w, t, a, size, kind, at);
  } else if (w.launch->mode == PROFILE) {
    profiler::access(w, t, a, size, kind, at);
  }
}

inline void hook(void* p, unsigned size, int kind, void* pc) {
  if (!pnsim_current) return;  // host code
  if (kind == PNSIM_READ && worker->launch->mode == SANITIZE && sanitizer::quick_read(*worker->current(), reinterpret_cast<uintptr_t>(p), size))
    return;
  touch(reinterpret_cast<uintptr_t>(p), size, kind, Where{pc, nullptr, 0});
}

// A polling loop must let the thread it waits for run.
inline void hook_volatile(void* p, unsigned size, int kind, void* pc) {
  if (!pnsim_current) return;
  touch(reinterpret_cast<uintptr_t>(p), size, kind | sanitizer::VOLATILE, Where{pc, nullptr, 0});
  if (kind == PNSIM_READ && ++pnsim_current->spins > 200) worker->yield();
}

void hook_range(void* p, size_t size, int kind, void* pc) {
  uintptr_t a = reinterpret_cast<uintptr_t>(p);
  while (size && pnsim_current) {
    unsigned piece = 16;
    while (piece > size || a % piece) piece /= 2;
    hook(reinterpret_cast<void*>(a), piece, kind, pc);
    a += piece;
    size -= piece;
  }
}

struct Copy {
  void* to;
  const void* from;
  size_t size, valid;
  const char* file;
  int line;
};
struct Copies {
  std::vector<std::vector<Copy>> groups;  // committed, oldest first
  std::vector<Copy> open;
};
thread_local std::vector<Copies> all_copies;
Copies& copies_of(const Thread& t) {
  if (all_copies.empty()) all_copies.resize(MAX_THREADS);
  return all_copies[t.number];
}

void finish_copies(std::vector<Copy>& copies) {
  for (const Copy& c : copies) {
    sanitizer::copy_done(*worker, c.to, c.size);
    touch(reinterpret_cast<uintptr_t>(c.to), unsigned(c.size), PNSIM_WRITE, Where{__builtin_return_address(0), c.file, c.line});
    memcpy(c.to, c.from, c.valid);
    memset(static_cast<char*>(c.to) + c.valid, 0, c.size - c.valid);
  }
  copies.clear();
}

}  // namespace

namespace checker {

void barrier_released_for_sanitizer(Worker& w);

void forget_copies() { all_copies.clear(); }

void begin_launch(Worker& w) {
  if (w.launch->mode == SANITIZE) sanitizer::begin_launch(w);
  else profiler::begin_launch(w);
}

void begin_block(Worker& w, size_t number) {
  if (w.launch->mode == SANITIZE) sanitizer::begin_block(w, number);
}

void end_block(Worker& w) {
  if (w.launch->mode == PROFILE) profiler::end_block(w);
}

void end_launch(Worker& w) {
  if (w.launch->mode == SANITIZE) sanitizer::end_launch(w);
  else profiler::end_launch(w);
}

void thread_ended(Worker& w, Thread& t) {
  if (w.launch->mode != SANITIZE) return;
  sanitizer::settle(w, t);
  sanitizer::settle_guesses(w, &t);
}

void barrier_reached(Worker& w, Thread& t, Site site) {
  if (w.launch->mode == PROFILE) profiler::barrier(t, site);
}

void barrier_released(Worker& w) {
  if (w.launch->mode != SANITIZE) return;
  for (unsigned i = 0; i < w.count; ++i) sanitizer::settle(w, w.threads[i]);
  sanitizer::settle_guesses(w, nullptr);
  barrier_released_for_sanitizer(w);
}

}  // namespace checker
}  // namespace pnsim

using namespace pnsim;

#define PC __builtin_return_address(0)

extern "C" {

void pnsim_touch(const void* address, size_t size, int access, const char* file, int line) {
  if (!pnsim_current || worker->launch->mode == PLAIN) return;
  if ((access & 3) == PNSIM_ATOMIC && ++pnsim_current->spins > 200) worker->yield();
  uintptr_t a = reinterpret_cast<uintptr_t>(address);
  const Where at{PC, file, line};
  if (file) worker->current()->site = {file, line};
  if (size <= 16 && !(size & (size - 1))) return touch(a, unsigned(size), access, at);
  for (unsigned piece = 16; size; a += piece, size -= piece) {
    while (piece > size || a % piece) piece /= 2;
    touch(a, piece, access, at);
  }
}

// cp.async: the source is read now, the destination is written when the copy is waited for, so that a
// kernel that forgets to wait sees what hardware may show it: the old contents.
void pnsim_copy_async(void* to, const void* from, size_t size, size_t valid, const char* file, int line) {
  if (!pnsim_current) return;
  Copies& c = copies_of(*worker->current());
  if (valid) pnsim_touch(from, valid, PNSIM_READ, file, line);
  c.open.push_back({to, from, size, valid, file, line});
  if (worker->launch->mode == SANITIZE) sanitizer::pending_copy(*worker, to, size, file, line);
}

void pnsim_copy_commit(void) {
  if (!pnsim_current) return;
  Copies& c = copies_of(*worker->current());
  c.groups.push_back(std::move(c.open));
  c.open.clear();
}

// All groups but the `newest` have arrived.
void pnsim_copy_wait(unsigned newest) {
  if (!pnsim_current) return;
  Copies& c = copies_of(*worker->current());
  while (c.groups.size() > newest) {
    finish_copies(c.groups.front());
    c.groups.erase(c.groups.begin());
  }
  if (newest == ~0u) {  // wait_all: what was never committed as well
    while (!c.groups.empty()) {
      finish_copies(c.groups.front());
      c.groups.erase(c.groups.begin());
    }
    finish_copies(c.open);
  }
}

#define HOOKS(SIZE)                                                                                     \
  void __tsan_read##SIZE(void* p) { hook(p, SIZE, PNSIM_READ, PC); }                                    \
  void __tsan_write##SIZE(void* p) { hook(p, SIZE, PNSIM_WRITE, PC); }                                  \
  void __tsan_read_write##SIZE(void* p) { hook(p, SIZE, PNSIM_READ, PC); hook(p, SIZE, PNSIM_WRITE, PC); } \
  void __tsan_unaligned_read##SIZE(void* p) { hook_range(p, SIZE, PNSIM_READ, PC); }                    \
  void __tsan_unaligned_write##SIZE(void* p) { hook_range(p, SIZE, PNSIM_WRITE, PC); }                  \
  void __tsan_unaligned_read_write##SIZE(void* p) { hook_range(p, SIZE, PNSIM_READ, PC); hook_range(p, SIZE, PNSIM_WRITE, PC); } \
  void __tsan_volatile_read##SIZE(void* p) { hook_volatile(p, SIZE, PNSIM_READ, PC); }                  \
  void __tsan_volatile_write##SIZE(void* p) { hook_volatile(p, SIZE, PNSIM_WRITE, PC); }                \
  void __tsan_unaligned_volatile_read##SIZE(void* p) { hook_volatile(p, SIZE, PNSIM_READ, PC); }        \
  void __tsan_unaligned_volatile_write##SIZE(void* p) { hook_volatile(p, SIZE, PNSIM_WRITE, PC); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
#undef HOOKS

void __tsan_read_range(void* p, size_t size) { hook_range(p, size, PNSIM_READ, PC); }
void __tsan_write_range(void* p, size_t size) { hook_range(p, size, PNSIM_WRITE, PC); }
void* __tsan_memcpy(void* to, const void* from, size_t size) {
  hook_range(const_cast<void*>(from), size, PNSIM_READ, PC);
  hook_range(to, size, PNSIM_WRITE, PC);
  return memcpy(to, from, size);
}
void* __tsan_memmove(void* to, const void* from, size_t size) {
  hook_range(const_cast<void*>(from), size, PNSIM_READ, PC);
  hook_range(to, size, PNSIM_WRITE, PC);
  return memmove(to, from, size);
}
void* __tsan_memset(void* to, int value, size_t size) {
  hook_range(to, size, PNSIM_WRITE, PC);
  return memset(to, value, size);
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_init(void) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void) {}
void __tsan_ignore_thread_begin(void) {}
void __tsan_ignore_thread_end(void) {}

// __atomic builtins that a program uses itself. One worker runs an instrumented kernel, so a plain
// operation is atomic.
void __tsan_atomic_thread_fence(int) { pnsim_fence(1); }
void __tsan_atomic_signal_fence(int) {}
#define FETCH(BITS, T, NAME, RESULT)                                        \
  T __tsan_atomic##BITS##_##NAME(volatile T* p, T v, int) {                 \
    hook(const_cast<T*>(p), sizeof(T), PNSIM_ATOMIC, PC);                   \
    const T old = *p;                                                       \
    *p = static_cast<T>(RESULT);                                            \
    return old;                                                             \
  }
#define ATOMICS(BITS, T)                                                    \
  T __tsan_atomic##BITS##_load(const volatile T* p, int) {                  \
    hook(const_cast<T*>(p), sizeof(T), PNSIM_ATOMIC, PC);                   \
    return *p;                                                              \
  }                                                                         \
  void __tsan_atomic##BITS##_store(volatile T* p, T v, int) {               \
    hook(const_cast<T*>(p), sizeof(T), PNSIM_ATOMIC, PC);                   \
    *p = v;                                                                 \
  }                                                                         \
  FETCH(BITS, T, exchange, v)                                               \
  FETCH(BITS, T, fetch_add, old + v)                                        \
  FETCH(BITS, T, fetch_sub, old - v)                                        \
  FETCH(BITS, T, fetch_and, old & v)                                        \
  FETCH(BITS, T, fetch_or, old | v)                                         \
  FETCH(BITS, T, fetch_xor, old ^ v)                                        \
  int __tsan_atomic##BITS##_compare_exchange_strong(volatile T* p, T* expected, T v, int, int) { \
    hook(const_cast<T*>(p), sizeof(T), PNSIM_ATOMIC, PC);                   \
    if (*p != *expected) {                                                  \
      *expected = *p;                                                       \
      return 0;                                                             \
    }                                                                       \
    *p = v;                                                                 \
    return 1;                                                               \
  }                                                                         \
  int __tsan_atomic##BITS##_compare_exchange_weak(volatile T* p, T* expected, T v, int a, int b) { \
    return __tsan_atomic##BITS##_compare_exchange_strong(p, expected, v, a, b); \
  }
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
#undef FETCH
#undef ATOMICS

// -fsanitize=bounds
struct BoundsType {
  uint16_t kind, info;
  char name[1];
};
struct BoundsData {
  const char* file;
  uint32_t line, column;
  const BoundsType *array, *index;
};
void __ubsan_handle_out_of_bounds(BoundsData* d, uintptr_t index) {
  long long value = (long long)index;
  if (d->index->kind == 0) {  // an integer of 2^(info >> 1) bits, signed when info is odd
    const unsigned bits = 1u << (d->index->info >> 1);
    if (d->index->info & 1 && bits < 64) value = (long long)(index << (64 - bits)) >> (64 - bits);
  }
  pnsim_bounds(d->file, int(d->line), int(d->column), d->array->name, value);
}
void __ubsan_handle_out_of_bounds_abort(BoundsData* d, uintptr_t index) { __ubsan_handle_out_of_bounds(d, index); }

}  // extern "C"
