// One CPU thread's part of the emulated device: the fibers of the blocks of one cluster take turns.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "emulation.hpp"
#include "fiber.hpp"

namespace kpflow::emulated {

enum class Order { forward, reverse, random };
struct Ordering {
  Order order = Order::forward;
  uint64_t seed = 1;
  Ordering() {
    const char* text = std::getenv("KPFLOW_EMULATION_ORDER");
    const std::string name = text ? text : "forward";
    if (name == "reverse") {
      order = Order::reverse;
    } else if (name.rfind("random", 0) == 0) {
      order = Order::random;
      if (name.size() > 7 && name[6] == ':') seed = std::strtoull(name.c_str() + 7, nullptr, 10);
    } else if (name != "forward") {
      std::fprintf(stderr, "KPFLOW_EMULATION_ORDER: expected forward, reverse or random[:seed], got %s\n", text);
      std::abort();
    }
  }
};
inline const Ordering& ordering() {
  static const Ordering value;
  return value;
}

// Whoever waits here goes on when count changes.
struct Barrier {
  unsigned arrived = 0, count = 0;
};

struct Gathering {
  explicit Gathering(unsigned lanes) : mask(lanes) {}
  unsigned mask, arrived = 0, count = 0, present[2] = {};
  Meeting kind = Meeting::barrier;
  alignas(16) unsigned char values[2][32][64];  // by parity of count: a fast lane may already be at the next meeting

  void complete() {
    present[count & 1] = arrived;
    arrived = 0;
    count++;
  }
};

struct Warp {
  unsigned alive = 0, first = 0, lanes = 0;
  std::vector<std::unique_ptr<Gathering>> gatherings;  // one per mask that was used
};

struct Block {
  uint3 index{};
  unsigned rank = 0;
  Barrier barrier;
  Memory shared;
};

struct Copy {
  void* to;
  const void* from;
  int bytes, valid;
  unsigned group;
};

struct Thread {
  uint3 index{};
  Block* block = nullptr;
  Warp* warp = nullptr;
  Fiber* fiber = nullptr;           // where it runs or waits
  const unsigned* count = nullptr;  // what it waits for: a change of *count from seen
  unsigned seen = 0, lane = 0, group = 0;
  bool ended = false;
  std::vector<Copy> copies;

  bool ready() const { return !ended && (!count || *count != seen); }
};

class Worker {
 public:
  void run_cluster(const Launch& launch, unsigned long long index) {
    launch_ = &launch;
    prepare(index);
    running_ = &main_;
    proceed(next());
    launch_ = nullptr;
  }

  // The order in which lanes and warps take turns: those of a warp until none can go on, then the next warp.
  Thread* next() {
    for (;;) {
      Warp& warp = warps_[warp_order_[warp_]];
      while (position_ < 32) {
        const unsigned lane = (offset_ + step_ * position_++) & 31;
        if (lane >= warp.lanes || !threads_[warp.first + lane].ready()) continue;
        warp_moved_ = moved_ = true;
        return &threads_[warp.first + lane];
      }
      if (!warp_moved_ && ++warp_ == warp_count_) {
        if (ended_ == thread_count_) return nullptr;
        if (!moved_) deadlock();
        moved_ = false;
        order_warps();
      }
      order_lanes();
    }
  }

  // Leaves the running fiber for that of a thread, or for the end of the cluster where there is none.
  void proceed(Thread* thread) {
    if (thread) {
      if (!thread->fiber) thread->fiber = idle_fiber();
      enter(*thread);
    }
    Fiber* from = running_;
    running_ = thread ? thread->fiber : &main_;
    from->go(*running_);
  }

  void wait(const unsigned& count) {
    Thread* thread = current;
    thread->count = &count;
    thread->seen = count;
    proceed(next());
  }

  void arrive(Barrier& barrier, unsigned expected) {
    if (++barrier.arrived < expected) return wait(barrier.count);
    barrier.arrived = 0;
    barrier.count++;
  }

  // The life of a fiber: one thread of the block after the other.
  static void live();

  [[noreturn]] void stop(const char* what) const {
    const Launch& l = *launch_;
    const uint3 b = current->block->index, t = current->index;
    std::fprintf(
        stderr,
        "emulated kernel, grid (%u, %u, %u) of blocks (%u, %u, %u): block (%u, %u, %u), thread (%u, %u, %u): %s\n",
        l.grid.x, l.grid.y, l.grid.z, l.block.x, l.block.y, l.block.z, b.x, b.y, b.z, t.x, t.y, t.z, what);
    std::abort();
  }

  Gathering& gathering(Warp& warp, unsigned mask) {
    for (auto& known : warp.gatherings)
      if (known->mask == mask) return *known;
    warp.gatherings.push_back(std::make_unique<Gathering>(mask));
    return *warp.gatherings.back();
  }

  Block& block(unsigned rank) { return blocks_[rank]; }
  unsigned blocks() const { return block_count_; }
  unsigned threads() const { return thread_count_; }
  unsigned block_threads() const { return thread_count_ / block_count_; }
  size_t shared_bytes() const { return launch_->shared; }
  Barrier cluster;
  Thread* current = nullptr;

