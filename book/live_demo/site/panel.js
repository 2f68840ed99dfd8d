// What the demo looks like: its markup, its style and its sliders.

const percent = (value) => `${(100 * value).toFixed(1)} %`;
const plain = (value) => value.toFixed(2);
const SIDE = 128;
const pixels = (value) => `${(value * SIDE).toFixed(value * SIDE % 1 ? 1 : 0)} px`;

/** The sliders: field of the configuration, its ends and steps, and where it belongs. */
export const SLIDERS = [
  { key: "sigma", label: "Blur of the background", max: 0.08, step: 0.0025, show: percent, effect: "blur" },
  { key: "light", label: "Light of the new background", max: 1, step: 0.05, show: plain, effect: "replace" },
  { key: "strength", label: "Strength of the dye", max: 1, step: 0.05, show: plain, effect: "recolour" },
  { key: "lift", label: "Lightness follows the colour", max: 1, step: 0.05, show: plain, effect: "recolour" },
  { key: "opening", label: "Opening (removes specks)", max: 8 / SIDE, step: 1 / SIDE, show: pixels },
  { key: "closing", label: "Closing (fills gaps)", max: 8 / SIDE, step: 1 / SIDE, show: pixels },
  { key: "holes", label: "Largest hole to fill", max: 0.1, step: 0.005, show: percent },
  { key: "blur", label: "Blur of the mask", max: 4 / SIDE, step: 0.25 / SIDE, show: pixels },
  { key: "low", label: "Curve: 0 up to", max: 0.95, step: 0.05, show: plain },
  { key: "high", label: "Curve: 1 from", min: 0.05, max: 1, step: 0.05, show: plain },
];

/** The switches: field, the value it has when off; on, it has its default or `on`. */
export const SWITCHES = [
  { key: "hysteresis", label: "Remove unsure blobs", off: null },
  { key: "largest", label: "Keep the largest piece only", off: false, on: true },
  { key: "upsample", label: "Enlarge along the photo’s edges", off: "linear" },
];

/** Effects by network: [value, what the reader sees]. */
export const EFFECTS = {
  portrait_open: [
    ["blur", "Blur the background"],
    ["replace", "Replace the background"],
    ["grey", "Grey background"],
  ],
  hair_open: [["recolour", "Recolour the hair"]],
};

const slider = ({ key, label, min = 0, max, step, effect }) => `
  <div class="slider" data-effect="${effect ?? ""}">
    <label for="${key}">${label}</label><output for="${key}"></output>
    <input type="range" id="${key}" name="${key}" min="${min}" max="${max}" step="${step}">
  </div>`;

const toggle = ({ key, label }) =>
  `<label class="switch"><input type="checkbox" name="${key}"> <span>${label}</span></label>`;

const STYLE = `
  :host {
    --text: var(--pst-color-text-base, CanvasText);
    --ground: var(--pst-color-background, Canvas);
    --raised: var(--pst-color-surface, color-mix(in srgb, CanvasText 6%, Canvas));
    --line: var(--pst-color-border, color-mix(in srgb, CanvasText 45%, Canvas));
    --accent: var(--pst-color-primary, #0a5c8a);
    display: block; container-type: inline-size; color: var(--text); line-height: 1.4;
    margin: 1rem 0;
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
  p { margin: 0 0 .6rem; }
  .card { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; }
  canvas { display: block; width: 100%; height: auto; max-height: 42vh; object-fit: contain;
    background: var(--raised); border-radius: .5rem; }
  .stage { display: contents; }
  .view { position: sticky; top: 3.5rem; z-index: 1; background: var(--ground); }
  .view .status { margin: 0; padding: .3rem .6rem; font-size: .9rem; }
  @container (min-width: 38rem) {
    .work { display: grid; gap: 1.2rem; align-items: start;
      grid-template-columns: minmax(0, 3fr) minmax(15rem, 2fr); }
    .stage { display: block; position: sticky; top: 4rem; }
    .view { position: static; }
    canvas { max-height: 75vh; }
  }
  canvas.mirrored { transform: scaleX(-1); }
  button, select, input[type=file]::file-selector-button {
    font: inherit; color: var(--text); background: var(--ground); border: 1px solid var(--line);
    border-radius: .4rem; padding: .5rem .8rem; min-height: 2.75rem; cursor: pointer;
  }
  button.main { background: var(--accent); border-color: var(--accent); color: var(--ground);
    font-weight: 600; }
  button[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
  button:disabled { opacity: .55; cursor: default; }
  :is(button, select, input, summary, textarea):focus-visible {
    outline: 3px solid var(--accent); outline-offset: 2px; }
  select { width: 100%; }
  input { accent-color: var(--accent); }
  input[type=file] { max-width: 100%; font: inherit; color: var(--text); }
  .row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-bottom: .6rem; }
  .field { display: block; margin-bottom: .6rem; }
  .field > span { display: block; font-size: .9rem; margin-bottom: .15rem; }
  .slider { display: grid; grid-template-columns: 1fr auto; gap: 0 .5rem; margin-bottom: .5rem;
    font-size: .9rem; }
  .slider input { grid-column: 1 / -1; width: 100%; min-height: 1.75rem; margin: 0; }
  .slider output, .numbers { font-variant-numeric: tabular-nums; }
  .switch { display: flex; gap: .5rem; align-items: center; min-height: 2.2rem; font-size: .9rem; }
  .switch input { width: 1.2rem; height: 1.2rem; flex: none; }
  details { border-top: 1px solid var(--line); padding: .6rem 0; }
  summary { cursor: pointer; font-weight: 600; min-height: 2rem; }
  .numbers { font-size: .9rem; margin: .4rem 0; min-height: 1.3rem; }
  .status { margin: .6rem 0; padding: .5rem .8rem; border-left: 4px solid var(--accent);
    background: var(--raised); }
  .status:empty { display: none; }
  .status.bad { border-left-color: var(--pst-color-danger, #c0392b); }
  table { border-collapse: collapse; margin-bottom: .8rem; font-size: .9rem; }
  th, td { text-align: left; padding: .15rem .8rem .15rem 0; font-weight: 400; }
  td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
  th:last-child, td:last-child { padding-right: 0; }
  tr.sum > * { border-top: 1px solid var(--line); font-weight: 600; }
  progress { width: 100%; accent-color: var(--accent); }
  textarea { width: 100%; font: .75rem/1.4 ui-monospace, monospace; color: var(--text);
    background: var(--ground); border: 1px solid var(--line); border-radius: .4rem; padding: .5rem;
    white-space: pre; overflow: auto; }
  code { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; color: var(--text); }
  input[type=color] { width: 3.5rem; height: 2.75rem; padding: .15rem; background: var(--ground);
    border: 1px solid var(--line); border-radius: .4rem; cursor: pointer; }
  .note { font-size: .85rem; }
`;

