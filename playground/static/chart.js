// The live chart. The figure comes from playground/plots.py; new points are appended to it, never sent twice.

import { element, form, on, ready, recall, remember, value } from "./state.js";
import { GOING, enter, known, session, start, turnedAway } from "./session.js";
import { isDrawn } from "./selection.js";
import { Average, paint, perStep, placeInWords, spanOf } from "./curves.js";
import { annotations } from "./labels.js";
import { Others } from "./others.js";
import { Crosshair } from "./overlay.js";
import { branches, changes, extent, labels, named, parts, points, ranges, shared } from "./series.js";
import { bindNote } from "./note.js";
import { bindRuns } from "./runs.js";

const VIEW = "gpt-playground-view";
const PUBLISHED_TEXT = "tinyshakespeare"; // what the published losses are of
const BATCH = 0, SMOOTH = 1, CHECKS = 2, PUBLISHED = 3, BRANCHES = 4, CHANGES = 5; // traces of plots.py, in front
const SMOOTHING = 70; // at first
const LOG_TICKS = [0.1, 0.2, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];
const ROOM = { train: 96, compare: 190 }, NARROW = 560; // px for words right of the curves

export async function mount(root, { props, watch }) {
  const chart = new Chart(root, props);
  start(props.every_ms);
  bindRuns(root, chart);
  bindNote(root.querySelector("#note"));
  let first = true;
  const hand = (run) => { // what a button will act on
    if (session.visitor) props.value = { visitor: session.visitor, run: run?.id || null };
  };
  const arrive = () => {
    const desk = props.value;
    if (!desk?.visitor) return;
    enter(desk, first);
    first = false;
    if (turnedAway(desk)) hand(session.shown);
  };
  watch("value", arrive);
  on("attached", hand);
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
    this.props = props;
    this.view = { unit: "steps", of: "training", logX: false, logY: false, smoothing: SMOOTHING, ...(recall(VIEW) || {}) };
    this.zoomed = false;
    this.drawn = false;
    this.own = 0; // changes of ours whose event is still to come
    this.heads = []; // the smoothed curve of the shown run
    this.others = new Others(props.earlier.length, () => this.rebuild());
    this.lines = []; // the runs drawn beside it
    this.lengths = new Map(); // what each run's average was measured by
    this.named = ""; // what the list said of the runs drawn
  }

  begin() {
    this.drawn = true;
    this.rebuild();
    this.crosshair = new Crosshair(this.box, this.plot, {
      lines: () => this.readable(), marks: () => this.marks(), heading: (x) => placeInWords(this.view.unit, x) });
    on("attached", () => { this.zoomed = false; this.rebuild(); this.others.fetch(); });
    on("head", () => this.rebuild());
    on("points", ({ run, fresh }) => this.extend(run, fresh));
    on("status", () => this.tell());
    on("runs", () => { if (this.naming() !== this.named) this.rebuild(); this.others.fetch(); });
    on("selection", () => { this.rebuild(); this.others.fetch(); });
    on("view", () => { this.zoomed = false; this.rebuild(); });
    on("point-at", (id) => this.crosshair.light(id));
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
  }

  // What the chart is about: the shown run, or the form before there is one.
  get run() { return session.shown; }
  get total() { return this.run?.total || Number(value("train.steps")) || 1; }
  get references() { return this.run?.head?.references || form.checked?.references || []; }
  get shows() { return Boolean(this.run) && isDrawn(this.run.id); }

  // What a step stands for on the horizontal axis; of the form, before there is a run, roughly.
  get perStep() {
    const tokens = Number(value("train.batch_size")) * Number(value("model.block_size")) || 1;
    const asked = { tokens_per_step: tokens, flops: 6 * tokens * (form.checked?.parameters || 1) };
    return perStep(this.view.unit, this.run?.head || asked);
  }

  // The shown run as one of the lines.
  get front() {
    const { run } = this;
    return run && { run: { id: run.id, ...run.head, ...known(run.id) }, steps: run.steps, smooth: this.heads, seconds: run.seconds, evals: run.evals,
      marks: run.marks, colour: "--acc", dash: "solid", strong: true };
  }

  // All that is drawn of runs.
  get all() { return [...(this.shows ? [this.front] : []), ...this.lines]; }

  // Published losses are known by their step, so they have no place on an axis of seconds.
  get published() {
    const about = this.run ? form.presets.find((p) => p.id === this.run.head?.preset) : form.preset;
    const told = (about?.published || []).filter(([step]) => step <= this.total);
    const without = this.view.unit === "seconds" || told.length < 2 || this.among || (this.run && !this.shows);
    const steps = without ? [] : told.map(([step]) => step), each = this.perStep;
    return { x: points({ run: { tokens_per_step: each, flops: each } }, steps, [], this.view), y: steps.length ? told.map(([, loss]) => loss) : [] };
  }

  // Another text has other losses: what was published of one is no goal on another.
  get foreign() { return (this.run?.head?.dataset || value("data.dataset")) !== PUBLISHED_TEXT; }

  colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  // Drawing ---------------------------------------------------------------------------------------------------------

  rebuild() {
    if (!this.drawn) return;
    this.lines = this.others.lines(this.view.smoothing);
    this.named = this.naming();
    const front = this.shown(), { props } = this;
    const data = [...this.lines.flatMap((line) => this.beside(line)), ...front.behind, ...front.traces];
    this.front0 = data.length - front.traces.length; // the place of the first of them
    const { xaxis, yaxis, margin } = props.layout, axes = this.ranges();
    const layout = { ...props.layout, margin: { ...margin, r: this.room }, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { ...xaxis, ...this.ticks(), type: this.view.logX ? "log" : "linear", range: [...axes.x] },
      yaxis: { ...yaxis, type: this.view.logY ? "log" : "linear", range: [...axes.y], ...(this.view.logY ? { tickvals: LOG_TICKS } : {}) },
      shapes: this.guides(), annotations: this.words(axes) };
    const settings = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
    Plotly.react(this.plot, paint(data, this.colour), paint(layout, this.colour), settings);
    this.tell();
    this.crosshair?.update();
  }

  // The traces of the shown run, of what was published, and of what is marked; and what lies behind them.
  shown() {
    const held = this.view.of === "validation", { run, view } = this;
    const traces = this.props[held ? "checked" : "traces"].map((trace) => ({ ...trace })), behind = [];
    this.heads = [];
    if (run) {
      if (!this.lengths.has(run.id) && run.total) this.lengths.set(run.id, run.total); // extending it changes no past
      this.average = new Average(spanOf(view.smoothing, this.lengths.get(run.id) || 0));
      this.heads = run.steps.map((step, i) => this.average.add(step, run.loss[i]));
      const { front } = this, visible = this.shows, curve = parts(front, { ...view, of: "training" }), checks = parts(front, { ...view, of: "validation" });
      const raw = parts({ ...front, smooth: run.loss }, { ...view, of: "training" });
      Object.assign(traces[BATCH], raw.own, { visible });
      Object.assign(traces[SMOOTH], curve.own, { visible });
      Object.assign(traces[CHECKS], checks.own, { visible }, held || !this.among ? {} : { mode: "markers" });
      const before = (held ? checks : curve).inherited;
      if (visible && before && !this.draws(front.run.parent)) behind.push({ ...this.props.inherited, ...before });
    }
    const marks = this.marks().filter(({ forked }) => !forked);
    Object.assign(traces[PUBLISHED], this.published, { opacity: this.foreign ? 0.5 : 1 });
    Object.assign(traces[BRANCHES], branches(this.all, view));
    Object.assign(traces[CHANGES], { x: marks.map(({ x }) => x), y: marks.map(({ y }) => y) });
    return { traces, behind };
  }

  // The traces of a run beside it: what it inherited, and its own.
  beside(line) {
    const { earlier, compared, inherited } = this.props, base = line.ticked ? compared : earlier[line.place % earlier.length];
    const { own, inherited: before } = parts(line, this.view), held = this.view.of === "validation";
    const color = line.colour ? `var(${line.colour})` : base.line.color, dash = line.dash || base.line.dash;
    const trace = { ...base, name: line.run.id, ...own, mode: held ? "lines+markers" : "lines",
      line: { ...base.line, color, dash }, marker: { ...compared.marker, color } };
    const shared = before && !this.draws(line.run.parent);
    return [...(shared ? [{ ...inherited, line: { ...inherited.line, color }, ...before }] : []), trace];
  }

  draws(id) { return this.all.some(({ run }) => run.id === id); }

  // Whether it is one of several that were chosen.
  get among() { return this.lines.some(({ ticked }) => ticked); }

  get common() { return this.among ? shared(this.all) : this.run?.head; }

  get room() { return this.plot.clientWidth < NARROW ? ROOM.train : ROOM[document.body.dataset.view] || ROOM.train; }

  ticks() {
    const { unit } = this.view;
    return { ticksuffix: unit === "seconds" ? " s" : "", tickformat: unit === "tokens" || unit === "flops" ? ".3~s" : "",
      nticks: Math.max(3, Math.min(9, Math.floor(this.plot.clientWidth / 90))) };
  }

  guides() {
    return this.references.map(([, loss]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: loss, y1: loss, layer: "below", opacity: 0.6,
      line: { color: "var(--mut)", width: 1, dash: "2px,4px" },
    }));
  }

  extend(run, fresh) {
    if (fresh.marks < run.marks.length) { this.rebuild(); return; }
    if (!this.drawn || (fresh.from === run.steps.length && fresh.evals === run.evals.length)) return;
    if (run.steps[fresh.from] < run.head?.forked_at) { this.rebuild(); return; } // what it inherited still comes
    const steps = run.steps.slice(fresh.from), loss = run.loss.slice(fresh.from), checks = run.evals.slice(fresh.evals);
    const x = points(this.front, steps, run.seconds.slice(fresh.from), this.view);
    const smooth = steps.map((step, i) => this.average.add(step, loss[i]));
    this.heads.push(...smooth);
    const places = [BATCH, SMOOTH, CHECKS].map((trace) => this.front0 + trace), old = places.map((place) => this.plot.data[place]);
    const more = [[x, loss], [x, smooth],
      [points(this.front, checks.map((e) => e[0]), checks.map((e) => e[2]), this.view), checks.map((e) => e[1])]];
    const traces = { x: old.map((trace, i) => [...trace.x, ...more[i][0]]), y: old.map((trace, i) => [...trace.y, ...more[i][1]]) };
    Plotly.update(this.plot, traces, this.fitting(), places); // at once: each call draws everything anew
    this.crosshair?.update();
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
    return ranges(this.all, this.view, { reach, perStep: this.perStep, references: this.references, published: this.published.y });
  }

  // Words -----------------------------------------------------------------------------------------------------------

  words(axes) {
    const { l, t, b } = this.props.layout.margin, { clientWidth, clientHeight } = this.plot, r = this.room;
    const size = { w: clientWidth - l - r, h: clientHeight - t - b, r }, { logX, logY } = this.view;
    const said = labels(this.all, { ...this.view, total: this.total, perStep: this.perStep, beside: this.common, among: this.among,
      references: this.references, published: this.published, foreign: this.foreign });
    return annotations(said, { ...axes, logX, logY }, size, this.colour);
  }

  // What the list says of the runs drawn: their names, and whether they are the ones.
  naming() {
    const runs = [...this.others.chosen(), this.run && known(this.run.id)].filter(Boolean);
    return runs.map((run) => `${run.id} ${run.name} ${run.status}`).join("|");
  }

  marks() { return changes(this.all, this.view); }

  // What the crosshair reads.
  readable() {
    return this.all.map((line) => ({ ...line, id: line.run.id, wide: line.strong ? 3 : 2, name: named(line, this.common, this.among),
      colour: line.colour || "--mut", dash: line.dash || this.props.earlier[line.place % this.props.earlier.length].line.dash, ...parts(line, this.view).own }));
  }

  tell() {
    const { run } = this, soon = run?.status === "queued" && !run.steps.length && !this.lines.length;
    const waiting = soon ? "The curve begins in a moment." : "";
    const uncounted = this.view.unit === "flops" && run?.head && !run.head.flops ? "The operations of this run were not counted." : waiting;
    this.hint.textContent = run || this.lines.length ? uncounted : "Press Train: the loss curve grows here.";
    const { id = "", steps = [], status = "", more } = run || {};
    const told = more && !GOING.includes(status) ? "loading" : status; // ended, but its points are still on their way
    Object.assign(this.box.dataset, { run: id, status: told, step: steps.at(-1) || 0, points: steps.length });
  }
}