 private:
  void prepare(unsigned long long index) {
    const dim3 &grid = launch_->grid, &block = launch_->block, &part = launch_->cluster;
    const uint3 clusters = {grid.x / part.x, grid.y / part.y, grid.z / part.z};
    const uint3 origin = {static_cast<unsigned>(index % clusters.x) * part.x,
                          static_cast<unsigned>(index / clusters.x % clusters.y) * part.y,
                          static_cast<unsigned>(index / clusters.x / clusters.y) * part.z};
    const unsigned size = block.x * block.y * block.z, warps = (size + 31) / 32;
    block_count_ = part.x * part.y * part.z;
    thread_count_ = size * block_count_;
    warp_count_ = warps * block_count_;
    if (blocks_.size() < block_count_) blocks_.resize(block_count_);
    if (threads_.size() < thread_count_) threads_.resize(thread_count_);
    if (warps_.size() < warp_count_) warps_.resize(warp_count_);
    for (unsigned b = 0; b < block_count_; b++) {
      Block& here = blocks_[b];
      here.index = {origin.x + b % part.x, origin.y + b / part.x % part.y, origin.z + b / part.x / part.y};
      here.rank = b;
      here.barrier = {};
      if (here.shared.bytes != launch_->shared || !here.shared.data) {
        release(here.shared);
        here.shared = acquire(launch_->shared, setting("GUARD", 0) != 0);
      }
      std::memset(here.shared.data, 0xff, launch_->shared);
      for (unsigned w = 0; w < warps; w++) {
        Warp& warp = warps_[b * warps + w];
        warp.first = b * size + 32 * w;
        warp.lanes = std::min(32u, size - 32 * w);
        warp.alive = warp.lanes == 32 ? ~0u : (1u << warp.lanes) - 1;
        for (auto& gathering : warp.gatherings) gathering->arrived = 0;
      }
      for (unsigned t = 0; t < size; t++) {
        Thread& thread = threads_[b * size + t];
        thread.index = {t % block.x, t / block.x % block.y, t / block.x / block.y};
        thread.block = &here;
        thread.warp = &warps_[b * warps + t / 32];
        thread.lane = t % 32;
        thread.fiber = nullptr;
        thread.count = nullptr;
        thread.ended = false;
        thread.group = 0;
        thread.copies.clear();
      }
    }
    cluster = {};
    blockDim = block;
    gridDim = grid;
    ended_ = 0;
    moved_ = false;
    random_ = (ordering().seed * 0x9e3779b97f4a7c15u) ^ ((index + 1) * 0xbf58476d1ce4e5b9u);
    warp_order_.resize(warp_count_);
    std::iota(warp_order_.begin(), warp_order_.end(), 0u);
    if (ordering().order == Order::reverse) std::reverse(warp_order_.begin(), warp_order_.end());
    order_warps();
    order_lanes();
  }

  unsigned random() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>(random_ >> 33);
  }
  void order_warps() {
    warp_ = 0;
    if (ordering().order == Order::random)
      for (unsigned i = warp_count_; i > 1; i--) std::swap(warp_order_[i - 1], warp_order_[random() % i]);
  }
  void order_lanes() {
    position_ = 0;
    warp_moved_ = false;
    const Order order = ordering().order;
    step_ = order == Order::random ? 2 * random() + 1 : order == Order::reverse ? 31 : 1;
    offset_ = order == Order::random ? random() : order == Order::reverse ? 31 : 0;
  }

  void enter(Thread& thread) {
    current = &thread;
    threadIdx = thread.index;
    blockIdx = thread.block->index;
  }

  Fiber* idle_fiber() {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>(live, fibers_.size()));
      return fibers_.back().get();
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }

  [[noreturn]] void deadlock() {
    unsigned block = 0, cluster_wide = 0, warp = 0;
    for (unsigned t = 0; t < thread_count_; t++) {
      const Thread& thread = threads_[t];
      if (thread.ended) continue;
      current = &threads_[t];  // one of those that wait, for the message
      (thread.count == &thread.block->barrier.count ? block : thread.count == &cluster.count ? cluster_wide : warp)++;
    }
    char text[200];
    std::snprintf(text, sizeof(text),
                  "nobody can go on: %u threads wait at __syncthreads, %u in a warp's operation, %u at the cluster's "
                  "barrier, %u have ended",
                  block, warp, cluster_wide, ended_);
    stop(text);
  }

  const Launch* launch_ = nullptr;
  std::vector<Block> blocks_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_;
  unsigned block_count_ = 0, thread_count_ = 0, warp_count_ = 0, ended_ = 0;
  unsigned warp_ = 0, position_ = 0, step_ = 1, offset_ = 0;
  bool moved_ = false, warp_moved_ = false;
  uint64_t random_ = 0;
  Fiber main_;
  Fiber* running_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
};

}  // namespace kpflow::emulated
