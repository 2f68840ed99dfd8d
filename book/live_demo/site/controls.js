// The panel's controls of the picture, and the settings that they stand for, a set for each network.

import { EFFECTS, SLIDERS, SWITCHES, snippet } from "./panel.js";
import { fromHex, toHex } from "./stage.js";

export class Controls {
  /**
   * @param root where the panel lies.
   * @param defaults the library's settings for each network.
   * @param changed called when the reader has changed a setting.
   */
  constructor(root, defaults, changed) {
    this.root = root;
    this.defaults = defaults;
    this.changed = changed;
    this.configs = structuredClone(defaults);
    this.model = "portrait_open";
    this.listen();
    this.settle();
  }

  get config() {
    return this.configs[this.model];
  }

  field(name) {
    return this.root.querySelector(`[name=${name}]`);
  }

  listen() {
    const on = (name, event, act) =>
      this.field(name).addEventListener(event, ({ target }) => act(target));
    this.root.querySelector("[data-do=reset]").addEventListener("click", () => {
      this.configs[this.model] = structuredClone(this.defaults[this.model]);
      this.settle();
      this.changed();
    });
    on("effect", "change", ({ value }) => this.set("effect", value));
    on("color", "input", ({ value }) => this.set("color", fromHex(value)));
    for (const { key } of SLIDERS) {
      on(key, "input", ({ valueAsNumber }) => this.set(key, valueAsNumber));
    }
    for (const { key, off, on: value } of SWITCHES) {
      on(key, "change", ({ checked }) => {
        this.set(key, checked ? (value ?? this.defaults[this.model][key]) : off);
      });
    }
  }

  set(key, value) {
    const { config } = this;
    config[key] = value;
    // The curve needs a lower edge below its upper one: the other slider gives way.
    if (key === "low") config.high = Math.max(config.high, value + 0.05);
    if (key === "high") config.low = Math.min(config.low, value - 0.05);
    this.settle();
    this.changed();
  }

  /** Bring the controls in line with the settings. */
  settle() {
    const { config, root } = this;
    const effect = this.field("effect");
    effect.replaceChildren(...EFFECTS[this.model].map(([value, text]) => new Option(text, value)));
    effect.value = config.effect;
    this.field("model").value = this.model;
    this.field("color").value = toHex(config.color);
    for (const { key, show } of SLIDERS) {
      this.field(key).value = config[key];
      const text = show(config[key]);
      root.querySelector(`output[for=${key}]`).textContent = text;
      this.field(key).setAttribute("aria-valuetext", text);
    }
    for (const { key, off } of SWITCHES) this.field(key).checked = config[key] !== off;
    root.querySelectorAll("[data-effect]").forEach((part) => {
      const wanted = part.dataset.effect;
      part.hidden = Boolean(wanted) && wanted !== config.effect;
    });
    root.querySelector(".python").textContent = snippet(config, this.defaults.portrait_open);
  }
}
