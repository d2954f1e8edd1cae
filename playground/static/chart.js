// The live chart. The figure comes from playground/plots.py; new points are appended to it, never sent twice.

import { element, form, on, ready, recall, remember } from "./state.js";
import { enter, session, start, title } from "./session.js";
import { Average, across, onAxis, rangeOn, rangeX, rangeY, spanOf } from "./curves.js";
import { place, plain, short } from "./labels.js";
import { bindRuns } from "./runs.js";

const VIEW = "gpt-playground-view";
const BATCH = 0, SMOOTH = 1, CHECKS = 2, PUBLISHED = 3; // traces of plots.py; earlier runs follow

export async function mount(root, { props, server, watch }) {
  const chart = new Chart(root, props);
  start(server, props.every_ms);
  bindRuns(root, chart);
  watch("value", () => { if (props.value?.visitor) enter(props.value, !chart.entered); chart.entered = true; });
  if (props.value?.visitor) { chart.entered = true; enter(props.value, true); }
  let refused = "";
  const tell = () => { // why the last press did nothing, or why the next would not
    const said = root.querySelector("#note"), problems = form.checked?.problems || [];
    said.textContent = problems.length ? problems.join("\n") : refused;
    said.hidden = !said.textContent;
  };
  on("note", (note) => { refused = note; tell(); });
  on("checked", tell);
  await Promise.all([library(props.plotly), ready]);
  chart.begin();
}

// plotly.js is large: fetched once, beside the page rather than before it.
function library(path) {
  return new Promise((resolve, reject) => {
    const script = element("script");
    Object.assign(script, { src: new URL(path, document.baseURI).href, onload: resolve, onerror: () => reject(new Error(`${path} did not load`)) });
    document.head.append(script);
  });
}

class Chart {
  constructor(root, props) {
    this.box = root.querySelector("#chart-root");
    this.plot = root.querySelector(".plot");
    this.hint = root.querySelector(".hint");
    this.props = props;
    this.view = { unit: "steps", logX: false, logY: false, smoothing: 60, ...(recall(VIEW) || {}) };
    this.zoomed = false;
    this.curves = new Map(); // earlier runs, by id and length
    this.drawn = false;
    this.own = 0;
  }

  begin() {
    this.drawn = true;
    this.rebuild();
    on("attached", () => { this.zoomed = false; this.rebuild(); });
    on("head", () => this.rebuild());
    on("points", ({ run, fresh }) => this.extend(run, fresh));
    on("status", (run) => { this.box.dataset.status = run.status; this.tell(); });
    on("runs", () => this.fetchEarlier());
    on("checked", () => { if (!session.shown) this.rebuild(); });
    on("step", () => { if (!session.shown) this.rebuild(); });
    new MutationObserver(() => this.rebuild()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => { Plotly.Plots.resize(this.plot); this.label(); }).observe(this.plot);
    this.plot.on("plotly_relayout", (change) => {
      if (this.own || !Object.keys(change).some((key) => /^[xy]axis\.range/.test(key))) return;
      this.zoomed = true;
      this.label();
    });
    this.plot.on("plotly_doubleclick", () => { this.zoomed = false; this.fit(); });
    this.fetchEarlier();
  }

  set(view) {
    Object.assign(this.view, view);
    remember(VIEW, this.view);
    if ("unit" in view || "logX" in view || "logY" in view) this.zoomed = false;
    if (this.drawn) this.rebuild();
  }

  // What the chart is about: the shown run, or the form before there is one.
  get run() { return session.shown; }
  get total() { return this.run?.total || Number(form.changes["train.steps"] ?? form.preset.values["train.steps"] ?? form.options["train.steps"].default); }
  get references() { return this.run?.head?.references || form.checked?.references || []; }
  get published() {
    const about = this.run ? form.presets.find((p) => p.id === this.run.head?.preset) : form.preset;
    const points = (about?.published || []).filter(([step]) => step <= this.total * 1.001);
    return this.view.unit === "seconds" || points.length < 2 ? [] : points;
  }

  colour(name) { return getComputedStyle(document.body).getPropertyValue(name).trim(); }

  // A figure with the page's present colours.
  paint(figure) {
    return JSON.parse(JSON.stringify(figure), (_, said) =>
      (typeof said === "string" && said.startsWith("var(") ? this.colour(said.slice(4, -1)) : said));
  }

