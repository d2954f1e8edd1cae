// One slider over the steps at which runs wrote: it stops at those steps alone, stays at the end while there is more to
// come, and plays.

import { element, show } from "./state.js";
import { make } from "./svg.js";

const BEAT_MS = 700; // a stop, while it plays
const PLAY = "M5 3.4v9.2l7.6-4.6z", PAUSE = "M4.6 3.6h2.2v8.8H4.6zM9.2 3.6h2.2v8.8H9.2z";

// `moved(step, asked)` shows what was written by then, and resolves once it is seen; `asked` says that somebody wants it.
export class Timeline {
  constructor(root, moved) {
    Object.assign(this, { root, moved, stops: [], at: -1, playing: null });
    root.classList.add("timeline");
    root.hidden = true;
    this.button = element("button", "play");
    this.button.type = "button";
    this.slider = element("input", "slider");
    Object.assign(this.slider, { type: "range", min: 0, step: 1 });
    this.slider.setAttribute("aria-label", "Step of the samples");
    this.told = element("output");
    root.append(this.button, this.slider, this.told);
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    this.slider.addEventListener("input", () => { this.playing = null; this.go(Number(this.slider.value)); });
    this.pause();
  }

  get step() { return this.stops[this.at] ?? null; }
  get atEnd() { return this.at === this.stops.length - 1; }

  // The steps to stop at, in any order; its place stays where it is, or at the end.
  set(steps) {
    const { step, atEnd } = this, stops = [...new Set(steps)].sort((a, b) => a - b);
    if (stops.join() === this.stops.join()) return;
    this.stops = stops;
    this.at = atEnd ? stops.length - 1 : Math.max(0, stops.findLastIndex((stop) => stop <= step));
    this.root.hidden = stops.length < 2;
    this.slider.max = Math.max(0, stops.length - 1);
    this.paint();
    if (this.step !== null && this.step !== step) this.moved(this.step, false);
  }

  go(at) {
    this.at = Math.min(this.stops.length - 1, Math.max(0, at));
    this.paint();
    return this.moved(this.step, true);
  }

  async play() {
    const mine = this.playing = {}, beat = () => new Promise((resolve) => { setTimeout(resolve, BEAT_MS); });
    this.paint();
    await Promise.all([beat(), this.go(this.atEnd ? 0 : this.at)]);
    while (this.playing === mine && !this.atEnd) await Promise.all([beat(), this.go(this.at + 1)]);
    if (this.playing === mine) this.pause();
  }

  pause() {
    this.playing = null;
    this.paint();
  }

  paint() {
    const { slider, button, told, stops, at, step } = this, words = step === null ? "" : `step ${show(step)}`;
    slider.value = at;
    slider.style.setProperty("--share", `${(100 * at) / Math.max(1, stops.length - 1)}%`);
    slider.setAttribute("aria-valuetext", words);
    told.textContent = words;
    const playing = Boolean(this.playing), label = playing ? "Pause" : "Play the samples in their order";
    if (button.title === label) return;
    const icon = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    icon.append(make("path", { d: playing ? PAUSE : PLAY }));
    button.replaceChildren(icon);
    button.setAttribute("aria-label", label);
    button.title = label;
  }
}
