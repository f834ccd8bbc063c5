// Runs kernels: CPU threads share the clusters (most often single blocks) of a launch; what kernels call.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "worker.hpp"

#if !KPFLOW_EMULATION_UCONTEXT
asm(R"(
.text
.globl kpflow_emulated_switch
.hidden kpflow_emulated_switch
.type kpflow_emulated_switch, @function
kpflow_emulated_switch:
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
.size kpflow_emulated_switch, .-kpflow_emulated_switch
)");
#endif

#define KPFLOW_EMULATED_LOCAL __thread
KPFLOW_EMULATED_LOCAL uint3 threadIdx, blockIdx;
KPFLOW_EMULATED_LOCAL dim3 blockDim, gridDim;

namespace kpflow::emulated {

static KPFLOW_EMULATED_LOCAL Worker* worker;

void Worker::live() {
  Worker& w = *worker;
  w.running_->arrived();
  for (;;) {
    w.launch_->body();
    Thread& ended = *w.current;
    ended.ended = true;
    ended.fiber = nullptr;
    w.ended_++;
    ended.warp->alive &= ~(1u << ended.lane);
    for (auto& gathering : ended.warp->gatherings)
      if (gathering->arrived && gathering->arrived == (gathering->mask & ended.warp->alive)) gathering->complete();
    Thread* thread = w.next();
    if (thread && !thread->fiber) {  // a thread that begins can do so here
      thread->fiber = w.running_;
      w.enter(*thread);
    } else {
      w.idle_.push_back(w.running_);
      w.proceed(thread);
    }
  }
}

namespace {

// The CPU threads that share the blocks of a launch with its caller.
class Pool {
 public:
  Pool() {
    const auto count = setting("THREADS", std::clamp(std::thread::hardware_concurrency(), 1u, 8u));
    for (unsigned i = 1; i < count; i++) std::thread([this] { serve(); }).detach();
    helpers_ = static_cast<unsigned>(count ? count - 1 : 0);
  }

  void run(const Launch& launch) {
    const dim3 &grid = launch.grid, &part = launch.cluster;
    count_ = static_cast<unsigned long long>(grid.x / part.x) * (grid.y / part.y) * (grid.z / part.z);
    next_ = 0;
    const bool together = helpers_ > 0 && count_ > 1;
    if (together) {
      std::lock_guard lock(mutex_);
      launch_ = &launch;
      busy_ = helpers_;
      turn_++;
      wake_.notify_all();
    }
    work(launch, callers_);
    if (together) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [this] { return busy_ == 0; });
    }
  }

 private:
  void serve() {
    Worker mine;
    for (uint64_t turn = 1;; turn++) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return turn_ >= turn; });
      const Launch& launch = *launch_;
      lock.unlock();
      work(launch, mine);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void work(const Launch& launch, Worker& mine) {
    worker = &mine;
    for (;;) {
      unsigned long long i = __atomic_fetch_add(&next_, 1, __ATOMIC_RELAXED);
      if (i >= count_) return;
      if (ordering().order == Order::reverse) i = count_ - 1 - i;
      if (ordering().order == Order::random) i = (i + ordering().seed * 7919) % count_;
      mine.run_cluster(launch, i);
    }
  }

  Worker callers_;  // one caller at a time
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const Launch* launch_ = nullptr;
  unsigned long long count_ = 0, next_ = 0;
  uint64_t turn_ = 0;
  unsigned helpers_ = 0, busy_ = 0;
};

void perform(const Copy& copy) {
  std::memcpy(copy.to, copy.from, copy.valid);
  std::memset(static_cast<char*>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
}

}  // namespace

void run(const Launch& launch) {
  static Pool& pool = *new Pool;  // its threads outlive the program's end
  pool.run(launch);
}

unsigned lane() { return worker->current->lane; }
unsigned living_lanes() { return worker->current->warp->alive; }

