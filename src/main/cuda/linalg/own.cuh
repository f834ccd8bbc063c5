// Our own matrix products. Tiles of C by blocks; tiles of the operands pass through shared memory.
#pragma once

#include "linalg/gemm.cuh"

namespace kpflow::cuda {

enum class TileKind {
  kSmall,   // 32 x 32, a few elements of C by each thread
  kSimt,    // 64 x 64, likewise
  kTensor,  // 64 x 64 on tensor cores
  kLarge    // 128 x 128 on tensor cores, for operands whose rows begin at 16 bytes
};

// How a product is cut: tiles of C, and parts of the inner dimension whose sums are added in order afterwards.
struct Plan {
  TileKind kind;
  int64_t tiles_m, tiles_n;
  int64_t parts, part_depth;
};

// The cut for a card of so many multiprocessors. room is the number of elements that partial sums may take.
template <class T>
Plan plan_product(const Product<T>& product, bool tensor_cores, int multiprocessors, int64_t room);

// Starts a product; partial has room for the partial sums of the plan.
template <class T>
void run_own(cudaStream_t stream, const Product<T>& product, const Plan& plan, T* partial);

}  // namespace kpflow::cuda
