// The parts of the test; each checks one device.
#pragma once

#include "fixture.hpp"

namespace kpflow_test {

void test_models(const Machine& machine, const Options& options, Checks& checks);
void test_arrays(const Machine& machine, const Options& options, Checks& checks);
void test_edges(const Machine& machine, const Options& options, Checks& checks);
void test_spectral(const Machine& machine, const Options& options, Checks& checks);
void test_training(const Machine& machine, const Options& options, Checks& checks);
void test_errors(const Machine& machine, const Options& options, Checks& checks);
void test_recovery(const Machine& machine, const Options& options, Checks& checks);  // a part of test_errors

}  // namespace kpflow_test
