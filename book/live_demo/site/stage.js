// The picture on the page with the numbers under it, and colours as controls write them.

import { picture } from "./pictures.js";

const LABELS = {
  blur: "background blurred",
  grey: "background grey",
  replace: "background replaced",
  recolour: "hair recoloured",
  mask: "the mask, white where the network sees what it looks for",
  overlay: "the mask in blue over the picture",
};

const KEPT = 30;

export class Stage {
  constructor(canvas, numbers) {
    this.canvas = canvas;
    this.numbers = numbers;
    this.restart();
  }

  /** Begin to count frames anew. */
  restart() {
    this.shown = [];
  }

  paint(result, what, mirrored) {
    const { canvas } = this;
    if (canvas.width !== result.width || canvas.height !== result.height) {
      canvas.width = result.width;
      canvas.height = result.height;
    }
    const pixels = new ImageData(result.data, result.width, result.height);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    canvas.classList.toggle("mirrored", mirrored);
    canvas.setAttribute("aria-label", `Result: ${LABELS[what]}`);
  }

  /** Write the times in milliseconds; where the picture is `live`, also the frames a second. */
  count(mask, networkMs, totalMs, live) {
    let covered = 0;
    for (let i = 0; i < mask.data.length; i++) covered += mask.data[i] / mask.data.length;
    const numbers = [
      `${mask.width} × ${mask.height}`,
      `network ${networkMs.toFixed(1)} ms`,
      `whole frame ${totalMs.toFixed(0)} ms`,
      `mask covers ${(100 * covered).toFixed(0)} %`,
    ];
    if (live) {
      this.shown = [...this.shown.slice(1 - KEPT), performance.now()];
      const span = this.shown.at(-1) - this.shown[0];
      if (span > 0) numbers.push(`${(((this.shown.length - 1) * 1000) / span).toFixed(0)} frames/s`);
    }
    this.numbers.textContent = numbers.join(" · ");
  }
}

/** A picture of one colour, as large as another one. */
export function plainPicture({ width, height }, [red, green, blue]) {
  const plain = picture(width, height);
  for (let i = 0; i < plain.data.length; i += 4) {
    plain.data[i] = red;
    plain.data[i + 1] = green;
    plain.data[i + 2] = blue;
  }
  return plain;
}

/** Red, green and blue as a colour input writes them, #rrggbb. */
export function toHex(color) {
  return `#${color.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

export function fromHex(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}
