// From a small mask and a photo to a finished frame; `seglib.postprocess.Pipeline`.
//
// A configuration is the JSON form of `PostprocessConfig`, with the fields that the page needs.

import { blurBackground, greyBackground, recolourHair, replaceBackground } from "./compose.js";
import { guidedUpsample } from "./edges.js";
import {
  blur,
  closing,
  fillHoles,
  hysteresis,
  largestComponent,
  opening,
  smoothstepInto,
  threshold,
} from "./masks.js";
import { picture, resizePlane, rint } from "./pictures.js";

/** The mask after the steps at its own size, values from 0 to 1. */
export function clean(mask, config) {
  let side = Math.min(mask.width, mask.height);
  if (config.size !== null && side > config.size) {
    const ratio = config.size / side;
    const [width, height] = [mask.width, mask.height].map((n) => Math.max(1, rint(n * ratio)));
    mask = resizePlane(mask, width, height);
    side = Math.min(width, height);
  }
  if (config.level !== null) mask = threshold(mask, config.level);
  for (const [step, share] of [
    [opening, config.opening],
    [closing, config.closing],
  ]) {
    const radius = rint(share * side);
    if (radius) mask = step(mask, radius);
  }
  if (config.hysteresis) mask = hysteresis(mask, ...config.hysteresis);
  if (config.largest) mask = largestComponent(mask);
  if (config.holes) mask = fillHoles(mask, config.holes);
  if (config.blur) mask = blur(mask, config.blur * side);
  return mask;
}

/** The mask cleaned, enlarged to the photo's size and through its curve. */
export function alpha(image, mask, config) {
  const small = clean(mask, config);
  let large;
  if (config.upsample === "guided") {
    const radius = Math.max(1, rint(config.radius * Math.min(small.width, small.height)));
    large = guidedUpsample(small, image, radius, config.eps);
  } else {
    large = resizePlane(small, image.width, image.height);
    if (large === mask) large = { ...mask, data: mask.data.slice() };
  }
  if (config.curve === "smoothstep") smoothstepInto(large.data, config.low, config.high);
  return large;
}

/** The finished frame; `background` is a picture of any size, for the effect "replace". */
export function frame(image, large, config, background, reduce) {
  const side = Math.min(image.width, image.height);
  if (config.effect === "blur") {
    return config.sigma ? blurBackground(image, large, config.sigma * side) : image;
  }
  if (config.effect === "grey") return greyBackground(image, large);
  if (config.effect === "recolour") {
    return recolourHair(image, large, config.color, config.strength, config.lift);
  }
  return replaceBackground(image, large, background, config.light, config.foreground, reduce);
}

/** The mask itself as a picture, or laid over the photo in `colour`. */
export function showMask(image, large, colour = null) {
  const result = picture(image.width, image.height);
  for (let i = 0; i < large.data.length; i++) {
    const share = large.data[i];
    for (let c = 0; c < 3; c++) {
      const old = image.data[4 * i + c];
      result.data[4 * i + c] = colour ? old + (colour[c] - old) * 0.6 * share : 255 * share;
    }
  }
  return result;
}
