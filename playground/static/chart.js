// The live chart. The figure comes from playground/plots.py; new points are appended to it, never sent twice.

import { element, emit, form, on, ready, recall, remember, value } from "./state.js";
import { GOING, enter, known, session, start } from "./session.js";
import { isDrawn } from "./selection.js";
import { Average, paint, perStep, placeInWords, readAt, spanOf } from "./curves.js";
import { annotations } from "./labels.js";
import { Others } from "./others.js";
import { guestLines } from "./result_lines.js";
import { Crosshair } from "./overlay.js";
import { Tail } from "./tail.js";
import { BATCH, CHECKS, SMOOTH, beside, dashOf, inFront, layout } from "./figure.js";
import { changes, extent, labels, measured, named, parts, points, ranges, shared } from "./series.js";
import { bindControls } from "./controls.js";
import { bindNote } from "./note.js";
import { bindRuns } from "./runs.js";

const VIEW = "gpt-playground-view";
const PUBLISHED_TEXT = "tinyshakespeare"; // what the published losses are of
const CHARACTERS = { bits: 1 / Math.LN2 }; // and of its characters
const VIEWED = { unit: "steps", of: "training", measure: "nats", logX: false, logY: false, smoothing: 70 }; // at first
const RESTS = 5; // times as long as it draws: many curves take long, and the training needs the machine
const ROOM = { train: 96, compare: 190 }, NARROW = 560; // px for words right of the curves

export async function mount(root, { props, watch }) {
  const chart = new Chart(root, props);
  start(props.every_ms);
  bindControls();
  bindRuns(root, chart);
  bindNote(root.querySelector("#note"));
  const arrive = () => { if (props.value?.visitor) enter(props.value); };
  watch("value", arrive);
  arrive();
  await Promise.all([library(props.plotly), ready]);
  chart.begin();
}

