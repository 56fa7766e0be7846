// The CUDA runtime API for programs. There is one device; streams run in order, each call when it is made.
#pragma once
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "launch.h"

enum cudaError_t {
  cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorInitializationError = 3,
  cudaErrorInvalidConfiguration = 9, cudaErrorInvalidPitchValue = 12, cudaErrorInvalidDeviceFunction = 98, cudaErrorInvalidSymbol = 13,
  cudaErrorInvalidDevicePointer = 17, cudaErrorInvalidMemcpyDirection = 21, cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400, cudaErrorNotReady = 600, cudaErrorIllegalAddress = 700,
  cudaErrorLaunchOutOfResources = 701, cudaErrorLaunchTimeout = 702, cudaErrorAssert = 710,
  cudaErrorLaunchFailure = 719, cudaErrorNotSupported = 801, cudaErrorUnknown = 999
};
typedef cudaError_t cudaError;
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
enum cudaFuncCache { cudaFuncCachePreferNone, cudaFuncCachePreferShared, cudaFuncCachePreferL1, cudaFuncCachePreferEqual };
enum cudaSharedCarveout { cudaSharedmemCarveoutDefault = -1, cudaSharedmemCarveoutMaxShared = 100, cudaSharedmemCarveoutMaxL1 = 0 };
enum cudaSharedMemConfig { cudaSharedMemBankSizeDefault, cudaSharedMemBankSizeFourByte, cudaSharedMemBankSizeEightByte };
enum cudaLimit { cudaLimitStackSize, cudaLimitPrintfFifoSize, cudaLimitMallocHeapSize };
enum cudaMemoryAdvise { cudaMemAdviseSetReadMostly = 1, cudaMemAdviseSetPreferredLocation = 3, cudaMemAdviseSetAccessedBy = 5 };
enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1, cudaDevAttrMaxBlockDimX = 2, cudaDevAttrMaxGridDimX = 5, cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10, cudaDevAttrClockRate = 13, cudaDevAttrMultiProcessorCount = 16, cudaDevAttrConcurrentManagedAccess = 89,
  cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76, cudaDevAttrManagedMemory = 83,
  cudaDevAttrCooperativeLaunch = 95, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97, cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81
};
typedef struct pnsim_stream* cudaStream_t;
typedef struct pnsim_event* cudaEvent_t;
typedef void (*cudaStreamCallback_t)(cudaStream_t, cudaError_t, void*);
typedef void (*cudaHostFn_t)(void*);

#define cudaStreamDefault 0
#define cudaStreamNonBlocking 1
#define cudaEventDefault 0
#define cudaEventBlockingSync 1
#define cudaEventDisableTiming 2
#define cudaMemAttachGlobal 1
#define cudaMemAttachHost 2
#define cudaHostAllocDefault 0
#define cudaHostAllocPortable 1
#define cudaHostAllocMapped 2
#define cudaHostAllocWriteCombined 4
#define cudaHostRegisterDefault 0
#define cudaDeviceScheduleAuto 0
#define cudaDeviceMapHost 8
#define cudaCpuDeviceId (-1)
#define cudaStreamLegacy ((cudaStream_t)1)
#define cudaStreamPerThread ((cudaStream_t)2)

struct cudaUUID_t { char bytes[16]; };
struct cudaDeviceProp {
  char name[256];
  cudaUUID_t uuid;
  size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor, totalConstMem, memPitch;
  int regsPerBlock, regsPerMultiprocessor, warpSize, maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], clockRate, major, minor;
  int multiProcessorCount, maxThreadsPerMultiProcessor, maxBlocksPerMultiProcessor, memoryClockRate, memoryBusWidth, l2CacheSize;
  int concurrentKernels, asyncEngineCount, unifiedAddressing, managedMemory, concurrentManagedAccess, cooperativeLaunch;
  int canMapHostMemory, integrated, ECCEnabled, computeMode, deviceOverlap, pciBusID, pciDeviceID, pciDomainID, kernelExecTimeoutEnabled, tccDriver;
};
struct cudaFuncAttributes {
  size_t sharedSizeBytes, constSizeBytes, localSizeBytes;
  int maxThreadsPerBlock, numRegs, ptxVersion, binaryVersion, maxDynamicSharedSizeBytes;
};
struct cudaPointerAttributes {
  int type, device;
  void *devicePointer, *hostPointer;
};