Values meet(Meeting kind, unsigned mask, const void* value, size_t bytes) {
  Worker& w = *worker;
  const Thread& thread = *w.current;
  if (!(mask >> thread.lane & 1)) w.stop("the mask of a warp's operation leaves out the calling lane");
  Gathering& here = w.gathering(*thread.warp, mask);
  const unsigned parity = here.count & 1;
  if (bytes) std::memcpy(here.values[parity][thread.lane], value, bytes);
  if (here.arrived && here.kind != kind) w.stop("lanes of a warp meet at different operations");
  here.kind = kind;
  here.arrived |= 1u << thread.lane;
  if (here.arrived == (mask & thread.warp->alive))
    here.complete();
  else
    w.wait(here.count);
  return {here.values[parity], here.present[parity]};
}

namespace {

// Fragments of the operands of all lanes: a[0..na) and b[0..nb), and the product of rows g, g + 8 of A with columns
// 2t, 2t + 1 of B.
template <class T, int rows, int depth>
void product(T* c, const T* a, const T* b) {
  constexpr int na = rows * depth / 32, nb = depth * 8 / 32;
  static_assert((na + nb) * sizeof(T) <= 64, "operands fit a lane's value");
  T mine[na + nb];
  std::copy(a, a + na, mine);
  std::copy(b, b + nb, mine + na);
  const Values all = meet(Meeting::product, ~0u, mine, sizeof(mine));
  if (all.present != ~0u) worker->stop("a warp-level product without all 32 lanes");
  const auto part = [&](int lane, int i) { return reinterpret_cast<const T*>(all.of[lane])[i]; };
  const int g = lane() / 4, t = lane() % 4;
  for (int i = 0; i < rows / 4; i++)
    for (int k = 0; k < depth; k++)
      c[i] = std::fma(part(4 * g + k % 4, (i / 2) + k / 4 * (rows / 8)), part(4 * (2 * t + i % 2) + k % 4, na + k / 4),
                      c[i]);
}

float tf32(uint32_t pattern) { return bits<float>(pattern & ~0x1fffu); }

}  // namespace

void mma_m16n8k8_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const float x[4] = {tf32(a[0]), tf32(a[1]), tf32(a[2]), tf32(a[3])}, y[2] = {tf32(b[0]), tf32(b[1])};
  product<float, 16, 8>(c, x, y);
}
void mma_m16n8k8_f64(double (&c)[4], const double (&a)[4], const double (&b)[2]) { product<double, 16, 8>(c, a, b); }
void mma_m8n8k4_f64(double (&c)[2], double a, double b) { product<double, 8, 4>(c, &a, &b); }

void copy_async(void* shared, const void* global, int bytes, int valid) {
  const auto misaligned = [bytes](const void* p) { return reinterpret_cast<uintptr_t>(p) % bytes != 0; };
  if ((bytes != 4 && bytes != 8 && bytes != 16) || valid < 0 || valid > bytes || misaligned(shared) ||
      misaligned(global))
    worker->stop("an asynchronous copy of other than 4, 8 or 16 aligned bytes");
  Thread& thread = *worker->current;
  thread.copies.push_back({shared, global, bytes, valid, thread.group});
}
void commit() { worker->current->group++; }
void wait_for_copies(unsigned pending_groups) {
  Thread& thread = *worker->current;
  size_t done = 0;
  while (done < thread.copies.size() && thread.copies[done].group + pending_groups < thread.group)
    perform(thread.copies[done++]);
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<std::ptrdiff_t>(done));
}
void wait_all() {
  commit();
  wait_for_copies(0);
}

unsigned cluster_rank() { return worker->current->block->rank; }
unsigned cluster_size() { return worker->blocks(); }
void cluster_sync() { worker->arrive(worker->cluster, worker->threads()); }
void* cluster_map(void* shared, unsigned rank) {
  Worker& w = *worker;
  const auto offset = static_cast<unsigned char*>(shared) - w.current->block->shared.data;
  if (rank >= w.blocks() || offset < 0 || static_cast<size_t>(offset) >= w.shared_bytes())
    w.stop("cluster_map: expected an address of dynamic shared memory and a rank of the cluster");
  return w.block(rank).shared.data + offset;
}

}  // namespace kpflow::emulated

unsigned char* emulated_shared_bytes() { return kpflow::emulated::worker->current->block->shared.data; }
void __syncthreads() {
  auto& worker = *kpflow::emulated::worker;
  worker.arrive(worker.current->block->barrier, worker.block_threads());
}
