// What the scheduler tells the checkers (sanitizer, profiler), and what they tell the reporter.
#pragma once
#include "worker.h"

namespace pnsim::checker {

void forget_copies();  // asynchronous copies of an earlier launch that were never waited for
void begin_launch(Worker& w);
void begin_block(Worker& w, size_t number);
void end_block(Worker& w);
void end_launch(Worker& w);
void thread_ended(Worker& w, Thread& t);
void barrier_reached(Worker& w, Thread& t, Site site);
void barrier_released(Worker& w);
void warp_synced(Worker& w, unsigned warp, unsigned members);
void group_synced(Worker& w, Thread* const* members, size_t count);

// Findings of the scheduler itself; `other` may be null.
void divergent_barrier(Worker& w, const Thread& waiting, Site site, const Thread& other, Site other_site);
void invalid_warp_sync(Worker& w, const Thread& t, Site site, const char* what, unsigned mask, unsigned missing);
void hang(Worker& w, const Thread& t, void* pc);
void failed_assertion(Worker& w, const Thread& t, Site site, const char* expression);

}  // namespace pnsim::checker
