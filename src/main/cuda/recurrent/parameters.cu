// Gate values of many rows by one elementwise kernel, limited by memory; then products over all of them, which are the work.
#include "linalg/gemm.cuh"
#include "linalg/long_sums.cuh"
#include "recurrent/parameters.cuh"
#include "recurrent/scratch.cuh"

namespace kpflow::cuda {

namespace {

// The two families of a side.
template <class T>
struct SideView {
  SideView(const Snapshot<T>& net, Side which)
      : columns(which == Side::kHidden ? net.shape.units : net.inputs),
        stride(which == Side::kHidden ? net.shape.units : net.input_stride),
        sites(which == Side::kHidden ? net.site.data() : net.input),
        weight(net.offset[which == Side::kHidden ? KPFLOW_WEIGHT_HH : KPFLOW_WEIGHT_IH]),
        bias(net.offset[which == Side::kHidden ? KPFLOW_BIAS_HH : KPFLOW_BIAS_IH]) {}
  bool trains() const { return weight >= 0 || bias >= 0; }

  int64_t columns;  // m_f of the weight family
  int64_t stride;   // between rows of sites
  const T* sites;   // [k, columns]
  int64_t weight;   // offsets in theta, -1 where frozen
  int64_t bias;
};

// Rows whose gate values are in scratch at once: `groups` groups of `length` rows each, from row `first` of [s, k] on; a group
// has one theta, the first of them number `theta`.
struct Part {
  int64_t first, theta, groups, length;
  bool begins;  // these are the first rows of their groups
};

// body(part) on all rows, in parts of at most so many rows where a group (a probe, or a trial of one) is not more. Sites of the
// groups lie 0 rows apart between probes, T between trials.
template <class T, class Body>
void in_parts(const Snapshot<T>& net, Weights weights, int64_t s, int64_t most, const Progress& progress,
              const Body& body) {
  const bool shared = weights == Weights::kShared;
  const int64_t group = shared ? net.rows() : net.steps, unit = shared ? s : net.trials;
  const int64_t groups = shared ? s : s * net.trials;
  const auto even = [](int64_t all, int64_t part) { return pieces(all, pieces(all, part)); };  // parts of one size
  const int64_t at_once = even(unit, std::min<int64_t>(std::max<int64_t>(most / group, 1), 1024));
  const int64_t length = even(group, most);
  for (int64_t theta = 0; theta < groups;) {
    const int64_t count = std::min(at_once, unit - theta % unit);
    for (int64_t first = 0; first < group; first += length) {
      progress.advance();
      body(Part{theta * group + first, theta, count, std::min(length, group - first), first == 0});
    }
    theta += count;
  }
}

// Gates whose C differs from their A.
int separate_gates(const CellShape& cell) {
  int count = 0;
  for (int j = 0; j < cell.gates; ++j) count += cell.separate_input >> j & 1u;
  return count;
}

// Where gate j of the input side stands among the gates of a row of pull_rows for both sides.
constexpr int input_gate(unsigned separate_input, int gates, int j) {
  if (!(separate_input >> j & 1u)) return j;
  for (int i = 0; i < j; ++i) gates += separate_input >> i & 1u;
  return gates;
}

// Bias gradients out of column sums [groups, parts, columns]: those of the hidden side are in the first g H columns, those of the
// input side where its gates stand.
template <class T>
void add_biases(Context& context, const Snapshot<T>& net, Sides sides, const Part& part, int64_t columns, const T* y,
                int64_t hidden, int64_t input, T* theta) {
  int64_t parts = 0;
  const T* partial = sum_columns(context, part.groups, part.length, columns, y, parts);
  const int64_t units = net.shape.units, gates = net.shape.gates(), parameters = net.parameters;
  const int g = net.shape.cell.gates;
  const unsigned separate = sides == Sides::kBoth ? net.shape.cell.separate_input : 0u;
  const bool begins = part.begins;
  for_each(context.stream, part.groups * 2 * gates, [=] __device__(int64_t at) {
    const int64_t group = at / (2 * gates), i = at % gates;
    const bool of_input = at / gates % 2 == 1;
    const int64_t offset = of_input ? input : hidden;
    if (offset < 0) return;
    const int gate = static_cast<int>(i / units);
    const int64_t column = (of_input ? input_gate(separate, g, gate) : gate) * units + i % units;
    T sum = 0;
    for (int64_t q = 0; q < parts; ++q) sum += partial[(group * parts + q) * columns + column];
    T& target = theta[group * parameters + offset + i];
    target = begins ? sum : target + sum;
  });
}

}  // namespace

template <class T>
void site_push(const Snapshot<T>& net, Context& context, Weights weights, int64_t s, const T* theta, T* out,
               const Progress& progress) {
  const int64_t gates = net.shape.gates(), p = net.parameters;
  const SideView<T> hidden(net, Side::kHidden), input(net, Side::kInput);
  const int64_t width = gates * ((hidden.weight >= 0) + (input.weight >= 0));
  const int64_t most = std::min(most_rows<T>(width), s * net.rows());
  T* scratch = context.scratch<T>(Scratch::kGates, most * width);
  in_parts(net, weights, s, most, progress, [&](const Part& part) {
    const int64_t rows = part.groups * part.length, site = part.first % net.rows();
    T* next = scratch;
    const auto gate_values = [&](const SideView<T>& side) -> const T* {
      if (side.weight < 0) return nullptr;
      T* y = next;
      next += rows * gates;
      multiply<T>(context,
                  {false, true, part.length, gates, side.columns, T(1), side.sites + site * side.stride, side.stride,
                   theta + part.theta * p + side.weight, side.columns, T(0), y, gates, part.groups,
                   weights == Weights::kShared ? 0 : net.steps * side.stride, p, part.length * gates});
      return y;
    };
    PushCall<T> call{};
    call.rows = {part.first, 1, rows};
    call.y = gate_values(hidden);
    call.z = gate_values(input);
    call.b = hidden.bias >= 0 ? theta + part.theta * p + hidden.bias : nullptr;
    call.d = input.bias >= 0 ? theta + part.theta * p + input.bias : nullptr;
    call.group = part.length;
    call.bias_stride = p;
    call.out = out + net.begin;
    push_rows(context, net.view(), call);
  });
}

template <class T>
void site_pull(const Snapshot<T>& net, Context& context, Weights weights, int64_t s, const T* a, T* theta,
               const Progress& progress) {
  const CellShape& cell = net.shape.cell;
  const int64_t units = net.shape.units, p = net.parameters;
  const SideView<T> hidden(net, Side::kHidden), input(net, Side::kInput);
  if (!hidden.trains() && !input.trains()) return;
  const Sides sides = !input.trains() ? Sides::kHidden : !hidden.trains() ? Sides::kInput : Sides::kBoth;
  const unsigned separate = sides == Sides::kBoth ? cell.separate_input : 0u;
  const int64_t width = (cell.gates + (sides == Sides::kBoth ? separate_gates(cell) : 0)) * units;
  const int64_t most = std::min(most_rows<T>(width), s * net.rows());
  T* y = context.scratch<T>(Scratch::kGates, most * width);
  in_parts(net, weights, s, most, progress, [&](const Part& part) {
    const int64_t site = part.first % net.rows();
    T* gradient = theta + part.theta * p;
    pull_rows(context, net.view(), Rows{part.first, 1, part.groups * part.length}, sides, a + net.begin, y);
    // Gates first..first+count-1 of a side stand together in y, from gate `at` on.
    const auto gradient_of = [&](const SideView<T>& side, int first, int count, int at) {
      multiply_long<T>(context, {true, false, count * units, side.columns, part.length, T(1), y + at * units, width,
                                 side.sites + site * side.stride, side.stride, part.begins ? T(0) : T(1),
                                 gradient + side.weight + first * units * side.columns, side.columns, part.groups,
                                 part.length * width, weights == Weights::kShared ? 0 : net.steps * side.stride, p});
    };
    if (hidden.weight >= 0) gradient_of(hidden, 0, cell.gates, 0);
    for (int first = 0, last; input.weight >= 0 && first < cell.gates; first = last) {
      for (last = first + 1; last < cell.gates && (separate >> last & 1u) == (separate >> first & 1u);) ++last;
      gradient_of(input, first, last - first, input_gate(separate, cell.gates, first));
    }
    if (hidden.bias >= 0 || input.bias >= 0) {
      add_biases(context, net, sides, part, width, y, hidden.bias, input.bias, gradient);
    }
  });
}

template <class T>
void gates_push(const Snapshot<T>& net, Context& context, Side side, int64_t s, const T* y, T* out) {
  const int64_t rows = s * net.rows();
  if (net.shape.state() < net.stride) context.zero(out, rows * net.stride);
  PushCall<T> call{};
  call.rows = {0, 1, rows};
  (side == Side::kHidden ? call.y : call.z) = y;
  call.out = out + net.begin;
  push_rows(context, net.view(), call);
}

template <class T>
void gates_pull(const Snapshot<T>& net, Context& context, Side side, int64_t s, const T* a, T* y) {
  pull_rows(context, net.view(), Rows{0, 1, s * net.rows()}, side == Side::kHidden ? Sides::kHidden : Sides::kInput,
            a + net.begin, y);
}

template <class T>
void gather_slopes(Context& context, const Snapshot<T>& net, WeightSide side, int64_t first, int64_t count,
                   double* out) {
  const RowShape shape = net.shape;
  const T* derivatives = net.derivatives.data();
  const int64_t k = net.rows(), m = shape.cell.components, each = shape.cell.gates * m;
  const bool of_input = side == WeightSide::kFirst;
  for_each(context.stream, count * each * k, [=] __device__(int64_t at) {
    const int64_t row = at % k, jc = at / k % each, unit = first + at / (k * each);
    const int j = static_cast<int>(jc / m), c = static_cast<int>(jc % m);
    const int64_t slot = of_input ? shape.record.c(j, c) : shape.record.a(j, c);
    out[at] = static_cast<double>(derivatives[row * shape.derivatives() + slot * shape.units + unit]);
  });
}

#define KPFLOW_PARAMETERS(T)                                                                                 \
  template void site_push<T>(const Snapshot<T>&, Context&, Weights, int64_t, const T*, T*, const Progress&); \
  template void site_pull<T>(const Snapshot<T>&, Context&, Weights, int64_t, const T*, T*, const Progress&); \
  template void gates_push<T>(const Snapshot<T>&, Context&, Side, int64_t, const T*, T*);                    \
  template void gates_pull<T>(const Snapshot<T>&, Context&, Side, int64_t, const T*, T*);                    \
  template void gather_slopes<T>(Context&, const Snapshot<T>&, WeightSide, int64_t, int64_t, double*);
KPFLOW_PARAMETERS(float)
KPFLOW_PARAMETERS(double)
#undef KPFLOW_PARAMETERS

}  // namespace kpflow::cuda
