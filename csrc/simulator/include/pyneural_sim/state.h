// What the running kernel can see of the simulator: the current thread, the current block, and the
// functions of the runtime library. The library and every compiled kernel include this one file.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct pnsim_thread {
  unsigned x, y, z;       // threadIdx
  unsigned linear;        // threadIdx flattened, x fastest
  unsigned lane, warp;    // linear % 32, linear / 32
  unsigned spins;         // atomics since this thread last let another one run
};

struct pnsim_block {
  unsigned thread_x, thread_y, thread_z;  // blockDim
  unsigned block_x, block_y, block_z;     // blockIdx
  unsigned grid_x, grid_y, grid_z;        // gridDim
  unsigned shared_bytes;                  // dynamic shared memory of this launch
  char* shared;                           // and where it lies
  unsigned cluster[3];                    // blocks of a cluster
  unsigned rank;                          // this one's among them
};

// One per operating-system thread: blocks never move between them. The initial-exec model makes a read
// of threadIdx two plain loads; the variables are small and live in one library, so they always fit.
extern "C" {
extern __thread struct pnsim_thread* pnsim_current __attribute__((tls_model("initial-exec")));
extern __thread struct pnsim_block pnsim_here __attribute__((tls_model("initial-exec")));
}

enum pnsim_warp_op {
  PNSIM_SYNC, PNSIM_SHFL_IDX, PNSIM_SHFL_UP, PNSIM_SHFL_DOWN, PNSIM_SHFL_XOR, PNSIM_BALLOT,
  PNSIM_MATCH_ANY, PNSIM_MATCH_ALL, PNSIM_ADD, PNSIM_MIN_S, PNSIM_MAX_S, PNSIM_MIN_U, PNSIM_MAX_U,
  PNSIM_AND, PNSIM_OR, PNSIM_XOR, PNSIM_GATHER
};

enum pnsim_access { PNSIM_READ = 0, PNSIM_WRITE = 1, PNSIM_ATOMIC = 2, PNSIM_SWAP_IF = 10 };  // the last: atomicCAS
enum pnsim_arg_kind { PNSIM_SCALAR = 0, PNSIM_POINTER = 1, PNSIM_STRUCT = 2 };

struct pnsim_argument {
  const char* type;      // element kind: one of "i u f b" and the size, "half", "bfloat16", "void" or "struct"
  unsigned size, align;  // of the parameter itself
  unsigned element;      // bytes of what a pointer points at
  unsigned char kind;    // pnsim_arg_kind
  unsigned char constant;
};

struct pnsim_kernel {
  const char* name;
  void (*entry)(void** args);  // one CUDA thread's run
  const struct pnsim_argument* arguments;
  unsigned count, max_threads, param_bytes;
  unsigned cluster[3];   // __cluster_dims__; 0 where there are none
  const void* function;  // what `(void*)kernel` gives in a program
};

// One contiguous part of a bulk copy. Where `from` is null the destination is filled with zeros, or with NaN of
// `fill` bytes each.
struct pnsim_piece {
  char* to;
  const char* from;
  unsigned size, fill;
};

// A thread's share of one wgmma: computed when it is waited for.
struct pnsim_product {
  void (*compute)(const struct pnsim_product*);
  float* d;             // the accumulators of this thread
  unsigned columns;     // n
  unsigned a_address, b_address, a_leading, a_stride, b_leading, b_stride;  // descriptors, taken apart; bytes
  unsigned a_swizzle, b_swizzle;
  unsigned fragment[16];  // or a from registers: those of the four lanes that share this thread's rows
  bool from_registers, accumulate;
  unsigned row;         // of the 64: the thread's first
  unsigned column;      // the thread's first within each 8
};

