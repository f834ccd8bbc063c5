// What the machine offers: cores, memory, CPU features.
#pragma once

#include <cstdint>

namespace kpflow {

int available_cores();
int64_t available_memory();

// Refuses bytes that are not available, naming what needs them and what would make it fit.
void require_memory(int64_t bytes, const char* what, const char* remedy);

}  // namespace kpflow
