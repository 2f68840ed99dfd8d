#include "metadata.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "json.h"
#include "picture.h"

namespace seglib {
namespace {

using Bytes = std::string;

std::uint32_t number(const Bytes& bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = size - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

std::uint32_t crc32(const Bytes& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("there is no file " + path + "; give the path of a .tflite model");
  Bytes bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad() || bytes.size() < 8 || bytes.compare(4, 4, "TFL3") != 0) {
    throw Error(path + " is no TFLite model (bytes 4 to 8 are not 'TFL3'); give a .tflite file");
  }
  return bytes;
}

// The member of a zip archive that ends the bytes; see PKWARE's APPNOTE, 4.3. Our exports store it
// uncompressed, so that no inflate is needed here. Empty where there is no such member.
Bytes member(const Bytes& bytes, const std::string& name, const std::string& path) {
  const std::string damaged =
      "the archive behind the model in " + path + " is damaged; copy or export it again";
  const std::size_t size = bytes.size();
  std::size_t end = bytes.rfind("PK\x05\x06");
  if (end == Bytes::npos || size - end < 22 || size - end > 22 + 0xFFFF) return "";
  const std::size_t length = number(bytes, end + 12, 4), offset = number(bytes, end + 16, 4);
  if (length > end || offset > end - length) throw Error(damaged);
  // Offsets count from the archive's own start, which lies behind the model.
  const std::size_t start = end - length - offset;
  std::size_t at = end - length;
  while (at + 46 <= end && bytes.compare(at, 4, "PK\x01\x02") == 0) {
    const std::size_t name_length = number(bytes, at + 28, 2);
    const std::size_t next =
        at + 46 + name_length + number(bytes, at + 30, 2) + number(bytes, at + 32, 2);
    if (next > end) throw Error(damaged);
    if (bytes.compare(at + 46, name_length, name) == 0) {
      if (number(bytes, at + 10, 2) != 0) {
        throw Error("the metadata in " + path + " is compressed; export the model again");
      }
      const std::size_t count = number(bytes, at + 24, 4);
      const std::size_t local = start + number(bytes, at + 42, 4);
      if (local + 30 > at || bytes.compare(local, 4, "PK\x03\x04") != 0) throw Error(damaged);
      const std::size_t content =
          local + 30 + number(bytes, local + 26, 2) + number(bytes, local + 28, 2);
      if (content + count > at) throw Error(damaged);
      Bytes found = bytes.substr(content, count);
      if (crc32(found) != number(bytes, at + 16, 4)) throw Error(damaged);
      return found;
    }
    at = next;
  }
  return "";
}

}  // namespace

Metadata read_metadata(const std::string& path) {
  const Bytes bytes = read_file(path);
  const Bytes text = member(bytes, "seglib.json", path);
  if (text.empty()) {
    throw Error(path + " is cut short or carries no seglib metadata, so the range of values it " +
                "reads is unknown; export the model with seglib.export.to_tflite");
  }
  const std::string odd = "the metadata in " + path + " is damaged; export the model again";
  Json json;
  try {
    json = parse_json(text);
  } catch (const std::invalid_argument&) {
    throw Error(odd);
  }
  Metadata found;
  found.name = json["name"].text;
  for (const Json& label : json["labels"].items) found.labels.push_back(label.text);
  const Json& range = json["value_range"];
  const Json& shape = json["output_shape"];
  if (range.kind != Json::kNull) {
    if (range.items.size() != 2 || !(range.items[0].number < range.items[1].number)) {
      throw Error(odd);
    }
    found.low = static_cast<float>(range.items[0].number);
    found.high = static_cast<float>(range.items[1].number);
  }
  if (shape.kind != Json::kNull) {
    if (shape.items.size() != 3) throw Error(odd);
    for (const Json& side : shape.items) {
      if (!(side.number >= 1 && side.number <= 1 << 14)) throw Error(odd);
    }
    found.output_height = static_cast<int>(shape.items[0].number);
    found.output_width = static_cast<int>(shape.items[1].number);
  }
  return found;
}

}  // namespace seglib
