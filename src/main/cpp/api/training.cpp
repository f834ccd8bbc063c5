// C boundary of training: argument checks, no arithmetic.
#include <cmath>

#include "api/arguments.hpp"
#include "train/optimizers.hpp"
#include "train/readout.hpp"

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

void require_readout(const kpflow_readout* readout, const void* state, const void* y) {
  KPFLOW_REQUIRE(readout != nullptr, "readout: got NULL");
  require_size("units", readout->units);
  require_size("width", readout->width);
  require_size("outputs", readout->outputs);
  KPFLOW_REQUIRE(readout->begin >= 0 && readout->begin <= readout->units - readout->width,
                 "begin: expected %lld units among %lld, got them from %lld", static_cast<long long>(readout->width),
                 static_cast<long long>(readout->units), static_cast<long long>(readout->begin));
  require_array("state", state, checked_product(readout->rows, readout->units));
  require_array("y", y, checked_product(readout->rows, readout->outputs));
}

}  // namespace

extern "C" {

int32_t kpflow_readout_apply(kpflow_context* context, const kpflow_readout* readout, const void* state, void* y) {
  return on_context(context, [&] {
    require_readout(readout, state, y);
    require_array("weight", readout->weight, 1);
    with_dtype(readout->dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      readout_apply(*context, *readout, static_cast<const T*>(state), static_cast<T*>(y));
    });
  });
}

int32_t kpflow_readout_adjoint(kpflow_context* context, const kpflow_readout* readout, const void* y, void* state) {
  return on_context(context, [&] {
    require_readout(readout, state, y);
    require_array("weight", readout->weight, 1);
    with_dtype(readout->dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      readout_adjoint(*context, *readout, static_cast<const T*>(y), static_cast<T*>(state));
    });
  });
}

int32_t kpflow_readout_gradient(kpflow_context* context, const kpflow_readout* readout, const void* state,
                                const void* y, void* weight, void* bias) {
  return on_context(context, [&] {
    require_readout(readout, state, y);
    require_size("rows", readout->rows);
    require_array("weight gradient", weight, 1);
    with_dtype(readout->dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      readout_gradient(*context, *readout, static_cast<const T*>(state), static_cast<const T*>(y),
                       static_cast<T*>(weight), static_cast<T*>(bias));
    });
  });
}

int32_t kpflow_mean_squared_error(kpflow_context* context, int32_t dtype, int64_t rows, int64_t outputs, void* y,
                                  const void* targets, const void* mask, double* loss) {
  return on_context(context, [&] {
    require_size("rows", rows);
    require_size("outputs", outputs);
    require_array("y", y, checked_product(rows, outputs));
    require_array("targets", targets, checked_product(rows, outputs));
    KPFLOW_REQUIRE(loss != nullptr, "loss: got NULL");
    with_dtype(dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      *loss = mean_squared_error(*context, rows, outputs, static_cast<T*>(y), static_cast<const T*>(targets),
                                 static_cast<const T*>(mask));
    });
  });
}

int32_t kpflow_clamp(kpflow_context* context, int32_t dtype, int64_t count, double limit, void* x) {
  return on_context(context, [&] {
    KPFLOW_REQUIRE(limit >= 0, "limit: expected at least 0, got %g", limit);
    require_array("x", x, count);
    with_dtype(dtype, [&](auto* type) { clamp(context->pool, count, limit, static_cast<decltype(type)>(x)); });
  });
}

int32_t kpflow_adam_step(kpflow_context* context, int32_t dtype, int64_t count, int64_t step, double rate, double beta1,
                         double beta2, double epsilon, const void* gradient, void* m, void* v, void* theta) {
  return on_context(context, [&] {
    KPFLOW_REQUIRE(step >= 1, "step: expected at least 1, got %lld", static_cast<long long>(step));
    require_finite("rate", rate);
    require_beta("beta1", beta1);
    require_beta("beta2", beta2);
    KPFLOW_REQUIRE(epsilon >= 0, "epsilon: expected at least 0, got %g", epsilon);
    require_array("gradient", gradient, count);
    require_array("m", m, count);
    require_array("v", v, count);
    require_array("theta", theta, count);
    with_dtype(dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      adam_step(context->pool, count, AdamStep(step, rate, beta1, beta2, epsilon), static_cast<const T*>(gradient),
                static_cast<T*>(m), static_cast<T*>(v), static_cast<T*>(theta));
    });
  });
}

int32_t kpflow_shampoo_accumulate(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, const void* gradient,
                                  double* left, double* right) {
  return on_context(context, [&] {
    require_size("m", m);
    require_size("n", n);
    require_array("gradient", gradient, checked_product(m, n));
    require_array("left", left, checked_product(m, m));
    with_dtype(dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      shampoo_accumulate(*context, m, n, static_cast<const T*>(gradient), left, right);
    });
  });
}

int32_t kpflow_inverse_root(kpflow_context* context, int64_t n, const double* a, int32_t root, double floor,
                            double* out) {
  return on_context(context, [&] {
    require_size("n", n);
    KPFLOW_REQUIRE(root == 2 || root == 4, "root: expected 2 or 4, got %d", root);
    KPFLOW_REQUIRE(floor > 0 && std::isfinite(floor), "floor: expected above 0, got %g", floor);
    require_array("a", a, checked_product(n, n));
    require_array("out", out, checked_product(n, n));
    inverse_root(*context, n, a, root, floor, out);
  });
}

int32_t kpflow_shampoo_step(kpflow_context* context, int32_t dtype, int64_t m, int64_t n, double rate,
                            const double* left, const void* gradient, const double* right, void* theta) {
  return on_context(context, [&] {
    require_size("m", m);
    require_size("n", n);
    require_finite("rate", rate);
    require_array("left", left, checked_product(m, m));
    require_array("gradient", gradient, checked_product(m, n));
    require_array("theta", theta, checked_product(m, n));
    with_dtype(dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      shampoo_step(*context, m, n, rate, left, static_cast<const T*>(gradient), right, static_cast<T*>(theta));
    });
  });
}

}  // extern "C"
