// Which weights are looked at: a slider over the steps that were kept, and a button that goes through them.

import { element, show } from "./state.js";

const PLAY_MS = 1000; // for each step

export class Steps {
  constructor(root) {
    Object.assign(this, { kept: [], newest: 0, live: false, step: null, listeners: [], playing: null });
    this.find = (selector) => root.querySelector(selector);
    this.slider = this.find("#in-step");
    this.slider.addEventListener("input", () => { this.rest(); this.go(Number(this.slider.value)); });
    this.buttons = [...root.querySelectorAll("button.play")];
    for (const button of this.buttons) button.addEventListener("click", () => (this.playing ? this.rest() : this.play()));
    this.paintPlay();
  }

  // Told when other weights are wanted.
  listen(listener) { this.listeners.push(listener); }

  clear() {
    this.rest();
    Object.assign(this, { kept: [], newest: 0, live: false, step: null });
    this.find(".weights-at").hidden = true;
  }

  // What there is by now; `live`: the newest weights are those of the training.
  know(kept, live, newest) {
    Object.assign(this, { kept, live: live ?? this.live, newest: newest ?? this.newest });
    this.paint();
  }

  // Whether the last kept step is the newest one, so that it needs no stop of its own.
  get ended() { return !this.live && this.kept.length > 0; }
  get stops() { return this.kept.length + (this.ended ? 0 : 1); }
  get at() { return this.step === null ? this.stops - 1 : this.kept.indexOf(this.step); }

  go(stop) { this.choose(stop < this.stops - 1 ? this.kept[stop] : null); }

  choose(step) {
    const wanted = step === this.kept.at(-1) && this.ended ? null : step;
    if (wanted === this.step) return;
    this.step = wanted;
    this.paint();
    for (const listener of this.listeners) listener();
  }

  play() {
    if (this.stops < 2) return;
    if (this.at >= this.stops - 1) this.go(0);
    this.playing = setInterval(() => {
      if (this.at < this.stops - 1) this.go(this.at + 1);
      if (this.at >= this.stops - 1) this.rest();
    }, PLAY_MS);
    this.paintPlay();
  }

  rest() {
    clearInterval(this.playing);
    this.playing = null;
    this.paintPlay();
  }

  paintPlay() {
    for (const button of this.buttons) {
      const words = this.playing ? "Pause" : "Play the steps";
      button.setAttribute("aria-label", words);
      button.title = words;
      button.classList.toggle("on", Boolean(this.playing));
      button.disabled = this.stops < 2;
    }
  }

  paint() {
    const { stops, at } = this;
    this.find(".weights-at").hidden = false;
    Object.assign(this.slider, { max: stops - 1, disabled: stops < 2 });
    this.slider.value = at;
    this.slider.style.setProperty("--share", stops > 1 ? `${100 * at / (stops - 1)}%` : "100%");
    const ticks = this.find(".ticks");
    if (ticks.childElementCount !== stops) ticks.replaceChildren(...Array.from({ length: stops }, () => element("i")));
    this.find(".weights-at output").textContent = this.words;
    this.slider.setAttribute("aria-valuetext", `step ${this.words}`);
    this.paintPlay();
  }

  get words() {
    if (this.step === null) return `${show(this.newest)}, the newest`;
    return this.step ? show(this.step) : "0, before training";
  }
}
