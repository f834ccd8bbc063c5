// What every linearized model offers to the C boundary and to the eigensolvers.
#pragma once

#include <cstdint>

#include "core/context.hpp"
#include "kpflow.h"

// Sizes and operators of one linearization. Arrays are of its dtype; sizes have been checked by the caller.
struct kpflow_linearization {
  explicit kpflow_linearization(kpflow_context& owner) : context(owner) {}
  virtual ~kpflow_linearization() = default;

  virtual int32_t dtype() const = 0;
  virtual int64_t trials() const = 0;
  virtual int64_t steps() const = 0;
  virtual int64_t units() const = 0;                     // n
  virtual int64_t parameters() const = 0;                // p
  virtual int64_t gate_units() const = 0;                // n_f of every family
  virtual int64_t site_units(int32_t family) const = 0;  // m_f, 0 for a family that does not exist
  virtual void state(void* out) const = 0;
  virtual void sites(int32_t family, void* out) const = 0;
  virtual void step_jacobians(int64_t first, int64_t count, void* out) const = 0;
  virtual void lyapunov(int64_t count, double* out, double* smallest, const kpflow::Progress& progress) = 0;
  virtual int64_t blocks() const = 0;  // units that K does not mix
  // Leading modes of K's blocks; the arguments of kpflow_linearization_unit_modes.
  virtual void unit_modes(const double* gram_input, const double* gram_hidden, int64_t first, int64_t count,
                          double tolerance, double cut, int64_t most, int64_t* ranks, double* modes, double* values,
                          double* rest, const kpflow::Progress& progress) = 0;
  virtual void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
                     const kpflow::Progress& progress) = 0;

  kpflow_context& context;
};