extern "C" {
cudaError_t pnsim_malloc(void** pointer, size_t bytes, const char* name, unsigned element, bool initialized);
cudaError_t cudaFree(void* pointer);
cudaError_t pnsim_memcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind);
cudaError_t cudaMemset(void* pointer, int value, size_t bytes);
cudaError_t pnsim_host_malloc(void** pointer, size_t bytes);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaDeviceReset(void);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t pnsim_stream_create(cudaStream_t* stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t pnsim_event_create(cudaEvent_t* event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t pnsim_event_record(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t pnsim_occupancy(int* blocks, int threads, size_t shared);
}

// Arrays are named in findings as the program names them.
namespace pnsim {
PNSIM_INLINE const char* array_name(const char* text) {  // "(void**)&d_x" and "reinterpret_cast<void**>(&d_x)" are d_x
  static thread_local char name[64];
  for (const char* p = text; *p; ++p)
    if (*p == '&' || (*p == ')' && p[1])) text = p + 1;
  while (*text == ' ') ++text;
  const size_t length = strcspn(text, ")");
  snprintf(name, sizeof(name), "%.*s", int(length), text);
  return name;
}
template <typename T> cudaError_t allocate(T** p, size_t bytes, const char* name, bool initialized = false) {
  constexpr unsigned element = [] { if constexpr (std::is_void_v<T>) return 1u; else return unsigned(sizeof(T)); }();
  return pnsim_malloc(reinterpret_cast<void**>(p), bytes, array_name(name), element, initialized);
}
template <typename T> PNSIM_INLINE cudaError_t allocate_async(T** p, size_t bytes, cudaStream_t, const char* name) { return allocate(p, bytes, name); }
// What the host writes into managed memory is not seen, so all of it counts as written.
template <typename T> PNSIM_INLINE cudaError_t allocate_managed(T** p, size_t bytes, const char* name) { return allocate(p, bytes, name, true); }
template <typename T> PNSIM_INLINE cudaError_t allocate_managed(T** p, size_t bytes, unsigned, const char* name) { return allocate(p, bytes, name, true); }
template <typename T> PNSIM_INLINE cudaError_t allocate_pitch(T** p, size_t* pitch, size_t width, size_t height, const char* name) {
  *pitch = (width + 511) / 512 * 512;
  return allocate(p, *pitch * height, name);
}
}  // namespace pnsim
#define PNSIM_FIRST(first, ...) #first
#define cudaMalloc(...) (::pnsim::allocate(__VA_ARGS__, PNSIM_FIRST(__VA_ARGS__, )))
#define cudaMallocAsync(...) (::pnsim::allocate_async(__VA_ARGS__, PNSIM_FIRST(__VA_ARGS__, )))
#define cudaMallocManaged(...) (::pnsim::allocate_managed(__VA_ARGS__, PNSIM_FIRST(__VA_ARGS__, )))
#define cudaMallocPitch(...) (::pnsim::allocate_pitch(__VA_ARGS__, PNSIM_FIRST(__VA_ARGS__, )))

PNSIM_INLINE cudaError_t cudaFreeAsync(void* p, cudaStream_t) { return cudaFree(p); }
PNSIM_INLINE cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) { return pnsim_memcpy(to, from, bytes, kind); }
PNSIM_INLINE cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t = 0) { return pnsim_memcpy(to, from, bytes, kind); }
PNSIM_INLINE cudaError_t cudaMemcpy2DAsync(void* to, size_t tp, const void* from, size_t fp, size_t w, size_t h, cudaMemcpyKind kind, cudaStream_t = 0) {
  return cudaMemcpy2D(to, tp, from, fp, w, h, kind);
}
PNSIM_INLINE cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t = 0) { return cudaMemset(p, value, bytes); }
template <typename T> PNSIM_INLINE cudaError_t cudaMallocHost(T** p, size_t bytes, unsigned = 0) { return pnsim_host_malloc((void**)p, bytes); }
template <typename T> PNSIM_INLINE cudaError_t cudaHostAlloc(T** p, size_t bytes, unsigned) { return pnsim_host_malloc((void**)p, bytes); }
template <typename T> PNSIM_INLINE cudaError_t cudaHostGetDevicePointer(T** device, void* host, unsigned) { *device = (T*)host; return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaHostRegister(void*, size_t, unsigned) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaHostUnregister(void*) { return cudaSuccess; }
template <typename T> PNSIM_INLINE cudaError_t cudaMemcpyToSymbol(T& symbol, const void* from, size_t bytes, size_t offset = 0, cudaMemcpyKind = cudaMemcpyHostToDevice) {
  return offset + bytes > sizeof(T) ? cudaErrorInvalidValue : pnsim_memcpy((char*)&symbol + offset, from, bytes, cudaMemcpyDefault);
}
template <typename T> PNSIM_INLINE cudaError_t cudaMemcpyFromSymbol(void* to, const T& symbol, size_t bytes, size_t offset = 0, cudaMemcpyKind = cudaMemcpyDeviceToHost) {
  return offset + bytes > sizeof(T) ? cudaErrorInvalidValue : pnsim_memcpy(to, (const char*)&symbol + offset, bytes, cudaMemcpyDefault);
}
template <typename T> PNSIM_INLINE cudaError_t cudaMemcpyToSymbolAsync(T& symbol, const void* from, size_t bytes, size_t offset = 0, cudaMemcpyKind k = cudaMemcpyHostToDevice, cudaStream_t = 0) {
  return cudaMemcpyToSymbol(symbol, from, bytes, offset, k);
}
template <typename T> PNSIM_INLINE cudaError_t cudaGetSymbolAddress(void** p, T& symbol) { *p = (void*)&symbol; return cudaSuccess; }
template <typename T> PNSIM_INLINE cudaError_t cudaGetSymbolSize(size_t* size, T&) { *size = sizeof(T); return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaMemPrefetchAsync(const void*, size_t, int, cudaStream_t = 0) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaMemAdvise(const void*, size_t, cudaMemoryAdvise, int) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaThreadSynchronize() { return cudaDeviceSynchronize(); }
PNSIM_INLINE cudaError_t cudaSetDeviceFlags(unsigned) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceSetLimit(cudaLimit, size_t) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceSetSharedMemConfig(cudaSharedMemConfig) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { *can = 0; return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDriverGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaRuntimeGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
template <typename F> PNSIM_INLINE cudaError_t cudaFuncSetAttribute(F*, cudaFuncAttribute what, int value) {
  return what == cudaFuncAttributeMaxDynamicSharedMemorySize && value > 227 * 1024 ? cudaErrorInvalidValue : cudaSuccess;
}
template <typename F> PNSIM_INLINE cudaError_t cudaFuncSetCacheConfig(F*, cudaFuncCache) { return cudaSuccess; }
template <typename F> PNSIM_INLINE cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, F*) {
  *a = cudaFuncAttributes{};
  a->maxThreadsPerBlock = 1024;
  a->binaryVersion = a->ptxVersion = 80;
  return cudaSuccess;
}

PNSIM_INLINE cudaError_t cudaStreamCreate(cudaStream_t* s) { return pnsim_stream_create(s); }
PNSIM_INLINE cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return pnsim_stream_create(s); }
PNSIM_INLINE cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned, int) { return pnsim_stream_create(s); }
PNSIM_INLINE cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaDeviceSynchronize(); }
PNSIM_INLINE cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned = 0) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t f, void* data, unsigned) { f(s, cudaSuccess, data); return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t f, void* data) { f(data); return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaEventCreate(cudaEvent_t* e) { return pnsim_event_create(e); }
PNSIM_INLINE cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return pnsim_event_create(e); }
PNSIM_INLINE cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t = 0) { return pnsim_event_record(e); }
PNSIM_INLINE cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t = 0, unsigned = 0) { return pnsim_event_record(e); }
PNSIM_INLINE cudaError_t cudaStreamGetFlags(cudaStream_t, unsigned* flags) { *flags = cudaStreamDefault; return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { *least = *greatest = 0; return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaErrorInvalidDevice; }
PNSIM_INLINE cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) { return pnsim_memcpy(to, from, bytes, cudaMemcpyDeviceToDevice); }
PNSIM_INLINE cudaError_t cudaMemset2D(void* p, size_t pitch, int value, size_t width, size_t height) {
  for (size_t i = 0; i < height; ++i)
    if (cudaError_t e = cudaMemset((char*)p + i * pitch, value, width)) return e;
  return cudaSuccess;
}
PNSIM_INLINE cudaError_t cudaProfilerStart() { return cudaSuccess; }
PNSIM_INLINE cudaError_t cudaProfilerStop() { return cudaSuccess; }
template <typename F> PNSIM_INLINE cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, F*, int threads, size_t shared) {
  return pnsim_occupancy(blocks, threads, shared);
}
template <typename F> PNSIM_INLINE cudaError_t cudaOccupancyMaxPotentialBlockSize(int* grid, int* block, F*, size_t = 0, int limit = 0) {
  *grid = 108 * 2;
  *block = limit > 0 && limit < 1024 ? limit : 1024;
  return cudaSuccess;
}

