// The checks on every access of an instrumented kernel.
#pragma once
#include "report.h"
#include "worker.h"

namespace pnsim::sanitizer {

// `kind`: pnsim_access; VOLATILE is a read or write through a volatile pointer.
// PROXY: by a bulk copy or a wgmma.
constexpr int VOLATILE = 4, PROXY = 16;
void access(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at);
// True: nothing to check or to note about this read.
bool quick_read(Thread& t, uintptr_t a, unsigned size);
void pending_copy(Worker& w, const void* to, size_t size, const char* file, int line);
void copy_done(Worker& w, const void* to, size_t size);
// Shared memory that an operation under way reads or writes, from its issue until it has been waited for.
struct Flight {
  unsigned thread;
  bool write;
  const char* what;
  const char* file;
  int line;
  unsigned count;  // such operations on one place
};
void take_off(uintptr_t a, size_t size, const Flight& flight);
void land(uintptr_t a, size_t size);
void proxy_fence(Thread& t);
void begin_launch(Worker& w);
void begin_block(Worker& w, size_t number);
void end_launch(Worker& w);
void settle(Worker& w, Thread& t);  // decides a pending same-value write
void settle_guesses(Worker& w, const Thread* t);  // no compare-and-swap came; of all threads when null

}  // namespace pnsim::sanitizer
