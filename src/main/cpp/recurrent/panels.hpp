// How rows are shared out among workers in the loops over time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/context.hpp"

namespace kpflow {

// The s*B rows of a block are cut into panels; a worker takes one through the whole time loop, so that no step waits for
// another worker. The cut depends on the number of rows alone, which keeps results independent of the thread count.
struct Panels {
  explicit Panels(int64_t all_rows) : rows(all_rows) {
    // A multiple of the product kernel's 14 rows where there are enough for many workers, at least 4 rows otherwise.
    constexpr int64_t kKernel = 14, kMost = 3 * kKernel, kLeast = 4, kParts = 16;
    size = std::max(kLeast, pieces(rows, kParts));
    if (size > kKernel) size = std::min(kMost, pieces(size, kKernel) * kKernel);
    count = pieces(rows, size);
    size = pieces(rows, std::max<int64_t>(count, 1));
  }
  int64_t rows, size, count;
};

}  // namespace kpflow
