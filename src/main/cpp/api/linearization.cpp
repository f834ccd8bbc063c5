// C boundary of linearizations: argument checks, no arithmetic.
#include "core/linearization.hpp"

#include <mutex>

#include "api/arguments.hpp"
#include "api/models.hpp"
#include "cell/cell.hpp"
#include "linalg/unit_modes.hpp"
#include "spectral/lyapunov.hpp"

using namespace kpflow;

namespace {

void require(const kpflow_linearization* linearization) {
  KPFLOW_REQUIRE(linearization != nullptr, "linearization: got NULL");
  KPFLOW_REQUIRE(linearization->complete, "linearization: its last run failed; run it again");
}

// Runs a model into a linearization, which is of no use if that fails.
template <class Model>
void run(kpflow_linearization& linearization, const Model& model, kpflow_monitor* monitor) {
  linearization.complete = false;
  check(model);
  KPFLOW_REQUIRE(model.dtype == linearization.dtype(), "dtype: expected %d, as before, got %d", linearization.dtype(),
                 model.dtype);
  linearization.run(model, Progress(monitor));
  linearization.complete = true;
}

template <class Model>
int32_t run_again(kpflow_linearization* linearization, const Model* model, kpflow_monitor* monitor) {
  return guarded([&] {
    KPFLOW_REQUIRE(linearization != nullptr && model != nullptr, "linearization or model: got NULL");
    std::lock_guard<std::mutex> lock(linearization->context.mutex);
    run(*linearization, *model, monitor);
  });
}

template <class Body>
int32_t on_linearization(kpflow_linearization* linearization, Body&& body) {
  return guarded([&] {
    require(linearization);
    std::lock_guard<std::mutex> lock(linearization->context.mutex);
    body();
  });
}

void require_family(const kpflow_linearization& linearization, int32_t family) {
  KPFLOW_REQUIRE(family >= 0 && family < linearization.families() && linearization.family(family).sites > 0,
                 "family: expected one that this model has (0 to %d), got %d", linearization.families() - 1, family);
}

void require_steps(const kpflow_linearization& linearization) {
  KPFLOW_REQUIRE(linearization.steps_through_time(), "model: expected one that steps through time");
}

void require_units_of_a_layer(const kpflow_linearization& linearization, int64_t first, int64_t count) {
  for (int64_t j = 0; j < linearization.layers(); ++j) {
    const Layer layer = linearization.layer(j);
    const int64_t unit = first - layer.first;
    if (first >= layer.first && unit < layer.units && count >= 0 && count <= layer.units - unit) return;
  }
  fail(KPFLOW_INVALID_ARGUMENT, "units: expected a part of one layer, got %lld from %lld",
       static_cast<long long>(count), static_cast<long long>(first));
}

bool is_self_adjoint(int32_t op) { return op == KPFLOW_K || op == KPFLOW_NTK; }

}  // namespace

