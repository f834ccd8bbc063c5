#include "recurrent/parameters.hpp"

#include <algorithm>
#include <cstring>

#include "linalg/blas.hpp"
#include "linalg/packed.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 256;                     // rows (b, t) whose gate values are formed at once
constexpr int64_t kParts = 16;                      // of the rows of a single probe's gradient
constexpr int64_t kMostPartial = int64_t(1) << 24;  // elements of what they sum up

// The two families of a side: how its weights and biases look to the kernels.
template <class T>
struct SideView {
  SideView(const Snapshot<T>& net, Side which)
      : side(which),
        columns(which == Side::kHidden ? net.shape.units : net.inputs),
        stride(which == Side::kHidden ? net.shape.units : net.input_stride),
        sites(which == Side::kHidden ? net.site.data() : net.input),
        weight(net.offset[which == Side::kHidden ? KPFLOW_WEIGHT_HH : KPFLOW_WEIGHT_IH]),
        bias(net.offset[which == Side::kHidden ? KPFLOW_BIAS_HH : KPFLOW_BIAS_IH]) {}
  bool trains() const { return weight >= 0 || bias >= 0; }

  Side side;
  int64_t columns;  // m_f of the weight family
  int64_t stride;   // between rows of sites
  const T* sites;   // [k, columns]
  int64_t weight;   // offsets in theta, -1 where frozen
  int64_t bias;
};

// One probe: its rows are cut into parts, each of which sums a gradient of its own, with the sites of a chunk packed once for all
// gates. The parts are then added up in order.
template <class T>
void pull_parts(const Snapshot<T>& net, kpflow_context& context, const T* a, T* theta, const Progress& progress) {
  const RowShape& shape = net.shape;
  const int64_t gates = shape.gates(), k = net.rows(), stride = net.stride;
  const int64_t length = pieces(pieces(k, kParts), kChunk) * kChunk, parts = pieces(k, length);
  for (const Side which : {Side::kHidden, Side::kInput}) {
    const SideView<T> side(net, which);
    if (!side.trains()) continue;
    const int64_t size = gates * (side.columns + 1);
    T* partial = static_cast<T*>(context.workspace.reserve(parts * size * static_cast<int64_t>(sizeof(T))));
    context.pool.run(parts, [&](int64_t part, int worker) {
      T* y = context.worker_scratch<T>(worker, kChunk * gates + packed_size<T>(kChunk, side.columns));
      T *packed = y + kChunk * gates, *weight = partial + part * size, *bias = weight + gates * side.columns;
      std::fill_n(bias, gates, T(0));
      const int64_t last = std::min(k, (part + 1) * length);
      for (int64_t first = part * length; first < last; first += kChunk) {
        progress.advance();
        const int64_t count = std::min(kChunk, last - first);
        for (int64_t r = 0; r < count; ++r) {
          T* row = y + r * gates;
          pull_row(shape, net.record(first + r), which, 0, shape.cell.gates, 0, shape.units, a + (first + r) * stride,
                   row);
          for (int64_t i = 0; side.bias >= 0 && i < gates; ++i) bias[i] += row[i];
        }
        if (side.weight < 0) continue;
        pack(false, count, side.columns, side.sites + first * side.stride, side.stride, packed);
        multiply_packed(PackedProduct<T>{true, first != part * length, gates, y, gates, weight, side.columns}, count,
                        side.columns, packed, 0, count);
      }
    });
    const auto add_up = [&](int64_t offset, int64_t count, T* out) {
      context.pool.run(pieces(count, kChunk), [&](int64_t task, int) {
        for (int64_t i = task * kChunk; i < std::min(count, (task + 1) * kChunk); ++i) {
          T sum = partial[offset + i];
          for (int64_t part = 1; part < parts; ++part) sum += partial[part * size + offset + i];
          out[i] = sum;
        }
      });
    };
    if (side.weight >= 0) add_up(0, gates * side.columns, theta + side.weight);
    if (side.bias >= 0) add_up(gates * side.columns, gates, theta + side.bias);
  }
}

}  // namespace

template <class T>
void site_push(const Snapshot<T>& net, kpflow_context& context, Weights weights, int64_t s, const T* theta, T* out,
               const Progress& progress) {
  const RowShape& shape = net.shape;
  const int64_t stride = net.stride, gates = shape.gates(), k = net.rows();
  const SideView<T> sides[2] = {SideView<T>(net, Side::kHidden), SideView<T>(net, Side::kInput)};
  const int64_t group = weights == Weights::kShared ? k : net.steps;  // rows that share a theta
  const int64_t chunks = pieces(group, kChunk), groups = s * k / group;
  out += net.begin;
  context.pool.run(groups * chunks, [&](int64_t task, int worker) {
    progress.advance();
    const int64_t first = task % chunks * kChunk, count = std::min(kChunk, group - first);
    const int64_t at = task / chunks * group + first;  // row in [s, k]
    const T* weight = theta + task / chunks * net.parameters;
    T* y = context.worker_scratch<T>(worker, count * gates);
    bool written = false;
    for (const SideView<T>& side : sides) {
      if (!side.trains()) continue;
      if (side.weight >= 0) {
        gemm(false, true, count, gates, side.columns, T(1), side.sites + at % k * side.stride, side.stride,
             weight + side.weight, side.columns, T(0), y, gates);
      } else {
        std::memset(y, 0, static_cast<size_t>(count * gates) * sizeof(T));
      }
      for (int64_t r = 0; r < count; ++r) {
        if (side.bias >= 0) {
          for (int64_t i = 0; i < gates; ++i) y[r * gates + i] += weight[side.bias + i];
        }
        push_row(shape, net.record((at + r) % k), side.side, y + r * gates, written, out + (at + r) * stride);
      }
      written = true;
    }
    for (int64_t r = 0; !written && r < count; ++r) std::fill_n(out + (at + r) * stride, shape.state(), T(0));
  });
}

