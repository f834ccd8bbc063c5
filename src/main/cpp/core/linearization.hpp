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

// Units first..first+units-1, whose component c of unit first + i is the state's entry begin + c units + i; each has so many gates.
struct Layer {
  int64_t first, units, begin, gates;
};

// The weights of a layer that read its input (families 0 and 2 of a recurrent layer; W and b of a node) and those that read its own
// state (gamma of a layer norm).
enum class WeightSide { kFirst, kSecond };

// What a linearization says of the derivatives of a layer's state along the gates of one side.
enum class Slopes { kNone, kOnes, kGiven };

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
  // Those of trials first_trial..first_trial+count_trials-1 at steps first..first+count-1, [count_trials, count, n, n] on the host.
  virtual void host_jacobians(int64_t first_trial, int64_t count_trials, int64_t first, int64_t count,
                              double* out) const = 0;
  // Slopes a_j[c](i) of units first..first+count-1 of one layer on a side, [count, gates, m, k] on the host. Where there are no such
  // weights, or all slopes are 1, it says so and writes nothing.
  virtual kpflow::Slopes slopes(kpflow::WeightSide side, int64_t first, int64_t count, double* out) const = 0;
  virtual void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
                     const kpflow::Progress& progress) = 0;

  kpflow_context& context;
  bool complete = false;  // the last run has ended well; nothing else may be asked for until then

 private:
  [[noreturn]] static void refuse(const char* kind) {
    kpflow::fail(KPFLOW_INVALID_ARGUMENT, "linearization: expected a %s model, as it holds one", kind);
  }
};
