// The CUDA runtime API of programs, on host memory.
#include "../include/pyneural_sim/runtime_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "launch.h"
#include "program.h"
#include "regions.h"

using namespace pnsim;

struct pnsim_event {
  timespec when;
  bool recorded;
};
struct pnsim_stream {
  int number;
};

namespace {

constexpr size_t GUARD = 64 * 1024;            // around each array: what is accessed there belongs to nobody
constexpr size_t TOTAL = size_t(16) << 30;     // what the device claims to have

pnsim_program_options options = {0, 0, 0, nullptr, 0};
cudaError_t last = cudaSuccess;
bool broken = false;                           // a kernel failed: as on a GPU, nothing works from here on
std::mutex lock;
struct Block {
  void* mapping;
  size_t mapped, bytes;
};
std::map<void*, Block>& blocks() {
  static auto& all = *new std::map<void*, Block>;
  return all;
}
size_t used = 0;

cudaError_t fail(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

cudaError_t error_of(const char* failure) {
  if (strstr(failure, "illegal memory access")) return cudaErrorIllegalAddress;
  if (strstr(failure, "Assertion")) return cudaErrorAssert;
  if (strstr(failure, "stopped before its end")) return cudaErrorLaunchTimeout;
  return cudaErrorLaunchFailure;
}

// The arrays a copy touches must be there for the whole of it, as far as we know them.
bool fits(const void* p, size_t bytes) {
  const regions::Region* r = regions::find(reinterpret_cast<uintptr_t>(p));
  return !r || (!r->freed && reinterpret_cast<uintptr_t>(p) - r->base + bytes <= r->size);
}

bool on_device(const void* p) { return regions::find(reinterpret_cast<uintptr_t>(p)) != nullptr; }

}  // namespace

extern "C" {

void pnsim_program_setup(const pnsim_program_options* o) { options = *o; }

int pnsim_launch(void (*entry)(void**), void** args, size_t param_bytes, const unsigned* grid, const unsigned* block, size_t shared,
                 const char* name, const char* file, int line) {
  if (broken) return last;
  pnsim_request r = {};
  r.entry = entry;
  r.args = args;
  r.args_bytes = sizeof(void*);
  r.params = args ? args[0] : nullptr;
  r.param_bytes = param_bytes;
  memcpy(r.grid, grid, sizeof r.grid);
  memcpy(r.block, block, sizeof r.block);
  r.shared = unsigned(std::min(shared, size_t(0xffffffffu)));
  r.mode = options.mode;
  r.seed = options.seed;
  r.workers = options.workers;
  r.name = name;
  r.module = options.module;
  fflush(stdout);
  if (pnsim_start(&r)) return fail(cudaErrorInvalidConfiguration);
  timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  bool late = false;
  while (!pnsim_wait(100)) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    late = options.timeout > 0 && double(now.tv_sec - start.tv_sec) + 1e-9 * double(now.tv_nsec - start.tv_nsec) > options.timeout;
    if (late) pnsim_cancel(options.mode == SANITIZE);
  }
  const char* failure = pnsim_failure();
  if (!failure) return cudaSuccess;
  fprintf(stderr, "%s:%d: %s: %s\n", file, line, name, failure);
  broken = options.mode != SANITIZE;  // a checked run goes on, to find what else is wrong
  return fail(error_of(failure));
}

cudaError_t pnsim_malloc(void** pointer, size_t bytes, const char* name, unsigned element, bool initialized) {
  std::lock_guard<std::mutex> hold(lock);
  if (!pointer) return fail(cudaErrorInvalidValue);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (bytes > TOTAL - used) return fail(cudaErrorMemoryAllocation);
  const size_t mapped = (bytes + 2 * GUARD + 4095) / 4096 * 4096;
  void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return fail(cudaErrorMemoryAllocation);
  char* at = static_cast<char*>(p) + GUARD;
  // Fresh memory holds anything: NaN shows in a result what was never written.
  if (bytes <= size_t(256) << 20) memset(at, 0xff, bytes);
  blocks()[at] = {p, mapped, bytes};
  used += bytes;
  regions::add(at, bytes, name, element, regions::GLOBAL, initialized);
  *pointer = at;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  std::lock_guard<std::mutex> hold(lock);
  if (!pointer) return cudaSuccess;
  auto it = blocks().find(pointer);
  if (it == blocks().end()) return fail(cudaErrorInvalidValue);
  regions::mark_freed(pointer);
  // The address range stays reserved, so that a later use of it is seen; its memory goes back.
  munmap(it->second.mapping, it->second.mapped);
  mmap(it->second.mapping, it->second.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  used -= it->second.bytes;
  blocks().erase(it);
  return cudaSuccess;
}

cudaError_t pnsim_memcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (broken) return last;
  if (bytes == 0) return cudaSuccess;
  if (!to || !from || !fits(to, bytes) || !fits(from, bytes)) return fail(cudaErrorInvalidValue);
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if ((to_device && !on_device(to)) || (from_device && !on_device(from))) return fail(cudaErrorInvalidValue);
  memmove(to, from, bytes);
  regions::host_wrote(to, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2D(void* to, size_t tp, const void* from, size_t fp, size_t width, size_t height, cudaMemcpyKind kind) {
  if (width > tp || width > fp) return fail(cudaErrorInvalidPitchValue);
  for (size_t i = 0; i < height; ++i)
    if (cudaError_t e = pnsim_memcpy(static_cast<char*>(to) + i * tp, static_cast<const char*>(from) + i * fp, width, kind)) return e;
  return cudaSuccess;
}

cudaError_t cudaMemset(void* p, int value, size_t bytes) {
  if (broken) return last;
  if (bytes == 0) return cudaSuccess;
  if (!p || !on_device(p) || !fits(p, bytes)) return fail(cudaErrorInvalidValue);
  memset(p, value, bytes);
  regions::host_wrote(p, bytes);
  return cudaSuccess;
}

cudaError_t pnsim_host_malloc(void** pointer, size_t bytes) {
  *pointer = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*pointer) return fail(cudaErrorMemoryAllocation);
  regions::add(*pointer, bytes, "pinned host memory", 1, regions::GLOBAL, true);  // kernels may use it directly
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  if (pointer && !regions::remove(pointer)) return fail(cudaErrorInvalidValue);
  free(pointer);
  return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
  const cudaError_t error = last;
  if (!broken) last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError(void) { return last; }
cudaError_t cudaDeviceSynchronize(void) { return broken ? last : cudaSuccess; }
cudaError_t cudaDeviceReset(void) {
  broken = false;
  last = cudaSuccess;
  return cudaSuccess;
}

#define ERRORS(E)                                                                                        \
  E(cudaSuccess, "no error") E(cudaErrorInvalidValue, "invalid argument")                                \
  E(cudaErrorMemoryAllocation, "out of memory") E(cudaErrorInitializationError, "initialization error")  \
  E(cudaErrorInvalidConfiguration, "invalid configuration argument")                                     \
  E(cudaErrorInvalidPitchValue, "invalid pitch argument") E(cudaErrorInvalidSymbol, "invalid device symbol") \
  E(cudaErrorInvalidDevicePointer, "invalid device pointer")                                             \
  E(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")                                \
  E(cudaErrorInvalidDeviceFunction, "invalid device function")                                           \
  E(cudaErrorInvalidDevice, "invalid device ordinal") E(cudaErrorInvalidResourceHandle, "invalid resource handle") \
  E(cudaErrorNotReady, "device not ready") E(cudaErrorIllegalAddress, "an illegal memory access was encountered") \
  E(cudaErrorLaunchOutOfResources, "too many resources requested for launch")                            \
  E(cudaErrorLaunchTimeout, "the launch timed out and was terminated") E(cudaErrorAssert, "device-side assert triggered") \
  E(cudaErrorLaunchFailure, "unspecified launch failure") E(cudaErrorNotSupported, "operation not supported")

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define E(name, text) case name: return text;
    ERRORS(E)
#undef E
    default: return "unknown error";
  }
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define E(name, text) case name: return #name;
    ERRORS(E)
#undef E
    default: return "cudaErrorUnknown";
  }
}

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : fail(cudaErrorInvalidDevice); }

