// How the sanitizer's findings are filled in, and what the scheduler tells it.
#include <stdio.h>
#include <string.h>

#include <algorithm>

#include "checker.h"
#include "launch.h"
#include "sanitizer.h"
#include "sanitizer_state.h"

namespace pnsim {

namespace sanitizer {

Sanitizer state;
static Sanitizer& s = state;

void fill(const Thread& t, Finding& f) {
  f.block[0] = pnsim_here.block_x;
  f.block[1] = pnsim_here.block_y;
  f.block[2] = pnsim_here.block_z;
  f.thread[0] = t.x;
  f.thread[1] = t.y;
  f.thread[2] = t.z;
}

void name_array(Finding& f, const Region& r, uintptr_t a, unsigned size) {
  f.space = r.space == regions::SHARED ? "shared" : "global";
  const char* name = r.name;
  uintptr_t base = r.base;
  unsigned element = r.element;
  size_t bytes = r.size;
  if (&r == &s.statics) {
    if (const Symbol* symbol = s.shared.at(a)) {
      base = r.base + symbol->offset;
      name = symbol->name.c_str();
      element = symbol->element;
      bytes = symbol->size;
    }
  }
  if (&r != &s.statics && r.space == regions::SHARED && bytes > SHARED_STRIDE) {  // of the block of a cluster that it is in
    base += (a - base) / SHARED_STRIDE * SHARED_STRIDE;
    bytes %= SHARED_STRIDE;
  }
  if (element <= 1 && size > 1) element = size;
  strncpy(f.array, name, sizeof f.array - 1);
  f.has_index = true;
  const long long offset = (long long)(a - base);
  f.index = offset >= 0 ? offset / element : -((-offset + element - 1) / element);
  f.extent = (long long)(bytes / element);
  f.distance = offset >= 0 ? std::max(0ll, offset + (long long)size - (long long)bytes) : offset;
}

void set_other(Worker& w, Finding& f, uint32_t epoch, unsigned tid) {
  f.has_other = true;
  size_t block = s.blocks.empty() ? 0 : s.blocks.back().second;
  auto it = std::upper_bound(s.blocks.begin(), s.blocks.end(), std::make_pair(epoch, ~size_t(0)));
  if (it != s.blocks.begin()) block = std::prev(it)->second;
  const Launch& l = *w.launch;
  l.place(block, w.threads[tid].block, f.other_block);
  f.other_thread[0] = w.threads[tid].x;
  f.other_thread[1] = w.threads[tid].y;
  f.other_thread[2] = w.threads[tid].z;
}

}  // namespace sanitizer

using namespace sanitizer;

// What the scheduler tells and reports.
namespace checker {

void barrier_released_for_sanitizer(Worker& w) {
  ++s.epoch;
  s.clocks.barrier(w);
}

void warp_synced(Worker& w, unsigned warp, unsigned members) {
  for (unsigned m = members; m; m &= m - 1) sanitizer::settle(w, w.threads[warp * 32 + unsigned(__builtin_ctz(m))]);
  s.clocks.warp_synced(w, warp, members, s.epoch);
}

void group_synced(Worker& w, Thread* const* members, size_t count) { s.clocks.group_synced(w, members, count, s.epoch); }

void divergent_barrier(Worker& w, const Thread& waiting, Site site, const Thread& other, Site other_site) {
  Finding f;
  f.kind = "divergent_barrier";
  f.detail = other_site.file ? (&waiting == &other ? "alone" : "elsewhere") : "exited";
  f.at.file = site.file;
  f.at.line = site.line;
  fill(waiting, f);
  if (&waiting != &other) {
    set_other(w, f, s.epoch, other.number);
    f.other_at.file = other_site.file;
    f.other_at.line = other_site.line;
  }
  report(f);
}

void invalid_warp_sync(Worker& w, const Thread& t, Site site, const char* what, unsigned mask, unsigned missing) {
  Finding f;
  f.kind = "invalid_warp_sync";
  f.detail = what;
  f.at.file = site.file;
  f.at.line = site.line;
  fill(t, f);
  f.mask = mask;
  f.missing = missing;
  const unsigned other = t.group * 32 + unsigned(missing ? __builtin_ctz(missing) : 0);
  if (missing && other < w.count && other != t.number) set_other(w, f, s.epoch, other);
  report(f);
}

void hang(Worker&, const Thread& t, void* pc) {
  Finding f;
  f.kind = "hang";
  f.at.pc = pc;
  f.other_at.file = t.site.file;  // for a thread that was stopped in a header of the simulator's
  f.other_at.line = t.site.line;
  fill(t, f);
  report(f);
}

void failed_assertion(Worker&, const Thread& t, Site site, const char* expression) {
  Finding f;
  f.kind = "assertion_failed";
  f.at.file = site.file;
  f.at.line = site.line;
  fill(t, f);
  strncpy(f.text, expression, sizeof f.text - 1);
  report(f);
}

}  // namespace checker
}  // namespace pnsim

using namespace pnsim;

extern "C" {

void pnsim_fence(int) {
  if (pnsim_current && worker->launch->mode == SANITIZE) worker->current()->fenced = true;
  if (pnsim_current && ++pnsim_current->spins > 1000) worker->yield();
}

void pnsim_release(const void* object) {
  if (pnsim_current && worker->launch->mode == SANITIZE) s.clocks.release(*worker, *worker->current(), object, s.epoch);
}

void pnsim_acquire(const void* object) {
  if (pnsim_current && worker->launch->mode == SANITIZE) s.clocks.acquire(*worker, *worker->current(), object, s.epoch);
}

void pnsim_forget(const void* object) {
  if (pnsim_current && worker->launch->mode == SANITIZE) s.clocks.forget(object);
}

// Of -fsanitize=bounds: an index past the end of an array whose size the compiler knows. The access is not made: past
// a local array lie the frames of the kernel's callers. A walk over the rows of a shared array as if they were one is
// none past its end, which the check of the whole array tells.
void pnsim_bounds(const char* file, int line, int, const char* type, long long index) {
  if (!pnsim_current) return;
  Worker& w = *worker;
  const Module* m = static_cast<const Module*>(w.launch->module);
  const bool row = m && m->rows.count({file, line});
  if (w.launch->mode != SANITIZE) {
    if (row) return;
    w.abort("%s:%d: index %lld is past the end of an array of type %s", file, line, index, type);
  }
  Finding f;
  f.kind = "out_of_bounds";
  f.detail = "declared";
  f.at.file = file;
  f.at.line = line;
  fill(*w.current(), f);
  f.has_index = true;
  f.index = index;
  strncpy(f.text, type, sizeof f.text - 1);
  f.space = "local";
  report(f);
  if (!row) w.exit_thread();
}

}  // extern "C"
