// Pictures and planes: rounding and resizing, as `seglib.images` and OpenCV do them.
//
// A picture is what a canvas gives: {width, height, data}, red, green, blue and alpha, 0 to 255.
// A plane is {width, height, data} with one float32 per pixel. The names are those of seglib.

/** Round to the nearest whole number, halves to the even one, as Python and NumPy do. */
export function rint(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

export function plane(width, height, data = new Float32Array(width * height)) {
  return { width, height, data };
}

/** An opaque picture; its bytes round what they are given to the nearest, halves to the even. */
export function picture(width, height) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  return { width, height, data };
}

/** Which source pixels each target pixel covers, and how much of each; OpenCV's INTER_AREA. */
function areas(from, to) {
  const scale = from / to;
  const starts = new Int32Array(to);
  const shares = [];
  for (let i = 0; i < to; i++) {
    const low = i * scale;
    const high = low + scale;
    const cell = Math.min(scale, from - low);
    const last = Math.min(Math.floor(high), from - 1);
    const first = Math.min(Math.ceil(low), last);
    const share = [];
    starts[i] = first;
    if (first - low > 1e-3) {
      starts[i] = first - 1;
      share.push((first - low) / cell);
    }
    for (let j = first; j < last; j++) share.push(1 / cell);
    if (high - last > 1e-3) share.push(Math.min(high - last, 1, cell) / cell);
    shares.push(Float64Array.from(share));
  }
  return { starts, shares };
}

/** Average interleaved values down to `width` x `height`; `done` gets each new row's sums. */
function averageDown(source, channels, stride, width, height, done) {
  const across = areas(source.width, width);
  const down = areas(source.height, height);
  const line = new Float64Array(width * channels);
  const sums = new Float64Array(width * channels);
  const { data } = source;
  let filled = -1;
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    const shares = down.shares[y];
    for (let k = 0; k < shares.length; k++) {
      const row = down.starts[y] + k;
      if (row !== filled) {
        const offset = row * source.width * stride;
        for (let x = 0; x < width; x++) {
          const weights = across.shares[x];
          let at = offset + across.starts[x] * stride;
          if (channels === 1) {
            let sum = 0;
            for (let i = 0; i < weights.length; i++, at += stride) sum += data[at] * weights[i];
            line[x] = sum;
          } else {
            let red = 0;
            let green = 0;
            let blue = 0;
            for (let i = 0; i < weights.length; i++, at += stride) {
              const weight = weights[i];
              red += data[at] * weight;
              green += data[at + 1] * weight;
              blue += data[at + 2] * weight;
            }
            line[3 * x] = red;
            line[3 * x + 1] = green;
            line[3 * x + 2] = blue;
          }
        }
        filled = row;
      }
      for (let i = 0; i < sums.length; i++) sums[i] += line[i] * shares[k];
    }
    done(y, sums);
  }
}

/** Halve a picture's sides, each pixel the mean of four, halves rounded up as OpenCV does here. */
function halve(source) {
  const half = picture(source.width / 2, source.height / 2);
  const { data, width } = source;
  const below = 4 * width;
  let to = 0;
  for (let y = 0; y < half.height; y++) {
    let at = 2 * y * below;
    for (let x = 0; x < half.width; x++, at += 8, to += 4) {
      for (let c = 0; c < 3; c++) {
        const sum = data[at + c] + data[at + 4 + c] + data[at + below + c] + data[at + below + 4 + c];
        half.data[to + c] = (sum + 2) >> 2;
      }
    }
  }
  return half;
}

/** `seglib.images.resize` of a picture: averaged where it shrinks, linear where it grows. */
export function resizePicture(source, width, height) {
  const narrow = Math.min(width, source.width);
  const low = Math.min(height, source.height);
  let result = source;
  if (2 * narrow === source.width && 2 * low === source.height) {
    result = halve(source);
  } else if (narrow !== source.width || low !== source.height) {
    result = picture(narrow, low);
    const { data } = result;
    averageDown(source, 3, 4, narrow, low, (y, sums) => {
      for (let x = 0, to = 4 * y * narrow; x < narrow; x++, to += 4) {
        for (let c = 0; c < 3; c++) data[to + c] = sums[3 * x + c];
      }
    });
  }
  return narrow === width && low === height ? result : growPicture(result, width, height);
}

