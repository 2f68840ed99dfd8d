#include "json.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace seglib {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : at_(text.c_str()), end_(at_ + text.size()) {}

  Json document() {
    Json value = read(0);
    skip();
    if (at_ != end_) fail();
    return value;
  }

 private:
  [[noreturn]] static void fail() { throw std::invalid_argument("no JSON"); }

  void skip() {
    while (at_ < end_ && std::strchr(" \t\r\n", *at_) && *at_) ++at_;
  }

  // The next character that is no blank, without taking it; 0 at the end.
  char peek() {
    skip();
    return at_ < end_ ? *at_ : '\0';
  }

  void take(const char* word) {
    const std::size_t length = std::strlen(word);
    if (static_cast<std::size_t>(end_ - at_) < length || std::memcmp(at_, word, length) != 0) {
      fail();
    }
    at_ += length;
  }

  bool next(char close) {
    if (peek() == ',') {
      ++at_;
      return true;
    }
    if (peek() != close) fail();
    ++at_;
    return false;
  }

  Json read(int depth) {
    if (depth > 64) fail();
    Json value;
    switch (peek()) {
      case '{':
        value.kind = Json::kObject;
        ++at_;
        if (peek() == '}') {
          ++at_;
          return value;
        }
        do {
          if (peek() != '"') fail();
          std::string name = string();
          if (peek() != ':') fail();
          ++at_;
          value.members.emplace_back(std::move(name), read(depth + 1));
        } while (next('}'));
        return value;
      case '[':
        value.kind = Json::kList;
        ++at_;
        if (peek() == ']') {
          ++at_;
          return value;
        }
        do value.items.push_back(read(depth + 1));
        while (next(']'));
        return value;
      case '"':
        value.kind = Json::kText;
        value.text = string();
        return value;
      case 't':
        take("true");
        value.kind = Json::kBool;
        value.number = 1;
        return value;
      case 'f':
        take("false");
        value.kind = Json::kBool;
        return value;
      case 'n':
        take("null");
        return value;
      default:
        return number();
    }
  }

  Json number() {
    const char* start = at_;
    while (at_ < end_ && *at_ && std::strchr("+-.eE0123456789", *at_)) ++at_;
    const std::string digits(start, at_);
    char* stop = nullptr;
    Json value;
    value.kind = Json::kNumber;
    value.number = std::strtod(digits.c_str(), &stop);
    if (digits.empty() || *stop) fail();
    return value;
  }

  std::string string() {
    std::string text;
    ++at_;
    while (at_ < end_ && *at_ != '"') {
      if (static_cast<unsigned char>(*at_) < 0x20) fail();
      if (*at_ != '\\') {
        text += *at_++;
        continue;
      }
      if (++at_ == end_) fail();
      const char escape = *at_++;
      if (escape == 'u') {
        unsigned code = hex();
        // A character beyond 16 bits comes as a pair.
        if (code >= 0xD800 && code < 0xDC00) {
          take("\\u");
          code = 0x10000 + ((code - 0xD800) << 10) + ((hex() - 0xDC00) & 0x3FF);
        }
        append(text, code);
      } else if (const char* found = escape ? std::strchr(kEscapes, escape) : nullptr) {
        text += kMeant[found - kEscapes];
      } else {
        fail();
      }
    }
    if (at_ == end_) fail();
    ++at_;
    return text;
  }

  unsigned hex() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) fail();
      const char* digits = "0123456789abcdef0123456789ABCDEF";
      const char* found = *at_ ? std::strchr(digits, *at_) : nullptr;
      if (!found) fail();
      code = code * 16 + static_cast<unsigned>(found - digits) % 16;
    }
    return code;
  }

  static void append(std::string& text, unsigned code) {
    if (code < 0x80) {
      text += static_cast<char>(code);
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const unsigned lead[] = {0, 0xC0, 0xE0, 0xF0};
    text += static_cast<char>(lead[more] | (code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) {
      text += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
    }
  }

  static constexpr char kEscapes[] = "\"\\/bfnrt";
  static constexpr char kMeant[] = "\"\\/\b\f\n\r\t";

  const char* at_;
  const char* end_;
};

}  // namespace

const Json& Json::operator[](const std::string& name) const {
  static const Json nothing;
  for (const auto& [key, value] : members) {
    if (key == name) return value;
  }
  return nothing;
}

Json parse_json(const std::string& text) { return Parser(text).document(); }

}  // namespace seglib
