// kpflow_native_test [--device cpu|cuda|all] [--cases FOLDER] [--small] [--threads N] [NAME...]
// Checks the native engine through its C ABI, with no JVM. With names, only parts or groups of that name run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>

#include "parts.hpp"

using namespace kpflow_test;

namespace {

constexpr const char* kUsage =
    "kpflow_native_test [--device cpu|cuda|all] [--cases FOLDER] [--small] [--threads N] [NAME...]\n"
    "Checks the native engine. NAME: a part (fixtures, models, arrays, edges, spectral, training, errors), or a\n"
    "word in the names of the groups that are to run. --small: a reduced set, for tools that slow a program down.\n"
    "Exit status 1 on any failure and where nothing was checked, 2 on a wrong argument.\n";

struct Part {
  const char* name;
  void (*test)(const Machine&, const Options&, Checks&);
};
constexpr Part kParts[] = {{"fixtures", test_fixtures}, {"models", test_models},     {"arrays", test_arrays},
                           {"edges", test_edges},       {"spectral", test_spectral}, {"training", test_training},
                           {"errors", test_errors}};

[[noreturn]] void refuse(const char* what, const char* got) {
  std::fprintf(stderr, "%s: got '%s'\n%s", what, got, kUsage);
  std::exit(2);
}

void run(const Machine& machine, const Options& options, const std::vector<std::string>& names, Checks& checks) {
  for (const Part& part : kParts) {
    if (names.empty() || std::find(names.begin(), names.end(), part.name) != names.end()) {
      part.test(machine, options, checks);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  setenv("KPFLOW_EMULATION_MEMORY", "536870912", 0);  // of an emulated card: so little that a test can fill it
  Options options;
  Checks checks;
  std::string device = "cpu";
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto value = [&]() -> std::string {
      if (++i == count) refuse("expected a value behind", arguments[i - 1]);
      return arguments[i];
    };
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    } else if (argument == "--device") {
      device = value();
    } else if (argument == "--cases") {
      options.cases = value();
    } else if (argument == "--threads") {
      options.threads = std::atoi(value().c_str());
    } else if (argument == "--small") {
      options.small = true;
    } else {
      if (argument.rfind("--", 0) == 0) refuse("expected an option", arguments[i]);
      const bool part =
          std::any_of(std::begin(kParts), std::end(kParts), [&](const Part& known) { return argument == known.name; });
      part ? names.push_back(argument) : checks.only(argument);
    }
  }
  if (device != "cpu" && device != "cuda" && device != "all")
    refuse("--device: expected cpu, cuda or all", device.c_str());

  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was checked shows, however the program ends
  std::printf("%s\n", kpflow_build_info());
  for (const int32_t number : {KPFLOW_CPU, KPFLOW_CUDA}) {
    const char* name = number == KPFLOW_CPU ? "cpu" : "cuda";
    if (device != "all" && device != name) continue;
    const char* info = kpflow_device_info(number);
    if (info == nullptr) {
      std::printf("%s: not here: %s\n", name, kpflow_last_error());
      if (device == "all") {
        checks.skip(name);
      } else {
        checks.expect(false, name, "demanded, and not here");
      }
      continue;
    }
    std::printf("%s: %s\n", name, info);
    try {
      run(Machine(number, options.threads), options, names, checks);
    } catch (const std::exception& error) {
      checks.expect(false, name, error.what());
    }
  }
  return checks.finish();
}
