// Gram matrices over some of the axes of blocks of states.
#include <cmath>

#include "linalg/arrays.cuh"
#include "linalg/gemm.cuh"
#include "linalg/sums.cuh"

namespace kpflow::cuda {

namespace {

// Products of f32 numbers are formed in f32 over a strip of at most kStrip terms; strips are summed in f64.
constexpr int64_t kStrip = 4096;

// A batch of strips X [terms, d], or turned, X [d, terms], with rows ld and strips stride apart.
template <class T>
struct Strips {
  const T* x;
  int64_t d, terms;
  bool turned;
  int64_t ld, batch, stride;
};

// out[row + r, c] += alpha sums[r, c] below the diagonal of out [d, d].
template <class S>
void add_lower(Context& context, int64_t row, int64_t rows, int64_t d, const S* sums, double alpha, double* out) {
  const int64_t columns = row + rows;
  for_each(context.stream, rows * columns, [=] __device__(int64_t i) {
    const int64_t r = row + i / columns, c = i % columns;
    if (c <= r) out[r * d + c] += alpha * static_cast<double>(sums[i]);
  });
}

// out += alpha sum over strips of X^T X, in the lower triangle, by panels of its rows.
template <class T>
void add_gram(Context& context, const Strips<T>& strips, double alpha, double* out, const Progress& progress) {
  constexpr int64_t kPanel = 2048, kMostElements = int64_t(1) << 25;
  const int64_t d = strips.d, step = strips.turned ? strips.ld : 1;
  if (strips.batch == 0 || strips.terms == 0) return;
  for (int64_t row = 0; row < d; row += kPanel) {
    const int64_t rows = std::min(kPanel, d - row), columns = row + rows, size = rows * columns;
    const int64_t most = std::clamp<int64_t>(kMostElements / size, 1, strips.batch);
    T* products = context.scratch<T>(Scratch::kSpare, most * size);
    for (int64_t first = 0; first < strips.batch; first += most) {
      progress.advance();
      const int64_t count = std::min(most, strips.batch - first);
      const T* x = strips.x + first * strips.stride;
      multiply<T>(context, {!strips.turned, strips.turned, rows, columns, strips.terms, T(1), x + row * step, strips.ld,
                            x, strips.ld, T(0), products, columns, count, strips.stride, strips.stride, size});
      if (count == 1) {
        add_lower(context, row, rows, d, products, alpha, out);
      } else {
        double* sums = context.scratch<double>(Scratch::kGates, size);
        sum_rows(context, count, size, products, sums);
        add_lower(context, row, rows, d, sums, alpha, out);
      }
    }
  }
}

// x [columns, d].
template <class T>
void gram_of_columns(Context& context, int64_t columns, int64_t d, const T* x, double alpha, double* out,
                     const Progress& progress) {
  const int64_t whole = columns / kStrip, done = whole * kStrip;
  add_gram(context, Strips<T>{x, d, kStrip, false, d, whole, kStrip * d}, alpha, out, progress);
  add_gram(context, Strips<T>{x + done * d, d, columns - done, false, d, 1, 0}, alpha, out, progress);
}

// x [s, d, traced].
template <class T>
void gram_of_rows(Context& context, int64_t s, int64_t d, int64_t traced, const T* x, double alpha, double* out,
                  const Progress& progress) {
  for (int64_t first = 0; first < traced; first += kStrip) {
    add_gram(context, Strips<T>{x + first, d, std::min(kStrip, traced - first), true, traced, s, d * traced}, alpha,
             out, progress);
  }
}

// An index over some of the axes of a sample, in order.
struct PartOfAxes {
  int64_t count = 1, sizes[3] = {}, strides[3] = {};
  int axes = 0;

