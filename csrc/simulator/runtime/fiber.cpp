#include "fiber.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace pnsim {

#if defined(__x86_64__)
// Callee-saved registers of the System V ABI go on the old stack; the new stack's come back.
asm(R"(
.text
.globl pnsim_switch
.hidden pnsim_switch
.type pnsim_switch, @function
pnsim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size pnsim_switch, .-pnsim_switch
)");
static void* first_frame(char* top, void (*run)()) {
  void** sp = reinterpret_cast<void**>(top);
  *--sp = nullptr;                            // a return address for run, which never returns
  *--sp = reinterpret_cast<void*>(run);       // popped by ret, which leaves the stack aligned as after a call
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  return sp;
}
#elif defined(__aarch64__)
asm(R"(
.text
.globl pnsim_switch
.hidden pnsim_switch
.type pnsim_switch, %function
pnsim_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size pnsim_switch, .-pnsim_switch
)");
static void* first_frame(char* top, void (*run)()) {
  void** sp = reinterpret_cast<void**>(top) - 20;
  memset(sp, 0, 160);
  sp[11] = reinterpret_cast<void*>(run);  // x30
  return sp;
}
#else
#include <ucontext.h>
// Elsewhere: slower, and everywhere. The saved "stack pointer" is a ucontext_t.
extern "C" void pnsim_switch(void** save, void* load) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t*>(load));
}
static void* first_frame(char* top, void (*run)()) {
  ucontext_t* context = reinterpret_cast<ucontext_t*>(top - sizeof(ucontext_t) - 64);
  getcontext(context);
  context->uc_stack.ss_sp = top - STACK_BYTES / 2;
  context->uc_stack.ss_size = STACK_BYTES / 2 - sizeof(ucontext_t) - 128;
  context->uc_link = nullptr;
  makecontext(context, run, 0);
  return context;
}
#endif

StackArena::StackArena(unsigned count) : size_(size_t(count) * STACK_BYTES) {
  void* p = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) abort();
  base_ = static_cast<char*>(p);
}

StackArena::~StackArena() { munmap(base_, size_); }

void StackArena::prepare(Fiber& fiber, unsigned number, void (*run)()) {
  fiber.stack = base_ + size_t(number) * STACK_BYTES;
  for (; guarded_ <= number; ++guarded_) mprotect(base_ + size_t(guarded_) * STACK_BYTES, 4096, PROT_NONE);
  // Tops at equal distances would fight for one set of the first-level cache: spread them.
  char* top = fiber.stack + STACK_BYTES - 64 - (number * 320u) % 4096u / 64u * 64u;
  fiber.sp = first_frame(top, run);
}

}  // namespace pnsim
