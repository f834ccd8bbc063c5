#include <cstring>
#include <vector>

#include "cell/cell.cuh"

namespace kpflow::cuda {

namespace {
std::vector<Cell>& cells() {
  static std::vector<Cell> known;
  return known;
}
}  // namespace

RegisterCell::RegisterCell(const Cell& cell) { cells().push_back(cell); }

const Cell& find_kernels(const char* name) {
  for (const Cell& cell : cells()) {
    if (std::strcmp(cell.name, name) == 0) return cell;
  }
  fail(KPFLOW_INTERNAL, "cell: %.64s has no kernels for the card", name);
}

}  // namespace kpflow::cuda
