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
  double available = INFINITY;
  if (std::FILE* file = std::fopen("/proc/meminfo", "r")) {
    char line[128];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      long long kilobytes;
      if (std::sscanf(line, "MemAvailable: %lld kB", &kilobytes) == 1) {
        available = static_cast<double>(kilobytes) * 1024;
        break;
      }
    }
    std::fclose(file);
  }
  const double limit = read_number("/sys/fs/cgroup/memory.max", INFINITY);
  if (std::isfinite(limit)) {
    available = std::min(available, std::max(0.0, limit - read_number("/sys/fs/cgroup/memory.current", 0)));
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
