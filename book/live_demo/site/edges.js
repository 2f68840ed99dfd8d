// Enlarging a small mask along the photo's edges: the fast guided filter, `seglib.postprocess.edges`.

import { boxMean } from "./blurs.js";
import { Grower, plane, resizePlane, shrink } from "./pictures.js";

/** `guided_upsample`: radius in pixels of the mask, eps a variance of colours from 0 to 1. */
export function guidedUpsample(mask, image, radius, eps) {
  const width = Math.min(mask.width, image.width);
  const height = Math.min(mask.height, image.height);
  const small = resizePlane(mask, width, height);
  const planes = coefficients(small, shrink(image, width, height), radius, eps);
  const grower = new Grower(planes, image.width, image.height);
  const { first, second, share } = grower.across;
  const [reds, greens, blues, offsets] = grower.lines;
  const result = plane(image.width, image.height);
  const { data } = image;
  const out = result.data;
  for (let y = 0, to = 0; y < image.height; y++) {
    grower.row(y);
    for (let x = 0; x < image.width; x++, to++) {
      const left = first[x];
      const right = second[x];
      const more = share[x];
      const red = reds[left] + (reds[right] - reds[left]) * more;
      const green = greens[left] + (greens[right] - greens[left]) * more;
      const blue = blues[left] + (blues[right] - blues[left]) * more;
      const offset = offsets[left] + (offsets[right] - offsets[left]) * more;
      const value =
        offset + red * data[4 * to] + green * data[4 * to + 1] + blue * data[4 * to + 2];
      out[to] = value < 0 ? 0 : value > 1 ? 1 : value;
    }
  }
  return result;
}

/** The guided filter's averaged a (for levels 0 to 255 of red, green, blue) and b, four planes. */
function coefficients(mask, guide, radius, eps) {
  const { width, height } = mask;
  const count = width * height;
  const side = 2 * radius + 1;
  const mean = (data) => boxMean(plane(width, height, data), side).data;
  // About a middle, since a variance as a difference of large squares loses its digits.
  const colours = [0, 1, 2].map((c) => {
    const colour = new Float64Array(count);
    for (let i = 0; i < count; i++) colour[i] = guide.data[4 * i + c] / 255 - 0.5;
    return colour;
  });
  const times = (a, b) => {
    const product = new Float64Array(count);
    for (let i = 0; i < count; i++) product[i] = a[i] * b[i];
    return mean(product);
  };
  const means = colours.map(mean);
  const meanMask = mean(mask.data);
  const toMask = colours.map((colour) => times(colour, mask.data));
  const pairs = [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 2],
    [2, 2],
  ];
  const products = pairs.map(([a, b]) => times(colours[a], colours[b]));
  const planes = [0, 1, 2, 3].map(() => new Float64Array(count));
  for (let i = 0; i < count; i++) {
    const r = means[0][i];
    const g = means[1][i];
    const b = means[2][i];
    const rr = products[0][i] - r * r + eps;
    const rg = products[1][i] - r * g;
    const rb = products[2][i] - r * b;
    const gg = products[3][i] - g * g + eps;
    const gb = products[4][i] - g * b;
    const bb = products[5][i] - b * b + eps;
    const m = meanMask[i];
    const tr = toMask[0][i] - r * m;
    const tg = toMask[1][i] - g * m;
    const tb = toMask[2][i] - b * m;
    // The symmetric 3 x 3 matrix is inverted by its cofactors.
    const xx = gg * bb - gb * gb;
    const xy = gb * rb - rg * bb;
    const xz = rg * gb - gg * rb;
    const yy = rr * bb - rb * rb;
    const yz = rb * rg - rr * gb;
    const zz = rr * gg - rg * rg;
    const scale = 1 / (rr * xx + rg * xy + rb * xz);
    const ar = (xx * tr + xy * tg + xz * tb) * scale;
    const ag = (xy * tr + yy * tg + yz * tb) * scale;
    const ab = (xz * tr + yz * tg + zz * tb) * scale;
    planes[0][i] = ar / 255;
    planes[1][i] = ag / 255;
    planes[2][i] = ab / 255;
    planes[3][i] = m - ar * (r + 0.5) - ag * (g + 0.5) - ab * (b + 0.5);
  }
  return planes.map((data) => boxMean(plane(width, height, data), side));
}
