// What the shown run's signals are by now, part by part, as colours for the diagram. Asked for only when something new was
// measured, and while somebody looks.

import { ask } from "./ask.js";
import { Scale, paintScale, ramp, written } from "./health_scale.js";
import { session } from "./session.js";
import { form, on } from "./state.js";

const LEAST_MS = 1000; // between two questions

// Of each measure: its size of a part, and in the stream behind it, where there is one.
const MEASURES = {
  gradients: { part: "grad", stream: "back", named: "gradient RMS" },
  activations: { part: "out", stream: "stream", named: "activation RMS" },
  updates: { part: "update", stream: null, named: "update as a share of the weights" },
};
const PARTS = { attn: ["attention"], mlp: ["mlp"], both: ["attention", "mlp"] }; // by the component of a row
const RAILS = { attn: "residual_attn", mlp: "residual_mlp", both: "residual_attn" };
const ALONE = { embedding: "embedding", head: "head", table: "bigram" };

export class Signals {
  // In `root`, which holds the choice and the scale; `changed` is called when there are other colours.
  constructor(root, changed) {
    this.find = (selector) => root.querySelector(selector);
    Object.assign(this, { changed, measure: "off", told: null, asked: "", at: -Infinity, timer: null, span: [] });
    for (const radio of root.querySelectorAll("[name=tint]")) radio.addEventListener("change", () => this.choose(radio.value));
    for (const event of ["points", "status", "attached", "checked", "view"]) on(event, () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
    new IntersectionObserver(([{ isIntersecting }]) => { this.seen = isIntersecting; this.look(); }).observe(root);
    const repaint = new MutationObserver(() => { if (this.measure !== "off") this.show(); }); // the theme may be another
    repaint.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  choose(measure) {
    this.measure = measure;
    this.span = [];
    this.show();
    this.look();
  }

  // Whether the form is what the shown run trains.
  get fits() {
    const { head } = session.shown || {};
    return Boolean(head && form.checked && head.recipe && head.recipe === form.checked.recipe);
  }

  async look() {
    if (this.measure === "off") return;
    const run = session.shown, { fits } = this;
    if (this.told && this.told.run !== run?.id) { this.told = null; this.span = []; }
    if (this.fitted !== fits || !this.told) { this.fitted = fits; this.show(); }
    const wanted = run?.measured ? `${run.id} ${run.measured}` : this.asked;
    if (wanted === this.asked || !fits || !this.seen || document.hidden || document.body.dataset.view !== "train") return;
    clearTimeout(this.timer);
    const wait = this.at + LEAST_MS - performance.now();
    if (wait > 0) { this.timer = setTimeout(() => this.look(), wait); return; }
    this.at = performance.now();
    this.asked = wanted;
    const answer = await ask("health", { visitor: session.visitor, run: run.id, seq: run.measured });
    if (!answer) this.asked = ""; // the server is away: the next look asks again
    if (session.shown !== run || !answer?.rows) return;
    this.told = answer;
    this.show();
  }

  // Colours by id of a part, {id: {fill, layers, words}}; none while there is nothing to show. `paint` as of ramp().
  tint(paint = ramp()) {
    if (this.measure === "off" || !this.told || !this.fits) return {};
    const { part, stream, named } = MEASURES[this.measure], sizes = {}, asShare = this.measure === "updates";
    const note = (id, size) => { if (size !== undefined) (sizes[id] ||= []).push(size); };
    for (const row of this.told.rows) {
      const own = row[part]?.[0], behind = stream ? row[stream]?.[0] : undefined;
      if (!row.layer) note(ALONE[row.name], own === undefined ? behind : own);
      else for (const id of PARTS[row.part]) note(id, own);
      if (row.layer && behind !== undefined) note(RAILS[row.part], behind);
    }
    const { scale } = this, fill = (size) => (scale.place(size) == null ? "var(--bad)" : paint(scale.place(size)));
    const say = (all) => (all.length > 1 ? `, from layer 1: ${all.map((size) => written(size, asShare)).join(", ")}` : "");
    return Object.fromEntries(Object.entries(sizes).map(([id, all]) => [id, {
      fill: fill(middle(all)), layers: all.map(fill), words: `${named} ${written(middle(all), asShare)}${say(all)}` }]));
  }

  // As wide as what was seen of the run so far, so that a colour keeps its meaning.
  get scale() {
    const { part, stream } = MEASURES[this.measure];
    const all = this.told.rows.flatMap((row) => [row[part]?.[0], stream ? row[stream]?.[0] : null]).filter((size) => size > 0);
    this.span = all.length ? [Math.min(...all, ...this.span), Math.max(...all, ...this.span)] : this.span;
    return new Scale([this.span]);
  }

  // What the colours are, in words; nothing while there are none.
  get said() {
    const shown = this.measure !== "off" && this.told && this.fits;
    return shown ? `${MEASURES[this.measure].named} at step ${this.told.step.toLocaleString("en-US")}` : "";
  }

  show() {
    const { measure, said } = this, box = this.find(".ramp"), words = this.find(".tint-says"), run = session.shown;
    words.hidden = measure === "off";
    box.hidden = !said;
    if (said) paintScale(box, this.scale, measure === "updates");
    words.textContent = said ? `${said}; strips show the layers, the first at the foot.`
      : !run ? "Train, and each part takes the colour of its signal."
        : run.head && !this.fits ? "The form differs from the shown run: its signals are not those of this model."
          : "Nothing is measured yet.";
    this.changed();
  }
}

// The geometric mean; null as soon as one is no number.
function middle(sizes) {
  if (sizes.some((size) => size == null)) return null;
  return sizes.some((size) => size === 0) ? 0 : Math.exp(sizes.reduce((sum, size) => sum + Math.log(size), 0) / sizes.length);
}
