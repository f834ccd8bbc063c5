// One reference case in one precision on one device; the format is that of src/test/resources/fixtures.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "files.hpp"
#include "model.hpp"

namespace kpflow_test {

// What the program is asked to do.
struct Options {
  std::string cases = "src/test/resources/fixtures";
  bool small = false;
  int32_t threads = 2;
};

class Fixture {
 public:
  // precision: f64, f32 or f32_given_state.
  Fixture(const Machine& machine, std::string folder, const std::string& precision, Checks& checks);
  void check();

 private:
  void check_all_compared(const std::string& name, const Json& metric);  // every leaf of a metric
  void check_arrays();
  void check_families();
  void check_dense();
  void check_views(const std::string& name, const Values& columns, const Values& dense);
  void check_blocks(const Values& jacobian, const Values& ntk);
  void check_error();
  void check_time();
  void check_attention();
  void check_eigsh();
  void check_metrics();
  void check_spectrum(const std::string& name, const Values& matrix, const Values& factor);
  void check_scalar(const std::string& name, double found);
  void check_merged_core();

  const Values& array(const char* name);  // of the case
  bool lists(const char* name) const { return json_.at("arrays").find(name) != nullptr; }
  // Compares with the case's array of this name, where it has one.
  void compare(const std::string& name, const Values& found, const std::string& by = "");
  double relative(const std::string& name) const;
  int32_t family(const std::string& name) const;

  const Machine& machine_;
  std::string folder_, precision_;
  int32_t dtype_;
  Checks& checks_;
  Json json_;
  Model model_;
  std::unique_ptr<Linearization> linearization_;
  std::map<std::string, Values> arrays_;
  std::set<std::string> compared_;
  std::map<std::string, Values> found_;  // matrices and factors that the metrics are made of
};

// The model that a case describes.
Model case_model(const Json& json, const std::string& folder);

void test_fixtures(const Machine& machine, const Options& options, Checks& checks);

}  // namespace kpflow_test
