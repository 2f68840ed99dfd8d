// What the page says when something is missing or goes wrong: what, and what to do.

/** An error whose message is meant for the reader. */
export class DemoError extends Error {}

const CAMERA = {
  NotAllowedError:
    "The camera was refused. Allow it for this page in the browser's address bar or in the " +
    "system's settings, then press “Camera” again; a photo or the sample works without it.",
  NotFoundError: "No camera was found. Connect one, or use a photo or the sample.",
  NotReadableError:
    "The camera is busy: another program uses it. Close that one, then press “Camera” again.",
  OverconstrainedError: "There is no camera on that side. Choose the other one.",
};

export const NO_CAMERA_HERE =
  "This browser gives pages no camera here: it wants an address that begins with https:// or " +
  "http://localhost. A photo or the sample works without it.";

export const CAMERA_LOST =
  "The camera went away. Connect it, or end the program that took it, and press “Camera” again.";

export const NO_GPU =
  "This browser has no WebGPU that works, so the networks run on the processor (WebAssembly).";

export const NO_WASM =
  "This browser has no WebAssembly with SIMD, which the networks need. Every browser since 2023 " +
  "has it; update yours.";

export const MEMORY =
  "There is too little memory for this. Close other tabs and programs, then reload the page; a " +
  "smaller photo needs less.";

const MEMORY_SIGNS = /memory|allocate|allocation|out of bounds|OOM|array buffer|invalid array length/i;

/** The sentence for an error, whoever raised it. */
export function explain(error) {
  if (error instanceof DemoError) return error.message;
  if (error?.name in CAMERA) return CAMERA[error.name];
  const text = String(error?.message ?? error);
  if (error instanceof RangeError || MEMORY_SIGNS.test(text)) return MEMORY;
  return `Something went wrong: ${text.split("\n")[0].slice(0, 200)} Reload the page to try again.`;
}

/** Bytes as a reader counts them: 12.1 MB, 94 kB. */
export function size(bytes) {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1e3)} kB`;
}