export const PANEL = `
<style>${STYLE}</style>
<div class="card start">
  <div class="cost"></div>
  <div class="row"><button type="button" class="main" data-do="load" hidden></button></div>
  <progress max="1" value="0" aria-label="Loading" hidden></progress>
</div>
<div class="status" role="status"></div>
<div class="work" hidden>
  <section class="stage" aria-label="Picture">
    <div class="view">
      <canvas role="img" width="512" height="512" aria-label="Nothing yet"></canvas>
    </div>
    <p class="numbers"></p>
    <div class="row" role="group" aria-label="Where the picture comes from">
      <button type="button" data-do="sample" aria-pressed="false">Sample picture</button>
      <button type="button" data-do="photo" aria-pressed="false">Own photo…</button>
      <button type="button" data-do="camera" aria-pressed="false">Camera</button>
      <input type="file" name="photo" accept="image/*" hidden>
    </div>
    <div class="row">
      <label class="switch"><input type="checkbox" name="mirror" checked>
        <span>Mirror the camera</span></label>
      <label class="switch"><input type="checkbox" name="rear"> <span>Rear camera</span></label>
    </div>
  </section>
  <section class="controls" aria-label="Settings">
    <label class="field"><span>Network</span><select name="model">
      <option value="portrait_open">Portrait: the person</option>
      <option value="hair_open">Hair</option></select></label>
    <label class="field"><span>Effect</span><select name="effect"></select></label>
    <label class="field"><span>Show</span><select name="view">
      <option value="frame">The finished picture</option>
      <option value="overlay">The mask over the picture</option>
      <option value="mask">The mask</option></select></label>
    <label class="field"><span>Runs on</span><select name="accelerator">
      <option value="wasm">Processor (WebAssembly)</option>
      <option value="webgpu">Graphics processor (WebGPU)</option></select></label>
    <p class="note gpu" hidden></p>
    <div class="row" data-effect="recolour">
      <label class="switch"><input type="color" name="color"> <span>Hair colour</span></label>
    </div>
    <div class="row" data-effect="replace">
      <label class="switch"><input type="color" name="scene" value="#2f6f8f">
        <span>New background</span></label>
      <button type="button" data-do="scene">Own picture…</button>
      <input type="file" name="background" accept="image/*" hidden>
    </div>
    ${SLIDERS.filter((item) => item.effect).map(slider).join("")}
    <details open>
      <summary>Post-processing of the mask</summary>
      ${SWITCHES.map(toggle).join("")}
      ${SLIDERS.filter((item) => !item.effect).map(slider).join("")}
      <div class="row"><button type="button" data-do="reset">Back to the defaults</button></div>
      <p class="note">The same in Python:<br><code class="python"></code></p>
    </details>
    <details class="measuring" open>
      <summary>Measure my device</summary>
      <div class="row">
        <button type="button" data-do="measure">Measure my device</button>
        <button type="button" data-do="copy" hidden>Copy as text</button>
      </div>
      <progress max="1" value="0" aria-label="Measuring" hidden></progress>
      <textarea rows="9" readonly hidden aria-label="The measurement as text"></textarea>
    </details>
  </section>
</div>`;

const snippetValue = (value) => {
  if (Array.isArray(value)) return `(${value.map(snippetValue).join(", ")})`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return `"${value}"`;
  return value === null ? "None" : String(Number(value.toFixed(5)));
};

/** The Python code for the settings that differ from the library's own. */
export function snippet(config, usual) {
  const same = (key) => JSON.stringify(config[key]) === JSON.stringify(usual[key]);
  const changed = Object.keys(config).filter((key) => !same(key));
  const settings = changed.map((key) => `${key}=${snippetValue(config[key])}`).join(", ");
  return `seglib.postprocess.Pipeline(PostprocessConfig(${settings}))`;
}
