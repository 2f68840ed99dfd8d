// The person's own colours at an edge, without the old background's; `seglib.postprocess.foreground`.

import { boxMean } from "./blurs.js";
import { plane, resizePlane, rint, shrink } from "./pictures.js";

/** The person's and the background's colours around each pixel, six planes at the reduced size. */
export function localColours(image, mask, reduce) {
  const width = Math.ceil(mask.width / reduce);
  const height = Math.ceil(mask.height / reduce);
  const small = shrink(image, width, height);
  const inside = resizePlane(mask, width, height).data;
  const outside = new Float32Array(inside.length);
  for (let i = 0; i < inside.length; i++) outside[i] = 1 - inside[i];
  const colours = [0, 1, 2].map((c) => {
    const colour = new Float32Array(width * height);
    for (let i = 0; i < colour.length; i++) colour[i] = small.data[4 * i + c];
    return colour;
  });
  const radius = Math.min(mask.width, mask.height) / 16;
  let front = colours;
  let back = colours;
  let near = null;
  for (const reach of [radius / reduce, radius / 15 / reduce]) {
    const side = 2 * Math.max(1, rint(reach)) + 1;
    near = localMeans(front, inside, side, width, height);
    back = localMeans(back, outside, side, width, height);
    front = near.map((values, c) => {
      const own = new Float32Array(values.length);
      for (let i = 0; i < own.length; i++) {
        own[i] = unmix(colours[c][i], inside[i], values[i], back[c][i]);
      }
      return own;
    });
  }
  return [...near, ...back].map((data) => plane(width, height, data));
}

/** front + mask * (what front and back leave unexplained of the image), 0 to 255. */
export function unmix(image, mask, front, back) {
  const value = front + mask * (image - back - mask * (front - back));
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Weighted means over windows; a window without weight keeps the colours it had. */
function localMeans(colours, weight, side, width, height) {
  const weights = boxMean(plane(width, height, weight), side, true).data;
  return colours.map((colour) => {
    const weighted = new Float32Array(weight.length);
    for (let i = 0; i < weighted.length; i++) weighted[i] = colour[i] * weight[i];
    const means = boxMean(plane(width, height, weighted), side, true).data;
    for (let i = 0; i < means.length; i++) {
      means[i] = weights[i] <= 1e-4 ? colour[i] : means[i] / weights[i];
    }
    return means;
  });
}
