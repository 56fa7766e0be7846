// The checks on every access of an instrumented kernel.
#pragma once
#include "report.h"
#include "worker.h"

namespace pnsim::sanitizer {

// `kind`: pnsim_access; VOLATILE is a read or write through a volatile pointer.
constexpr int VOLATILE = 4;
void access(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at);
// True: nothing to check or to note about this read.
bool quick_read(Thread& t, uintptr_t a, unsigned size);
void pending_copy(Worker& w, const void* to, size_t size, const char* file, int line);
void copy_done(Worker& w, const void* to, size_t size);
void begin_launch(Worker& w);
void begin_block(Worker& w, size_t number);
void end_launch(Worker& w);
void settle(Worker& w, Thread& t);  // decides a pending same-value write
void settle_guesses(Worker& w, const Thread* t);  // no compare-and-swap came; of all threads when null

}  // namespace pnsim::sanitizer
