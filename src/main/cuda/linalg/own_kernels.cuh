// The kernels behind own.cuh, for one element type each in own_f32.cu and own_f64.cu.
//
// f32 on tensor cores. These multiply TF32 numbers, of 11 significant bits, so a number is split into a head and a tail,
// x = h + l with h = TF32(x) and l = TF32(x - h), and a b is h_a h_b + h_a l_b + l_a h_b. What is left out, l_a l_b and the last
// bit of the tails, is below 2^-22 |a b|, as one rounding of each factor to f32. Tensor cores may cut instead of round where they
// add, so they add eight products at a time, the small terms first, and the sums of eight are added with rounding to a sum in
// f32 of their own.
//   Tails of numbers below 2^-103 would leave the normal range, where tensor cores need not keep them. Both operands are
// therefore multiplied by 2^24, and the sum by 2^-48: down to the smallest denormal number nothing is lost. What overflows then,
// numbers from 2^104 and sums from 2^80, gives sums of no less than 2^120, infinite or NaN: a block that finds one among its
// results computes its tile once more without tensor cores. Infinities and NaN are so those of ordinary arithmetic.
#pragma once

#include <type_traits>

#include "core/mma.cuh"
#include "linalg/own.cuh"
#include "linalg/tile.cuh"

namespace kpflow::cuda {

constexpr float kScale = 0x1p24f, kUnscale = 0x1p-48f, kOverflow = 0x1p120f;

// A part of C: alpha times a sum, plus beta times what is there.
template <class T>
struct Target {
  T* c;
  int64_t ldc;
  T alpha, beta;
  int rows, columns;

  __device__ void store(int row, int column, T sum) const {
    if (row < rows && column < columns) {
      T& to = c[row * ldc + column];
      to = beta == T(0) ? alpha * sum : alpha * sum + beta * to;
    }
  }
  // Elements column and column + 1 of a row, column even: in one access where both are there and aligned.
  __device__ void store(int row, int column, T first, T second) const {
    using Pair = std::conditional_t<std::is_same_v<T, float>, float2, double2>;
    T* to = c + row * ldc + column;
    if (row < rows && column + 1 < columns && reinterpret_cast<uintptr_t>(to) % sizeof(Pair) == 0) {
      Pair pair{alpha * first, alpha * second};
      if (beta != T(0)) {
        const Pair old = *reinterpret_cast<const Pair*>(to);
        pair.x += beta * old.x;
        pair.y += beta * old.y;
      }
      *reinterpret_cast<Pair*>(to) = pair;
    } else {
      store(row, column, first);
      store(row, column + 1, second);
    }
  }
};

// The piece of a product that a block computes: rows and columns of C from first_m and first_n, the inner elements of a part, the
// matrices of one of the batch. What follows from it is computed where it is needed, to keep registers free between.
template <class T>
struct Piece {
  const Product<T>& p;
  const Plan& plan;
  int tile_m, tile_n, part;
  int64_t i;

  // Piece number `item`. Neighbours lie in a band of 16 tiles along the shorter side of C, so that blocks that run together read
  // few tiles of the operands.
  __device__ Piece(const Product<T>& product, const Plan& cut, int64_t item) : p(product), plan(cut) {
    const int64_t tiles = plan.tiles_m * plan.tiles_n, tile = item % tiles, rest = item / tiles;
    part = static_cast<int>(rest % plan.parts);
    i = rest / plan.parts;
    const bool tall = plan.tiles_m > plan.tiles_n;
    const int64_t shorter = tall ? plan.tiles_n : plan.tiles_m, longer = tall ? plan.tiles_m : plan.tiles_n;
    const int64_t band = tile / (16 * longer), within = tile % (16 * longer);
    const int64_t width = min(int64_t{16}, shorter - 16 * band);
    const int s = static_cast<int>(16 * band + within % width), l = static_cast<int>(within / width);
    tile_m = tall ? l : s;
    tile_n = tall ? s : l;
  }
  __device__ int64_t first() const { return part * plan.part_depth; }
  __device__ int depth() const { return static_cast<int>(min(p.k - first(), plan.part_depth)); }

