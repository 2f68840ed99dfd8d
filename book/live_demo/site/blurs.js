// Means over squares and Gaussians, with OpenCV's windows and what it takes to lie beyond the frame.

import { plane, rint } from "./pictures.js";

function replicate(i, count) {
  return i < 0 ? 0 : i >= count ? count - 1 : i;
}

function mirror(i, count) {
  if (count === 1) return 0;
  const period = 2 * (count - 1);
  const place = ((i % period) + period) % period;
  return place < count ? place : period - place;
}

/** For places from -`reach` to `count` + `reach`: the place inside that stands for each. */
function around(count, reach, outside) {
  return Int32Array.from({ length: count + 2 * reach + 1 }, (_, i) => outside(i - reach, count));
}

/** The mean over squares of `side` pixels; beyond the frame its edge, or its mirror image. */
export function boxMean({ width, height, data }, side, mirrored = false) {
  const reach = (side - 1) / 2;
  const columns = around(width, reach, mirrored ? mirror : replicate);
  const rows = around(height, reach, mirrored ? mirror : replicate);
  const middle = new Float64Array(width * height);
  for (let row = 0; row < width * height; row += width) {
    let sum = 0;
    for (let k = 0; k < side; k++) sum += data[row + columns[k]];
    for (let x = 0; x < width; x++) {
      middle[row + x] = sum;
      sum += data[row + columns[x + side]] - data[row + columns[x]];
    }
  }
  const sums = new Float64Array(width);
  for (let k = 0; k < side; k++) {
    const row = rows[k] * width;
    for (let x = 0; x < width; x++) sums[x] += middle[row + x];
  }
  const result = plane(width, height);
  const out = result.data;
  for (let y = 0, to = 0; y < height; y++) {
    const come = rows[y + side] * width;
    const go = rows[y] * width;
    for (let x = 0; x < width; x++, to++) {
      out[to] = sums[x] / (side * side);
      sums[x] += middle[come + x] - middle[go + x];
    }
  }
  return result;
}

/** A Gaussian blur of `sigma` pixels; OpenCV's window of 4 sigma to either side. */
export function gaussian(source, sigma) {
  const { width, height } = source;
  const reach = (rint(8 * sigma + 1) | 1) >> 1;
  const weights = new Float32Array(reach + 1);
  let total = 0;
  for (let k = 0; k <= reach; k++) {
    weights[k] = Math.exp((-k * k) / (2 * sigma * sigma));
    total += k ? 2 * weights[k] : weights[k];
  }
  for (let k = 0; k <= reach; k++) weights[k] /= total;
  const columns = around(width, reach, replicate);
  const wide = new Float32Array(width + 2 * reach);
  const middle = plane(width, height);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < wide.length; x++) wide[x] = source.data[row + columns[x]];
    for (let x = 0; x < width; x++) {
      let sum = wide[x + reach] * weights[0];
      for (let k = 1; k <= reach; k++) {
        sum += (wide[x + reach - k] + wide[x + reach + k]) * weights[k];
      }
      middle.data[row + x] = sum;
    }
  }
  const result = plane(width, height);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let k = 0; k <= reach; k++) {
      const above = replicate(y - k, height) * width;
      const below = k ? replicate(y + k, height) * width : -1;
      const weight = weights[k];
      for (let x = 0; x < width; x++) {
        const sum = middle.data[above + x] + (k ? middle.data[below + x] : 0);
        result.data[row + x] += sum * weight;
      }
    }
  }
  return result;
}
