// The element <live-demo>: it loads when the reader says so, and hands pictures through.

import { Controls } from "./controls.js";
import { NOTHING_HERE, sayWhatIsMissing, sayWhatItCosts } from "./cost.js";
import { copyText, measure, report } from "./measure.js";
import { PANEL } from "./panel.js";
import { alpha, frame, showMask } from "./pipeline.js";
import { Engine } from "./segmenter.js";
import { Camera, readFile } from "./sources.js";
import { Stage, fromHex, plainPicture } from "./stage.js";
import { NO_GPU, explain, size } from "./words.js";

const BASE = new URL("./", import.meta.url);
const MASK_COLOUR = [0, 114, 178];

class LiveDemo extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    this.root = this.attachShadow({ mode: "open" });
    this.root.innerHTML = PANEL;
    this.queue = Promise.resolve();
    this.camera = new Camera((error) => this.cameraStopped(error));
    this.stage = new Stage(this.find("canvas"), this.find(".numbers"));
    this.find("[data-do=load]").addEventListener("click", () => this.load());
    this.introduce();
  }

  disconnectedCallback() {
    this.camera.stop();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  field(name) {
    return this.find(`[name=${name}]`);
  }

  say(text, bad = false) {
    const status = this.find(".status");
    status.classList.toggle("bad", bad);
    if (status.textContent !== text) status.textContent = text;
  }

  fail(error) {
    console.warn(error);
    this.say(explain(error), true);
  }

  /** Do one thing after the other: the runtime takes one run at a time. */
  enqueue(work) {
    const done = this.queue.then(work);
    this.queue = done.catch((error) => this.fail(error));
    return this.queue;
  }

  /** Say what a press of the button will fetch; nothing heavy is fetched before. */
  async introduce() {
    const cost = this.find(".cost");
    try {
      const response = await fetch(new URL("demo.json", BASE));
      if (!response.ok) throw new Error(`${response.status}`);
      this.info = await response.json();
    } catch {
      cost.innerHTML = NOTHING_HERE;
      return;
    }
    if (this.info.missing) {
      sayWhatIsMissing(cost, this.info);
      return;
    }
    const button = this.find("[data-do=load]");
    button.textContent = `Load the demo (${size(sayWhatItCosts(cost, this.info))})`;
    button.hidden = false;
  }

  async load() {
    const button = this.find("[data-do=load]");
    const bar = this.find(".start progress");
    button.disabled = true;
    bar.hidden = false;
    this.say("Loading …");
    try {
      this.engine ??= await Engine.load(this.info, BASE, (share) => {
        bar.value = share;
      });
      this.gpuName = await this.engine.gpu();
      this.network = await this.engine.network("portrait_open", "wasm");
      await this.open(() => readFile(this.engine.sample), "sample");
    } catch (error) {
      this.fail(error);
      button.disabled = false;
      bar.hidden = true;
      return;
    }
    this.find(".start").hidden = true;
    this.find(".work").hidden = false;
    this.controls = new Controls(this.root, this.info.defaults, () => this.draw());
    this.listen();
    // Beside the picture, where a phone shows it while the settings are scrolled.
    this.find(".view").append(this.find(".status"));
    this.say("Ready. From here on this page asks for nothing more.");
    if (this.engine.device) this.engine.device.lost.then(() => this.withoutGpu());
    else this.withoutGpu();
    await this.draw();
    // Once more, since the first frame's times are those of code that the browser still compiles.
    this.mask = null;
    await this.draw();
    this.find("[data-do=sample]").focus({ preventScroll: true });
  }

  get model() {
    return this.controls.model;
  }

  get config() {
    return this.controls.config;
  }

  listen() {
    const on = (name, event, act) => this.field(name).addEventListener(event, act);
    const press = (name, act) => this.find(`[data-do=${name}]`).addEventListener("click", act);
    press("sample", () => this.show(() => readFile(this.engine.sample), "sample"));
    press("photo", () => this.field("photo").click());
    press("scene", () => this.field("background").click());
    press("camera", () => (this.camera.running ? this.cameraStopped() : this.startCamera()));
    press("measure", () => this.measure());
    press("copy", () => this.copy());
    on("photo", "change", ({ target }) => {
      const [file] = target.files;
      if (file) this.show(() => readFile(file), "photo");
      target.value = "";
    });
    on("background", "change", ({ target }) => {
      const [file] = target.files;
      target.value = "";
      if (file) this.enqueue(async () => (this.scene = await readFile(file))).then(() => this.draw());
    });
    on("model", "change", ({ target }) => this.change(target.value, this.field("accelerator").value));
    on("accelerator", "change", ({ target }) => this.change(this.model, target.value));
    on("view", "change", () => this.draw());
    on("mirror", "change", () => this.draw());
    on("rear", "change", () => this.camera.running && this.startCamera());
    on("scene", "input", () => {
      this.scene = null;
      this.draw();
    });
  }

  /** Change the network or what it runs on; on failure the old one goes on. */
  change(model, accelerator) {
    return this.enqueue(async () => {
      try {
        const network = await this.engine.network(model, accelerator);
        this.network.delete();
        this.network = network;
        this.controls.model = model;
        this.mask = null;
        const gpu = accelerator === "webgpu";
        this.say(
          gpu && !network.accelerated
            ? "The graphics processor lacks an operation of this network; it runs on the processor."
            : `The network ${model} runs on the ${gpu ? `graphics processor (${this.gpuName})` : "processor"}.`,
        );
      } finally {
        this.field("accelerator").value = this.network.accelerator;
        this.controls.settle();
      }
    }).then(() => this.draw());
  }

  withoutGpu() {
    this.engine.device = null;
    this.field("accelerator").querySelector("[value=webgpu]").disabled = true;
    this.find(".gpu").textContent = NO_GPU;
    this.find(".gpu").hidden = false;
    if (this.network.accelerator === "webgpu") this.change(this.model, "wasm");
  }

  async open(read, source) {
    this.image = await read();
    this.mask = null;
    this.mark(source);
  }

  show(read, source) {
    this.camera.stop();
    return this.enqueue(async () => {
      await this.open(read, source);
      this.say("");
    }).then(() => this.draw());
  }

  mark(source) {
    this.source = source;
    for (const name of ["sample", "photo", "camera"]) {
      this.find(`[data-do=${name}]`).setAttribute("aria-pressed", String(name === source));
    }
    this.find("[data-do=camera]").textContent = source === "camera" ? "Stop the camera" : "Camera";
  }

  async startCamera() {
    const rear = this.field("rear").checked;
    try {
      if (!(await this.camera.start(rear ? "environment" : "user"))) return;
    } catch (error) {
      this.camera.stop();
      this.mark(null);
      this.fail(error);
      return;
    }
    this.mark("camera");
    this.say("The camera runs; its pictures stay on this device.");
    const run = (this.run = {});
    this.stage.restart();
    const step = () => {
      if (this.run !== run || !this.camera.running) return;
      this.enqueue(async () => {
        if (!this.camera.running || !this.camera.video.videoWidth) return;
        this.image = this.camera.frame();
        this.mask = null;
        await this.render();
      }).then(() => this.camera.running && this.camera.next(step));
    };
    step();
  }

  cameraStopped(error = null) {
    this.camera.stop();
    this.mark(null);
    if (error) this.fail(error);
    else this.say("The camera is off. Its last picture stays.");
  }

  /** Draw once more, as soon as what is under way is done; the camera draws by itself. */
  draw() {
    if (this.waiting || this.camera.running) return this.queue;
    this.waiting = true;
    return this.enqueue(async () => {
      this.waiting = false;
      if (this.image) await this.render();
    });
  }

  /** The new background: the reader's picture, else one colour. */
  background() {
    return this.scene ?? plainPicture(this.image, fromHex(this.field("scene").value));
  }

  async render() {
    const { image, config } = this;
    const started = performance.now();
    if (!this.mask) {
      const values = this.network.prepare(image);
      const ready = performance.now();
      this.mask = await this.network.run(values);
      this.networkMs = performance.now() - ready;
    }
    const large = alpha(image, this.mask, config);
    const view = this.field("view").value;
    let result;
    if (view === "frame") {
      const scene = config.effect === "replace" ? this.background() : null;
      result = frame(image, large, config, scene, this.info.foreground_reduce);
    } else {
      result = showMask(image, large, view === "overlay" ? MASK_COLOUR : null);
    }
    const mirrored = this.source === "camera" && this.field("mirror").checked;
    this.stage.paint(result, view === "frame" ? config.effect : view, mirrored);
    this.stage.count(large, this.networkMs, performance.now() - started, this.camera.running);
  }

  measure() {
    const button = this.find("[data-do=measure]");
    const bar = this.find(".measuring progress");
    button.disabled = true;
    bar.hidden = false;
    this.say("Measuring …");
    return this.enqueue(async () => {
      try {
        const kinds = this.engine.device ? ["wasm", "webgpu"] : ["wasm"];
        const rows = [];
        for (const [i, kind] of kinds.entries()) {
          const progress = (share) => (bar.value = (i + share) / kinds.length);
          const scene = this.config.effect === "replace" ? this.background() : null;
          rows.push(
            await measure(this.engine, this.model, kind, this.image, this.config, scene, progress),
          );
        }
        const text = this.find("textarea");
        text.value = report(this.engine, this.model, this.gpuName, this.image, rows);
        text.hidden = false;
        this.find("[data-do=copy]").hidden = false;
        this.measured = rows;
        this.say("Measured. The table below can be copied as text.");
      } finally {
        button.disabled = false;
        bar.hidden = true;
      }
    });
  }

  async copy() {
    const copied = await copyText(this.find("textarea"));
    this.say(
      copied
        ? "Copied."
        : "The browser does not let the page copy. The text is selected: copy it yourself.",
    );
  }
}

customElements.define("live-demo", LiveDemo);
