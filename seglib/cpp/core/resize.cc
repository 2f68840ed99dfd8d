#include "resize.h"

#include <algorithm>
#include <cmath>

namespace seglib {
namespace {

// One source pixel's part in a new one.
struct Share {
  int to, from;
  float weight;
};

void store(float value, float& place) { place = value; }
void store(float value, std::uint8_t& place) {
  // To the nearest level, halves to the even one, as OpenCV and NumPy round.
  place = static_cast<std::uint8_t>(std::lrint(std::clamp(value, 0.0f, 255.0f)));
}

std::vector<Share> area_shares(int from, int to) {
  std::vector<Share> shares;
  const double scale = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    const double begin = i * scale, end = begin + scale;
    const double whole = std::min(scale, from - begin);
    const int last = std::min(static_cast<int>(std::floor(end)), from - 1);
    const int first = std::min(static_cast<int>(std::ceil(begin)), last);
    if (first - begin > 1e-3) {
      shares.push_back({i, first - 1, static_cast<float>((first - begin) / whole)});
    }
    for (int j = first; j < last; ++j) shares.push_back({i, j, static_cast<float>(1 / whole)});
    if (end - last > 1e-3) {
      const double part = std::min(std::min(end - last, 1.0), whole) / whole;
      shares.push_back({i, last, static_cast<float>(part)});
    }
  }
  return shares;
}

// Whole numbers of pixels become one: sums are exact for bytes, and one division rounds.
template <typename T, typename Sum>
Picture<T> mean_blocks(const Picture<T>& source, int height, int width) {
  const int down = source.height / height, right = source.width / width, n = source.channels;
  const float share = 1.0f / static_cast<float>(down * right);
  const bool quarters = sizeof(T) == 1 && down == 2 && right == 2;
  Picture<T> result(height, width, n);
  std::vector<Sum> sums(static_cast<std::size_t>(width) * n);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), Sum());
    for (int i = 0; i < down; ++i) {
      const T* line = source.row(y * down + i);
      for (int x = 0; x < width; ++x) {
        for (int j = 0; j < right; ++j) {
          for (int c = 0; c < n; ++c) sums[x * n + c] += *line++;
        }
      }
    }
    T* out = result.row(y);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      // OpenCV rounds quarters of levels up, everything else to even.
      if (quarters) {
        out[i] = static_cast<T>((static_cast<int>(sums[i]) + 2) >> 2);
      } else {
        store(static_cast<float>(sums[i]) * share, out[i]);
      }
    }
  }
  return result;
}

template <typename T, typename Sum>
Picture<T> average(const Picture<T>& source, int height, int width) {
  if (source.height % height == 0 && source.width % width == 0) {
    return mean_blocks<T, Sum>(source, height, width);
  }
  const int n = source.channels;
  const std::vector<Share> down = area_shares(source.height, height);
  const std::vector<Share> right = area_shares(source.width, width);
  Picture<T> result(height, width, n);
  std::vector<float> line(static_cast<std::size_t>(width) * n), sum(line.size());
  for (std::size_t k = 0; k < down.size(); ++k) {
    std::fill(line.begin(), line.end(), 0.0f);
    const T* in = source.row(down[k].from);
    for (const Share& share : right) {
      for (int c = 0; c < n; ++c) line[share.to * n + c] += in[share.from * n + c] * share.weight;
    }
    const bool first = k == 0 || down[k - 1].to != down[k].to;
    const bool last = k + 1 == down.size() || down[k + 1].to != down[k].to;
    for (std::size_t i = 0; i < line.size(); ++i) {
      sum[i] = first ? down[k].weight * line[i] : sum[i] + down[k].weight * line[i];
    }
    if (last) {
      T* out = result.row(down[k].to);
      for (std::size_t i = 0; i < sum.size(); ++i) store(sum[i], out[i]);
    }
  }
  return result;
}

