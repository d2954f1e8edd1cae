// The live chart. The figure comes from playground/plots.py; new points are appended to it, never sent twice.

import { ask } from "./ask.js";
import { element, form, on, ready, recall, remember, value } from "./state.js";
import { GOING, enter, session, start, title, turnedAway } from "./session.js";
import { Average, across, onAxis, rangeOn, rangeX, rangeY, spanOf } from "./curves.js";
import { place, plain } from "./labels.js";
import { bindNote } from "./note.js";
import { bindRuns } from "./runs.js";

const VIEW = "gpt-playground-view";
const PUBLISHED_TEXT = "tinyshakespeare"; // what the published losses are of
const BATCH = 0, SMOOTH = 1, CHECKS = 2, PUBLISHED = 3; // traces of plots.py; earlier runs follow
const SMOOTHING = 70; // at first, and always for earlier runs
const LOG_TICKS = [0.1, 0.2, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];

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
    this.view = { unit: "steps", logX: false, logY: false, smoothing: SMOOTHING, ...(recall(VIEW) || {}) };
    this.zoomed = false;
    this.drawn = false;
    this.own = 0; // changes of ours whose event is still to come
    this.heads = []; // the smoothed curve of the shown run
    this.earlier = []; // earlier runs on the chart
    this.curves = new Map(); // earlier runs by id, each as it was at its `step`
    this.lengths = new Map(); // what each run's average was measured by
  }

  begin() {
    this.drawn = true;
    this.rebuild();
    on("attached", () => { this.zoomed = false; this.rebuild(); this.fetchEarlier(); });
    on("head", () => this.rebuild());
    on("points", ({ run, fresh }) => this.extend(run, fresh));
    on("status", () => this.tell());
    on("runs", () => this.fetchEarlier());
    for (const event of ["checked", "step"]) on(event, () => { if (!this.run) this.rebuild(); });
    new MutationObserver(() => this.rebuild()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => { Plotly.Plots.resize(this.plot); this.fit(); }).observe(this.plot);
    this.plot.on("plotly_relayout", (change) => {
      if (this.own || !Object.keys(change).some((key) => /^[xy]axis\.range/.test(key))) return;
      this.zoomed = true;
      this.fit();
    });
    this.plot.on("plotly_doubleclick", () => { this.zoomed = false; this.fit(); });
    this.fetchEarlier();
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

  get perStep() {
    const asked = Number(value("train.batch_size")) * Number(value("model.block_size"));
    return this.run?.head?.tokens_per_step || asked || 1;
  }

  // Published losses are known by their step, so they have no place on an axis of seconds.
  get published() {
    const about = this.run ? form.presets.find((p) => p.id === this.run.head?.preset) : form.preset;
    const points = (about?.published || []).filter(([step]) => step <= this.total);
    return this.view.unit === "seconds" || points.length < 2 ? [] : points;
  }

  // Another text has other losses: what was published of one is no goal on another.
  get foreign() { return (this.run?.head?.dataset || value("data.dataset")) !== PUBLISHED_TEXT; }

  colour(name) { return getComputedStyle(document.body).getPropertyValue(name).trim(); }

  // A figure with the page's present colours.
  paint(figure) {
    return JSON.parse(JSON.stringify(figure), (_, said) =>
      (typeof said === "string" && said.startsWith("var(") ? this.colour(said.slice(4, -1)) : said));
  }

  // Horizontal values; an axis that counts logarithmically has no zero.
  xs(steps, seconds, perStep = this.perStep) {
    const values = across(this.view.unit, { steps, seconds, perStep });
    return this.view.logX ? values.map((x) => (x > 0 ? x : null)) : values;
  }

  // Drawing ---------------------------------------------------------------------------------------------------------

  rebuild() {
    if (!this.drawn) return;
    this.earlier = this.choose();
    const data = [...this.shown(), ...this.earlier.map((curve, i) => this.dimmed(curve, i))];
    const layout = { ...this.props.layout, ...this.axes() }, now = this.plot._fullLayout;
    if (this.zoomed && now) {
      layout.xaxis.range = now.xaxis.range;
      layout.yaxis.range = now.yaxis.range;
    }
    const settings = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
    Plotly.react(this.plot, this.paint(data), this.paint(layout), settings);
    this.fit();
    this.tell();
  }

  // The traces of the shown run and of what was published.
  shown() {
    const data = this.props.traces.map((trace) => ({ ...trace })), { run } = this;
    this.heads = [];
    if (run) {
      if (!this.lengths.has(run.id) && run.total) this.lengths.set(run.id, run.total); // extending it changes no past
      this.average = new Average(spanOf(this.view.smoothing, this.lengths.get(run.id) || 0));
      this.heads = run.steps.map((step, i) => this.average.add(step, run.loss[i]));
      const x = this.xs(run.steps, run.seconds);
      Object.assign(data[BATCH], { x: [...x], y: [...run.loss] });
      Object.assign(data[SMOOTH], { x, y: [...this.heads] });
      Object.assign(data[CHECKS], this.checks(run.evals));
    }
    const steps = this.published.map(([step]) => step);
    Object.assign(data[PUBLISHED], { opacity: this.foreign ? 0.5 : 1, x: this.xs(steps, steps), y: this.published.map(([, loss]) => loss) });
    return data;
  }

  checks(evals) {
    return { x: this.xs(evals.map((e) => e[0]), evals.map((e) => e[2])), y: evals.map((e) => e[1]) };
  }

  dimmed(curve, i) {
    const { line, ...trace } = this.props.earlier[i], color = curve.colour ? `var(--c-${curve.colour})` : line.color;
    const x = this.xs(curve.steps, curve.seconds, curve.tokens_per_step);
    return { ...trace, line: { ...line, color }, name: plain(title(curve, this.run?.head)), x, y: curve.smooth };
  }

  axes() {
    const { logX, logY, unit } = this.view, { xaxis, yaxis } = this.props.layout, [x, y] = this.ranges();
    const suffix = { ticksuffix: unit === "seconds" ? " s" : "", tickformat: unit === "tokens" ? ".3~s" : "",
      nticks: Math.max(3, Math.min(7, Math.floor(this.plot.clientWidth / 90))),
      unifiedhovertitle: { text: { steps: "step %{x:,.0f}", tokens: "%{x:,.0f} tokens", seconds: "%{x:.1f} s" }[unit] } };
    return {
      xaxis: { ...xaxis, ...suffix, type: logX ? "log" : "linear", range: x },
      yaxis: { ...yaxis, type: logY ? "log" : "linear", range: y, ...(logY ? { tickvals: LOG_TICKS } : {}) },
      shapes: this.references.map(([, loss]) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: loss, y1: loss, layer: "below", opacity: 0.6,
        line: { color: "var(--mut)", width: 1, dash: "2px,4px" },
      })),
    };
  }

  ranges() {
    const { run, view, perStep } = this, least = { steps: 1, tokens: perStep, seconds: 0.01 }[view.unit];
    const seen = [this.heads, (run?.evals || []).map((e) => e[1]), this.published.map(([, loss]) => loss),
      ...this.earlier.map((curve) => curve.smooth)].flat();
    return [rangeOn(view.logX, rangeX(view.unit, this.total, perStep, run), least),
      rangeOn(view.logY, rangeY(seen, this.references), 0.1)];
  }

  extend(run, fresh) {
    if (!this.drawn || (fresh.from === run.steps.length && fresh.evals === run.evals.length)) return;
    const steps = run.steps.slice(fresh.from), loss = run.loss.slice(fresh.from);
    const x = this.xs(steps, run.seconds.slice(fresh.from)), checks = this.checks(run.evals.slice(fresh.evals));
    const smooth = steps.map((step, i) => this.average.add(step, loss[i]));
    this.heads.push(...smooth);
    const old = [BATCH, SMOOTH, CHECKS].map((trace) => this.plot.data[trace]), more = [[x, loss], [x, smooth], [checks.x, checks.y]];
    const traces = { x: old.map((trace, i) => [...trace.x, ...more[i][0]]), y: old.map((trace, i) => [...trace.y, ...more[i][1]]) };
    Plotly.update(this.plot, traces, this.fitting(), [BATCH, SMOOTH, CHECKS]); // at once: each call draws everything anew
  }

  fit() {
    if (!this.plot._fullLayout) return;
    this.own += 1; // its event comes later, and must not be taken for the visitor's
    Plotly.relayout(this.plot, this.fitting()).finally(() => { this.own -= 1; });
  }

  // Ranges that hold everything, unless the visitor has zoomed; and the labels.
  fitting() {
    const { xaxis, yaxis } = this.plot._fullLayout, [x, y] = this.zoomed ? [xaxis.range, yaxis.range] : this.ranges();
    return { "xaxis.range": [...x], "yaxis.range": [...y], annotations: this.annotations(x, y) };
  }

  // Earlier runs ----------------------------------------------------------------------------------------------------

  others() { return session.runs.filter((run) => run.id !== this.run?.id && run.step > 1); }

  // The newest over the same text, one of each name.
  choose() {
    const text = this.run?.head?.text, names = new Set();
    const known = this.others().map((run) => this.curves.get(run.id)).filter(Boolean);
    const fair = known.filter((curve) => !text || curve.text === text);
    const distinct = fair.filter((curve) => !names.has(title(curve)) && names.add(title(curve)));
    return distinct.slice(0, this.props.earlier.length);
  }

  async fetchEarlier() {
    const missing = this.others().filter((run) => this.curves.get(run.id)?.step !== run.step);
    for (const run of missing.slice(0, 2 * this.props.earlier.length)) {
      const curve = await ask("curve", { visitor: session.visitor, run: run.id });
      if (!curve?.steps) continue;
      const average = new Average(spanOf(SMOOTHING, run.step));
      curve.smooth = curve.steps.map((step, i) => average.add(step, curve.loss[i]));
      this.curves.set(run.id, { ...curve, step: run.step });
    }
    if (missing.length) this.rebuild();
  }

  // Words -----------------------------------------------------------------------------------------------------------

  // At the heads of curves and the ends of lines, the most important first.
  labels() {
    const { run } = this, found = [];
    const add = (x, y, text, more) => { if (x != null && y != null) found.push({ x, y, text, ...more }); };
    const end = ({ steps, seconds }, perStep) => this.xs(steps.slice(-1), seconds.slice(-1), perStep)[0];
    const check = run?.evals.length > 1 && run.evals.at(-1), head = this.heads.at(-1);
    if (head != null) add(end(run), head, `this run ${head.toFixed(2)}`, { strong: true });
    const near = check && (run.step - check[0] < this.total / 16); // further back it would stand in the curve
    if (near && check[1] != null) add(this.checks([check]).x[0], check[1], `held out ${check[1].toFixed(2)}`);
    for (const curve of this.earlier) {
      const last = curve.smooth.findLast((loss) => loss != null);
      add(end(curve, curve.tokens_per_step), last, title(curve, run?.head), { colour: curve.colour });
    }
    for (const [text, loss] of this.references) add(1, loss, text, { atEdge: true });
    const free = this.published[0]; // curves fall: to the right of the first point there is room
    const source = this.foreign ? "published (tiny Shakespeare)" : "published";
    if (free) add(this.xs([free[0]], [free[0]])[0], free[1], source, { whole: true });
    return found;
  }

  // As Plotly wants them, on axes with these ranges.
  annotations([left, right], [low, high]) {
    const { _size: size } = this.plot._fullLayout, { logX, logY } = this.view;
    const inView = this.labels().map((label) => {
      const dataX = onAxis(logX, label.x), dataY = onAxis(logY, label.y);
      const x = size.w * (dataX - left) / (right - left), y = size.h * (high - dataY) / (high - low);
      return { ...label, dataX, dataY, x, y };
    }).filter(({ x, y, atEdge }) => y >= 0 && y <= size.h && (atEdge || (x >= 0 && x <= size.w + 1)));
    const around = { width: size.w, room: size.r, height: size.h, font: "IBM Plex Sans" };
    const caption = { xref: "paper", x: 0, yref: "paper", y: 1, xanchor: "left", yanchor: "bottom", yshift: 6, xshift: -40,
      showarrow: false, text: "loss, nats a token", font: { size: 12, color: this.colour("--mut") } };
    return [caption, ...place(inView, around).map((label) => this.annotation(label))];
  }

  annotation({ text, strong, colour, atEdge, dataX, dataY, dy }) {
    const name = strong ? "--ink" : colour ? `--c-${colour}` : "--mut";
    return {
      xref: atEdge ? "paper" : "x", x: atEdge ? 1 : dataX, yref: "y", y: dataY, xanchor: "left", yanchor: "middle",
      xshift: 7, yshift: -dy, showarrow: false, text: strong ? `<b>${plain(text)}</b>` : plain(text),
      font: { size: 12, color: this.colour(name) }, bgcolor: atEdge ? "" : this.colour("--veil"), borderpad: 1,
    };
  }

  tell() {
    const { run } = this, soon = run?.status === "queued" && !run.steps.length && !this.earlier.length;
    const waiting = soon ? "The curve begins in a moment." : "";
    this.hint.textContent = run ? waiting : "Press Train: the loss curve grows here.";
    const { id = "", steps = [], status = "", more } = run || {};
    const told = more && !GOING.includes(status) ? "loading" : status; // ended, but its points are still on their way
    Object.assign(this.box.dataset, { run: id, status: told, step: steps.at(-1) || 0, points: steps.length });
  }
}