  rebuild() {
    if (!this.drawn) return;
    const { run, view } = this, perStep = run?.head?.tokens_per_step || this.perStep();
    const data = this.props.traces.map((trace) => ({ ...trace }));
    if (run) {
      const xs = across(view.unit, { ...run, perStep });
      this.average = new Average(spanOf(view.smoothing));
      this.heads = run.steps.map((step, i) => this.average.add(step, run.loss[i]));
      Object.assign(data[BATCH], { x: [...xs], y: [...run.loss] });
      Object.assign(data[SMOOTH], { x: [...xs], y: [...this.heads] });
      Object.assign(data[CHECKS], this.checks(run.evals, perStep));
    } else this.heads = [];
    const points = this.published;
    Object.assign(data[PUBLISHED], { x: points.map(([step]) => (view.unit === "tokens" ? step * perStep : step)), y: points.map(([, loss]) => loss) });
    this.earlier = this.choose();
    this.earlier.forEach((curve, i) => data.push(this.dimmed(curve, i)));
    const layout = { ...this.props.layout, ...this.axes() };
    const settings = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
    const zoom = this.zoomed && this.plot._fullLayout && [this.plot._fullLayout.xaxis.range, this.plot._fullLayout.yaxis.range];
    if (zoom) { layout.xaxis.range = zoom[0]; layout.yaxis.range = zoom[1]; }
    Plotly.react(this.plot, this.paint(data), this.paint(layout), settings);
    this.label();
    this.tell();
  }

  perStep() { return (form.checked && Number(pick("train.batch_size")) * Number(pick("model.block_size"))) || 1; }

  checks(evals, perStep) {
    const xs = across(this.view.unit, { steps: evals.map((e) => e[0]), seconds: evals.map((e) => e[2]), perStep });
    return { x: xs, y: evals.map((e) => e[1]) };
  }

