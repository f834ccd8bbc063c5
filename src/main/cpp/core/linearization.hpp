// What every linearized model offers to the C boundary and to the eigensolvers.
#pragma once

#include <cstdint>

#include "core/context.hpp"
#include "kpflow.h"

namespace kpflow {

// One array of weights: its pre-activations n_f, its sites m_f (0: the model does not have it) and its place in theta (-1:
// frozen).
struct Family {
  int64_t outputs, sites, offset;
};

// Units first..first+units-1, whose component c of unit first + i is the state's entry begin + c units + i.
struct Layer {
  int64_t first, units, begin;
};

}  // namespace kpflow

// Sizes and operators of one linearization. Arrays are of its dtype; sizes have been checked by the caller.
struct kpflow_linearization {
  explicit kpflow_linearization(kpflow_context& owner) : context(owner) {}
  virtual ~kpflow_linearization() = default;

  // Predicts the memory that a model of this kind needs and runs it, in the memory of an earlier run where there was one. Its
  // description has been checked.
  virtual void run(const kpflow_recurrent&, const kpflow::Progress&) { refuse("feed-forward"); }
  virtual void run(const kpflow_graph&, const kpflow::Progress&) { refuse("recurrent"); }

  virtual int32_t dtype() const = 0;
  virtual int64_t trials() const = 0;
  virtual int64_t steps() const = 0;
  virtual int64_t units() const = 0;       // n
  virtual int64_t parameters() const = 0;  // p
  virtual int32_t families() const = 0;
  virtual kpflow::Family family(int32_t family) const = 0;
  virtual int64_t layers() const = 0;
  virtual kpflow::Layer layer(int64_t layer) const = 0;
  virtual int64_t components() const = 0;  // m, of all layers
  virtual void state(void* out) const = 0;
  virtual void sites(int32_t family, void* out) const = 0;
  virtual bool steps_through_time() const = 0;  // or it has none of the next two
  virtual void step_jacobians(int64_t first, int64_t count, void* out) const = 0;
  virtual void lyapunov(int64_t count, double* out, double* smallest, const kpflow::Progress& progress) = 0;
  // Leading modes of K's blocks; the arguments of kpflow_linearization_unit_modes.
  virtual void unit_modes(const double* gram_first, const double* gram_second, int64_t first, int64_t count,
                          double tolerance, double cut, int64_t most, int64_t* ranks, double* modes, double* values,
                          double* rest, const kpflow::Progress& progress) = 0;
  virtual void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
                     const kpflow::Progress& progress) = 0;

  kpflow_context& context;
  bool complete = false;  // the last run has ended well; nothing else may be asked for until then

 private:
  [[noreturn]] static void refuse(const char* kind) {
    kpflow::fail(KPFLOW_INVALID_ARGUMENT, "linearization: expected a %s model, as it holds one", kind);
  }
};