extern "C" {
// Thread block
void pnsim_barrier(const char* file, int line);
int pnsim_barrier_reduce(int op, int predicate, const char* file, int line);  // 0 count, 1 and, 2 or
void pnsim_group_barrier(const void* key, unsigned id, unsigned expected, const char* file, int line);
// Warp: every operation is one rendezvous of the lanes in mask
unsigned long long pnsim_warp(int op, unsigned mask, unsigned long long value, int argument, int width,
                              const char* file, int line);
// The value of every lane of the mask, by lane
void pnsim_gather(unsigned mask, unsigned long long value, unsigned long long* values, const char* file, int line);
unsigned pnsim_active_mask(const char* file, int line);
// Memory as the checker sees it; only instrumented builds call these
void pnsim_touch(const void* address, size_t size, int access, const char* file, int line);
void pnsim_fence(int scope);  // 0 block, 1 device
void pnsim_copy_async(void* to, const void* from, size_t size, size_t valid, const char* file, int line);
void pnsim_copy_commit(void);
void pnsim_copy_wait(unsigned newest);
// Operations of the asynchronous proxy (TMA, wgmma): runtime/flight.h
void pnsim_bulk_load(const struct pnsim_piece* pieces, size_t count, void* object, const char* file, int line);
void pnsim_bulk_land(const void* object);  // what is on its way to the object arrives
void pnsim_bulk_store(const struct pnsim_piece* pieces, size_t count, const char* file, int line);
void pnsim_bulk_commit(void);
void pnsim_bulk_wait(unsigned newest, int read_only);
void pnsim_wgmma(const struct pnsim_product* product, const char* file, int line);
void pnsim_wgmma_reads(const void* address, size_t size, const char* file, int line);  // by the next pnsim_wgmma
void pnsim_wgmma_fence(void);
void pnsim_wgmma_commit(void);
void pnsim_wgmma_wait(unsigned newest);
void pnsim_proxy_fence(void);
unsigned pnsim_shared_address(const void* pointer);  // 16 times 16 bits: a window of a megabyte, as descriptors need
const char* pnsim_shared_pointer(unsigned address);
// Barriers by number (bar.sync, bar.arrive)
void pnsim_named_barrier(unsigned id, unsigned expected, int wait, const char* file, int line);
// Clusters: the barrier of all their threads, and where what lies here in dynamic shared memory lies in another block
void pnsim_cluster_arrive(const char* file, int line);
void pnsim_cluster_wait(const char* file, int line);
void* pnsim_map_shared(const void* pointer, unsigned rank, const char* file, int line);
unsigned pnsim_shared_rank(const void* pointer);  // the rank of the block whose dynamic shared memory it is in
const char* pnsim_tensor_map(void* map, int type, unsigned rank, const void* address, const unsigned long long* sizes,
                             const unsigned long long* strides, const unsigned* box, const unsigned* steps, int interleave,
                             int swizzle, int fill);
const char* pnsim_tensor_map_im2col(void* map, int type, unsigned rank, const void* address, const unsigned long long* sizes,
                                    const unsigned long long* strides, const int* lower, const int* upper, unsigned channels,
                                    unsigned pixels, const unsigned* steps, int interleave, int swizzle, int fill);
// Synchronisation objects in memory (mbarrier, cuda::barrier): order what came before with what comes after
void pnsim_release(const void* object);
void pnsim_acquire(const void* object);
void pnsim_forget(const void* object);  // what was released so far
void pnsim_yield(void);
// Waits for, and ends the wait for, a change of an object in memory
void pnsim_park(const void* object, const char* file, int line);
void pnsim_unpark(const void* object);
// Failures
void pnsim_assert(const char* expression, const char* file, int line, const char* function)
    __attribute__((noreturn));
void pnsim_trap(const char* what, const char* file, int line) __attribute__((noreturn));
void pnsim_bounds(const char* file, int line, int column, const char* type, long long index);
// Device printf and heap
int pnsim_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
void* pnsim_device_malloc(size_t bytes);
void pnsim_device_free(void* pointer);
void pnsim_xorwow_jump(unsigned* state, unsigned long long count, unsigned scale);  // count * 2^scale steps
// Launch from a program
int pnsim_launch(void (*entry)(void**), void** args, size_t param_bytes, const unsigned* grid, const unsigned* block,
                 size_t shared, const char* name, const char* file, int line);
}