// An imaginary device with the limits of compute capability 8.0.
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device != 0) return fail(cudaErrorInvalidDevice);
  *p = cudaDeviceProp{};
  strcpy(p->name, "pyneural CUDA simulator");
  p->totalGlobalMem = TOTAL;
  p->sharedMemPerBlock = 48 * 1024;
  p->sharedMemPerBlockOptin = 227 * 1024;
  p->sharedMemPerMultiprocessor = 228 * 1024;
  p->totalConstMem = 64 * 1024;
  p->memPitch = 2147483647;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  p->warpSize = 32;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 2147483647;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->clockRate = 1410000;
  p->memoryClockRate = 1215000;
  p->memoryBusWidth = 5120;
  p->l2CacheSize = 40 << 20;
  p->major = 8;
  p->multiProcessorCount = 108;
  p->maxThreadsPerMultiProcessor = 2048;
  p->maxBlocksPerMultiProcessor = 32;
  p->unifiedAddressing = p->managedMemory = p->concurrentManagedAccess = p->canMapHostMemory = 1;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (cudaError_t e = cudaGetDeviceProperties(&p, device)) return e;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: case cudaDevAttrMaxBlockDimX: *value = 1024; break;
    case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = int(p.sharedMemPerBlock); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = int(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = int(p.sharedMemPerMultiprocessor); break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrClockRate: *value = p.clockRate; break;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
    case cudaDevAttrManagedMemory: case cudaDevAttrConcurrentManagedAccess: *value = 1; break;
    case cudaDevAttrCooperativeLaunch: *value = 0; break;
    default: return fail(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *total = TOTAL;
  *available = TOTAL - used;
  return cudaSuccess;
}

cudaError_t pnsim_stream_create(cudaStream_t* stream) {
  static int count = 0;
  *stream = new pnsim_stream{++count};
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }
cudaError_t pnsim_event_create(cudaEvent_t* event) { return *event = new pnsim_event{}, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t pnsim_event_record(cudaEvent_t event) {
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  clock_gettime(CLOCK_MONOTONIC, &event->when);
  event->recorded = true;
  return cudaSuccess;
}
// The time of the simulation, which says nothing about a GPU.
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  if (!start || !end || !start->recorded || !end->recorded) return fail(cudaErrorInvalidResourceHandle);
  *ms = float(end->when.tv_sec - start->when.tv_sec) * 1e3f + float(end->when.tv_nsec - start->when.tv_nsec) * 1e-6f;
  return cudaSuccess;
}

cudaError_t pnsim_occupancy(int* count, int threads, size_t shared) {
  if (threads < 1 || threads > 1024) return *count = 0, fail(cudaErrorInvalidValue);
  const int warps = (threads + 31) / 32;
  *count = std::min(32, 64 / warps);
  if (shared) *count = std::min(*count, int(228 * 1024 / (shared + 1024)));
  return cudaSuccess;
}

}  // extern "C"