template <typename T>
Picture<T> interpolate(const Picture<T>& source, int height, int width) {
  Picture<float> values(source.height, source.width, source.channels);
  std::copy(source.data.begin(), source.data.end(), values.data.begin());
  Enlarged enlarged(values, height, width);
  Picture<T> result(height, width, source.channels);
  for (int y = 0; y < height; ++y) {
    const float* in = enlarged.row(y);
    T* out = result.row(y);
    for (int i = 0; i < width * source.channels; ++i) store(in[i], out[i]);
  }
  return result;
}

template <typename T, typename Sum>
Picture<T> resize_any(const Picture<T>& source, int height, int width) {
  if (height < 1 || width < 1 || source.height < 1 || source.width < 1) {
    throw Error("cannot resize from or to an empty picture; both sides must be at least 1 pixel");
  }
  const int rows = std::min(height, source.height), columns = std::min(width, source.width);
  if (source.same_size(height, width)) return source;
  if (source.same_size(rows, columns)) return interpolate(source, height, width);
  Picture<T> small = average<T, Sum>(source, rows, columns);
  return small.same_size(height, width) ? small : interpolate(small, height, width);
}

}  // namespace

Enlarged::Enlarged(const Picture<float>& picture, int height, int width)
    : picture_(picture), down_(places(picture.height, height)),
      right_(places(picture.width, width)) {
  for (auto* line : {&lines_[0], &lines_[1], &row_}) {
    line->resize(static_cast<std::size_t>(width) * picture.channels);
  }
}

std::vector<Enlarged::Place> Enlarged::places(int from, int to) {
  std::vector<Place> found(to);
  for (int i = 0; i < to; ++i) {
    const double at = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1.0);
    const int first = static_cast<int>(at);
    found[i] = {first, std::min(first + 1, from - 1), static_cast<float>(at - first)};
  }
  return found;
}

void Enlarged::fill(std::vector<float>& line, int y) const {
  const int n = picture_.channels;
  const float* in = picture_.row(y);
  float* out = line.data();
  for (const Place& place : right_) {
    for (int c = 0; c < n; ++c) {
      const float left = in[place.first * n + c];
      *out++ = left + (in[place.second * n + c] - left) * place.share;
    }
  }
}

const float* Enlarged::row(int y) {
  const Place& place = down_[y];
  if (held_[1] == place.first) {
    std::swap(lines_[0], lines_[1]);
    std::swap(held_[0], held_[1]);
  }
  const int wanted[2] = {place.first, place.second};
  for (int k = 0; k < 2; ++k) {
    if (held_[k] != wanted[k]) fill(lines_[k], wanted[k]);
    held_[k] = wanted[k];
  }
  for (std::size_t i = 0; i < row_.size(); ++i) {
    row_[i] = lines_[0][i] + (lines_[1][i] - lines_[0][i]) * place.share;
  }
  return row_.data();
}

Image resize(const Image& picture, int height, int width) {
  return resize_any<std::uint8_t, std::uint32_t>(picture, height, width);
}

Picture<float> resize(const Picture<float>& picture, int height, int width) {
  return resize_any<float, double>(picture, height, width);
}

Image shrink(const Image& picture, int height, int width) {
  if (picture.height >= 2 * height && picture.width >= 2 * width && picture.height % 2 == 0 &&
      picture.width % 2 == 0) {
    return shrink(resize(picture, picture.height / 2, picture.width / 2), height, width);
  }
  return resize(picture, height, width);
}

Image cover(const Image& picture, int height, int width) {
  if (picture.same_size(height, width)) return picture;
  const double scale = std::max(static_cast<double>(height) / picture.height,
                                static_cast<double>(width) / picture.width);
  const int rows = std::clamp(static_cast<int>(std::lrint(height / scale)), 1, picture.height);
  const int columns = std::clamp(static_cast<int>(std::lrint(width / scale)), 1, picture.width);
  const int top = (picture.height - rows) / 2, left = (picture.width - columns) / 2;
  Image cropped(rows, columns, 3);
  for (int y = 0; y < rows; ++y) {
    const std::uint8_t* line = picture.row(top + y) + left * 3;
    std::copy(line, line + columns * 3, cropped.row(y));
  }
  return resize(cropped, height, width);
}

}  // namespace seglib