extern "C" {

int32_t kpflow_cell_shape(const char* cell, int32_t* gates, int32_t* components) {
  return guarded([&] {
    KPFLOW_REQUIRE(gates != nullptr && components != nullptr, "out: got NULL");
    const CellShape& shape = find_cell(cell).shape;
    *gates = shape.gates;
    *components = shape.components;
  });
}

int32_t kpflow_recurrent_linearize(kpflow_context* context, const kpflow_recurrent* model, kpflow_monitor* monitor,
                                   kpflow_linearization** out) {
  return guarded([&] {
    KPFLOW_REQUIRE(context != nullptr && model != nullptr && out != nullptr, "context, model or out: got NULL");
    std::lock_guard<std::mutex> lock(context->mutex);
    require_dtype(model->dtype);
    auto linearization = context->kernels->recurrent(model->dtype);
    run(*linearization, *model, monitor);
    *out = linearization.release();
  });
}

int32_t kpflow_graph_linearize(kpflow_context* context, const kpflow_graph* model, kpflow_monitor* monitor,
                               kpflow_linearization** out) {
  return guarded([&] {
    KPFLOW_REQUIRE(context != nullptr && model != nullptr && out != nullptr, "context, model or out: got NULL");
    std::lock_guard<std::mutex> lock(context->mutex);
    require_dtype(model->dtype);
    auto linearization = context->kernels->graph(model->dtype);
    run(*linearization, *model, monitor);
    *out = linearization.release();
  });
}

int32_t kpflow_recurrent_relinearize(kpflow_linearization* linearization, const kpflow_recurrent* model,
                                     kpflow_monitor* monitor) {
  return run_again(linearization, model, monitor);
}

int32_t kpflow_graph_relinearize(kpflow_linearization* linearization, const kpflow_graph* model,
                                 kpflow_monitor* monitor) {
  return run_again(linearization, model, monitor);
}

void kpflow_linearization_destroy(kpflow_linearization* linearization) { delete linearization; }

int32_t kpflow_linearization_sizes(const kpflow_linearization* linearization, int64_t* out) {
  return guarded([&] {
    require(linearization);
    KPFLOW_REQUIRE(out != nullptr, "out: got NULL");
    const int64_t sizes[8] = {linearization->trials(),     linearization->steps(),
                              linearization->units(),      linearization->parameters(),
                              linearization->families(),   linearization->layers(),
                              linearization->components(), linearization->steps_through_time() ? 1 : 0};
    for (int i = 0; i < 8; ++i) out[i] = sizes[i];
  });
}

int32_t kpflow_linearization_family(const kpflow_linearization* linearization, int32_t family, int64_t* out) {
  return guarded([&] {
    require(linearization);
    KPFLOW_REQUIRE(out != nullptr, "out: got NULL");
    KPFLOW_REQUIRE(family >= 0 && family < linearization->families(), "family: expected 0 to %d, got %d",
                   linearization->families() - 1, family);
    const Family found = linearization->family(family);
    out[0] = found.outputs;
    out[1] = found.sites;
    out[2] = found.offset;
  });
}

int32_t kpflow_linearization_layer(const kpflow_linearization* linearization, int64_t layer, int64_t* out) {
  return guarded([&] {
    require(linearization);
    KPFLOW_REQUIRE(out != nullptr, "out: got NULL");
    KPFLOW_REQUIRE(layer >= 0 && layer < linearization->layers(), "layer: expected 0 to %lld, got %lld",
                   static_cast<long long>(linearization->layers() - 1), static_cast<long long>(layer));
    const Layer found = linearization->layer(layer);
    out[0] = found.first;
    out[1] = found.units;
    out[2] = found.begin;
  });
}

int32_t kpflow_linearization_state(kpflow_linearization* linearization, void* out) {
  return on_linearization(linearization, [&] {
    require_array(linearization->context, "out", out, 1);
    linearization->state(out);
  });
}

int32_t kpflow_linearization_sites(kpflow_linearization* linearization, int32_t family, void* out) {
  return on_linearization(linearization, [&] {
    require_array(linearization->context, "out", out, 1);
    require_family(*linearization, family);
    linearization->sites(family, out);
  });
}

int32_t kpflow_linearization_step_jacobians(const kpflow_linearization* linearization, int64_t first, int64_t count,
                                            void* out) {
  const int32_t status = guarded([&] { require(linearization); });
  if (status != KPFLOW_OK) return status;
  return on_device(&linearization->context, [&] {
    require_array(linearization->context, "out", out, 1);
    require_steps(*linearization);
    KPFLOW_REQUIRE(first >= 0 && count >= 0 && first <= linearization->steps() - count,
                   "steps: expected a part of 0 to %lld, got %lld from %lld",
                   static_cast<long long>(linearization->steps() - 1), static_cast<long long>(count),
                   static_cast<long long>(first));
    linearization->step_jacobians(first, count, out);
  });
}

int32_t kpflow_linearization_lyapunov(kpflow_linearization* linearization, int64_t count, double* out, double* smallest,
                                      kpflow_monitor* monitor) {
  return on_linearization(linearization, [&] {
    KPFLOW_REQUIRE(out != nullptr && smallest != nullptr, "out: got NULL");
    require_steps(*linearization);
    KPFLOW_REQUIRE(count >= 1 && count <= linearization->units(), "exponents: expected 1 to %lld, got %lld",
                   static_cast<long long>(linearization->units()), static_cast<long long>(count));
    lyapunov(*linearization, count, out, smallest, Progress(monitor));
  });
}

int32_t kpflow_linearization_unit_modes(kpflow_linearization* linearization, const double* gram_first,
                                        const double* gram_second, int64_t first, int64_t count, double tolerance,
                                        double cut, int64_t most, int64_t* ranks, double* modes, double* values,
                                        double* rest, kpflow_monitor* monitor) {
  return on_linearization(linearization, [&] {
    require_units_of_a_layer(*linearization, first, count);
    KPFLOW_REQUIRE(tolerance >= 0 && cut >= 0, "tolerance and cut: expected at least 0");
    KPFLOW_REQUIRE(most >= 1, "most: expected at least 1, got %lld", static_cast<long long>(most));
    KPFLOW_REQUIRE(gram_first != nullptr || gram_second != nullptr, "gram: every family is frozen");
    KPFLOW_REQUIRE(ranks != nullptr && modes != nullptr && values != nullptr && rest != nullptr, "out: got NULL");
    unit_modes(*linearization, gram_first, gram_second, first, count, tolerance, cut,
               {most, ranks, modes, values, rest}, Progress(monitor));
  });
}

int32_t kpflow_linearization_apply(kpflow_linearization* linearization, int32_t op, int32_t family, int32_t adjoint,
                                   int64_t s, const void* in, void* out, kpflow_monitor* monitor) {
  return on_linearization(linearization, [&] {
    KPFLOW_REQUIRE(op >= 0 && op < KPFLOW_OPERATORS, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    KPFLOW_REQUIRE(s >= 0, "s: expected at least 0, got %lld", static_cast<long long>(s));
    if (op == KPFLOW_CORE || op == KPFLOW_D_GATES) require_family(*linearization, family);
    if (s == 0) return;
    require_array(linearization->context, "in", in, 1);
    require_array(linearization->context, "out", out, 1);
    KPFLOW_REQUIRE(in != out, "in and out: expected two different arrays");
    linearization->apply(op, family, adjoint != 0 && !is_self_adjoint(op), s, in, out, Progress(monitor));
  });
}

}  // extern "C"
