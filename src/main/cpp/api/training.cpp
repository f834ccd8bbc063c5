// C boundary of training: argument checks, no arithmetic.
#include <cmath>

#include "api/arguments.hpp"
#include "train/optimizers.hpp"

using namespace kpflow;

namespace {

void require_size(const char* name, int64_t value) {
  KPFLOW_REQUIRE(value >= 1 && value <= INT32_MAX, "%s: expected 1 to 2^31-1, got %lld", name,
                 static_cast<long long>(value));
}

void require_finite(const char* name, double value) {
  KPFLOW_REQUIRE(std::isfinite(value), "%s: expected a finite number, got %g", name, value);
}

// A decay rate of Adam.
void require_beta(const char* name, double value) {
  KPFLOW_REQUIRE(value >= 0 && value < 1, "%s: expected at least 0 and below 1, got %g", name, value);
}

// An array that may be left out.
void require_optional(const kpflow_context& context, const char* name, const void* array) {
  if (array != nullptr) require_array(context, name, array, 1);
}

void require_readout(const kpflow_context& context, const kpflow_readout* readout, const void* state, const void* y) {
  KPFLOW_REQUIRE(readout != nullptr, "readout: got NULL");
  require_dtype(readout->dtype);
  require_size("units", readout->units);
  require_size("width", readout->width);
  require_size("outputs", readout->outputs);
  KPFLOW_REQUIRE(readout->begin >= 0 && readout->begin <= readout->units - readout->width,
                 "begin: expected %lld units among %lld, got them from %lld", static_cast<long long>(readout->width),
                 static_cast<long long>(readout->units), static_cast<long long>(readout->begin));
  require_array(context, "state", state, checked_product(readout->rows, readout->units));
  require_array(context, "y", y, checked_product(readout->rows, readout->outputs));
}

}  // namespace

extern "C" {

int32_t kpflow_readout_apply(kpflow_context* context, const kpflow_readout* readout, const void* state, void* y) {
  return on_context(context, [&] {
    require_readout(*context, readout, state, y);
    require_array(*context, "weight", readout->weight, 1);
    require_optional(*context, "bias", readout->bias);
    context->kernels->readout_apply(*readout, state, y);
  });
}

int32_t kpflow_readout_adjoint(kpflow_context* context, const kpflow_readout* readout, const void* y, void* state) {
  return on_context(context, [&] {
    require_readout(*context, readout, state, y);
    require_array(*context, "weight", readout->weight, 1);
    context->kernels->readout_adjoint(*readout, y, state);
  });
}

int32_t kpflow_readout_gradient(kpflow_context* context, const kpflow_readout* readout, const void* state,
                                const void* y, void* weight, void* bias) {
  return on_context(context, [&] {
    require_readout(*context, readout, state, y);
    require_size("rows", readout->rows);
    require_array(*context, "weight gradient", weight, 1);
    require_optional(*context, "bias gradient", bias);
    context->kernels->readout_gradient(*readout, state, y, weight, bias);
  });
}

int32_t kpflow_mean_squared_error(kpflow_context* context, int32_t dtype, int64_t rows, int64_t outputs, void* y,
                                  const void* targets, const void* mask, double* loss) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_size("rows", rows);
    require_size("outputs", outputs);
    require_array(*context, "y", y, checked_product(rows, outputs));
    require_array(*context, "targets", targets, checked_product(rows, outputs));
    require_optional(*context, "mask", mask);
    KPFLOW_REQUIRE(loss != nullptr, "loss: got NULL");
    *loss = context->kernels->mean_squared_error(dtype, rows, outputs, y, targets, mask);
  });
}

int32_t kpflow_clamp(kpflow_context* context, int32_t dtype, int64_t count, double limit, void* x) {
  return on_context(context, [&] {
    require_dtype(dtype);
    KPFLOW_REQUIRE(limit >= 0, "limit: expected at least 0, got %g", limit);
    require_array(*context, "x", x, count);
    context->kernels->clamp(dtype, count, limit, x);
  });
}

int32_t kpflow_adam_step(kpflow_context* context, int32_t dtype, int64_t count, int64_t step, double rate, double beta1,
                         double beta2, double epsilon, const void* gradient, void* m, void* v, void* theta) {
  return on_context(context, [&] {
    require_dtype(dtype);
    KPFLOW_REQUIRE(step >= 1, "step: expected at least 1, got %lld", static_cast<long long>(step));
    require_finite("rate", rate);
    require_beta("beta1", beta1);
    require_beta("beta2", beta2);
    KPFLOW_REQUIRE(epsilon >= 0, "epsilon: expected at least 0, got %g", epsilon);
    require_array(*context, "gradient", gradient, count);
    require_array(*context, "m", m, count);
    require_array(*context, "v", v, count);
    require_array(*context, "theta", theta, count);
    context->kernels->adam_step(dtype, count, step, rate, beta1, beta2, epsilon, gradient, m, v, theta);
  });
}

int32_t kpflow_shampoo_accumulate(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, const void* gradient,
                                  void* left, void* right) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_size("m", m);
    require_size("n", n);
    require_array(*context, "gradient", gradient, checked_product(m, n));
    require_array(*context, "left", left, checked_product(m, m));
    require_optional(*context, "right", right);
    context->kernels->shampoo_accumulate(dtype, m, n, gradient, left, right);
  });
}

int32_t kpflow_inverse_root(kpflow_context* context, int64_t n, const void* a, int32_t root, double floor, void* out) {
  return on_context(context, [&] {
    require_size("n", n);
    KPFLOW_REQUIRE(root == 2 || root == 4, "root: expected 2 or 4, got %d", root);
    KPFLOW_REQUIRE(floor > 0 && std::isfinite(floor), "floor: expected above 0, got %g", floor);
    require_array(*context, "a", a, checked_product(n, n));
    require_array(*context, "out", out, checked_product(n, n));
    // The eigenvectors are found on the host, whatever the device.
    Device& device = find_device(context->device);
    Array<double> matrix(n * n), result(n * n);
    const int64_t bytes = n * n * static_cast<int64_t>(sizeof(double));
    device.copy(a, matrix.data(), bytes);
    inverse_root(*context, n, matrix.data(), root, floor, result.data());
    device.copy(result.data(), out, bytes);
  });
}

int32_t kpflow_shampoo_step(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, double rate, const void* left,
                            const void* gradient, const void* right, void* theta) {
  return on_context(context, [&] {
    require_dtype(dtype);
    require_size("m", m);
    require_size("n", n);
    require_finite("rate", rate);
    require_array(*context, "left", left, checked_product(m, m));
    require_optional(*context, "right", right);
    require_array(*context, "gradient", gradient, checked_product(m, n));
    require_array(*context, "theta", theta, checked_product(m, n));
    context->kernels->shampoo_step(dtype, m, n, rate, left, gradient, right, theta);
  });
}

}  // extern "C"
