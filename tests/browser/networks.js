// Looks into the element of the page: runs its network on Python's arrays, reads its pictures.

import { encode, load } from "./vectors.js";

const demo = () => document.querySelector("live-demo");

/** The mask of an array, by a network made ready for the accelerator "wasm" or "webgpu". */
export async function mask(array, name, accelerator) {
  const image = await load(array);
  const network = await demo().engine.network(name, accelerator);
  try {
    const result = await network.segment(image);
    const { width, height } = result;
    return { kind: "mask", width, height, data: encode(result), accelerated: network.accelerated };
  } finally {
    network.delete();
  }
}

/** What the page shows, or the picture that it was made from. */
export function shown(which) {
  const canvas = demo().shadowRoot.querySelector("canvas");
  const made = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const result = which === "image" ? demo().image : made;
  return { kind: "image", width: result.width, height: result.height, data: encode(result) };
}