// plotly.js is large: fetched once, beside the page rather than before it.
function library(path) {
  return new Promise((resolve, reject) => {
    const script = element("script");
    script.src = new URL(path, document.baseURI).href;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} did not load`));
    document.head.append(script);
  });
}

class Chart {
  constructor(root, props) {
    this.box = root.querySelector("#chart-root");
    this.plot = root.querySelector(".plot");
    this.hint = root.querySelector(".hint");
    this.unit = root.querySelector(".unit");
    this.props = props;
    this.view = { ...VIEWED, ...(recall(VIEW) || {}) };
    this.zoomed = false;
    this.drawn = false;
    this.own = 0; // changes of ours whose event is still to come
    this.place = 0; // of the shown run's first trace
    this.rest = 0; // until when it is not drawn again
    this.plotted = this.checked = this.marked = 0; // how many points, checks and marks Plotly has drawn
    this.front = null; // the shown run as one of the lines,
    this.heads = []; // and its smoothed curve
    this.others = new Others(props.earlier.length, () => this.rebuild(), () => this.view.measure === "bits");
    this.lines = []; // the runs drawn beside it
    this.lengths = new Map(); // what each run's average was measured by
    this.named = ""; // what the list said of the runs drawn
  }

  begin() {
    this.drawn = true;
    this.rebuild();
    this.tail = new Tail(this.box, this.plot);
    this.crosshair = new Crosshair(this.box, this.plot, {
      lines: () => this.readable(), marks: () => this.marks(), heading: (x) => placeInWords(this.view.unit, x) });
    on("attached", () => { this.zoomed = false; this.rebuild(); this.others.fetch(); });
    on("head", () => this.rebuild());
    on("points", ({ run }) => this.extend(run));
    on("status", () => { if (!this.grows) this.catchUp(); this.tell(); });
    on("runs", () => { if (this.naming() !== this.named) this.rebuild(); this.others.fetch(); });
    on("selection", () => { this.rebuild(); this.others.fetch(); });
    on("view", () => { this.zoomed = false; this.rebuild(); });
    on("sample-step", (step) => this.crosshair.pin(() => this.placeOf(step)));
    on("point-at", (id) => this.crosshair.light(id));
    on("guests", () => this.rebuild());
    for (const event of ["checked", "step"]) on(event, () => { if (!this.run) this.rebuild(); });
    new MutationObserver(() => this.rebuild()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => { Plotly.Plots.resize(this.plot); this.fit(); }).observe(this.plot);
    this.plot.on("plotly_relayout", (change) => {
      if (this.own || !Object.keys(change).some((key) => /^[xy]axis\.range/.test(key))) return;
      this.zoomed = true;
      this.fit();
    });
    this.plot.on("plotly_doubleclick", () => { this.zoomed = false; this.fit(); });
    this.others.fetch();
  }

  set(view) {
    Object.assign(this.view, view);
    remember(VIEW, this.view);
    if (!("smoothing" in view)) this.zoomed = false;
    if (this.drawn) this.rebuild();
    if ("measure" in view) this.others.fetch();
  }

  // Runs whose losses do not compare in nats a token, since they read other tokens of the same text.
  get mixed() { return this.mix(this.all); }

  mix(lines) {
    const runs = lines.map(({ run }) => run), [first] = runs;
    return runs.some((run) => run.text !== first.text && run.held_out === first.held_out);
  }

  // The view with the unit of the losses.
  get seen() {
    const { mixed } = this;
    return { ...this.view, mixed, bits: mixed || this.view.measure === "bits" };
  }

  // What the chart is about: the shown run, or the form before there is one.
  get run() { return session.shown; }
  get total() { return this.run?.total || Number(value("train.steps")) || 1; }
  get references() {
    const { head } = this.run || {}, about = head?.references ? head : form.checked;
    const lines = about?.references || [], losses = measured(lines.map(([, loss]) => loss), about, this.seen.bits);
    return lines.map(([words], i) => [words, losses[i]]).filter(([, loss]) => loss != null);
  }

  get grows() { return GOING.includes(this.run?.status); }

  get shows() { return Boolean(this.run) && (document.body.dataset.view !== "compare" || isDrawn(this.run.id)); }

  // What a step stands for on the horizontal axis; of the form, before there is a run, roughly.
  get perStep() {
    const tokens = Number(value("train.batch_size")) * Number(value("model.block_size")) || 1;
    const asked = { tokens_per_step: tokens, flops: 6 * tokens * (form.checked?.parameters || 1) };
    return perStep(this.view.unit, this.run?.head || asked);
  }

  // Where a step is on the horizontal axis; in seconds that is known of the shown run.
  placeOf(step) {
    if (step == null || this.view.unit !== "seconds") return step == null ? null : step * this.perStep;
    return this.run ? readAt(this.run.steps, this.run.seconds, step) : null;
  }

  // All runs that are drawn, the shown one first.
  get all() { return this.front && this.shows ? [this.front, ...this.lines] : this.lines; }

  // Published losses are known by their step, so they have no place on an axis of seconds.
  get published() {
    const about = this.run ? form.presets.find((p) => p.id === this.run.head?.preset) : form.preset;
    const told = (about?.published || []).filter(([step]) => step <= this.total);
    const characters = this.run ? this.run.head?.text?.endsWith("/char") : value("data.tokenizer") === "char";
    const without = this.view.unit === "seconds" || !(characters || this.seen.bits) || told.length < 2 || this.among || (this.run && !this.shows);
    const steps = without ? [] : told.map(([step]) => step), each = this.perStep;
    const x = points({ run: { tokens_per_step: each, flops: each } }, steps, [], this.view);
    return { x, y: measured(steps.map((_, i) => told[i][1]), CHARACTERS, this.seen.bits) };
  }

  // Another text has other losses: what was published of one is no goal on another.
  get foreign() { return (this.run?.head?.dataset || value("data.dataset")) !== PUBLISHED_TEXT; }

  colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  // Drawing ---------------------------------------------------------------------------------------------------------

  rebuild() {
    if (!this.drawn) return;
    this.lines = [...this.others.lines(this.view.smoothing), ...guestLines()];
    this.named = this.naming();
    this.average = this.averaged();
    const { props, front } = this, view = this.seen, lines = this.all, axes = this.ranges();
    if (this.bits !== view.bits) { this.bits = view.bits; emit("unit"); } // as it is drawn
    const shown = inFront(props, view, { front, raw: this.run?.loss, lines, published: this.published, faint: this.foreign,
      marks: this.marks(), among: this.among });
    const data = [...this.lines.flatMap((line) => beside(props, view, line, lines)), ...shown.behind, ...shown.traces];
    this.place = data.length - shown.traces.length;
    const about = { axes, width: this.plot.clientWidth, room: this.room, references: this.references,
      annotations: this.words(axes) };
    const settings = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
    Plotly.react(this.plot, paint(data, this.colour), paint(layout(props, view, about), this.colour), settings);
    this.tail?.clear();
    this.tell();
    this.crosshair?.update();
  }

  // The shown run's smooth curve, anew; and the average with which it goes on.
  averaged() {
    const { run } = this;
    Object.assign(this, { heads: [], plotted: run?.steps.length, checked: run?.evals.length, marked: run?.marks.length, front: null });
    if (!run) return null;
    if (!this.lengths.has(run.id) && run.total) this.lengths.set(run.id, run.total); // extending it changes no past
    const average = new Average(spanOf(this.view.smoothing, this.lengths.get(run.id) || 0));
    this.heads = run.steps.map((step, i) => average.add(step, run.loss[i]));
    const { steps, seconds, evals, marks } = run;
    const { text, held_out, bits } = run.head || {}, begun = run.head ? { text, held_out, bits } : {}; // the list may be older
    this.front = { run: { id: run.id, ...run.head, ...known(run.id), ...begun }, steps, smooth: this.heads, seconds, evals, marks,
      colour: "--acc", dash: "solid", strong: true };
    return average;
  }

  // Whether it is one of several that were chosen.
  get among() { return this.lines.some(({ ticked }) => ticked); }

  get common() { return this.among ? shared(this.all) : this.run?.head; }

  get room() { return this.plot.clientWidth < NARROW ? ROOM.train : ROOM[document.body.dataset.view] || ROOM.train; }

  // Appends what is new of the shown run.
  extend(run) {
    const from = this.heads.length;
    if (!this.drawn || run !== this.run || (from === run.steps.length && this.checked === run.evals.length)) return;
    if (this.seen.bits !== this.bits || run.marks.length > this.marked || run.steps[from] < run.head?.forked_at) { this.rebuild(); return; }
    this.heads.push(...run.steps.slice(from).map((step, i) => this.average.add(step, run.loss[from + i])));
    const looks = [BATCH, SMOOTH].map((trace) => this.plot.data[this.place + trace]);
    const tails = this.shows ? this.grown(Math.max(0, this.plotted - 1)).map((part, i) => ({ ...looks[i], ...part })) : [];
    const will = this.tail.draw(tails, this.view.of === "training");
    if (!will || !this.plotted || !this.grows || run.evals.length > this.checked) this.catchUp();
    this.crosshair?.update();
    this.tell();
  }

  // The shown run's losses and their average, from a point on.
  grown(from) {
    const { run, front } = this, x = points(front, run.steps.slice(from), run.seconds.slice(from), this.view);
    return [run.loss, this.heads].map((losses) => ({ x, y: measured(losses.slice(from), front.run, this.bits) }));
  }

  // Hands what is new to Plotly.
  catchUp() {
    const { run, front } = this, began = performance.now();
    clearTimeout(this.late);
    if (!front || (this.plotted === this.heads.length && this.checked === run.evals.length)) return;
    if (began < this.rest) { this.late = setTimeout(() => { this.catchUp(); this.tell(); }, this.rest - began); return; }
    const checks = run.evals.slice(this.checked), places = [BATCH, SMOOTH, CHECKS].map((trace) => this.place + trace);
    const more = [...this.grown(this.plotted), { x: points(front, checks.map((e) => e[0]), checks.map((e) => e[2]), this.view),
      y: measured(checks.map((e) => e[1]), front.run, this.bits) }];
    const whole = (axis) => places.map((place, i) => [...this.plot.data[place][axis], ...more[i][axis]]);
    Plotly.update(this.plot, { x: whole("x"), y: whole("y") }, this.fitting(), places); // at once: each call draws everything anew
    Object.assign(this, { plotted: this.heads.length, checked: run.evals.length });
    this.tail.clear();
    this.rest = began + RESTS * (performance.now() - began);
  }

  fit() {
    if (!this.plot._fullLayout) return;
    this.own += 1; // its event comes later, and must not be taken for the visitor's
    Plotly.relayout(this.plot, this.fitting()).finally(() => { this.own -= 1; });
    this.crosshair?.update();
  }

  // Ranges that hold everything, unless the visitor has zoomed; and the labels.
  fitting() {
    const axes = this.ranges();
    return { "margin.r": this.room, "xaxis.range": [...axes.x], "yaxis.range": [...axes.y], annotations: this.words(axes) };
  }

  ranges() {
    const now = this.plot._fullLayout;
    if (this.zoomed && now) return { x: now.xaxis.range, y: now.yaxis.range };
    const aside = this.run && !this.shows && this.among;
    const reach = aside ? 0 : extent(this.run || {}, this.view.unit, this.total, this.perStep);
    const { perStep: each, references, published } = this;
    return ranges(this.all, this.seen, { reach, perStep: each, references, published: published.y });
  }

  // Words -----------------------------------------------------------------------------------------------------------

  words(axes) {
    const { l, t, b } = this.props.layout.margin, { clientWidth, clientHeight } = this.plot, r = this.room;
    const size = { w: clientWidth - l - r, h: clientHeight - t - b, r }, { logX, logY } = this.view;
    const { total, common, among, references, published, foreign } = this;
    const said = labels(this.all, { ...this.seen, total, beside: common, among, references, published, foreign });
    return annotations(said, { ...axes, logX, logY }, size, this.colour);
  }

  // What the list says of the runs drawn: their names, and whether they are the ones.
  naming() {
    const runs = [...this.others.chosen(), this.run && known(this.run.id)].filter(Boolean);
    return runs.map((run) => `${run.id} ${run.name} ${run.status}`).join("|");
  }

  marks() { return changes(this.all, this.seen); }

  // What the crosshair reads.
  readable() {
    const view = this.seen;
    return this.all.map((line) => ({ id: line.run.id, name: named(line, this.common, this.among), strong: line.strong,
      colour: line.colour || "--mut", dash: dashOf(this.props, line), wide: line.strong ? 3 : 2,
      ...parts(line, view).own }));
  }

  tell() {
    const { run } = this, soon = run?.status === "queued" && !run.steps.length && !this.lines.length;
    const uncounted = this.view.unit === "flops" && run?.head && !run.head.flops;
    this.tellUnit();
    this.hint.textContent = !run && !this.lines.length ? "Press Train: the loss curve grows here."
      : uncounted ? "The operations of this run were not counted." : soon ? "The curve begins in a moment." : "";
    const { id = "", steps = [], status = "", more } = run || {}, drawn = this.grows ? this.heads.length : this.plotted;
    const late = more || drawn < steps.length; // it has ended, but its points are still on their way
    const told = late && !this.grows ? "loading" : status;
    Object.assign(this.box.dataset, { run: id, status: told, step: steps[drawn - 1] || 0, points: drawn });
  }

  // Nats a token cannot be chosen where they do not compare; runs that are there for the bits alone go with them.
  tellUnit() {
    const mixed = this.mix(this.all.filter(({ ticked }) => ticked !== false)), { bits } = this.seen;
    const words = mixed ? "since these runs read other tokens" : "";
    for (const radio of this.box.querySelectorAll("[name=measure]")) {
      radio.checked = (radio.value === "bits") === bits;
      radio.disabled = mixed && radio.value === "nats";
    }
    if (this.unit.textContent !== words) this.unit.textContent = words;
  }
}
