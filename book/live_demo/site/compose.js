// Composing the frame from a photo and a mask of the same size; `seglib.postprocess`.

import { gaussian } from "./blurs.js";
import { localColours, unmix } from "./foreground.js";
import { box, fromLab, lightTables, lookUp, samples, tabulate, toLab } from "./light.js";
import { Grower, picture, plane, resizePicture, rint } from "./pictures.js";

/** `blur_background`: the person is left out of the average, so nothing glows around the head. */
export function blurBackground(image, mask, sigma) {
  const { width, height, data } = image;
  const factor = Math.max(1, Math.floor(sigma / 4));
  const blocks = weighBackground(image, mask, factor);
  // Averaging over blocks and growing back linearly blur too; the rest is left to the Gaussian.
  const own = factor > 1 ? factor ** 2 / 4 : 0;
  const rest = Math.sqrt(Math.max(sigma ** 2 - own, 0.01)) / factor;
  const small = blocks.map((block) => gaussian(block, rest));
  const grower = new Grower(small, small[0].width * factor, small[0].height * factor);
  const { first, second, share } = grower.across;
  const [reds, greens, blues, weights] = grower.lines;
  const result = picture(width, height);
  const out = result.data;
  for (let y = 0, i = 0; y < height; y++) {
    grower.row(y);
    for (let x = 0; x < width; x++, i++) {
      const left = first[x];
      const right = second[x];
      const more = share[x];
      const weight = Math.max(weights[left] + (weights[right] - weights[left]) * more, 1e-6);
      const red = (reds[left] + (reds[right] - reds[left]) * more) / weight;
      const green = (greens[left] + (greens[right] - greens[left]) * more) / weight;
      const blue = (blues[left] + (blues[right] - blues[left]) * more) / weight;
      const person = mask.data[i];
      out[4 * i] = red + (data[4 * i] - red) * person;
      out[4 * i + 1] = green + (data[4 * i + 1] - green) * person;
      out[4 * i + 2] = blue + (data[4 * i + 2] - blue) * person;
    }
  }
  return result;
}

/** image * (1 - mask) and 1 - mask, averaged over blocks; the last ones repeat the frame's edge. */
function weighBackground({ width, height, data }, mask, factor) {
  const columns = Math.ceil(width / factor);
  const rows = Math.ceil(height / factor);
  const blocks = [0, 1, 2, 3].map(() => plane(columns, rows));
  const [reds, greens, blues, weights] = blocks.map((block) => block.data);
  const share = 1 / (factor * factor);
  for (let y = 0; y < rows * factor; y++) {
    const row = Math.min(y, height - 1) * width;
    const to = Math.floor(y / factor) * columns;
    for (let block = 0; block < columns; block++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let sum = 0;
      for (let k = 0; k < factor; k++) {
        const i = row + Math.min(block * factor + k, width - 1);
        const weight = 1 - mask.data[i];
        red += data[4 * i] * weight;
        green += data[4 * i + 1] * weight;
        blue += data[4 * i + 2] * weight;
        sum += weight;
      }
      reds[to + block] += red * share;
      greens[to + block] += green * share;
      blues[to + block] += blue * share;
      weights[to + block] += sum * share;
    }
  }
  return blocks;
}

/** `grey_background`: the weights are OpenCV's, 14 bits each. */
export function greyBackground(image, mask) {
  const result = picture(image.width, image.height);
  const { data } = image;
  const out = result.data;
  for (let i = 0, at = 0; i < mask.data.length; i++, at += 4) {
    const share = mask.data[i];
    const grey = (4899 * data[at] + 9617 * data[at + 1] + 1868 * data[at + 2] + 8192) >> 14;
    out[at] = grey + (data[at] - grey) * share;
    out[at + 1] = grey + (data[at + 1] - grey) * share;
    out[at + 2] = grey + (data[at + 2] - grey) * share;
  }
  return result;
}

