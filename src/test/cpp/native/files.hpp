// What the reference cases are made of: case.json and .npy arrays of format version 1.0, C order, little-endian float64.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "checks.hpp"

namespace kpflow_test {

// A JSON value: strict, numbers as double, at() throws where something is missing.
struct Json {
  enum Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = kNull;
  double number = 0;  // of a bool: 0 or 1
  std::string string;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> fields;

  const Json* find(const char* name) const;
  const Json& at(const char* name) const;
  int64_t integer(const char* name) const { return static_cast<int64_t>(at(name).number); }
  bool contains(const std::string& item) const;  // an array of strings
};

Json read_json(const std::string& path);

bool exists(const std::string& path);
Values read_npy(const std::string& path, std::vector<int64_t>& shape);
// Names of the folders in a folder that hold a case.json, sorted.
std::vector<std::string> case_names(const std::string& folder);

}  // namespace kpflow_test
