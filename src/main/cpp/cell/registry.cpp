#include <cstring>
#include <string>
#include <vector>

#include "cell/cell.hpp"
#include "core/status.hpp"

namespace kpflow {

namespace {
std::vector<Cell>& cells() {
  static std::vector<Cell> known;
  return known;
}
}  // namespace

RegisterCell::RegisterCell(const Cell& cell) { cells().push_back(cell); }

const Cell& find_cell(const char* name) {
  KPFLOW_REQUIRE(name != nullptr, "cell: got NULL");
  std::string names;
  for (const Cell& cell : cells()) {
    if (std::strcmp(cell.name, name) == 0) return cell;
    names += names.empty() ? "" : ", ";
    names += cell.name;
  }
  fail(KPFLOW_INVALID_ARGUMENT, "cell: expected one of %s, got '%.64s'", names.c_str(), name);
}

}  // namespace kpflow