  void add(int64_t size, int64_t stride) {
    count *= size;
    sizes[axes] = size;
    strides[axes++] = stride;
  }
  __device__ int64_t offset(int64_t flat) const {
    int64_t at = 0;
    for (int axis = axes - 1; axis >= 0; --axis) {
      at += flat % sizes[axis] * strides[axis];
      flat /= sizes[axis];
    }
    return at;
  }
};

constexpr int kTile = 32, kRows = 8, kTileSize = kTile * (kTile + 1);

// gathered [columns, d] = scale x: tiles are read along the axis that lies closest in memory and turned in shared memory, so that
// both sides move whole lines. along_kept: that axis is a kept one.
template <class T>
__global__ void __launch_bounds__(kTile* kRows)
    gather_kernel(int64_t first, int64_t columns, PartOfAxes kept, PartOfAxes traced, bool along_kept, const T* x,
                  T scale, T* gathered) {
  KPFLOW_SHARED(T, tile);  // [kTile, kTile + 1]
  const int64_t d = kept.count, sample = d * traced.count;
  const int64_t at_column = blockIdx.x * int64_t{kTile};
  const int fast = static_cast<int>(threadIdx.x);
  for (int64_t at_kept = blockIdx.y * int64_t{kTile}; at_kept < d; at_kept += gridDim.y * int64_t{kTile}) {
    for (int slow = static_cast<int>(threadIdx.y); slow < kTile; slow += kRows) {
      const int c = along_kept ? slow : fast, i = along_kept ? fast : slow;
      const int64_t column = first + at_column + c, entry = at_kept + i;
      if (at_column + c < columns && entry < d) {
        tile[c * (kTile + 1) + i] =
            scale * x[column / traced.count * sample + traced.offset(column % traced.count) + kept.offset(entry)];
      }
    }
    __syncthreads();
    for (int slow = static_cast<int>(threadIdx.y); slow < kTile; slow += kRows) {
      if (at_column + slow < columns && at_kept + fast < d) {
        gathered[(at_column + slow) * d + at_kept + fast] = tile[slow * (kTile + 1) + fast];
      }
    }
    __syncthreads();
  }
}

// Axes in any order: columns are gathered, scaled.
template <class T>
void gram_of_gathered(Context& context, int64_t s, const PartOfAxes& kept, const PartOfAxes& traced, bool along_kept,
                      const T* x, T scale, double alpha, double* out, const Progress& progress) {
  constexpr int64_t kMostElements = int64_t(1) << 26;
  const int64_t d = kept.count, columns = s * traced.count;
  const int64_t fit = kMostElements / d;
  const int64_t most = std::min(columns, fit >= kStrip ? fit / kStrip * kStrip : std::max<int64_t>(fit, 64));
  T* gathered = context.scratch<T>(Scratch::kState, most * d);
  for (int64_t first = 0; first < columns; first += most) {
    const int64_t width = std::min(most, columns - first);
    const dim3 grid(static_cast<unsigned>(pieces(width, kTile)),
                    static_cast<unsigned>(std::min<int64_t>(pieces(d, kTile), 65535)));
    launch(context.stream, {grid, dim3(kTile, kRows), kTileSize * sizeof(T), 1, "gathering"}, gather_kernel<T>, first,
           width, kept, traced, along_kept, x, scale, gathered);
    gram_of_columns(context, width, d, gathered, alpha, out, progress);
  }
}

// The largest |x| of a block's part; a NaN does not count.
template <class T>
__global__ void __launch_bounds__(kThreads) largest_kernel(int64_t count, const T* x, T* out) {
  KPFLOW_SHARED(T, lanes);  // [kThreads]
  T largest = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count; i += step) {
    const T value = x[i] < T(0) ? -x[i] : x[i];
    largest = value > largest ? value : largest;
  }
  lanes[threadIdx.x] = largest;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int lane = 1; lane < kThreads; ++lane) largest = lanes[lane] > largest ? lanes[lane] : largest;
  out[blockIdx.x] = largest;
}

