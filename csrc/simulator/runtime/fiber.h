// Fibers: stacks and the switch between them.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace pnsim {

struct Fiber {
  void* sp = nullptr;     // saved stack pointer while it does not run
  char* stack = nullptr;  // lowest address
  uintptr_t frames = 0;   // the kernel's lie below
};

constexpr size_t STACK_BYTES = 256 * 1024;

// All stacks of one worker in one reserved range, so that "is this local memory" is one comparison.
class StackArena {
 public:
  explicit StackArena(unsigned count);
  ~StackArena();
  StackArena(const StackArena&) = delete;
  StackArena& operator=(const StackArena&) = delete;
  // Makes the fiber start in `run` when it is first switched to.
  void prepare(Fiber& fiber, unsigned number, void (*run)());
  char* base() const { return base_; }
  size_t size() const { return size_; }

 private:
  char* base_;
  size_t size_;
  unsigned guarded_ = 0;
};

extern "C" void pnsim_switch(void** save, void* load);

}  // namespace pnsim