  // Of rows [row, row + Rows).
  template <int Rows, bool Inner>
  __device__ Operand<T> a(int64_t row) const {
    const int rows = static_cast<int>(max(int64_t{0}, min(int64_t{Rows}, p.m - row)));
    return {p.a + i * p.stride_a + (Inner ? row * p.lda + first() : row + first() * p.lda), p.lda, rows, depth()};
  }
  // Of columns [column, column + Columns).
  template <int Columns, bool Inner>
  __device__ Operand<T> b(int64_t column) const {
    const int columns = static_cast<int>(max(int64_t{0}, min(int64_t{Columns}, p.n - column)));
    return {p.b + i * p.stride_b + (Inner ? column * p.ldb + first() : column + first() * p.ldb), p.ldb, columns,
            depth()};
  }
  // What lies below and to the right of an element of C, or of the part's own sums.
  __device__ Target<T> c(T* partial, int64_t row, int64_t column) const {
    const int rows = static_cast<int>(min(int64_t{1 << 20}, p.m - row));
    const int columns = static_cast<int>(min(int64_t{1 << 20}, p.n - column));
    if (plan.parts == 1) return {p.c + i * p.stride_c + row * p.ldc + column, p.ldc, p.alpha, p.beta, rows, columns};
    return {partial + (part * p.batch + i) * p.m * p.n + row * p.n + column, p.n, T(1), T(0), rows, columns};
  }
};

constexpr int kSimtThreads = 128, kSimtStages = 3;

// The Size x Size elements of C from (row, column) without tensor cores: thread (x, y) of 16 x 8 has the elements y + 8 i, x + 16 j. Bound by reads of shared
// memory, Size / 8 + Size / 16 for Size^2 / 128 multiplications.
template <class T, int Size, bool InnerA, bool InnerB>
__device__ void simt_tile(T* shared, const Piece<T>& piece, T* partial, int64_t row, int64_t column) {
  using Left = Tile<T, Size, InnerA>;
  using Right = Tile<T, Size, InnerB>;
  constexpr int kM = Size / 8, kN = Size / 16;
  const int x = static_cast<int>(threadIdx.x) % 16, y = static_cast<int>(threadIdx.x) / 16;
  T sum[kM][kN] = {};
  for_each_slab<Left, Right, kSimtStages, kSimtThreads, false>(shared, piece.template a<Size, InnerA>(row),
                                                               piece.template b<Size, InnerB>(column),
                                                               [&](const T* left, const T* right) {
#pragma unroll 4
                                                                 for (int k = 0; k < kDepth; ++k) {
                                                                   T a[kM], b[kN];
#pragma unroll
                                                                   for (int i = 0; i < kM; ++i)
                                                                     a[i] = left[Left::at(y + 8 * i, k)];
#pragma unroll
                                                                   for (int j = 0; j < kN; ++j)
                                                                     b[j] = right[Right::at(x + 16 * j, k)];
#pragma unroll
                                                                   for (int i = 0; i < kM; ++i) {
#pragma unroll
                                                                     for (int j = 0; j < kN; ++j)
                                                                       sum[i][j] += a[i] * b[j];
                                                                   }
                                                                 }
                                                               });
  const Target<T> c = piece.c(partial, row, column);
#pragma unroll
  for (int i = 0; i < kM; ++i) {
#pragma unroll
    for (int j = 0; j < kN; ++j) c.store(y + 8 * i, x + 16 * j, sum[i][j]);
  }
}

template <class T, int Size, bool InnerA, bool InnerB>
__global__ void __launch_bounds__(kSimtThreads)
    simt_kernel(const __grid_constant__ Product<T> p, const __grid_constant__ Plan plan, T* partial, int64_t first) {
  KPFLOW_SHARED(T, shared);
  const Piece<T> piece(p, plan, first + blockIdx.x);
  simt_tile<T, Size, InnerA, InnerB>(shared, piece, partial, int64_t{piece.tile_m} * Size,
                                     int64_t{piece.tile_n} * Size);
}

template <class T, int Size, bool InnerA, bool InnerB>
constexpr size_t simt_bytes() {
  return sizeof(T) * kSimtStages * (Tile<T, Size, InnerA>::kCount + Tile<T, Size, InnerB>::kCount);
}

// The size of a tile, of a warp's part of it, the stages of the pipeline, the blocks that share a multiprocessor and whether
// operands must be aligned to 16 bytes.
template <int Rows, int Columns, int WarpRows, int WarpColumns, int Stages, int Blocks, bool Aligned>
struct Tensor {
  static constexpr int kRows = Rows, kColumns = Columns, kWarpRows = WarpRows, kWarpColumns = WarpColumns;
  static constexpr int kStages = Stages, kBlocks = Blocks;
  static constexpr bool kAligned = Aligned;
  static constexpr int kThreads = Rows / WarpRows * (Columns / WarpColumns) * 32;
};

// Fragments of the operands of mma: a number each in f64, head and tail in f32.
template <class T, int Count>
struct Fragment;

template <int Count>
struct Fragment<double, Count> {
  double x[Count];
  __device__ void set(int i, double value) { x[i] = value; }
};

template <int Count>
struct Fragment<float, Count> {
  uint32_t head[Count], tail[Count];
  __device__ void set(int i, float value) {
    const float scaled = value * kScale;
    head[i] = to_tf32(scaled);
    tail[i] = __float_as_uint(scaled - __uint_as_float(head[i]));  // of 12 bits, of which mma takes 11
  }
};

// c[i] += a[i] b for the fragments of a column of M products.
template <int M>
__device__ __forceinline__ void multiply_add(double (*c)[4], const Fragment<double, 4> (&a)[M],
                                             const Fragment<double, 2>& b) {
#pragma unroll
  for (int i = 0; i < M; ++i) mma(c[i], a[i].x, b.x);
}

template <int M>
__device__ __forceinline__ void multiply_add(float (*c)[4], const Fragment<float, 4> (&a)[M],
                                             const Fragment<float, 2>& b) {
  float sum[M][4] = {};
#pragma unroll
  for (int i = 0; i < M; ++i) mma(sum[i], a[i].tail, b.head);
#pragma unroll
  for (int i = 0; i < M; ++i) mma(sum[i], a[i].head, b.tail);
#pragma unroll
  for (int i = 0; i < M; ++i) mma(sum[i], a[i].head, b.head);
#pragma unroll
  for (int i = 0; i < M; ++i) {
#pragma unroll
    for (int e = 0; e < 4; ++e) c[i][e] += sum[i][e];
  }
}

// Whether good is true in all threads of the block; votes is shared memory, an element per warp.
template <int Threads>
__device__ bool all_threads(bool good, int* votes) {
  const int warp = __all_sync(0xffffffffu, good);
  if (threadIdx.x % 32 == 0) votes[threadIdx.x / 32] = warp;
  __syncthreads();
  for (int i = 0; i < Threads / 32; ++i) good = good && votes[i] != 0;
  __syncthreads();
  return good;
}

// A tile on tensor cores. Bound by them where the tiles of the operands come from the L2 cache: per inner element a block reads
// Rows + Columns numbers for Rows Columns multiplications (three of them in f32).
template <class T, class Shape, bool InnerA, bool InnerB>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    tensor_kernel(const __grid_constant__ Product<T> p, const __grid_constant__ Plan plan, T* partial, int64_t first) {
  KPFLOW_SHARED(T, shared);
  using Left = Tile<T, Shape::kRows, InnerA>;
  using Right = Tile<T, Shape::kColumns, InnerB>;
  constexpr int kM = Shape::kWarpRows / 16, kN = Shape::kWarpColumns / 8;
  constexpr int kWarps = Shape::kRows / Shape::kWarpRows;  // along the rows
  struct Lane {                                            // its first row and column in the tile
    int g, t, row, column;
    __device__ explicit Lane(int thread)
        : g(thread % 32 / 4),
          t(thread % 4),
          row(thread / 32 % kWarps * Shape::kWarpRows + g),
          column(thread / 32 / kWarps * Shape::kWarpColumns) {}
  };
  const Lane lane(thread_now());
  const Piece<T> place(p, plan, first + block_now());
  T c[kN][kM][4] = {};
  for_each_slab<Left, Right, Shape::kStages, Shape::kThreads, Shape::kAligned>(
      shared, place.template a<Shape::kRows, InnerA>(int64_t{place.tile_m} * Shape::kRows),
      place.template b<Shape::kColumns, InnerB>(int64_t{place.tile_n} * Shape::kColumns),
      [&](const T* left, const T* right) {
#pragma unroll 1  // both halves at once would need more registers than there are
        for (int k = 0; k < kDepth; k += 8) {
          // Inner element t + 4 e of mma is 2 t + e of the tile, for both operands: neighbours, read together.
          Fragment<T, 4> a[kM];
#pragma unroll
          for (int i = 0; i < kM; ++i) {
#pragma unroll
            for (int e = 0; e < 4; ++e)
              a[i].set(e, left[Left::at(lane.row + 16 * i + e % 2 * 8, k + 2 * lane.t + e / 2)]);
          }
#pragma unroll
          for (int j = 0; j < kN; ++j) {
            Fragment<T, 2> b;
#pragma unroll
            for (int e = 0; e < 2; ++e) b.set(e, right[Right::at(lane.column + 8 * j + lane.g, k + 2 * lane.t + e)]);
            multiply_add<kM>(c[j], a, b);
          }
        }
      });
  const Piece<T> piece(p, plan, first + block_now());  // the same, not kept meanwhile
  const int64_t first_m = int64_t{piece.tile_m} * Shape::kRows, first_n = int64_t{piece.tile_n} * Shape::kColumns;
  if constexpr (std::is_same_v<T, float>) {
    bool good = true;
#pragma unroll
    for (int j = 0; j < kN; ++j) {
#pragma unroll
      for (int i = 0; i < kM; ++i) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          good = good && fabsf(c[j][i][e]) < kOverflow;
          c[j][i][e] *= kUnscale;
        }
      }
    }
    if (!all_threads<Shape::kThreads>(good, reinterpret_cast<int*>(shared))) {
      constexpr int kSize = 64;
      for (int i = 0; i < Shape::kRows; i += kSize) {
        for (int j = 0; j < Shape::kColumns; j += kSize) {
          simt_tile<T, kSize, InnerA, InnerB>(shared, piece, partial, first_m + i, first_n + j);
        }
      }
      return;
    }
  }
  const Target<T> to = piece.c(partial, first_m, first_n);
  const Lane of(thread_now());
