#include "core/memory.cuh"

namespace kpflow::cuda {

namespace {

struct MemoryInfo {
  MemoryInfo() { check(cudaMemGetInfo(&available, &total), "asking for the free memory"); }
  size_t available = 0, total = 0;
};

}  // namespace

void require_memory(int64_t bytes, const char* what, const char* remedy) {
  MemoryInfo info;
  if (bytes >= 0 && static_cast<size_t>(bytes) > info.available && blocks().kept() > 0) {
    blocks().release();
    info = MemoryInfo();
  }
  if (bytes < 0 || static_cast<size_t>(bytes) > info.available) {
    fail(KPFLOW_OUT_OF_MEMORY, "%s needs %.2f GiB and the card has %.2f GiB of %.2f free; %s", what,
         static_cast<double>(bytes) / 0x1p30, static_cast<double>(info.available) / 0x1p30,
         static_cast<double>(info.total) / 0x1p30, remedy);
  }
}

int64_t available_memory() { return static_cast<int64_t>(MemoryInfo().available) + blocks().kept(); }

void* BlockCache::take(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  void* block = nullptr;
  const auto found = kept_.find(bytes);
  if (found != kept_.end()) {
    block = found->second;
    kept_.erase(found);
    kept_bytes_ -= bytes;
  } else if (cudaMalloc(&block, static_cast<size_t>(bytes)) != cudaSuccess) {
    (void)cudaGetLastError();
    return nullptr;
  }
  taken_.emplace(block, bytes);
  return block;
}

void BlockCache::give_back(void* block) {
  constexpr int64_t kMost = int64_t(2) << 30;  // kept at a time; larger blocks are rare and soon wanted by others
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = taken_.find(block);
  if (found == taken_.end()) return;  // not ours
  const int64_t bytes = found->second;
  taken_.erase(found);
  if (kept_bytes_ + bytes > kMost) {
    cudaFree(block);
  } else {
    kept_.emplace(bytes, block);
    kept_bytes_ += bytes;
  }
}

void BlockCache::release() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& block : kept_) cudaFree(block.second);
  kept_.clear();
  kept_bytes_ = 0;
}

int64_t BlockCache::kept() {
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_bytes_;
}

BlockCache& blocks() {
  static BlockCache* const cache = new BlockCache();
  return *cache;
}

}  // namespace kpflow::cuda
