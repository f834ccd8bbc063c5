// How much scratch memory the operators take at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kpflow::cuda {

// 1 GiB; much less on the emulation, so that tests of small models work in parts too.
#ifdef KPFLOW_EMULATED
constexpr int64_t kMostScratch = int64_t(128) << 10;
#else
constexpr int64_t kMostScratch = int64_t(1) << 30;
#endif

// Rows of so many elements that fit into it, at least one.
template <class T>
int64_t most_rows(int64_t elements) {
  const int64_t bytes = std::max<int64_t>(1, elements) * static_cast<int64_t>(sizeof(T));
  return std::max<int64_t>(1, kMostScratch / bytes);
}

}  // namespace kpflow::cuda