namespace pnsim {
template <typename... P, size_t... I>
cudaError_t launch_pointers(const launch_config& config, void (*kernel)(P...), void** args, std::index_sequence<I...>) {
  return cudaError_t(launch(config, "kernel", kernel)(*static_cast<P*>(args[I])...));
}
}  // namespace pnsim
template <typename... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** args, size_t shared = 0, cudaStream_t = 0, PNSIM_HERE) {
  return pnsim::launch_pointers(pnsim::launch_config(grid, block, shared, nullptr, file, line), kernel, args, std::make_index_sequence<sizeof...(P)>());
}
// `(const void*)kernel`: looked up among the kernels of the program that are no templates.
extern "C" __attribute__((visibility("default"))) const pnsim_kernel* pnsim_kernels(unsigned* count);
static inline cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** args, size_t shared = 0, cudaStream_t = 0, PNSIM_HERE) {
  unsigned count;
  const pnsim_kernel* table = pnsim_kernels(&count);
  for (unsigned i = 0; i < count; ++i)
    if (table[i].function == function)
      return cudaError_t(pnsim::launch_config(grid, block, shared, nullptr, file, line).start(table[i].entry, args, 0, table[i].name));
  return cudaErrorInvalidDeviceFunction;
}
template <typename... P>
cudaError_t cudaLaunchCooperativeKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** args, size_t shared = 0, cudaStream_t s = 0, PNSIM_HERE) {
  return cudaLaunchKernel(kernel, grid, block, args, shared, s, file, line);
}
static inline cudaError_t cudaLaunchCooperativeKernel(const void* function, dim3 grid, dim3 block, void** args, size_t shared = 0, cudaStream_t s = 0, PNSIM_HERE) {
  return cudaLaunchKernel(function, grid, block, args, shared, s, file, line);
}

// The members are gridDim and blockDim to the user; the rewriter adds the prefix, as those names are macros.
struct cudaLaunchAttribute;
struct cudaLaunchConfig_t {
  dim3 pnsim_gridDim, pnsim_blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};
template <typename... P, typename... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... a) {
  const pnsim::launch_config where(config->pnsim_gridDim, config->pnsim_blockDim, config->dynamicSmemBytes);
  if (config->numAttrs) return cudaErrorNotSupported;  // clusters and their like
  return cudaError_t(pnsim::launch(where, "kernel", kernel)(std::forward<A>(a)...));
}
