// Tiles of a matrix in shared memory.
#pragma once

#include <cstdint>

#include "core/async.cuh"
#include "core/runtime.cuh"

namespace kpflow::cuda {

constexpr int kDepth = 16;  // of the inner dimension in a tile

// What a block reads of one operand: element (r, k) is at data[r * ld + k] where rows are contiguous along the inner dimension
// (Inner), at data[k * ld + r] where they are not; r < rows, k < depth.
template <class T>
struct Operand {
  const T* data;
  int64_t ld;
  int rows, depth;
};

// threadIdx.x and blockIdx.x, read anew: what is derived from them is then computed again, and takes no registers between.
__device__ __forceinline__ int thread_now() {
#ifdef KPFLOW_EMULATED
  return static_cast<int>(threadIdx.x);
#else
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#endif
}
__device__ __forceinline__ unsigned block_now() {
#ifdef KPFLOW_EMULATED
  return blockIdx.x;
#else
  unsigned block;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(block));
  return block;
#endif
}

// Rows x kDepth elements in the order that they have in memory. Each row of the tile is 16 bytes longer than its contents (32
// bytes of f32, 64 of f64 where Inner), so that the lanes of a warp, which read rows g and inner elements 2t and 2t + 1 (lane
// 4 g + t), meet in no bank.
template <class T, int Rows, bool Inner>
struct Tile {
  static constexpr int kVector = 16 / sizeof(T);
  static constexpr int kStride = Inner ? kDepth + 8 : Rows + kVector;
  static constexpr int kCount = Inner ? Rows * kStride : kDepth * kStride;

  static __device__ int at(int row, int k) { return Inner ? row * kStride + k : k * kStride + row; }

  // Starts copying the slab of kDepth that begins at first, zeros beyond the operand's edges. Aligned: known to be.
  template <int Threads, bool Aligned>
  static __device__ void load(T* tile, const Operand<T>& from, int first) {
    const T* slab = from.data + first * (Inner ? 1 : from.ld);
    const int depth = min(from.depth - first, kDepth);
    if (Aligned || (reinterpret_cast<uintptr_t>(slab) | static_cast<uintptr_t>(from.ld) * sizeof(T)) % 16 == 0) {
      copy<kVector, Threads>(tile, slab, from.ld, from.rows, depth);
    } else {
      copy<1, Threads>(tile, slab, from.ld, from.rows, depth);
    }
  }

 private:
  // In pieces of Width elements along the contiguous dimension: a thread has one piece of every kStep-th line.
  template <int Width, int Threads>
  static __device__ __forceinline__ void copy(T* tile, const T* slab, int64_t ld, int rows, int depth) {
    constexpr int kPieces = (Inner ? kDepth : Rows) / Width, kLines = Inner ? Rows : kDepth;
    constexpr int kStep = Threads / kPieces < kLines ? Threads / kPieces : kLines;
    static_assert(Threads % kPieces == 0 && kLines % kStep == 0, "threads share a tile evenly");
    const int lines = Inner ? rows : depth, length = Inner ? depth : rows;
    const int thread = thread_now(), first = thread / kPieces, at = thread % kPieces * Width;
    if (kStep * kPieces < Threads && first >= kStep) return;
    const int valid = max(0, min(Width, length - at)) * static_cast<int>(sizeof(T));
    const T* from = slab + first * ld + at;
    T* to = tile + first * kStride + at;
#pragma unroll 4
    for (int line = 0; line < kLines; line += kStep) {
      copy_async<Width* static_cast<int>(sizeof(T))>(to + line * kStride, from, first + line < lines ? valid : 0);
      from += kStep * ld;
    }
  }
};

// Calls body(left, right) for every slab of the inner dimension with the tiles of both operands, while the copies of the next
// Stages - 1 slabs are on their way; shared memory may be used for other things afterwards.
template <class Left, class Right, int Stages, int Threads, bool Aligned, class T, class Body>
__device__ __forceinline__ void for_each_slab(T* shared, const Operand<T>& a, const Operand<T>& b, const Body& body) {
  constexpr int kStage = Left::kCount + Right::kCount;
  const auto start = [&](int first, int writing) {
    if (first < a.depth) {
      T* stage = shared + writing * kStage;
      Left::template load<Threads, Aligned>(stage, a, first);
      Right::template load<Threads, Aligned>(stage + Left::kCount, b, first);
    }
    commit_copies();
  };
  for (int stage = 0; stage < Stages - 1; ++stage) start(stage * kDepth, stage);
  int reading = 0;  // the stage; the one before it is free
  for (int first = 0; first < a.depth; first += kDepth) {
    wait_copies<Stages - 2>();
    __syncthreads();  // the slab is there for all, and nobody reads the one before, whose place the next copies take
    start(first + (Stages - 1) * kDepth, reading > 0 ? reading - 1 : Stages - 1);
    const T* stage = shared + reading * kStage;
    body(stage, stage + Left::kCount);
    reading = reading + 1 < Stages ? reading + 1 : 0;
  }
  wait_copies<0>();
  __syncthreads();
}

}  // namespace kpflow::cuda
