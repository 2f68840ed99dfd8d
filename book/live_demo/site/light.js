// Light and colour: sRGB, CIE Lab, and a person lit like a scene; `seglib.postprocess.light`.

import { rint } from "./pictures.js";

const SAMPLES = 20000;

/** sRGB level 0..255 -> linear light 0..1 (IEC 61966-2-1). */
export const LINEAR = Float64Array.from({ length: 256 }, (_, level) => {
  const value = level / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** Linear light in 65536 steps -> the nearest sRGB level. */
const LEVELS = Uint8Array.from({ length: 65536 }, (_, step) => {
  const light = step / 65535;
  const value = light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
  return rint(value * 255);
});

export function fromLinear(light) {
  return LEVELS[(light < 0 ? 0 : light > 1 ? 1 : light) * 65535 + 0.5 | 0];
}

const STEPS = 8192;

/** A function's values from 0 to `end` at even steps, for `lookUp`. */
export function tabulate(curve, end) {
  return Float64Array.from({ length: STEPS + 2 }, (_, i) => curve((i * end) / STEPS));
}

/** The function's value at `x`, in a straight line between two steps. */
export function lookUp(table, x, end) {
  const place = (x * STEPS) / end;
  const below = place >= STEPS ? STEPS : place | 0;
  return table[below] + (table[below + 1] - table[below]) * (place - below);
}

const KNEE = 0.008856;
const FORWARD = tabulate((t) => (t > KNEE ? Math.cbrt(t) : 7.787 * t + 16 / 116), 1);
const forward = (t) => lookUp(FORWARD, t, 1);
const back = (f) => (f > 7.787 * KNEE + 16 / 116 ? f * f * f : (f - 16 / 116) / 7.787);

/** sRGB levels -> CIE Lab under D65, written to `out`; the matrices are OpenCV's. */
export function toLab(red, green, blue, out) {
  const r = LINEAR[red];
  const g = LINEAR[green];
  const b = LINEAR[blue];
  const y = 0.212671 * r + 0.71516 * g + 0.072169 * b;
  const fx = forward((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
  const fy = forward(y);
  const fz = forward((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
  out[0] = y > KNEE ? 116 * fy - 16 : 903.3 * y;
  out[1] = 500 * (fx - fy);
  out[2] = 200 * (fy - fz);
}

/** CIE Lab -> sRGB levels, written to `data` from `at`. */
export function fromLab(lightness, a, b, data, at) {
  const low = lightness <= 903.3 * KNEE;
  const fy = low ? (7.787 * lightness) / 903.3 + 16 / 116 : (lightness + 16) / 116;
  const y = low ? lightness / 903.3 : fy * fy * fy;
  const x = back(fy + a / 500) * 0.950456;
  const z = back(fy - b / 200) * 1.088754;
  data[at] = fromLinear(3.240479 * x - 1.53715 * y - 0.498535 * z);
  data[at + 1] = fromLinear(-0.969256 * x + 1.875991 * y + 0.041556 * z);
  data[at + 2] = fromLinear(0.055648 * x - 0.204043 * y + 1.057311 * z);
}

/** Top, left, bottom and right of what is above 0, of the whole where nothing is. */
export function box({ width, height, data }) {
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (data[i] > 0) {
        if (y < top) top = y;
        bottom = y + 1;
        if (x < left) left = x;
        if (x >= right) right = x + 1;
      }
    }
  }
  return bottom ? [top, left, bottom, right] : [0, 0, height, width];
}

/** Call `visit(pixel)` for at most about 20,000 evenly spaced pixels of a bounding box. */
export function samples(width, [top, left, bottom, right], visit) {
  const area = (bottom - top) * (right - left);
  const step = Math.max(1, Math.ceil(Math.sqrt(area / SAMPLES)));
  for (let y = top; y < bottom; y += step) {
    for (let x = left; x < right; x += step) visit(y * width + x);
  }
}

/** Three tables of 256 levels that move the person's light towards the scene's; `match_light`. */
export function lightTables(image, mask, scene, strength) {
  const person = meanLight(image, box(mask), mask.data);
  const goal = meanLight(scene, [0, 0, scene.height, scene.width], null);
  return [0, 1, 2].map((c) => {
    const wanted = ((goal[c] + 1e-3) / (person[c] + 1e-3)) ** strength;
    const gain = Math.min(Math.max(wanted, 0.5), 2);
    return Uint8Array.from(LINEAR, (light) => fromLinear((gain * light) / (1 + (gain - 1) * light)));
  });
}

function meanLight({ width, data }, area, weights) {
  const weighted = [0, 0, 0, 0];
  const plain = [0, 0, 0, 0];
  samples(width, area, (i) => {
    const weight = weights ? weights[i] : 0;
    weighted[3] += weight;
    plain[3] += 1;
    for (let c = 0; c < 3; c++) {
      weighted[c] += weight * LINEAR[data[4 * i + c]];
      plain[c] += LINEAR[data[4 * i + c]];
    }
  });
  const sums = weighted[3] > 0 ? weighted : plain;
  return sums.slice(0, 3).map((sum) => sum / sums[3]);
}
