#include "filters.h"

#include <algorithm>
#include <cmath>

namespace seglib {
namespace {

int inside(int i, int count, Border border) {
  if (border == Border::kRepeat || count == 1) return std::clamp(i, 0, count - 1);
  while (i < 0 || i >= count) i = i < 0 ? -i : 2 * (count - 1) - i;
  return i;
}

// Weighted sums along rows and then along columns; sums in double, so that the differences of
// large means which the guided filter takes keep their digits.
Planes separable(const Planes& source, const std::vector<double>& kernel, Border border) {
  const int n = source.channels, reach = static_cast<int>(kernel.size()) / 2;
  Planes across(source.height, source.width, n), result(source.height, source.width, n);
  std::vector<double> sums(static_cast<std::size_t>(source.width) * n);
  // A row with its border on both sides, so that the inner loop runs over neighbours in memory.
  std::vector<float> wide(static_cast<std::size_t>(source.width + 2 * reach) * n);
  for (int y = 0; y < source.height; ++y) {
    for (int x = -reach; x < source.width + reach; ++x) {
      const float* in = source.row(y) + inside(x, source.width, border) * n;
      std::copy(in, in + n, &wide[static_cast<std::size_t>(x + reach) * n]);
    }
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int k = 0; k <= 2 * reach; ++k) {
      const float* in = &wide[static_cast<std::size_t>(k) * n];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += kernel[k] * in[i];
    }
    float* out = across.row(y);
    for (std::size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<float>(sums[i]);
  }
  for (int y = 0; y < source.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int k = -reach; k <= reach; ++k) {
      const float* in = across.row(inside(y + k, source.height, border));
      const double weight = kernel[k + reach];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * in[i];
    }
    float* out = result.row(y);
    for (std::size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<float>(sums[i]);
  }
  return result;
}

}  // namespace

Planes box_mean(const Planes& source, int side, Border border) {
  return separable(source, std::vector<double>(side, 1.0 / side), border);
}

Planes gaussian(const Planes& source, double sigma) {
  const int side = static_cast<int>(std::lrint(sigma * 8 + 1)) | 1;
  std::vector<double> kernel(side);
  double sum = 0;
  for (int i = 0; i < side; ++i) {
    const double x = i - side / 2;
    sum += kernel[i] = std::exp(-0.5 * x * x / (sigma * sigma));
  }
  for (double& weight : kernel) weight /= sum;
  return separable(source, kernel, Border::kRepeat);
}

}  // namespace seglib
