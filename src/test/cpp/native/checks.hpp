// Counts of what was checked, and how two arrays are compared.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kpflow_test {

using Values = std::vector<double>;

class Checks {
 public:
  // Only groups whose name has one of these words in it; all of them where there is none.
  void only(const std::string& word) { words_.push_back(word); }

  // Runs a part of the test and prints its counts on one line; an exception is one failure.
  void group(const std::string& name, const std::function<void()>& body);

  void expect(bool condition, const std::string& name, const std::string& detail = "");
  void skip(const std::string& what);  // something that cannot be checked here

  // ||found - truth||_F <= relative ||truth||_F + absolute; a NaN fails. A NaN for relative: no tolerance is stated, skipped.
  void close(const std::string& name, const Values& found, const Values& truth, double relative,
             double absolute = 1e-13);
  // max |found - truth| <= allowed.
  void within(const std::string& name, const Values& found, const Values& truth, double allowed);
  void same(const std::string& name, const Values& found, const Values& truth) { within(name, found, truth, 0); }

  // Prints the closing line; the exit status.
  int finish() const;

 private:
  std::string group_;
  std::vector<std::string> words_;
  int64_t passed_ = 0, failed_ = 0, skipped_ = 0;
};

double dot(const Values& x, const Values& y);
double norm(const Values& x);
// Product of sizes.
int64_t product(const std::vector<int64_t>& sizes);
// printf into a string.
std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace kpflow_test
