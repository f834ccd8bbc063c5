// A stack that one may leave and come back to.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
// Elsewhere, or where asked for, the C library's slower contexts.
#if !defined(__x86_64__) || defined(KPFLOW_EMULATION_UCONTEXT)
#undef KPFLOW_EMULATION_UCONTEXT
#define KPFLOW_EMULATION_UCONTEXT 1
#include <ucontext.h>
#else
#define KPFLOW_EMULATION_UCONTEXT 0
#endif

namespace kpflow::emulated {

#if !KPFLOW_EMULATION_UCONTEXT
// Saves the registers that a callee keeps and the stack pointer, and takes up those of another fiber.
extern "C" void kpflow_emulated_switch(void** save, void* resume);
#endif

class Fiber {
 public:
  // The fiber of the calling CPU thread, on the stack it has.
  Fiber() = default;

  // A fiber that will begin with entry, which never returns, and that is kept to the program's end. Its number spreads
  // the stacks over the cache. The first have a page below that faults; the system's mappings do not suffice for all.
  Fiber(void (*entry)(), size_t number) {
    void* pages =
        mmap(nullptr, guard + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
      std::fputs("emulated kernel: no memory for one more thread\n", stderr);
      std::abort();
    }
    if (number < 1024) mprotect(pages, guard, PROT_NONE);
    bottom_ = static_cast<char*>(pages) + guard;
    size_ = size - 192 * (number % 64);
#if !KPFLOW_EMULATION_UCONTEXT
    void** top = static_cast<void**>(bottom_) + size_ / sizeof(void*);
    top[-1] = nullptr;  // no one to return to
    top[-2] = reinterpret_cast<void*>(entry);
    for (int i = 3; i <= 8; i++) top[-i] = nullptr;
    pointer_ = top - 8;
#else
    getcontext(&context_);
    context_.uc_stack.ss_sp = bottom_;
    context_.uc_stack.ss_size = size_;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#endif
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves this fiber, which runs, for another one; returns when some fiber goes to this one.
  void go(Fiber& other) {
#if defined(__SANITIZE_ADDRESS__)
    other.left_ = this;
    __sanitizer_start_switch_fiber(&fake_, other.bottom_, other.size_);
#endif
#if !KPFLOW_EMULATION_UCONTEXT
    kpflow_emulated_switch(&pointer_, other.pointer_);
#else
    swapcontext(&context_, &other.context_);
#endif
    arrived();
  }

  // The first act of a fiber, and of one that comes back.
  void arrived() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_, const_cast<const void**>(&left_->bottom_), &left_->size_);
#endif
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t size = 256 << 10;
  Fiber* left_ = nullptr;
  void* fake_ = nullptr;
#else
  static constexpr size_t size = 64 << 10;
#endif
  static constexpr size_t guard = 4096;
  void* bottom_ = nullptr;
  size_t size_ = 0;
#if !KPFLOW_EMULATION_UCONTEXT
  void* pointer_ = nullptr;
#else
  ucontext_t context_{};
#endif
};

}  // namespace kpflow::emulated
