#include <vector>

#include "linalg/sums.cuh"
#include "linalg/unit_columns.cuh"

namespace kpflow::cuda {

namespace {

// States have the unit as their last index, columns the row: tiles of both pass through shared memory.
constexpr int kTile = 32, kLines = 8, kTileSize = kTile * (kTile + 1);

// Vectors that are taken together, so that columns are read once for all of them.
template <class T>
constexpr int kVectors = 32 / static_cast<int>(sizeof(T));

// A matrix of unit columns on the card; size = m k.
template <class T>
struct Columns {
  int64_t rows, layers, components, units, total, size;
  const int64_t *first, *count;
  const T* columns;

  // The place in a state of component c of a unit.
  __device__ int64_t entry(int64_t vector, int64_t row, int64_t layer, int64_t c, int64_t unit) const {
    return (((vector * rows + row) * layers + layer) * components + c) * units + unit;
  }
};

// Where a block's tile lies.
struct Place {
  int64_t layer, component, unit, row;

  template <class T>
  __device__ static Place of(const Columns<T>& u, int64_t block) {
    const int64_t row_tiles = pieces(u.rows, kTile), unit_tiles = pieces(u.units, kTile);
    const int64_t row = block % row_tiles * kTile, unit = block / row_tiles % unit_tiles * kTile;
    const int64_t part = block / row_tiles / unit_tiles;
    return {part / u.components, part % u.components, unit, row};
  }
};

template <class T>
int64_t tiles(const Columns<T>& u) {
  return u.layers * u.components * pieces(u.units, kTile) * pieces(u.rows, kTile);
}

// out = alpha U z + beta out: lanes of a warp are rows of one unit's columns. Limited by reading the columns for few vectors.
template <class T>
__global__ void __launch_bounds__(kTile* kLines)
    combine_kernel(Columns<T> u, int64_t s, T alpha, const T* z, T beta, T* out) {
  KPFLOW_SHARED(T, tile);  // [kVectors, kTile, kTile + 1]
  const Place at = Place::of(u, blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x);
  for (int64_t vector = blockIdx.y * int64_t{kVectors<T>}; vector < s; vector += gridDim.y * int64_t{kVectors<T>}) {
    const int64_t vectors = min(int64_t{kVectors<T>}, s - vector);
    for (int i = static_cast<int>(threadIdx.y); i < kTile; i += kLines) {
      T sums[kVectors<T>] = {};
      const int64_t row = at.row + lane;
      if (at.unit + i < u.units && row < u.rows) {
        const int64_t unit = at.layer * u.units + at.unit + i, first = u.first[unit], last = first + u.count[unit];
        for (int64_t q = first; q < last; ++q) {
          const T column = u.columns[q * u.size + at.component * u.rows + row];
#pragma unroll
          for (int v = 0; v < kVectors<T>; ++v) {
            if (v < vectors) sums[v] += column * z[(vector + v) * u.total + q];
          }
        }
      }
#pragma unroll
      for (int v = 0; v < kVectors<T>; ++v) tile[v * kTileSize + lane * (kTile + 1) + i] = alpha * sums[v];
    }
    __syncthreads();
    for (int v = 0; v < vectors; ++v) {
      for (int r = static_cast<int>(threadIdx.y); r < kTile; r += kLines) {
        if (at.row + r >= u.rows || at.unit + lane >= u.units) continue;
        T& target = out[u.entry(vector + v, at.row + r, at.layer, at.component, at.unit + lane)];
        const T value = tile[v * kTileSize + r * (kTile + 1) + lane];
        target = beta == T(0) ? value : value + beta * target;
      }
    }
    __syncthreads();
  }
}

// turned [L H, vectors, m k] of vectors first..first+vectors-1 of x. Limited by memory.
template <class T>
__global__ void __launch_bounds__(kTile* kLines)
    turn_kernel(Columns<T> u, int64_t first, int64_t vectors, const T* x, T* turned) {
  KPFLOW_SHARED(T, tile);  // [kTile, kTile + 1]
  const Place at = Place::of(u, blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x);
  for (int64_t v = 0; v < vectors; ++v) {
    for (int r = static_cast<int>(threadIdx.y); r < kTile; r += kLines) {
      if (at.row + r < u.rows && at.unit + lane < u.units) {
        tile[r * (kTile + 1) + lane] = x[u.entry(first + v, at.row + r, at.layer, at.component, at.unit + lane)];
      }
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.y); i < kTile; i += kLines) {
      if (at.unit + i < u.units && at.row + lane < u.rows) {
        const int64_t unit = at.layer * u.units + at.unit + i;
        turned[(unit * vectors + v) * u.size + at.component * u.rows + at.row + lane] = tile[lane * (kTile + 1) + i];
      }
    }
    __syncthreads();
  }
}

// z[first + v, column] = <column, x_v of its unit>, a block for every column; owner is its unit, -1 without one. Limited by memory.
template <class T>
__global__ void __launch_bounds__(kThreads)
    coefficients_kernel(Columns<T> u, const int64_t* owner, int64_t first, int64_t vectors, const T* turned, T* z) {
  const int64_t column = blockIdx.x, unit = owner[column];
  T sums[kVectors<T>] = {};
  if (unit >= 0) {
    for (int64_t at = threadIdx.x; at < u.size; at += kThreads) {
      const T value = u.columns[column * u.size + at];
#pragma unroll
      for (int v = 0; v < kVectors<T>; ++v) {
        if (v < vectors) sums[v] += value * turned[(unit * vectors + v) * u.size + at];
      }
    }
  }
#pragma unroll
  for (int v = 0; v < kVectors<T>; ++v) {
    const double sum = block_sum(static_cast<double>(sums[v]));
    if (threadIdx.x == 0 && v < vectors) z[(first + v) * u.total + column] = static_cast<T>(sum);
  }
}

// The matrix with its ranges, and the unit of every column, in scratch memory of the card.
template <class T>
Columns<T> on_card(Context& context, const UnitColumnsArguments& u, int64_t** owner) {
  const int64_t units = u.layers * u.units;
  std::vector<int64_t> host(static_cast<size_t>(2 * units + u.total), -1);
  std::copy_n(u.first, units, host.begin());
  std::copy_n(u.count, units, host.begin() + units);
  for (int64_t unit = 0; unit < units; ++unit) {
    std::fill_n(host.begin() + 2 * units + u.first[unit], u.count[unit], unit);
  }
  int64_t* device = context.scratch<int64_t>(Scratch::kSmall, 2 * units + u.total);
  context.copy_in_now(device, host);
  *owner = device + 2 * units;
  return {u.rows,  u.layers,       u.components,
          u.units, u.total,        u.rows * u.components,
          device,  device + units, static_cast<const T*>(u.columns)};
}

}  // namespace