/** Linear growth as OpenCV does it for bytes: in whole numbers, in steps of 1/2048. */
function growPicture(source, width, height) {
  const grown = picture(width, height);
  const across = steps(places(source.width, width));
  const down = steps(places(source.height, height));
  const { data } = source;
  for (let y = 0, to = 0; y < height; y++) {
    const above = 4 * source.width * down.first[y];
    const below = 4 * source.width * down.second[y];
    for (let x = 0; x < width; x++, to += 4) {
      const left = 4 * across.first[x];
      const right = 4 * across.second[x];
      const near = across.near[x];
      const far = across.far[x];
      for (let c = 0; c < 3; c++) {
        const top = (data[above + left + c] * near + data[above + right + c] * far) >> 4;
        const bottom = (data[below + left + c] * near + data[below + right + c] * far) >> 4;
        const sum = ((down.near[y] * top) >> 16) + ((down.far[y] * bottom) >> 16);
        grown.data[to + c] = (sum + 2) >> 2;
      }
    }
  }
  return grown;
}

function steps({ first, second, share }) {
  const near = Int32Array.from(share, (far) => rint((1 - far) * 2048));
  const far = Int32Array.from(share, (far) => rint(far * 2048));
  return { first, second, near, far };
}

/** `seglib.images.resize` of a plane, cut to the range of its values. */
export function resizePlane(source, width, height) {
  const narrow = Math.min(width, source.width);
  const low = Math.min(height, source.height);
  let result = source;
  if (narrow !== source.width || low !== source.height) {
    result = plane(narrow, low);
    const { data } = result;
    averageDown(source, 1, 1, narrow, low, (y, sums) => {
      for (let x = 0; x < narrow; x++) data[y * narrow + x] = sums[x];
    });
  }
  if (narrow === width && low === height) return result;
  const grown = plane(width, height);
  const grower = new Grower([result], width, height);
  for (let y = 0; y < height; y++) {
    grower.row(y);
    for (let x = 0; x < width; x++) grown.data[y * width + x] = grower.at(0, x);
  }
  return grown;
}

/** Where each target pixel lies between two source pixels, with half-pixel centres. */
export function places(from, to) {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max((i + 0.5) * (from / to) - 0.5, 0), from - 1);
    first[i] = Math.floor(place);
    second[i] = Math.min(first[i] + 1, from - 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}

/** Small planes enlarged linearly, one row at a time, so that no large plane is ever stored. */
export class Grower {
  constructor(planes, width, height) {
    this.planes = planes;
    this.across = places(planes[0].width, width);
    this.down = places(planes[0].height, height);
    this.lines = planes.map((small) => new Float32Array(small.width));
  }

  /** Go to row `y` of the large size. */
  row(y) {
    const share = this.down.share[y];
    this.planes.forEach(({ data, width }, i) => {
      const above = this.down.first[y] * width;
      const below = this.down.second[y] * width;
      const line = this.lines[i];
      for (let x = 0; x < width; x++) {
        line[x] = data[above + x] + (data[below + x] - data[above + x]) * share;
      }
    });
  }

  /** The value of plane `i` in column `x` of the row. */
  at(i, x) {
    const line = this.lines[i];
    const left = line[this.across.first[x]];
    return left + (line[this.across.second[x]] - left) * this.across.share[x];
  }
}

/** Average a picture down by halves as far as that goes; `seglib.postprocess.edges.shrink`. */
export function shrink(source, width, height) {
  let result = source;
  while (
    result.height >= 2 * height &&
    result.width >= 2 * width &&
    result.height % 2 === 0 &&
    result.width % 2 === 0
  ) {
    result = halve(result);
  }
  return resizePicture(result, width, height);
}
