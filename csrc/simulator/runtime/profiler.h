// Counts what the memory system of a GPU would see: one request per warp and execution of an instruction.
#pragma once
#include "report.h"
#include "worker.h"

namespace pnsim::profiler {

void access(Worker& w, Thread& t, uintptr_t a, unsigned size, int kind, const Where& at);
void barrier(Thread& t, Site site);
void begin_launch(Worker& w);
void end_block(Worker& w);
void end_launch(Worker& w);

}  // namespace pnsim::profiler

extern "C" {
const char* pnsim_profile(void);
void pnsim_profile_clear(void);
}
