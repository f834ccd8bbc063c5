#include <cmath>

#include "cell/cell.cuh"
#include "linalg/gemm.cuh"
#include "recurrent/computed.hpp"
#include "recurrent/scratch.cuh"
#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

namespace {

template <class T>
void copy_or_zero(Context& context, DeviceArray<T>& target, const void* source, int64_t count) {
  target.resize(count);
  if (source != nullptr) {
    context.copy_in(target.data(), source, count);
  } else {
    context.zero(target.data(), count);
  }
}

// What the caller has computed of a layer, with its arrays in the host's memory: those that are on the card are copied there.
template <class T>
class HostLayer {
 public:
  HostLayer(const kpflow_recurrent& model, const kpflow_layer& of, Context& context) : layer(of) {
    const RowShape all(general_shape(model.gates, model.components), model.units);
    const int64_t rows = model.trials * model.steps;
    layer.sites = on_host(context, of.sites, rows * model.units, sites_);
    layer.states = on_host(context, of.states, rows * all.state(), states_);
    layer.derivatives = on_host(context, of.derivatives, rows * all.derivatives(), derivatives_);
  }
  kpflow_layer layer;

 private:
  static const void* on_host(Context& context, const void* array, int64_t count, std::vector<T>& copy) {
    cudaPointerAttributes attributes{};
    if (cudaPointerGetAttributes(&attributes, array) != cudaSuccess) (void)cudaGetLastError();
    if (attributes.type != cudaMemoryTypeDevice) return array;
    copy.resize(static_cast<size_t>(count));
    context.copy_out(copy.data(), static_cast<const T*>(array), count);
    return copy.data();
  }
  std::vector<T> sites_, states_, derivatives_;
};

// The steps whose W_ih x is formed at once: all, unless that is too much.
template <class T>
int64_t steps_at_once(const kpflow_recurrent& model, const RowShape& shape) {
  return std::min(model.steps, most_rows<T>(checked_product(model.trials, shape.gates())));
}

}  // namespace

template <class T>
void Snapshot<T>::assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, Context& context,
                         const Progress& progress) {
  graphs.clear();
  std::unique_ptr<HostLayer<T>> computed;
  if (model.cell == nullptr) computed = std::make_unique<HostLayer<T>>(model, model.layers[index], context);
  const kpflow_layer& layer = computed != nullptr ? computed->layer : model.layers[index];
  static_cast<LayerLayout&>(*this) =
      lay_out(model, index, computed != nullptr ? computed_shape<T>(model, layer) : find_cell(model.cell).shape);
  const int64_t gates = shape.gates();
  copy_or_zero(context, weight_ih, layer.weight_ih, gates * inputs);
  copy_or_zero(context, weight_hh, layer.weight_hh, gates * shape.units);
  copy_or_zero(context, bias_ih, layer.bias_ih, gates);
  copy_or_zero(context, bias_hh, layer.bias_hh, gates);
  if (below == nullptr) {
    copy_or_zero(context, x, model.input, rows() * inputs);
    input = x.data();
    input_stride = inputs;
  } else {
    input = below->state.data();
    input_stride = below->shape.state();
  }
  site.resize(rows() * shape.units);
  state.resize(rows() * shape.state());
  derivatives.resize(rows() * shape.derivatives());
  if (computed != nullptr) {
    take(layer, context);
  } else {
    forward(model, context, progress);
  }
}

template <class T>
int64_t snapshot_bytes(const kpflow_recurrent& model) {
  return snapshot_elements(model) * static_cast<int64_t>(sizeof(T));
}

template <class T>
int64_t forward_bytes(const kpflow_recurrent& model) {
  if (model.cell == nullptr) return 0;
  const RowShape shape(largest_shape(model), model.units);
  const int64_t at_once = steps_at_once<T>(model, shape), products = model.trajectory != nullptr ? at_once : 1;
  const int64_t initial = model.initial != nullptr ? model.layer_count * shape.state() : 0;
  return model.trials * ((at_once + products) * shape.gates() + initial) * static_cast<int64_t>(sizeof(T));
}

