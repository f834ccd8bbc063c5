// A cluster takes a panel of rows through all steps. Its blocks share out the units: each holds the part of W_hh that makes its own
// units' numbers in shared memory for all steps, and sends what the others' next product reads to all of them:
//   P:  q_j = W_j x for own units, x the perturbed sites of all units;  K = H numbers come in, N = g units go out
//   P*: x = sum_j W_j^T y_j for own units, y the gate values of all;    K = g H come in, N = units go out
// A step is a product of the panel [rows, K] with the block's [K, N], the elementwise step, and one barrier of the cluster. What
// limits it is the reading of the panel and of W out of shared memory, then the latency of the derivatives' loads.
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "core/cluster.cuh"
#include "recurrent/persistent.cuh"
#include "recurrent/rows_kernel.cuh"

namespace kpflow::cuda {

namespace {

constexpr int kWarp = 32, kMostRows = 32, kMostCluster = 8;

// How a sweep is laid out, the same in all blocks. Sizes of arrays in shared memory are in elements.
struct Plan {
  int cluster;       // blocks
  int units;         // of a block, the last one may have fewer
  int rows, tile;    // of a panel, a multiple of those that a thread takes at once
  int inner, outer;  // K, filled up to whole 16 bytes, and N
  int lanes, split;  // threads along N, and parts of K that the others take
  int64_t weights, panel, partial, own;
  int64_t elements() const { return weights + 2 * panel + partial + 2 * own; }
};

template <class T>
struct SweepCall {
  LayerView<T> layer;
  Plan plan;
  bool adjoint;
  int64_t rows;     // s B
  const T* weight;  // [g H, H]
  const T* in;
  T* out;
};

// The block's part of W_hh as [K, N], zero where there is nothing.
template <class T>
__device__ void load_weights(const SweepCall<T>& call, int64_t first, T* weights) {
  const int64_t units = call.layer.shape.units, gates = call.layer.shape.gates();
  const Plan& plan = call.plan;
  for (int64_t at = threadIdx.x; at < plan.weights; at += blockDim.x) {
    const int64_t n = at % plan.outer, k = at / plan.outer;
    const int64_t unit = first + (call.adjoint ? n : n % plan.units);
    T value = 0;
    if (unit < units) {
      if (call.adjoint && k < gates) value = call.weight[k * units + unit];
      if (!call.adjoint && k < units) value = call.weight[(n / plan.units * units + unit) * units + k];
    }
    weights[at] = value;
  }
}

// partial [split, rows, N] = panel [rows, K] weights [K, N], a part of K each.
template <class T, int kTile>
__device__ void multiply_panel(const Plan& plan, const T* panel, const T* weights, T* partial) {
  constexpr int kWidth = 16 / sizeof(T);
  using V = Lanes<T, kWidth>;
  const int part = static_cast<int>(threadIdx.x) / plan.lanes;
  if (part >= plan.split) return;
  const int length = (plan.inner / kWidth + plan.split - 1) / plan.split * kWidth;
  const int begin = part * length, end = min(plan.inner, begin + length);
  for (int n = static_cast<int>(threadIdx.x) % plan.lanes; n < plan.outer; n += plan.lanes) {
    for (int row = 0; row < plan.rows; row += kTile) {
      T sum[kTile] = {};
      for (int k = begin; k < end; k += kWidth) {
        T w[kWidth];
        KPFLOW_UNROLL
        for (int i = 0; i < kWidth; ++i) w[i] = weights[(k + i) * plan.outer + n];
        KPFLOW_UNROLL
        for (int r = 0; r < kTile; ++r) {
          const V x = V::read(panel + (row + r) * plan.inner + k);
          KPFLOW_UNROLL
          for (int i = 0; i < kWidth; ++i) sum[r] += x.v[i] * w[i];
        }
      }
      KPFLOW_UNROLL
      for (int r = 0; r < kTile; ++r) partial[(part * plan.rows + row + r) * plan.outer + n] = sum[r];
    }
  }
}

// One entry of the product, its parts added up in order.
template <class T>
__device__ T product_of(const Plan& plan, const T* partial, int row, int n) {
  T sum = 0;
  for (int part = 0; part < plan.split; ++part) sum += partial[(part * plan.rows + row) * plan.outer + n];
  return sum;
}

// What a thread knows of one unit of one row while it steps.
template <class T>
struct Unit {
  int row, local;     // in the panel, in the block
  int64_t unit, at;   // in the layer; row f of [s, B, T] at this step
  const T* record;    // of row f, from this unit on
  const T* above;     // of row f + 1, where there is one
  const T* previous;  // own state of the step before, component c at previous[c plan.units]
  T* next;            // own state of this step
};

// Sends a number to entry k of a row of every block's panel.
template <class T>
__device__ void send(const Plan& plan, T* panel, int row, int64_t k, T value) {
  T* entry = panel + row * plan.inner + k;
  for (int block = 0; block < plan.cluster; ++block) *cluster_map(entry, static_cast<unsigned>(block)) = value;
}

// P at one step: delta = u + D previous + sum_j A_j q_j, the sum with q without a product at t = 0; then the next step's site.
template <class T>
__device__ void step_unit(const SweepCall<T>& call, const Unit<T>& at, bool first, const T* partial, T* panel) {
  const LayerView<T>& layer = call.layer;
  const CellShape& cell = layer.shape.cell;
  const Record& record = layer.shape.record;
  const int64_t units = layer.shape.units;
  const Plan& plan = call.plan;
  T site = 0;
  for (int c = 0; c < cell.components; ++c) {
    const int64_t entry = at.at * layer.stride + c * units + at.unit;
    T delta = call.in[entry];
    if (!first) {
      for (int d = 0; cell.state_path && d < cell.components; ++d) {
        delta += at.record[record.d(c, d) * units] * at.previous[d * plan.units];
      }
      for (int j = 0; j < cell.gates; ++j) {
        delta += at.record[record.a(j, c) * units] * product_of(plan, partial, at.row, j * plan.units + at.local);
      }
    }
    call.out[entry] = delta;
    at.next[c * plan.units] = delta;
    if (at.above != nullptr) {
      if (cell.nonlinear_site) {
        site += at.above[record.s(c) * units] * delta;
      } else if (c == 0) {
        site = delta;
      }
    }
  }
  if (at.above != nullptr) send(plan, panel, at.row, at.unit, site);
}

// P* at one step: a = e + D_{t+1} previous + S_{t+1} x, e alone at t = T - 1; then the gate values y_j = A_{j,t} a.
template <class T>
__device__ void adjoint_unit(const SweepCall<T>& call, const Unit<T>& at, bool last, const T* partial, T* panel) {
  const LayerView<T>& layer = call.layer;
  const CellShape& cell = layer.shape.cell;
  const Record& record = layer.shape.record;
  const int64_t units = layer.shape.units;
  const Plan& plan = call.plan;
  const T x = at.above != nullptr ? product_of(plan, partial, at.row, at.local) : T(0);
  for (int d = 0; d < cell.components; ++d) {
    const int64_t entry = at.at * layer.stride + d * units + at.unit;
    T a = call.in[entry];
    if (at.above != nullptr) {
      if (cell.nonlinear_site) {
        a += at.above[record.s(d) * units] * x;
      } else if (d == 0) {
        a += x;
      }
      for (int c = 0; cell.state_path && c < cell.components; ++c) {
        a += at.above[record.d(c, d) * units] * at.previous[c * plan.units];
      }
    }
    call.out[entry] = a;
    at.next[d * plan.units] = a;
  }
  for (int j = 0; !last && j < cell.gates; ++j) {
    T y = 0;
    for (int c = 0; c < cell.components; ++c) y += at.record[record.a(j, c) * units] * at.next[c * plan.units];
    send(plan, panel, at.row, j * units + at.unit, y);
  }
}

template <class T, int kTile>
__global__ void __launch_bounds__(kThreads) sweep_kernel(const SweepCall<T> call) {
  KPFLOW_SHARED(T, shared);
  const Plan& plan = call.plan;
  const LayerView<T>& layer = call.layer;
  T *weights = shared, *panels = weights + plan.weights, *partial = panels + 2 * plan.panel,
    *own = partial + plan.partial;
  const int64_t first_unit = static_cast<int64_t>(cluster_rank()) * plan.units;
  const int64_t first_row = blockIdx.x / static_cast<unsigned>(plan.cluster) * static_cast<int64_t>(plan.rows);
  load_weights(call, first_unit, weights);
  for (int64_t at = threadIdx.x; at < 2 * plan.panel; at += blockDim.x) panels[at] = 0;  // also what is filled up
  cluster_sync();

  const int components = layer.shape.cell.components;
  for (int64_t i = 0; i < layer.steps; ++i) {
    const int64_t t = call.adjoint ? layer.steps - 1 - i : i;
    const T* panel = panels + i % 2 * plan.panel;
    T* next_panel = panels + (i + 1) % 2 * plan.panel;
    if (i > 0) multiply_panel<T, kTile>(plan, panel, weights, partial);
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < plan.rows * plan.units; at += static_cast<int>(blockDim.x)) {
      Unit<T> unit;
      unit.row = at / plan.units;
      unit.local = at % plan.units;
      unit.unit = first_unit + unit.local;
      if (first_row + unit.row >= call.rows || unit.unit >= layer.shape.units) continue;
      unit.at = (first_row + unit.row) * layer.steps + t;
      unit.record = layer.derivatives + unit.at % layer.rows * layer.shape.derivatives() + unit.unit;
      unit.above = t + 1 < layer.steps ? unit.record + layer.shape.derivatives() : nullptr;
      T* state = own + unit.row * components * plan.units + unit.local;
      unit.previous = state + i % 2 * plan.own;
      unit.next = state + (i + 1) % 2 * plan.own;
      if (call.adjoint) {
        adjoint_unit(call, unit, t == 0, partial, next_panel);
      } else {
        step_unit(call, unit, t == 0, partial, next_panel);
      }
    }
    // The panel just read is written two steps on only, so that this is the one barrier of a step.
    if (i + 1 < layer.steps) cluster_sync();
  }
}

// What the card offers to a sweep.
struct Card {
  Card() {
    const auto ask = [](cudaDeviceAttr attribute) {
      int value = 0;
      check(cudaDeviceGetAttribute(&value, attribute, 0), "asking for the card");
      return value;
    };
    processors = ask(cudaDevAttrMultiProcessorCount);
    shared = ask(cudaDevAttrMaxSharedMemoryPerBlockOptin);
    cudaFuncAttributes code{};
    check(cudaFuncGetAttributes(&code, sweep_kernel<float, 1>), "asking for a kernel");
    // A card that is newer than all of the code here runs what was compiled for 8.0, which knows no clusters.
    cluster = ask(cudaDevAttrClusterLaunch) != 0 && code.ptxVersion >= 90 ? kMostCluster : 1;
  }
  int processors, shared, cluster;
};

template <class T>
Plan plan_for(const RowShape& shape, bool adjoint, int cluster, int64_t rows) {
  constexpr int64_t kWidth = 16 / sizeof(T);
  Plan plan{};
  const int64_t units = pieces(shape.units, cluster);
  plan.cluster = cluster;
  plan.units = static_cast<int>(units);
  plan.tile = rows >= 3 ? 4 : static_cast<int>(rows);
  plan.rows = static_cast<int>(pieces(rows, plan.tile)) * plan.tile;
  plan.inner = static_cast<int>(pieces(adjoint ? shape.gates() : shape.units, kWidth) * kWidth);
  plan.outer = static_cast<int>(adjoint ? units : shape.cell.gates * units);
  plan.lanes = static_cast<int>(std::min<int64_t>(pieces(plan.outer, kWarp) * kWarp, kThreads));
  plan.split = kThreads / plan.lanes;
  plan.weights = static_cast<int64_t>(plan.inner) * pieces(plan.outer, kWidth) * kWidth;
  plan.panel = static_cast<int64_t>(plan.rows) * plan.inner;
  plan.partial = static_cast<int64_t>(plan.split) * plan.rows * plan.outer;
  plan.own = plan.rows * shape.cell.components * units;
  return plan;
}

template <class T>
auto kernel_of(const Plan& plan) {
  return plan.tile == 4 ? sweep_kernel<T, 4> : plan.tile == 2 ? sweep_kernel<T, 2> : sweep_kernel<T, 1>;
}

template <class T>
Launch launch_of(const Plan& plan, int64_t panels) {
  return {dim3(static_cast<unsigned>(panels * plan.cluster)), dim3(kThreads),
          static_cast<size_t>(plan.elements()) * sizeof(T), static_cast<unsigned>(plan.cluster),
          "a sweep in one kernel"};
}

// Panels that the card works on at once, with a block to a multiprocessor; 0 where it has no room for a cluster. The clusters are
// the card's answer: its multiprocessors come in groups, of which some are smaller than others.
template <class T>
int64_t panels_at_once(const Plan& plan, int processors) {
  if (plan.cluster == 1) return processors;
  static std::mutex mutex;
  static std::map<std::tuple<int, int, int64_t>, int> known;  // by tile, cluster and size
  std::lock_guard<std::mutex> lock(mutex);
  const auto entry = known.try_emplace({plan.tile, plan.cluster, plan.elements()}, 0);
  int& clusters = entry.first->second;
  if (entry.second) clusters = clusters_at_once(launch_of<T>(plan, processors), kernel_of<T>(plan));
  return std::min(clusters, processors / plan.cluster);
}

// Estimates, in microseconds for a step, to be replaced by measurements on a card: a launch costs about 3, of which a step has two,
// and a product then runs at some 40 TFLOP/s (30 in f64). The persistent kernel pays about 1 for its barrier and its loads, and
// reaches some 50 multiply-adds a clock and multiprocessor (25 in f64), being bound by shared memory: at 1.7 GHz 85 thousand in a
// microsecond. Panels beyond what is on the card at once wait for another wave.
template <class T>
double persistent_cost(const Plan& plan, int64_t rows, int64_t at_once) {
  const double rate = sizeof(T) == 4 ? 85e3 : 42e3;
  const int64_t waves = pieces(pieces(rows, plan.rows), at_once);
  return static_cast<double>(waves) * (1 + static_cast<double>(plan.rows) * plan.inner * plan.outer / rate);
}
template <class T>
double batched_cost(const RowShape& shape, int64_t rows) {
  const double rate = sizeof(T) == 4 ? 40e6 : 30e6;
  return 6 + 2 * static_cast<double>(rows) * static_cast<double>(shape.gates() * shape.units) / rate;
}

enum class Choice { kAuto, kPersistent, kBatched };

Choice choice() {
  const char* wish = std::getenv("KPFLOW_CUDA_SWEEP");
  if (wish == nullptr || *wish == '\0' || std::strcmp(wish, "auto") == 0) return Choice::kAuto;
  if (std::strcmp(wish, "persistent") == 0) return Choice::kPersistent;
  if (std::strcmp(wish, "batched") == 0) return Choice::kBatched;
  fail(KPFLOW_INVALID_ARGUMENT, "KPFLOW_CUDA_SWEEP: expected persistent, batched or auto, got '%.64s'", wish);
}

// The fastest plan by the estimate, one with cluster = 0 where W_hh does not fit or the batched sweep is faster.
template <class T>
Plan choose(const RowShape& shape, bool adjoint, int64_t rows) {
  constexpr int64_t kMostUnits = 256;
  const Choice wish = choice();
  Plan best{};
  if (wish == Choice::kBatched || shape.units > kMostUnits) return best;
  static const Card card;
  double least = wish == Choice::kPersistent ? 1e300 : batched_cost<T>(shape, rows);
  for (int cluster = 1; cluster <= card.cluster; cluster *= 2) {
    const int64_t even = pieces(rows, std::max(1, card.processors / cluster));
    for (int64_t panel = std::min<int64_t>(even, kMostRows);; panel /= 2) {
      const Plan plan = plan_for<T>(shape, adjoint, cluster, panel);
      if (plan.elements() * static_cast<int64_t>(sizeof(T)) <= card.shared) {
        const int64_t at_once = panels_at_once<T>(plan, card.processors);
        if (at_once == 0) break;
        const double cost = persistent_cost<T>(plan, rows, at_once);
        if (cost < least) {
          least = cost;
          best = plan;
        }
        break;
      }
      if (panel == 1) break;
    }
  }
  return best;
}

}  // namespace

template <class T>
bool sweep_persistent(const Snapshot<T>& net, Context& context, bool adjoint, int64_t s, const T* in, T* out) {
  const int64_t rows = s * net.trials;
  const Plan plan = choose<T>(net.shape, adjoint, rows);
  if (plan.cluster == 0) return false;
  const int64_t panels = pieces(rows, plan.rows);
  if (panels > INT32_MAX / plan.cluster) return false;
  const SweepCall<T> call{net.view(), plan, adjoint, rows, net.weight_hh.data(), in, out};
  launch(context.stream, launch_of<T>(plan, panels), kernel_of<T>(plan), call);
  return true;
}

template bool sweep_persistent<float>(const Snapshot<float>&, Context&, bool, int64_t, const float*, float*);
template bool sweep_persistent<double>(const Snapshot<double>&, Context&, bool, int64_t, const double*, double*);

}  // namespace kpflow::cuda
