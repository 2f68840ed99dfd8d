#include "netpbm.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace seglib {
namespace {

constexpr long kMostPixels = 150'000'000;

// The next word of a header; comments run from # to the end of the line.
std::string word(std::istream& file) {
  std::string found;
  for (int next = file.get(); next != EOF; next = file.get()) {
    if (next == '#') {
      while (next != '\n' && next != EOF) next = file.get();
    }
    const bool blank = next == ' ' || next == '\t' || next == '\r' || next == '\n';
    if (blank && !found.empty()) return found;
    if (next == EOF || found.size() > 32) break;
    if (!blank) found += static_cast<char>(next);
  }
  return found;
}

template <typename T>
Picture<T> read(const std::string& path, const char* magic, int channels, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("there is no file " + path + "; give " + what);
  const std::string kind = word(file), width = word(file), height = word(file), last = word(file);
  char* ends[2] = {};
  const long columns = std::strtol(width.c_str(), &ends[0], 10);
  const long rows = std::strtol(height.c_str(), &ends[1], 10);
  const bool sizes = columns >= 1 && rows >= 1 && columns <= kMostPixels / rows && !*ends[0] &&
                     !*ends[1];
  const bool scale = channels == 3 ? last == "255" : !last.empty() && last[0] == '-';
  if (kind != magic || !sizes || !scale) throw Error(path + " is not " + what + "; convert it");
  Picture<T> picture(static_cast<int>(rows), static_cast<int>(columns), channels);
  const auto bytes = static_cast<std::streamsize>(picture.data.size() * sizeof(T));
  if (!file.read(reinterpret_cast<char*>(picture.data.data()), bytes)) {
    throw Error(path + " is cut short; copy it again");
  }
  return picture;
}

template <typename Write>
void write(const std::string& path, Write content) {
  const std::string part = path + ".part";
  {
    std::ofstream file(part, std::ios::binary);
    content(file);
    if (!file.flush()) {
      std::remove(part.c_str());
      throw Error("cannot write " + path + "; choose another place or free some space");
    }
  }
  std::error_code failed;
  std::filesystem::rename(part, path, failed);
  if (failed) {
    std::remove(part.c_str());
    throw Error("cannot write " + path + "; choose another place");
  }
}

void put_row(std::ostream& file, const float* row, int count) {
  file.write(reinterpret_cast<const char*>(row),
             static_cast<std::streamsize>(count * sizeof(float)));
}

}  // namespace

Image read_ppm(const std::string& path) {
  return read<std::uint8_t>(path, "P6", 3, "a binary PPM picture of 8 bits");
}

Mask read_pfm(const std::string& path) {
  const Mask upside_down = read<float>(path, "Pf", 1, "a grey, little-endian PFM mask");
  Mask mask = upside_down;
  for (int y = 0; y < mask.height; ++y) {
    const float* row = upside_down.row(mask.height - 1 - y);
    std::copy(row, row + mask.width, mask.row(y));
  }
  check_mask(mask, path.c_str());
  return mask;
}

void write_ppm(const std::string& path, const Image& image) {
  write(path, [&](std::ostream& file) {
    file << "P6\n" << image.width << ' ' << image.height << "\n255\n";
    file.write(reinterpret_cast<const char*>(image.data.data()),
               static_cast<std::streamsize>(image.data.size()));
  });
}

void write_pfm(const std::string& path, const Mask& mask) {
  write(path, [&](std::ostream& file) {
    file << "Pf\n" << mask.width << ' ' << mask.height << "\n-1.0\n";
    for (int y = mask.height - 1; y >= 0; --y) put_row(file, mask.row(y), mask.width);
  });
}

}  // namespace seglib
