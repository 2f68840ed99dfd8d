// "Measure my device": how long a network and a whole frame take here.

import { alpha, frame } from "./pipeline.js";

const WARM_UP = 5;
const RUNS = 60;
const FRAMES = 20;

/** The value below which a share of the sorted times lies, between neighbours in a straight line. */
export function quantile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** The smallest step of the browser's clock in milliseconds; browsers make it coarse on purpose. */
export function clockStep() {
  let step = Infinity;
  for (let i = 0; i < 20; i++) {
    const before = performance.now();
    let now = before;
    while (now === before) now = performance.now();
    step = Math.min(step, now - before);
  }
  return step;
}

/** Times in milliseconds: init, first, median and p90 of one network, and of whole frames. */
export async function measure(engine, name, accelerator, image, config, background, progress) {
  const network = await engine.network(name, accelerator);
  try {
    const values = network.prepare(image);
    const once = async () => {
      const started = performance.now();
      await network.run(values);
      return performance.now() - started;
    };
    const first = await once();
    for (let i = 0; i < WARM_UP; i++) await once();
    const times = [];
    for (let i = 0; i < RUNS; i++) {
      times.push(await once());
      if (i % 10 === 9) await pause(progress, (0.6 * (i + 1)) / RUNS);
    }
    const frames = [];
    const reduce = engine.info.foreground_reduce;
    for (let i = 0; i < FRAMES; i++) {
      const started = performance.now();
      const mask = await network.segment(image);
      frame(image, alpha(image, mask, config), config, background, reduce);
      frames.push(performance.now() - started);
      if (i % 4 === 3) await pause(progress, 0.6 + (0.4 * (i + 1)) / FRAMES);
    }
    return {
      accelerator,
      accelerated: network.accelerated,
      init: network.initMs,
      first,
      median: quantile(times, 0.5),
      p90: quantile(times, 0.9),
      frame: quantile(frames, 0.5),
      fps: 1000 / quantile(frames, 0.5),
    };
  } finally {
    network.delete();
  }
}

/** Let the page draw and listen. */
function pause(progress, share) {
  progress(share);
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const NAMES = { wasm: "CPU, WebAssembly", webgpu: "GPU, WebGPU" };

/** The measurement as plain text, to be pasted into a report. */
export function report(engine, name, gpu, image, rows) {
  const { info } = engine;
  const number = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1)).padStart(8);
  const lines = [
    `Segmentation on a phone, live demo, seglib ${info.seglib}, ` +
      `${info.runtime.name} ${info.runtime.version} (${engine.variant})`,
    `network ${name}, ${info.models[name].precision}, ` +
      `${info.models[name].size}x${info.models[name].size}; frame ${image.width}x${image.height}`,
    "                       init   first  median     p90   frame     fps",
  ];
  for (const row of rows) {
    const label = NAMES[row.accelerator] + (row.accelerated ? "" : " *");
    const numbers = [row.init, row.first, row.median, row.p90, row.frame, row.fps].map(number);
    lines.push(label.padEnd(19) + numbers.join(""));
  }
  lines.push(
    "milliseconds; init, first, median, p90: the network; frame: network and post-processing",
  );
  if (rows.some((row) => !row.accelerated)) {
    lines.push("* the GPU lacks an operation of this network; it ran on the CPU");
  }
  lines.push(
    `runtime start ${engine.startMs.toFixed(0)} ms; clock step ${clockStep().toFixed(3)} ms; ` +
      `cores ${navigator.hardwareConcurrency ?? "unknown"}; GPU ${gpu ?? "none for the page"}`,
    navigator.userAgent,
  );
  return lines.join("\n");
}

/** Put the text on the clipboard; where the browser does not allow it, select it and return false. */
export async function copyText(area) {
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch {
    area.focus();
    area.select();
    return false;
  }
}
