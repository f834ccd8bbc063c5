#include "checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <exception>

namespace kpflow_test {

void Checks::group(const std::string& name, const std::function<void()>& body) {
  const bool wanted = std::any_of(words_.begin(), words_.end(),
                                  [&](const std::string& word) { return name.find(word) != std::string::npos; });
  if (!wanted && !words_.empty()) return;
  const int64_t passed = passed_, failed = failed_, skipped = skipped_;
  group_ = name + ": ";
  try {
    body();
  } catch (const std::exception& error) {
    expect(false, "stopped", error.what());
  }
  std::printf("%-64s %6lld passed %4lld failed %5lld skipped\n", name.c_str(), static_cast<long long>(passed_ - passed),
              static_cast<long long>(failed_ - failed), static_cast<long long>(skipped_ - skipped));
  std::fflush(stdout);
}

void Checks::expect(bool condition, const std::string& name, const std::string& detail) {
  ++(condition ? passed_ : failed_);
  if (!condition) std::printf("  FAILED %s%s: %s\n", group_.c_str(), name.c_str(), detail.c_str());
}

void Checks::skip(const std::string&) { ++skipped_; }

void Checks::close(const std::string& name, const Values& found, const Values& truth, double relative,
                   double absolute) {
  if (std::isnan(relative)) return skip(name);
  if (found.size() != truth.size()) {
    return expect(false, name, text("%zu elements, expected %zu", found.size(), truth.size()));
  }
  double square = 0;
  for (size_t i = 0; i < truth.size(); ++i) square += (found[i] - truth[i]) * (found[i] - truth[i]);
  const double error = std::sqrt(square), allowed = relative * norm(truth) + absolute;
  expect(error <= allowed, name, text("error %.3g, allowed %.3g", error, allowed));
}

void Checks::within(const std::string& name, const Values& found, const Values& truth, double allowed) {
  if (std::isnan(allowed)) return skip(name);
  if (found.size() != truth.size()) {
    return expect(false, name, text("%zu elements, expected %zu", found.size(), truth.size()));
  }
  for (size_t i = 0; i < truth.size(); ++i) {
    if (!(std::fabs(found[i] - truth[i]) <= allowed)) {
      return expect(false, name,
                    text("element %zu is %.17g, expected %.17g within %.3g", i, found[i], truth[i], allowed));
    }
  }
  expect(true, name);
}

int Checks::finish() const {
  std::printf("%lld passed, %lld failed, %lld skipped\n", static_cast<long long>(passed_),
              static_cast<long long>(failed_), static_cast<long long>(skipped_));
  return failed_ == 0 && passed_ > 0 ? 0 : 1;
}

double dot(const Values& x, const Values& y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double norm(const Values& x) { return std::sqrt(dot(x, x)); }

int64_t product(const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  for (int64_t size : sizes) count *= size;
  return count;
}

std::string text(const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  return line;
}

}  // namespace kpflow_test