// A power of two that brings the largest element near 1, so that products of f32 neither overflow nor vanish; 1 for f64.
template <class T>
T safe_scale(Context& context, int64_t count, const T* x) {
  if (sizeof(T) > 4) return T(1);
  constexpr int64_t kMostBlocks = 1024;
  const int64_t blocks = std::min(kMostBlocks, pieces(count, 4 * kThreads));
  T* device = context.scratch<T>(Scratch::kPartial, blocks);
  launch(context.stream,
         {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), kThreads * sizeof(T), 1, "largest element"},
         largest_kernel<T>, count, x, device);
  T host[kMostBlocks];
  context.copy_out(host, device, blocks);
  const T largest = *std::max_element(host, host + blocks);
  if (!(largest > 0) || !std::isfinite(largest)) return T(1);
  return std::ldexp(T(1), -std::clamp(std::ilogb(largest), -100, 100));
}

// The upper triangle of out [d, d] becomes the transpose of the lower.
__global__ void __launch_bounds__(kTile* kRows) mirror_kernel(int64_t d, double* out) {
  KPFLOW_SHARED(double, tile);  // [kTile, kTile + 1]
  const int x = static_cast<int>(threadIdx.x);
  const int64_t row = blockIdx.x * int64_t{kTile};
  for (int64_t column = blockIdx.y * int64_t{kTile}; column <= row; column += gridDim.y * int64_t{kTile}) {
    for (int y = static_cast<int>(threadIdx.y); y < kTile; y += kRows) {
      if (row + y < d && column + x < d) tile[y * (kTile + 1) + x] = out[(row + y) * d + column + x];
    }
    __syncthreads();
    for (int y = static_cast<int>(threadIdx.y); y < kTile; y += kRows) {
      if (column + y < row + x && row + x < d) out[(column + y) * d + row + x] = tile[x * (kTile + 1) + y];
    }
    __syncthreads();
  }
}

}  // namespace

// Limited by the products where d is large, else by reading x.
template <class T>
void accumulate_gram(Context& context, int64_t s, const int64_t (&sizes)[3], const T* x, int32_t keep, double alpha,
                     double* out, const Progress& progress) {
  const int64_t strides[3] = {sizes[1] * sizes[2], sizes[2], 1};
  PartOfAxes kept, traced;
  for (int axis = 0; axis < 3; ++axis) (keep >> axis & 1 ? kept : traced).add(sizes[axis], strides[axis]);
  const int64_t d = kept.count, columns = s * traced.count;
  if (d == 0 || columns == 0) return;
  constexpr T kModest = T(1e-8);         // no scaling needed between this and its inverse
  constexpr int64_t kEnoughTerms = 512;  // for products of one sample alone
  const T scale = safe_scale(context, columns * d, x);
  const bool modest = scale > kModest && scale < 1 / kModest;
  if (modest && (keep == 1 || keep == 3) && traced.count >= kEnoughTerms) {  // kept axes first
    gram_of_rows(context, s, d, traced.count, x, alpha, out, progress);
  } else if (modest && (keep == 4 || keep == 6 || keep == 7)) {  // kept axes last
    gram_of_columns(context, columns, d, x, alpha, out, progress);
  } else {
    gram_of_gathered(context, s, kept, traced, keep >= 4, x, scale,
                     alpha / (static_cast<double>(scale) * static_cast<double>(scale)), out, progress);
  }
  const unsigned tiles = static_cast<unsigned>(pieces(d, kTile));
  launch(context.stream,
         {dim3(tiles, std::min(tiles, 65535u)), dim3(kTile, kRows), kTileSize * sizeof(double), 1, "mirroring"},
         mirror_kernel, d, out);
}

template void accumulate_gram<float>(Context&, int64_t, const int64_t (&)[3], const float*, int32_t, double, double*,
                                     const Progress&);
template void accumulate_gram<double>(Context&, int64_t, const int64_t (&)[3], const double*, int32_t, double, double*,
                                      const Progress&);

}  // namespace kpflow::cuda
