// Operations of the asynchronous proxy that are under way: bulk copies (TMA) and products of a warpgroup (wgmma).
//
// What hardware does at some time between the issue and the wait is done here at the latest moment, so that a
// program that does not wait sees what it must not rely on: the old contents.
#pragma once
#include "report.h"
#include "worker.h"

namespace pnsim::flight {

void begin_block();
void thread_ended(Worker& w, Thread& t);
// An access of the thread's own local memory: is it of accumulators that a wgmma has yet to write?
void check_accumulators(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at);

}  // namespace pnsim::flight
