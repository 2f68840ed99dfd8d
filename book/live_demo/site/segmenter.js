// The networks: what is fetched when the reader presses the button, and how a picture goes through.

import { plane, resizePicture } from "./pictures.js";
import { DemoError, NO_WASM } from "./words.js";

/** Everything that is fetched, as [path, bytes, compressed bytes], for one form of the runtime. */
export function parts(info, variant) {
  const stem = info.runtime.variants[variant];
  const paths = [info.runtime.module, info.runtime.helper, `${stem}.js`, `${stem}.wasm`];
  for (const model of Object.values(info.models)) paths.push(model.file);
  paths.push(info.sample);
  return paths.map((path) => [path, info.files[path].bytes, info.files[path].gzip]);
}

/** The runtime with its networks' bytes, all in memory: after `load` nothing is fetched. */
export class Engine {
  /** Fetch and start; `progress` is called with a share from 0 to 1. */
  static async load(info, base, progress) {
    if (typeof WebAssembly !== "object") throw new DemoError(NO_WASM);
    const runtime = await import(new URL(info.runtime.module, base));
    const relaxed = await runtime.supportsFeature("relaxedSimd").catch(() => false);
    const variant = relaxed ? "relaxed" : "plain";
    const stem = info.runtime.variants[variant];
    const files = Object.values(info.models).map((model) => model.file);
    const wanted = [`${stem}.wasm`, ...files, info.sample];
    const total = wanted.reduce((sum, path) => sum + info.files[path].bytes, 0);
    let done = 0;
    const fetched = {};
    for (const path of wanted) {
      fetched[path] = await download(new URL(path, base), (bytes) => progress((done += bytes) / total));
    }
    const started = performance.now();
    // The runtime takes its WebAssembly from here in place of fetching it a second time.
    self.Module = { wasmBinary: fetched[`${stem}.wasm`] };
    try {
      await runtime.loadLiteRt(new URL(`${stem}.js`, base).href);
    } finally {
      self.Module = undefined;
    }
    const engine = new Engine();
    engine.info = info;
    engine.variant = variant;
    engine.startMs = performance.now() - started;
    engine.runtime = runtime;
    engine.models = Object.fromEntries(
      Object.entries(info.models).map(([name, model]) => [name, fetched[model.file]]),
    );
    engine.sample = new Blob([fetched[info.sample]], { type: "image/jpeg" });
    engine.device = runtime.getWebGpuDevice();
    return engine;
  }

  /** What the graphics processor calls itself, or null where there is none for the page. */
  async gpu() {
    if (!this.device) return null;
    const adapter = this.device.adapterInfo ?? (await navigator.gpu.requestAdapter())?.info ?? {};
    const names = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean);
    return names.join(" ") || "unnamed";
  }

  /** Make a network ready for the accelerator "wasm" or "webgpu". */
  async network(name, accelerator) {
    const started = performance.now();
    const model = await this.runtime.loadAndCompile(this.models[name], { accelerator });
    return new Network(this, name, accelerator, model, performance.now() - started);
  }
}

/** One network: a picture of any size in, a small mask out. */
export class Network {
  constructor(engine, name, accelerator, model, initMs) {
    Object.assign(this, { engine, name, accelerator, model, initMs });
    this.info = engine.info.models[name];
    // Where an operation is missing on the graphics processor, all of it runs on the processor.
    this.accelerated = accelerator === "wasm" || Boolean(model.isFullyAccelerated);
  }

  /** The picture at the network's size as the numbers that it reads, float32. */
  prepare(image) {
    const side = this.info.size;
    const { data } = resizePicture(image, side, side);
    const [low, high] = this.info.value_range;
    const values = new Float32Array(3 * side * side);
    for (let i = 0; i < side * side; i++) {
      for (let c = 0; c < 3; c++) values[3 * i + c] = low + (data[4 * i + c] * (high - low)) / 255;
    }
    return values;
  }

  /** Run the network on prepared values and return its mask, a plane from 0 to 1. */
  async run(values) {
    const side = this.info.size;
    const input = new this.engine.runtime.Tensor(values, [1, side, side, 3]);
    let outputs;
    try {
      outputs = await this.model.run(input);
    } finally {
      input.delete();
    }
    const data = (await outputs[0].data()).slice();
    outputs.forEach((tensor) => tensor.delete());
    const [height, width] = this.info.output_shape;
    for (let i = 0; i < data.length; i++) data[i] = Math.min(Math.max(data[i], 0), 1);
    return plane(width, height, data);
  }

  segment(image) {
    return this.run(this.prepare(image));
  }

  delete() {
    this.model.delete();
  }
}

async function download(url, progress) {
  const name = url.pathname.split("/").pop();
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new DemoError(`${name} could not be loaded: the connection failed. Press the button again.`);
  }
  if (!response.ok) {
    throw new DemoError(`${name} is missing from this copy of the book (${response.status}).`);
  }
  const chunks = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    progress(value.length);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