template <class T>
void site_pull(const Snapshot<T>& net, kpflow_context& context, Weights weights, int64_t s, const T* a, T* theta,
               const Progress& progress) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, stride = net.stride, k = net.rows();
  const SideView<T> sides[2] = {SideView<T>(net, Side::kHidden), SideView<T>(net, Side::kInput)};
  const int64_t group = weights == Weights::kShared ? k : net.steps;
  const int64_t groups = s * k / group;
  a += net.begin;
  if (groups == 1 && kParts * shape.gates() * (std::max(units, net.inputs) + 1) <= kMostPartial) {
    return pull_parts(net, context, a, theta, progress);
  }
  // A task sums one gate's rows of G over the whole group, in order. Few probes: gates are split for more tasks.
  const int64_t split = groups * shape.cell.gates >= 16 ? 1 : std::min<int64_t>(4, std::max<int64_t>(1, units / 32));
  const int64_t length = pieces(units, split);
  context.pool.run(groups * shape.cell.gates * split, [&](int64_t task, int worker) {
    progress.advance();
    const int64_t which = task / (shape.cell.gates * split);
    const int gate = static_cast<int>(task / split % shape.cell.gates);
    const int64_t unit = task % split * length, block = std::min(length, units - unit);
    if (block <= 0) return;
    const int64_t row = gate * units + unit;  // first row of G
    T* gradient = theta + which * net.parameters;
    T* y = context.worker_scratch<T>(worker, kChunk * block);
    for (const SideView<T>& side : sides) {
      if (!side.trains()) continue;
      T* bias = side.bias >= 0 ? gradient + side.bias + row : nullptr;
      if (bias != nullptr) std::memset(bias, 0, static_cast<size_t>(block) * sizeof(T));
      for (int64_t first = 0; first < group; first += kChunk) {
        const int64_t count = std::min(kChunk, group - first), at = which * group + first;
        for (int64_t r = 0; r < count; ++r) {
          pull_row(shape, net.record((at + r) % k), side.side, gate, 1, unit, block, a + (at + r) * stride,
                   y + r * block);
          for (int64_t i = 0; bias != nullptr && i < block; ++i) bias[i] += y[r * block + i];
        }
        if (side.weight >= 0) {
          gemm(true, false, block, side.columns, count, T(1), y, block, side.sites + at % k * side.stride, side.stride,
               first == 0 ? T(0) : T(1), gradient + side.weight + row * side.columns, side.columns);
        }
      }
    }
  });
}

template <class T>
void gates_push(const Snapshot<T>& net, kpflow_context& context, Side side, int64_t s, const T* y, T* out) {
  const int64_t stride = net.stride, gates = net.shape.gates(), k = net.rows();
  context.pool.run(pieces(s * k, kChunk), [&](int64_t task, int) {
    for (int64_t row = task * kChunk; row < std::min(s * k, (task + 1) * kChunk); ++row) {
      T* target = out + row * stride;
      if (net.shape.state() < stride) std::fill_n(target, stride, T(0));
      push_row(net.shape, net.record(row % k), side, y + row * gates, false, target + net.begin);
    }
  });
}

template <class T>
void gates_pull(const Snapshot<T>& net, kpflow_context& context, Side side, int64_t s, const T* a, T* y) {
  const int64_t stride = net.stride, gates = net.shape.gates(), k = net.rows();
  context.pool.run(pieces(s * k, kChunk), [&](int64_t task, int) {
    for (int64_t row = task * kChunk; row < std::min(s * k, (task + 1) * kChunk); ++row) {
      pull_row(net.shape, net.record(row % k), side, 0, net.shape.cell.gates, 0, net.shape.units,
               a + row * stride + net.begin, y + row * gates);
    }
  });
}

#define KPFLOW_PARAMETERS(T)                                                                                        \
  template void site_push<T>(const Snapshot<T>&, kpflow_context&, Weights, int64_t, const T*, T*, const Progress&); \
  template void site_pull<T>(const Snapshot<T>&, kpflow_context&, Weights, int64_t, const T*, T*, const Progress&); \
  template void gates_push<T>(const Snapshot<T>&, kpflow_context&, Side, int64_t, const T*, T*);                    \
  template void gates_pull<T>(const Snapshot<T>&, kpflow_context&, Side, int64_t, const T*, T*);
KPFLOW_PARAMETERS(float)
KPFLOW_PARAMETERS(double)
#undef KPFLOW_PARAMETERS

}  // namespace kpflow
