// What kernels call by name; each finds its worker and hands over.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "checker.h"
#include "regions.h"

using namespace pnsim;

extern "C" {

void pnsim_barrier(const char* file, int line) { worker->barrier({file, line}); }

int pnsim_barrier_reduce(int op, int predicate, const char* file, int line) {
  return worker->barrier_reduce(op, predicate, {file, line});
}

void pnsim_group_barrier(const void* key, unsigned id, unsigned expected, const char* file, int line) {
  worker->group_barrier(key, id, expected, {file, line});
}

void pnsim_named_barrier(unsigned id, unsigned expected, int wait, const char* file, int line) {
  worker->named_barrier(id, expected, wait != 0, {file, line});
}

void pnsim_cluster_arrive(const char* file, int line) { worker->cluster_arrive({file, line}); }
void pnsim_cluster_wait(const char* file, int line) { worker->cluster_wait({file, line}); }

void* pnsim_map_shared(const void* pointer, unsigned rank, const char* file, int line) {
  const Worker& w = *worker;
  const size_t offset = size_t(static_cast<const char*>(pointer) - w.dynamic_shared);
  if (rank >= w.launch->ranks()) pnsim_trap("the cluster has no block of this rank", file, line);
  if (w.launch->ranks() == 1) return const_cast<void*>(pointer);
  if (offset >= w.launch->ranks() * SHARED_STRIDE) pnsim_trap("an address that is not in dynamic shared memory has no place in another block", file, line);
  return w.dynamic_shared + rank * SHARED_STRIDE + offset % SHARED_STRIDE;
}

unsigned pnsim_shared_rank(const void* pointer) {
  const Worker& w = *worker;
  const size_t offset = size_t(static_cast<const char*>(pointer) - w.dynamic_shared);
  return offset < w.launch->ranks() * SHARED_STRIDE ? unsigned(offset / SHARED_STRIDE) : pnsim_here.rank;
}

unsigned long long pnsim_warp(int op, unsigned mask, unsigned long long value, int argument, int width, const char* file,
                              int line) {
  return worker->warp(op, mask, value, argument, width, {file, line});
}

void pnsim_gather(unsigned mask, unsigned long long value, unsigned long long* values, const char* file, int line) {
  worker->gather(mask, value, values, {file, line});
}

unsigned pnsim_active_mask(const char* file, int line) { return worker->active_mask({file, line}); }

void pnsim_park(const void* object, const char* file, int line) { worker->park(object, {file, line}); }
void pnsim_unpark(const void* object) { worker->unpark(object); }

void pnsim_yield(void) {
  if (worker && pnsim_current) worker->yield();
}

void pnsim_assert(const char* expression, const char* file, int line, const char* function) {
  if (!worker || !pnsim_current) {
    fprintf(stderr, "%s:%d: %s: Assertion `%s' failed.\n", file, line, function, expression);
    ::abort();
  }
  if (worker->launch->mode == SANITIZE) {
    checker::failed_assertion(*worker, *worker->current(), {file, line}, expression);
    worker->exit_thread();
  }
  const pnsim_thread& t = *pnsim_current;
  worker->abort("%s:%d: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.", file, line, pnsim_here.block_x,
                pnsim_here.block_y, pnsim_here.block_z, t.x, t.y, t.z, expression);
}

void pnsim_trap(const char* what, const char* file, int line) {
  if (!worker || !pnsim_current) ::abort();
  if (worker->launch->mode == SANITIZE) checker::failed_assertion(*worker, *worker->current(), {file, line}, what);
  worker->abort("%s at line %d of %s", what, line, file);
}

int pnsim_printf(const char* format, ...) {
  Busy busy;
  va_list arguments;
  va_start(arguments, format);
  const int written = vprintf(format, arguments);
  va_end(arguments);
  return written;
}

void* pnsim_device_malloc(size_t bytes) {
  Busy busy;
  void* p = aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (pnsim_current && p) regions::add(p, bytes, "device heap", 1, regions::GLOBAL, false);
  return p;
}

void pnsim_device_free(void* p) {
  Busy busy;
  if (pnsim_current && p) regions::remove(p);
  ::free(p);
}

}  // extern "C"