/** `replace_background`: `reduce` is by how much the copies are reduced that tell own colours. */
export function replaceBackground(image, mask, background, light, foreground, reduce) {
  const { width, height, data } = image;
  const scene = cover(background, width, height);
  const tables = light ? lightTables(image, mask, scene, light) : null;
  const grower = foreground ? new Grower(localColours(image, mask, reduce), width, height) : null;
  const result = picture(width, height);
  const out = result.data;
  for (let y = 0, i = 0; y < height; y++) {
    if (grower) grower.row(y);
    for (let x = 0; x < width; x++, i++) {
      const share = mask.data[i];
      const mixed = grower !== null && share > 0 && share < 1;
      for (let c = 0, at = 4 * i; c < 3; c++, at++) {
        let front = data[at];
        if (mixed) front = rint(unmix(front, share, grower.at(c, x), grower.at(c + 3, x)));
        if (tables !== null) front = tables[c][front];
        out[at] = scene.data[at] + (front - scene.data[at]) * share;
      }
    }
  }
  return result;
}

/** Crop a picture about its centre to the frame's proportions and resize it to its size. */
export function cover(background, width, height) {
  if (background.width === width && background.height === height) return background;
  const scale = Math.max(height / background.height, width / background.width);
  const rows = Math.min(background.height, Math.max(1, rint(height / scale)));
  const columns = Math.min(background.width, Math.max(1, rint(width / scale)));
  const top = (background.height - rows) >> 1;
  const left = (background.width - columns) >> 1;
  const cropped = picture(columns, rows);
  for (let y = 0; y < rows; y++) {
    const from = 4 * ((top + y) * background.width + left);
    cropped.data.set(background.data.subarray(from, from + 4 * columns), 4 * y * columns);
  }
  return resizePicture(cropped, width, height);
}

/** `recolour_hair`: colour from `color`, light and shade from the photo, in CIE Lab. */
export function recolourHair(image, mask, color, strength, lift) {
  const result = picture(image.width, image.height);
  result.data.set(image.data);
  const area = box(mask);
  const tone = findTone(image, mask, area, color, lift);
  const [top, left, bottom, right] = area;
  const lab = new Float64Array(3);
  for (let y = top; y < bottom; y++) {
    for (let x = left, i = y * image.width + left; x < right; x++, i++) {
      const weight = mask.data[i] * strength;
      if (weight > 0) dye(image.data, 4 * i, weight, tone, lab, result.data);
    }
  }
  return result;
}

function findTone(image, mask, area, color, lift) {
  const goal = new Float64Array(3);
  toLab(...color, goal);
  const lab = new Float64Array(3);
  let sum = 0;
  let total = 0;
  samples(image.width, area, (i) => {
    const weight = mask.data[i];
    if (weight > 0) {
      toLab(image.data[4 * i], image.data[4 * i + 1], image.data[4 * i + 2], lab);
      sum += lab[0] * weight;
      total += weight;
    }
  });
  // Kept off the ends, where the logarithm of white is 0 and no exponent moves it.
  const within = (value) => Math.min(Math.max(value, 0), 98);
  const start = within(sum / Math.max(total, 1e-6));
  const end = within(start + lift * (goal[0] - start));
  const exponent = Math.log((end + 1) / 101) / Math.log((start + 1) / 101);
  const curve = (bright) => 101 * ((bright + 1) / 101) ** exponent - 1;
  return { lightness: goal[0], a: goal[1], b: goal[2], curve: tabulate(curve, 100) };
}

function dye(data, at, weight, tone, lab, out) {
  toLab(data[at], data[at + 1], data[at + 2], lab);
  const bright = lookUp(tone.curve, Math.max(lab[0], 0), 100);
  // Down to nothing at black, and at white, in straight lines.
  const rise = bright / Math.max(tone.lightness, 1);
  const fall = (100 - bright) / Math.max(100 - tone.lightness, 1);
  const chroma = Math.min(Math.max(Math.min(rise, fall), 0), 1);
  fromLab(
    lab[0] + (bright - lab[0]) * weight,
    lab[1] + (chroma * tone.a - lab[1]) * weight,
    lab[2] + (chroma * tone.b - lab[2]) * weight,
    out,
    at,
  );
}
