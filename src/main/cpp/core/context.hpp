// A pool of workers that wait passively, each with scratch memory of its own, the lock that orders calls on a context, and the
// kernels of its device.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/device.hpp"
#include "core/memory.hpp"
#include "core/status.hpp"

namespace kpflow {

// Denormal numbers slow a core tenfold where adjoints vanish: flushed to zero while it lives, the caller's mode restored after.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();

 private:
  unsigned mode_;
};

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, worker) for every task in 0..tasks-1, the caller being worker 0. Tasks go to workers in any order, so a
  // result is reproducible when tasks write to different places. The first exception is rethrown here.
  template <class Body>
  void run(int64_t tasks, const Body& body) {
    run_erased(
        tasks, [](const void* erased, int64_t task, int worker) { (*static_cast<const Body*>(erased))(task, worker); },
        &body);
  }

 private:
  using Function = void (*)(const void* body, int64_t task, int worker);
  void run_erased(int64_t tasks, Function function, const void* body);
  void work(int worker);
  void stop();
  void drain(int worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  uint64_t round_ = 0;
  int active_ = 0;
  bool stop_ = false;
  Function function_ = nullptr;
  const void* body_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_{0};
  std::exception_ptr failure_;
};

// Pieces of a size that cover count things.
constexpr int64_t pieces(int64_t count, int64_t size) { return count / size + (count % size != 0); }

// Polls the caller's cancel flag and counts work done.
class Progress {
 public:
  explicit Progress(kpflow_monitor* monitor) : monitor_(monitor) {}
  // Adds to the work done; throws KPFLOW_CANCELLED once the caller has asked for it.
  void advance(int64_t work = 0) const;

 private:
  kpflow_monitor* monitor_;
};

}  // namespace kpflow

struct kpflow_context {
  explicit kpflow_context(int threads) : pool(threads), scratch_(static_cast<size_t>(threads)) {}

  // Scratch of one worker, of at least so many elements; what it held is lost when it grows.
  template <class T>
  T* worker_scratch(int worker, int64_t elements) {
    return static_cast<T*>(scratch_[static_cast<size_t>(worker)].reserve(elements * static_cast<int64_t>(sizeof(T))));
  }

  // Bytes still to be allocated before every worker that gets a task has so much scratch: with fewer tasks than workers, the
  // workers that hold the least.
  int64_t missing_scratch(int64_t bytes, int64_t tasks) const;

  kpflow::ThreadPool pool;
  std::mutex mutex;                 // one call at a time
  kpflow::AlignedMemory workspace;  // of the call that holds the mutex
  int32_t device = KPFLOW_CPU;
  std::unique_ptr<kpflow::Kernels> kernels;

 private:
  std::vector<kpflow::AlignedMemory> scratch_;
};
