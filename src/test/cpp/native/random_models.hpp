// Models of awkward sizes with random weights.
#pragma once

#include "fixture.hpp"

namespace kpflow_test {

struct RecurrentSizes {
  int64_t trials = 3, steps = 7, units = 33, inputs = 5, layers = 1;
};

Model random_recurrent(const std::string& cell, const RecurrentSizes& sizes, uint64_t seed);

// All of them; a reduced set where options.small.
std::vector<Model> random_models(const Options& options);

// Wider and longer ones, beyond the sizes at which kernels change their ways.
std::vector<Model> large_models();

}  // namespace kpflow_test
