#include "core/context.hpp"

#include <algorithm>
#include <system_error>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace kpflow {

#if defined(__x86_64__)
FlushDenormals::FlushDenormals() : mode_(_mm_getcsr()) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(mode_ | kFlushToZero | kDenormalsAreZero);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(mode_); }
#else
FlushDenormals::FlushDenormals() : mode_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

ThreadPool::ThreadPool(int threads) {
  try {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error& refused) {
    const size_t started = workers_.size() + 1;
    stop();
    fail(KPFLOW_OUT_OF_MEMORY, "threads: the system gave %zu of %d (%s); ask for fewer", started, threads,
         refused.what());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::drain(int worker) {
  FlushDenormals flush;
  try {
    for (int64_t task; (task = next_.fetch_add(1)) < tasks_;) function_(body_, task, worker);
  } catch (...) {
    next_.store(tasks_);
    std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    drain(worker);
    std::lock_guard<std::mutex> lock(mutex_);
    if (--active_ == 0) finished_.notify_one();
  }
}

void ThreadPool::run_erased(int64_t tasks, Function function, const void* body) {
  if (tasks <= 0) return;
  function_ = function;
  body_ = body;
  tasks_ = tasks;
  next_.store(0);
  failure_ = nullptr;
  const bool alone = workers_.empty() || tasks == 1;
  if (!alone) {
    std::lock_guard<std::mutex> lock(mutex_);
    active_ = static_cast<int>(workers_.size());
    ++round_;
  }
  if (!alone) wake_.notify_all();
  drain(0);
  if (!alone) {
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [&] { return active_ == 0; });
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Progress::advance(int64_t work) const {
  if (monitor_ == nullptr) return;
  if (work > 0) __atomic_fetch_add(&monitor_->done, work, __ATOMIC_RELAXED);
  if (__atomic_load_n(&monitor_->cancel, __ATOMIC_RELAXED) != 0) fail(KPFLOW_CANCELLED, "cancelled by the caller");
}

}  // namespace kpflow

int64_t kpflow_context::missing_scratch(int64_t bytes, int64_t tasks) const {
  const int64_t workers = tasks == 1 ? 1 : pool.threads();  // a single task is the caller's, who is worker 0
  std::vector<int64_t> missing;
  for (int64_t worker = 0; worker < workers; ++worker) {
    missing.push_back(std::max<int64_t>(0, bytes - scratch_[static_cast<size_t>(worker)].bytes()));
  }
  std::sort(missing.rbegin(), missing.rend());
  kpflow::checked_product(bytes, workers);  // so that the sum cannot overflow
  int64_t sum = 0;
  for (int64_t i = 0; i < std::min(tasks, workers); ++i) sum += missing[static_cast<size_t>(i)];
  return sum;
}
