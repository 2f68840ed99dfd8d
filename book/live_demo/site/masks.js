// Cleaning a mask: morphology, pieces, holes, blur and curve; `seglib.postprocess.masks`, `regions`.
//
// Every function takes a plane with values from 0 to 1 and returns a new one.

import { gaussian } from "./blurs.js";
import { plane, rint } from "./pictures.js";

export function threshold(mask, level) {
  return plane(mask.width, mask.height, mask.data.map((value) => (value >= level ? 1 : 0)));
}

/** 0 below `low`, 1 above `high`, 3t^2 - 2t^3 between; in place, on values already made. */
export function smoothstepInto(data, low, high) {
  const scale = 1 / (high - low);
  for (let i = 0; i < data.length; i++) {
    const t = Math.min(Math.max((data[i] - low) * scale, 0), 1);
    data[i] = t * t * (3 - 2 * t);
  }
}

export function smoothstep(mask, low, high) {
  const result = plane(mask.width, mask.height, mask.data.slice());
  smoothstepInto(result.data, low, high);
  return result;
}

export function blur(mask, sigma) {
  const result = gaussian(mask, sigma);
  for (let i = 0; i < result.data.length; i++) {
    result.data[i] = Math.min(Math.max(result.data[i], 0), 1);
  }
  return result;
}

export function opening(mask, radius) {
  return extreme(extreme(mask, radius, -1), radius, 1);
}

export function closing(mask, radius) {
  return extreme(extreme(mask, radius, 1), radius, -1);
}

/** The largest (sign 1) or smallest (sign -1) value over discs of `radius` pixels. */
function extreme(mask, radius, sign) {
  const { width, height, data } = mask;
  const result = plane(width, height, new Float32Array(width * height).fill(-Infinity));
  // The disc's half width in each of its rows, as OpenCV's MORPH_ELLIPSE has it.
  for (let dy = -radius; dy <= radius; dy++) {
    const half = rint(Math.sqrt(Math.max(radius * radius - dy * dy, 0)));
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
      const from = (y + dy) * width;
      for (let x = 0; x < width; x++) {
        let best = result.data[y * width + x];
        const end = Math.min(width - 1, x + half);
        for (let i = Math.max(0, x - half); i <= end; i++) {
          const value = sign * data[from + i];
          if (value > best) best = value;
        }
        result.data[y * width + x] = best;
      }
    }
  }
  if (sign < 0) for (let i = 0; i < data.length; i++) result.data[i] = -result.data[i];
  return result;
}

/** Keep the regions of at least `low` that somewhere reach `high`. */
export function hysteresis(mask, low, high) {
  return keep(mask, low, 0, (nearest, count) => {
    const chosen = new Uint8Array(count);
    mask.data.forEach((value, i) => {
      if (value >= high) chosen[nearest[i]] = 1;
    });
    return chosen;
  });
}

/** Keep the largest region of at least `level`. */
export function largestComponent(mask, level = 0.5) {
  return keep(mask, level, 0, (nearest, count) => {
    const sizes = areas(mask.data, nearest, count, level);
    const chosen = new Uint8Array(count);
    chosen[sizes.indexOf(Math.max(...sizes))] = 1;
    return chosen;
  });
}

/** Fill holes below `level` of up to the share `largest` of the picture, not open to its frame. */
export function fillHoles(mask, largest, level = 0.5) {
  const { width, height } = mask;
  const absent = plane(width, height, mask.data.map((value) => 1 - value));
  // A pixel exactly at the level belongs to the thing: the next float32 above it is the first hole.
  const beyond = Math.fround(1 - level) + 2 ** -24;
  const filled = keep(absent, beyond, -1, (nearest, count) => {
    const sizes = areas(absent.data, nearest, count, beyond);
    const chosen = Uint8Array.from(sizes, (size) => (size > largest * absent.data.length ? 1 : 0));
    const visit = (i) => {
      if (absent.data[i] >= beyond) chosen[nearest[i]] = 1;
    };
    for (let x = 0; x < width; x++) {
      visit(x);
      visit((height - 1) * width + x);
    }
    for (let y = 0; y < height; y++) {
      visit(y * width);
      visit(y * width + width - 1);
    }
    return chosen;
  }, 0);
  for (let i = 0; i < filled.data.length; i++) {
    filled.data[i] = filled.data[i] < 0 ? 1 : mask.data[i];
  }
  return filled;
}

