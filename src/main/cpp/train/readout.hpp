// A linear read-out of a state and the mean squared error of its outputs; see kpflow.h.
#pragma once

#include <cstdint>

#include "core/context.hpp"

namespace kpflow {

template <class T>
void readout_apply(kpflow_context& context, const kpflow_readout& readout, const T* state, T* y);

template <class T>
void readout_adjoint(kpflow_context& context, const kpflow_readout& readout, const T* y, T* state);

template <class T>
void readout_gradient(kpflow_context& context, const kpflow_readout& readout, const T* state, const T* y, T* weight,
                      T* bias);

template <class T>
double mean_squared_error(kpflow_context& context, int64_t rows, int64_t outputs, T* y, const T* targets,
                          const T* mask);

}  // namespace kpflow