template <class T>
void unit_combine(Context& context, const UnitColumnsArguments& arguments, int64_t s, double alpha, const T* z,
                  double beta, T* out, const Progress& progress) {
  int64_t* owner = nullptr;
  const Columns<T> u = on_card<T>(context, arguments, &owner);
  if (s == 0 || u.size == 0) return;
  progress.advance();
  const dim3 grid(static_cast<unsigned>(tiles(u)),
                  static_cast<unsigned>(std::min<int64_t>(pieces(s, kVectors<T>), 65535)));
  launch(context.stream, {grid, dim3(kTile, kLines), kVectors<T> * kTileSize * sizeof(T), 1, "combining unit columns"},
         combine_kernel<T>, u, s, static_cast<T>(alpha), z, static_cast<T>(beta), out);
}

template <class T>
void unit_coefficients(Context& context, const UnitColumnsArguments& arguments, int64_t s, const T* x, T* z,
                       const Progress& progress) {
  constexpr int64_t kMostElements = int64_t(1) << 28;
  int64_t* owner = nullptr;
  const Columns<T> u = on_card<T>(context, arguments, &owner);
  if (s == 0 || u.total == 0) return;
  if (u.size == 0) return context.zero(z, s * u.total);
  const int64_t state = u.layers * u.units * u.size;
  const int64_t most = std::clamp<int64_t>(kMostElements / state, 1, std::min<int64_t>(s, kVectors<T>));
  T* turned = context.scratch<T>(Scratch::kState, most * state);
  for (int64_t first = 0; first < s; first += most) {
    progress.advance();
    const int64_t vectors = std::min(most, s - first);
    launch(context.stream,
           {dim3(static_cast<unsigned>(tiles(u))), dim3(kTile, kLines), kTileSize * sizeof(T), 1, "turning states"},
           turn_kernel<T>, u, first, vectors, x, turned);
    launch(context.stream, {dim3(static_cast<unsigned>(u.total)), dim3(kThreads), 0, 1, "unit coefficients"},
           coefficients_kernel<T>, u, owner, first, vectors, turned, z);
  }
}

#define KPFLOW_UNIT_COLUMNS(T)                                                                                \
  template void unit_combine<T>(Context&, const UnitColumnsArguments&, int64_t, double, const T*, double, T*, \
                                const Progress&);                                                             \
  template void unit_coefficients<T>(Context&, const UnitColumnsArguments&, int64_t, const T*, T*, const Progress&);
KPFLOW_UNIT_COLUMNS(float)
KPFLOW_UNIT_COLUMNS(double)
#undef KPFLOW_UNIT_COLUMNS

}  // namespace kpflow::cuda
