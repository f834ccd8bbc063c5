#include <cctype>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "files.hpp"

namespace kpflow_test {

namespace {

class Parser {
 public:
  Parser(std::string path, std::string content) : path_(std::move(path)), content_(std::move(content)) {}

  Json document() {
    const Json value = parse();
    blank();
    if (at_ != content_.size()) fail("more text after the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error(text("%s: byte %zu: %s", path_.c_str(), at_, what));
  }
  void blank() {
    while (at_ < content_.size() && std::isspace(static_cast<unsigned char>(content_[at_])) != 0) ++at_;
  }
  char peek() {
    blank();
    if (at_ == content_.size()) fail("the text ends early");
    return content_[at_];
  }
  void take(char expected) {
    if (peek() != expected) fail("another character expected");
    ++at_;
  }
  bool skip(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void word(const char* expected) {
    if (content_.compare(at_, std::strlen(expected), expected) != 0) fail("not a JSON value");
    at_ += std::strlen(expected);
  }

  std::string string() {
    take('"');
    std::string result;
    for (; at_ < content_.size() && content_[at_] != '"'; ++at_) {
      if (content_[at_] == '\\' && ++at_ < content_.size() && std::strchr("\"\\/", content_[at_]) == nullptr) {
        fail("an escape that no case uses");
      }
      result += content_[at_];
    }
    take('"');
    return result;
  }

  Json parse() {
    Json value;
    const char first = peek();
    if (first == '{') {
      value.kind = Json::kObject;
      for (++at_; !skip('}');) {
        if (!value.fields.empty()) take(',');
        std::string name = string();
        take(':');
        value.fields.emplace_back(std::move(name), parse());
      }
    } else if (first == '[') {
      value.kind = Json::kArray;
      for (++at_; !skip(']');) {
        if (!value.items.empty()) take(',');
        value.items.push_back(parse());
      }
    } else if (first == '"') {
      value.kind = Json::kString;
      value.string = string();
    } else if (first == 't' || first == 'f') {
      value.kind = Json::kBool;
      value.number = first == 't' ? 1 : 0;
      word(first == 't' ? "true" : "false");
    } else if (first == 'n') {
      word("null");
    } else {
      value.kind = Json::kNumber;
      const char* begin = content_.c_str() + at_;
      char* end = nullptr;
      if (first != '-' && std::isdigit(static_cast<unsigned char>(first)) == 0) fail("not a JSON value");
      value.number = std::strtod(begin, &end);
      at_ += static_cast<size_t>(end - begin);
    }
    return value;
  }

  std::string path_, content_;
  size_t at_ = 0;
};

}  // namespace

const Json* Json::find(const char* name) const {
  for (const auto& field : fields) {
    if (field.first == name) return &field.second;
  }
  return nullptr;
}

const Json& Json::at(const char* name) const {
  const Json* found = find(name);
  if (found == nullptr) throw std::runtime_error(text("case.json: %s is missing", name));
  return *found;
}

bool Json::contains(const std::string& item) const {
  for (const Json& entry : items) {
    if (entry.string == item) return true;
  }
  return false;
}

Json read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::stringstream content;
  content << file.rdbuf();
  return Parser(path, content.str()).document();
}

}  // namespace kpflow_test