#pragma unroll
  for (int j = 0; j < kN; ++j) {
#pragma unroll
    for (int i = 0; i < kM; ++i) {
      to.store(of.row + 16 * i, of.column + 8 * j + 2 * of.t, c[j][i][0], c[j][i][1]);
      to.store(of.row + 16 * i + 8, of.column + 8 * j + 2 * of.t, c[j][i][2], c[j][i][3]);
    }
  }
}

template <class T, class Shape, bool InnerA, bool InnerB>
constexpr size_t tensor_bytes() {
  return sizeof(T) * Shape::kStages *
         (Tile<T, Shape::kRows, InnerA>::kCount + Tile<T, Shape::kColumns, InnerB>::kCount);
}

// Shapes of tiles of one element type: Medium 64 x 64, Large 128 x 128.
template <class T, class Medium, class Large, bool InnerA, bool InnerB>
void start(cudaStream_t stream, const Product<T>& p, const Plan& plan, T* partial) {
  const int64_t items = plan.tiles_m * plan.tiles_n * plan.parts * p.batch;
  constexpr int64_t kBlocks = 0x7fffffff;  // of a launch
  const auto begin = [&](int threads, size_t bytes, auto* kernel) {
    for (int64_t first = 0; first < items; first += kBlocks) {
      const dim3 grid(static_cast<unsigned>(std::min(kBlocks, items - first)));
      launch(stream, {grid, dim3(static_cast<unsigned>(threads)), bytes, 1, "matrix product"}, kernel, p, plan, partial,
             first);
    }
  };
  switch (plan.kind) {
    case TileKind::kSmall:
      begin(kSimtThreads, simt_bytes<T, 32, InnerA, InnerB>(), simt_kernel<T, 32, InnerA, InnerB>);
      break;
    case TileKind::kSimt:
      begin(kSimtThreads, simt_bytes<T, 64, InnerA, InnerB>(), simt_kernel<T, 64, InnerA, InnerB>);
      break;
    case TileKind::kTensor:
      begin(Medium::kThreads, tensor_bytes<T, Medium, InnerA, InnerB>(), tensor_kernel<T, Medium, InnerA, InnerB>);
      break;
    case TileKind::kLarge:
      begin(Large::kThreads, tensor_bytes<T, Large, InnerA, InnerB>(), tensor_kernel<T, Large, InnerA, InnerB>);
      break;
  }
  if (plan.parts > 1) {
    for_each(stream, p.batch * p.m * p.n, [p, partial, parts = plan.parts] __device__(int64_t at) {
      const int64_t size = p.m * p.n, i = at / size, row = at % size / p.n, column = at % p.n;
      T sum = 0;
      for (int64_t part = 0; part < parts; ++part) sum += partial[part * p.batch * size + at];
      T& to = p.c[i * p.stride_c + row * p.ldc + column];
      to = p.beta == T(0) ? p.alpha * sum : p.alpha * sum + p.beta * to;
    });
  }
}

template <class T, class Medium, class Large>
void start(cudaStream_t stream, const Product<T>& p, const Plan& plan, T* partial) {
  if (p.transpose_a) {
    p.transpose_b ? start<T, Medium, Large, false, true>(stream, p, plan, partial)
                  : start<T, Medium, Large, false, false>(stream, p, plan, partial);
  } else {
    p.transpose_b ? start<T, Medium, Large, true, true>(stream, p, plan, partial)
                  : start<T, Medium, Large, true, false>(stream, p, plan, partial);
  }
}

}  // namespace kpflow::cuda