// W_ih x of all rows in one product where memory allows it, then per step one product with W_hh and one kernel for all else. Along
// a given trajectory no step waits for another: there is one product with W_hh for all of them.
template <class T>
void Snapshot<T>::forward(const kpflow_recurrent& model, Context& context, const Progress& progress) {
  const Cell& cell = find_kernels(model.cell);
  const int64_t units = shape.units, n = shape.state(), gates = shape.gates();
  const bool given = model.trajectory != nullptr;
  const int64_t at_once = steps_at_once<T>(model, shape);
  T* q = context.scratch<T>(Scratch::kSites, trials * (given ? at_once : 1) * gates);
  T* p = context.scratch<T>(Scratch::kGates, trials * at_once * gates);
  auto* bad = context.scratch<unsigned long long>(Scratch::kSmall, 1);
  check(cudaMemsetAsync(bad, 0xff, sizeof(*bad), context.stream), "zeroing");
  T* initial = nullptr;
  if (model.initial != nullptr) {
    initial = context.scratch<T>(Scratch::kState, trials * stride);
    context.copy_in(initial, model.initial, trials * stride);
    initial += begin;
  }
  if (given) copy_rows(context, rows(), n, static_cast<const T*>(model.trajectory) + begin, stride, state.data(), n);

  ForwardCall<T> call(shape.record);
  call.units = units;
  call.parameter = model.cell_parameter;
  call.trials = trials;
  call.steps = steps;
  call.rows = given ? Rows{0, 1, rows()} : Rows{0, steps, trials};
  call.q_steps = given ? at_once : 1;
  call.p_steps = at_once;
  call.bias_hh = bias_hh.data();
  call.bias_ih = bias_ih.data();
  call.initial = initial;
  call.initial_stride = stride;
  call.state = state.data();
  call.site = site.data();
  call.derivatives = derivatives.data();
  call.given = given;
  call.bad = bad;
  cell.site(T())(context, call);
  for (int64_t first = 0; first < steps; first += at_once) {
    const int64_t count = std::min(at_once, steps - first);
    // The trials are a batch, or all rows one matrix where all steps are there.
    const int64_t batch = count == steps ? 1 : trials, together = trials * count / batch;
    multiply<T>(context, {false, true, together, gates, inputs, T(1), input + first * input_stride, input_stride,
                          weight_ih.data(), inputs, T(0), p, gates, batch, steps * input_stride, 0, at_once * gates});
    if (given) {
      multiply<T>(context, {false, true, together, gates, units, T(1), site.data() + first * units, units,
                            weight_hh.data(), units, T(0), q, gates, batch, steps * units, 0, at_once * gates});
    }
    call.p = p - first * gates;
    for (int64_t t = first; t < first + count; ++t) {
      progress.advance(trials);
      if (!given) {
        multiply<T>(context, {false, true, trials, gates, units, T(1), site.data() + t * units, steps * units,
                              weight_hh.data(), units, T(0), q, gates});
      }
      call.q = q - (given ? first : t) * gates;
      call.rows = {t, steps, trials};
      cell.step(T())(context, call);
    }
  }
  unsigned long long first_bad = 0;
  context.copy_out(&first_bad, bad, 1);
  if (first_bad != ~0ull) {
    const int64_t at = static_cast<int64_t>(first_bad);
    refuse_state<T>(*this, at / n % trials, at / n / trials, at % n);
  }
}

template <class T>
void Snapshot<T>::take(const kpflow_layer& layer, Context& context) {
  const T* states = static_cast<const T*>(layer.states);
  const int64_t n = shape.state();
  std::vector<T> kept(static_cast<size_t>(rows() * shape.derivatives()));
  for (int64_t at = 0; at < rows(); ++at) {
    for (int64_t i = 0; i < n; ++i) {
      if (!std::isfinite(states[at * n + i])) refuse_state<T>(*this, at / steps, at % steps, i);
    }
    take_record(shape, at, static_cast<const T*>(layer.derivatives), kept.data());
  }
  context.copy_in(site.data(), layer.sites, site.size());
  context.copy_in(state.data(), states, state.size());
  context.copy_in(derivatives.data(), kept.data(), derivatives.size());
  context.finish();  // before what is copied goes
}

template struct Snapshot<float>;
template struct Snapshot<double>;
template int64_t snapshot_bytes<float>(const kpflow_recurrent&);
template int64_t snapshot_bytes<double>(const kpflow_recurrent&);
template int64_t forward_bytes<float>(const kpflow_recurrent&);
template int64_t forward_bytes<double>(const kpflow_recurrent&);

}  // namespace kpflow::cuda
