#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "files.hpp"

namespace kpflow_test {

namespace {

constexpr char kMagic[] = "\x93NUMPY\x01";  // and a byte 0, the minor version
constexpr size_t kPrefix = 10;              // magic, version and the length of the header in two bytes

}  // namespace

bool exists(const std::string& path) { return std::filesystem::exists(path); }

Values read_npy(const std::string& path, std::vector<int64_t>& shape) {
  std::ifstream file(path, std::ios::binary);
  char prefix[kPrefix];
  if (!file.read(prefix, kPrefix) || std::memcmp(prefix, kMagic, sizeof kMagic) != 0) {
    throw std::runtime_error(path + ": expected a .npy file of version 1.0");
  }
  const auto byte = [&](int i) { return static_cast<size_t>(static_cast<unsigned char>(prefix[i])); };
  std::string header(byte(8) + 256 * byte(9), ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  const size_t open = header.find("'shape': ("), close = header.find(')', open);
  if (!file || header.find("'<f8'") == std::string::npos || open == std::string::npos || close == std::string::npos ||
      header.find("'fortran_order': False") == std::string::npos) {
    throw std::runtime_error(path + ": expected '<f8' in C order");
  }
  shape.clear();
  for (size_t at = open + std::strlen("'shape': ("); at < close;) {
    size_t used = 0;
    shape.push_back(std::stoll(header.substr(at, close - at), &used));
    at = header.find(',', at + used);
    at = at >= close ? close : header.find_first_not_of(", ", at);
  }
  Values values(static_cast<size_t>(product(shape)));
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(double)));
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw std::runtime_error(path + ": its length is not that of its shape");
  }
  return values;
}

std::vector<std::string> case_names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (exists(entry.path().string() + "/case.json")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kpflow_test