  axes() {
    const { logX, logY, unit } = this.view, { xaxis, yaxis } = this.props.layout, [x, y] = this.ranges();
    const lines = this.references.map(([, loss]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: loss, y1: loss,
      layer: "below", line: { color: "var(--mut)", width: 1, dash: "2px,4px" }, opacity: 0.6 }));
    return {
      xaxis: { ...xaxis, type: logX ? "log" : "linear", range: x, ticksuffix: unit === "seconds" ? " s" : "", tickformat: unit === "tokens" ? ".3~s" : "" },
      yaxis: { ...yaxis, type: logY ? "log" : "linear", range: y, ...(logY ? { tickvals: [0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10] } : {}) },
      shapes: lines,
    };
  }

  ranges() {
    const { run, view } = this;
    const seen = [...this.heads, ...(run?.evals || []).map((e) => e[1]), ...(this.earlier || []).flatMap((c) => c.smooth),
      ...this.published.map(([, loss]) => loss)];
    const perStep = run?.head?.tokens_per_step || this.perStep();
    const x = rangeX(view.unit, this.total, run ? { ...run, head: { tokens_per_step: perStep } } : { head: { tokens_per_step: perStep } });
    return [rangeOn(view.logX, x, view.unit === "tokens" ? perStep : view.unit === "seconds" ? 0.01 : 1), rangeOn(view.logY, rangeY(seen, this.references), 0.1)];
  }

  extend(run, fresh) {
    this.box.dataset.step = run.steps.at(-1) || 0;
    this.box.dataset.points = run.steps.length;
    if (!this.drawn || (fresh.from === run.steps.length && fresh.evals === run.evals.length)) return;
    const perStep = run.head?.tokens_per_step || 1, steps = run.steps.slice(fresh.from), loss = run.loss.slice(fresh.from);
    const xs = across(this.view.unit, { steps, seconds: run.seconds.slice(fresh.from), perStep });
    const smooth = steps.map((step, i) => this.average.add(step, loss[i]));
    this.heads.push(...smooth);
    const checks = this.checks(run.evals.slice(fresh.evals), perStep);
    Plotly.extendTraces(this.plot, { x: [xs, xs, checks.x], y: [loss, smooth, checks.y] }, [BATCH, SMOOTH, CHECKS]);
    this.fit();
  }

  // Ranges that hold everything, unless the visitor has zoomed; then the labels.
  fit() {
    if (!this.zoomed) {
      const [x, y] = this.ranges(), now = this.plot._fullLayout;
      const same = [...x, ...y].every((n, i) => Math.abs(n - [...now.xaxis.range, ...now.yaxis.range][i]) < 1e-9);
      if (!same) this.relayout({ "xaxis.range": x, "yaxis.range": y });
    }
    this.label();
  }

  relayout(change) {
    this.own += 1; // its event comes later, and must not be taken for the visitor's
    Plotly.relayout(this.plot, change).finally(() => { this.own -= 1; });
  }

  // Earlier runs over the same text, each in the colour of what it differs in.
  choose() {
    const about = this.run?.head?.text, seen = new Set();
    return session.runs.filter((r) => r.id !== this.run?.id && r.step > 1).map((r) => this.curves.get(`${r.id}/${r.step}`))
      .filter((c) => c && (!about || c.text === about) && !seen.has(title(c)) && seen.add(title(c))).slice(0, this.props.earlier.length);
  }

  async fetchEarlier() {
    const wanted = session.runs.filter((r) => r.id !== this.run?.id && r.step > 1 && !this.curves.has(`${r.id}/${r.step}`)).slice(0, 2 * this.props.earlier.length);
    for (const run of wanted) {
      const curve = await session.server.curve({ visitor: session.visitor, run: run.id });
      if (!curve?.steps) continue;
      const average = new Average(spanOf(60));
      curve.smooth = curve.steps.map((step, i) => average.add(step, curve.loss[i]));
      this.curves.set(`${run.id}/${run.step}`, curve);
    }
    this.rebuild();
  }

  dimmed(curve, i) {
    const { line, ...trace } = this.props.earlier[i], color = curve.colour ? `var(--c-${curve.colour})` : line.color;
    return { ...trace, line: { ...line, color }, name: plain(title(curve, this.run?.head)), y: curve.smooth,
      x: across(this.view.unit, { ...curve, perStep: curve.tokens_per_step }) };
  }

  // Words at the heads of curves and the ends of lines.
  label() {
    if (!this.plot._fullLayout) return;
    const { xaxis, yaxis, _size: size } = this.plot._fullLayout, { unit, logX, logY } = this.view;
    const at = (x, y) => ({ x: xaxis.l2p(onAxis(logX, x)), y: yaxis.l2p(onAxis(logY, y)), dataX: x, dataY: y });
    const labels = [], run = this.run, last = run?.steps.length && this.heads.at(-1);
    if (last) {
      const x = across(unit, { steps: [run.steps.at(-1)], seconds: [run.seconds.at(-1)], perStep: run.head?.tokens_per_step || 1 })[0];
      labels.push({ ...at(x, last), text: `this run ${last.toFixed(2)}`, strong: true, colour: "--ink", dot: true });
    }
    const check = run?.evals.at(-1);
    if (check?.[1] != null && run.evals.length > 1) {
      const [x] = this.checks([check], run.head?.tokens_per_step || 1).x;
      labels.push({ ...at(x, check[1]), text: `held out ${check[1].toFixed(2)}`, colour: "--mut" });
    }
    for (const curve of this.earlier || []) {
      const x = across(unit, { steps: curve.steps, seconds: curve.seconds, perStep: curve.tokens_per_step }).at(-1);
      const y = curve.smooth.findLast((loss) => loss != null);
      if (y != null) labels.push({ ...at(x, y), text: short(title(curve, run?.head)), colour: curve.colour ? `--c-${curve.colour}` : "--mut" });
    }
    for (const [text, loss] of this.references) labels.push({ ...at(1, loss), text, atEdge: true, colour: "--mut" });
    const points = this.published;
    const end = points.at(-1);
    if (end) labels.push({ ...at(unit === "tokens" ? end[0] * (run?.head?.tokens_per_step || this.perStep()) : end[0], end[1]), text: "published", colour: "--mut" });
    const inside = labels.filter(({ x, y, atEdge }) => y >= 0 && y <= size.h && (atEdge || (x >= 0 && x <= size.w + 1)));
    const annotations = place(inside, { width: size.w, height: size.h, font: "IBM Plex Sans, sans-serif" }).map((l) => ({
      xref: l.atEdge ? "paper" : "x", x: l.atEdge ? 1 : onAxis(logX, l.dataX), yref: "y", y: onAxis(logY, l.dataY), xanchor: "left", yanchor: "middle",
      xshift: 7, yshift: -l.dy, showarrow: false, text: l.strong ? `<b>${plain(l.text)}</b>` : plain(l.text),
      font: { size: 12, color: this.colour(l.colour) }, bgcolor: l.atEdge ? "" : this.colour("--veil"), borderpad: 1 }));
    this.relayout({ annotations });
  }

  tell() {
    const { run } = this;
    this.hint.textContent = !run ? "Press Train: the loss curve grows here." : run.steps.length || run.status !== "queued" ? "" : "The curve begins in a moment.";
    this.box.dataset.status = run?.status || "";
    if (!run) { this.box.dataset.step = 0; this.box.dataset.points = 0; }
  }
}

const pick = (path) => form.changes[path] ?? form.preset.values[path] ?? form.options[path].default;

