// Enough of JSON (RFC 8259) to read metadata: text in, a tree out.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace seglib {

struct Json {
  enum Kind { kNull, kBool, kNumber, kText, kList, kObject } kind = kNull;
  double number = 0;  // of a bool: 0 or 1
  std::string text;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  // The member of that name, null where there is none or this is no object.
  const Json& operator[](const std::string& name) const;
};

// Throws std::invalid_argument where the text is not one JSON value of at most 64 levels.
Json parse_json(const std::string& text);

}  // namespace seglib
