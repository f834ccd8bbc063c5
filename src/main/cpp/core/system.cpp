#include "core/system.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/status.hpp"

namespace kpflow {

namespace {

// The number in a cgroup file, or fallback where there is none ("max", no such file).
double read_number(const char* path, double fallback) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return fallback;
  double value = fallback;
  if (std::fscanf(file, "%lf", &value) != 1) value = fallback;
  std::fclose(file);
  return value;
}

// The number behind a name in a file of lines "name number", or fallback.
double read_field(const char* path, const char* name, double fallback) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return fallback;
  char line[256], key[128];
  double value, found = fallback;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "%127s %lf", key, &value) == 2 && std::strcmp(key, name) == 0) {
      found = value;
      break;
    }
  }
  std::fclose(file);
  return found;
}

double cgroup_cores() {
  std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r");
  if (file != nullptr) {
    double quota = 0, period = 0;
    const int fields = std::fscanf(file, "%lf %lf", &quota, &period);
    std::fclose(file);
    return fields == 2 && period > 0 ? quota / period : INFINITY;
  }
  const double quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", -1);
  const double period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
  return quota > 0 && period > 0 ? quota / period : INFINITY;
}

}  // namespace

int available_cores() {
  double cores = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) cores = CPU_COUNT(&allowed);
  return std::clamp(static_cast<int>(std::floor(std::min(cores, cgroup_cores()))), 1, 1024);
}

int64_t available_memory() {
  double available = read_field("/proc/meminfo", "MemAvailable:", INFINITY) * 1024;
  const double limit = read_number("/sys/fs/cgroup/memory.max", INFINITY);
  if (std::isfinite(limit)) {
    // Pages that only cache files are given back when they are needed.
    const double used =
        read_number("/sys/fs/cgroup/memory.current", 0) - read_field("/sys/fs/cgroup/memory.stat", "inactive_file", 0);
    available = std::min(available, std::max(0.0, limit - used));
  }
  return std::isfinite(available) ? static_cast<int64_t>(available) : -1;
}

void require_memory(int64_t bytes, const char* what, const char* remedy) {
  const int64_t available = available_memory();
  if (available >= 0 && bytes > available) {
    fail(KPFLOW_OUT_OF_MEMORY, "%s needs %.2f GiB and %.2f GiB are available; %s", what,
         static_cast<double>(bytes) / 0x1p30, static_cast<double>(available) / 0x1p30, remedy);
  }
}

}  // namespace kpflow
