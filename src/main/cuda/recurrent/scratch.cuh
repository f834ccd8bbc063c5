// How much scratch memory the operators take at once.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kpflow::cuda {

// Rows of so many elements that fit into 1 GiB, at least one.
template <class T>
int64_t most_rows(int64_t elements) {
  constexpr int64_t kMost = (int64_t(1) << 30) / static_cast<int64_t>(sizeof(T));
  return std::max<int64_t>(1, kMost / std::max<int64_t>(1, elements));
}

}  // namespace kpflow::cuda