function areas(data, nearest, count, level) {
  const sizes = new Array(count).fill(0);
  for (let i = 0; i < data.length; i++) if (data[i] >= level) sizes[nearest[i]]++;
  return sizes;
}

/**
 * The mask where `choose` keeps the nearest region of at least `level`, `other` elsewhere, and
 * `none` everywhere if there is no such region.
 */
function keep(mask, level, other, choose, none = other) {
  const { nearest, count } = nearestRegions(mask, level);
  const result = plane(mask.width, mask.height);
  if (count === 1) {
    result.data.fill(none);
    return result;
  }
  const chosen = choose(nearest, count);
  for (let i = 0; i < result.data.length; i++) {
    result.data[i] = chosen[nearest[i]] ? mask.data[i] : other;
  }
  return result;
}

/** Number the regions of at least `level` from 1 and give each other pixel its nearest's number.
 *
 * Distances are counted in steps of the weights 1, 1.4 and 2.1969 over a 5 x 5 neighbourhood, twice
 * through the picture (Borgefors, CVGIP 1986), as OpenCV's distanceTransform does; ties fall alike.
 */
function nearestRegions(mask, level) {
  const { width, height, data } = mask;
  const wide = width + 4;
  const labels = new Int32Array(wide * (height + 4));
  const distance = new Float64Array(labels.length).fill(Infinity);
  const count = label(mask, level, labels, wide);
  const [straight, diagonal, long] = [1, 1.4, 2.1969].map((step) => rint(step * 65536));
  const steps = [
    [-2 * wide - 1, long],
    [-2 * wide + 1, long],
    [-wide - 2, long],
    [-wide - 1, diagonal],
    [-wide, straight],
    [-wide + 1, diagonal],
    [-wide + 2, long],
    [-1, straight],
  ];
  const visit = (at, sign) => {
    let best = distance[at];
    for (const [offset, length] of steps) {
      const other = distance[at + sign * offset] + length;
      if (other < best) {
        best = other;
        labels[at] = labels[at + sign * offset];
      }
    }
    distance[at] = best;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = (y + 2) * wide + 2; x < width; x++, at++) {
      if (data[y * width + x] >= level) distance[at] = 0;
      else visit(at, 1);
    }
  }
  for (let y = height - 1; y >= 0; y--) {
    for (let x = width - 1, at = (y + 2) * wide + 2 + x; x >= 0; x--, at--) visit(at, -1);
  }
  const nearest = new Int32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (y + 2) * wide + 2;
    nearest.set(labels.subarray(from, from + width), y * width);
  }
  return { nearest, count };
}

/** Number the regions, whose pixels touch at sides and corners; return how many numbers there are. */
function label(mask, level, labels, wide) {
  const { width, height, data } = mask;
  const waiting = [];
  let count = 1;
  for (let start = 0; start < data.length; start++) {
    if (!(data[start] >= level) || labels[place(start)]) continue;
    labels[place(start)] = count;
    waiting.push(start);
    while (waiting.length) {
      const at = waiting.pop();
      const x = at % width;
      const y = (at - x) / width;
      for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++) {
        for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
          const next = j * width + i;
          if (data[next] >= level && !labels[place(next)]) {
            labels[place(next)] = count;
            waiting.push(next);
          }
        }
      }
    }
    count++;
  }
  return count;

  function place(i) {
    return (Math.floor(i / width) + 2) * wide + (i % width) + 2;
  }
}
