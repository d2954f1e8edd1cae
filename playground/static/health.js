// The card of signal health in the Inspect view: asks for what was measured of the shown run, and says what it means.

import { ask } from "./ask.js";
import { drawLines, drawMap, key } from "./health_chart.js";
import { Scale, paintScale, written } from "./health_scale.js";
import { GOING, session, title } from "./session.js";
import { on } from "./state.js";

const GOING_MS = 4000, AWAY_MS = 8000; // between two looks: measurements are seconds apart, and each look costs the training
const FINE = "M3 8.5l3.2 3.2L13 5", BAD = "M8 2.5L14.5 13.5H1.5ZM8 6.8v3M8 11.4v.4"; // a tick, a triangle: never colour alone

// Of each measure: its size in the stream and of each part, how the latter is called, and what it is.
const MEASURES = {
  activations: { stream: "stream", part: "out", called: "own output",
    help: "RMS of what flows: of the residual stream behind each part, or of what the part itself gives." },
  gradients: { stream: "back", part: "grad", called: "weights",
    help: "RMS of the gradients, before any clipping: those that come back to the stream behind each part, or those of its weights." },
  updates: { part: "update", called: "weights", help: "RMS of the step that the optimiser makes, as a share of the RMS of each part's weights." },
};
const TITLES = { stream: "Stream behind each part", out: "Output of each part", back: "Gradient at the stream", grad: "Gradient of the weights",
  update: "Step, as a share of the weights" };

export function mount(root) { new Health(root).begin(); }

class Health {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    Object.assign(this, { told: null, measure: null, where: "stream", cell: null, status: null });
  }

  begin() {
    on("attached", () => this.clear());
    on("status", (run) => { if (run.status !== this.status) this.look(); });
    on("view", () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
    for (const name of ["measure", "where"]) {
      for (const radio of this.radios(name)) radio.addEventListener("change", () => this.choose(name, radio.value));
    }
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    let wide = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width && Math.abs(contentRect.width - wide) > 1) { wide = contentRect.width; this.draw(); }
    }).observe(this.find("#signals"));
    this.bind(".map .plot", () => this.map);
    this.bind(".lines .plot", () => this.lines);
    this.find(".map .plot").addEventListener("keydown", (event) => this.walk(event));
    this.clear();
  }

  radios(name) { return [...this.find(".switches").querySelectorAll(`[name=health-${name}]`)]; }

  bind(selector, drawing) {
    const plot = this.find(selector);
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      this.point(drawing()?.at(event.clientX - box.left, event.clientY - box.top) || null);
    });
    plot.addEventListener("pointerleave", () => this.point(null));
  }

  clear() {
    Object.assign(this, { told: null, measure: null, cell: null, status: null });
    this.paint();
    this.look();
  }

  // Asks for what has been measured since, and again in a while if the run goes.
  async look() {
    clearTimeout(this.timer);
    const run = session.shown;
    if (!run?.status || document.hidden || document.body.dataset.view !== "inspect") return;
    this.status = run.status;
    const answer = await ask("health", { visitor: session.visitor, run: run.id, known: this.told?.known });
    if (session.shown !== run) return;
    if (answer?.rows) this.told = answer;
    if (answer) this.paint();
    clearTimeout(this.timer); // of another look meanwhile
    if (GOING.includes(run.status) || !answer) this.timer = setTimeout(() => this.look(), answer ? GOING_MS : AWAY_MS);
  }

  choose(name, wanted) {
    this[name] = wanted;
    this.paint();
  }

  paint() {
    const { told } = this, run = session.shown, any = Boolean(told?.steps.length);
    this.find("#signals").hidden = !run; // that there is none is said once, above
    this.find(".measured").hidden = !any;
    this.find(".none").hidden = any;
    this.find(".none").textContent = nothing(run, told);
    const counted = any && `measured at ${told.steps.length} of ${told.total.toLocaleString("en-US")} steps`;
    this.find(".hint-right").textContent = any && run?.head ? `${title(run.head)} · ${counted}` : "";
    if (!any) return;
    const worst = told.said.find(({ measure, bad }) => bad && measure === "gradients") || told.said.find(({ bad }) => bad);
    const measure = this.measure ?? worst?.measure ?? "gradients";
    this.shown = measure;
    for (const radio of this.radios("measure")) {
      radio.checked = radio.value === measure;
      radio.parentElement.classList.toggle("warns", told.said.some((said) => said.measure === radio.value && said.bad));
    }
    const said = told.said.find((about) => about.measure === measure);
    this.find(".said").classList.toggle("warns", said.bad);
    this.find(".said path").setAttribute("d", said.bad ? BAD : FINE);
    if (this.find(".said span").textContent !== said.words) this.find(".said span").textContent = said.words;
    this.paintWhere(measure);
    this.draw();
  }

  // Where there is a stream to look at, and what it is called otherwise.
  paintWhere(measure) {
    const { stream, part, called, help } = MEASURES[measure], has = (size) => this.told.rows.some((row) => row[size]);
    this.size = stream && has(stream) && (this.where === "stream" || !has(part)) ? stream : part;
    const choices = this.radios("where");
    choices[0].closest(".segments").hidden = !stream || !has(stream);
    for (const radio of choices) radio.checked = (radio.value === "stream") === (this.size === stream);
    choices[1].nextElementSibling.textContent = called;
    this.find(".help").textContent = help;
    this.find(".map figcaption").textContent = `${TITLES[this.size]}, by depth and step`;
  }

  draw() {
    if (!this.told?.steps.length || !this.find(".map .plot").clientWidth) return;
    const asShare = this.size === "update", { steps } = this.told;
    const rows = this.told.rows.filter((row) => row[this.size]).map((row) => ({ ...row, values: row[this.size] }));
    this.view = { rows, steps, asShare, scale: new Scale(rows.map(({ values }) => values)) };
    this.map = drawMap(this.find(".map .plot"), this.view);
    this.lines = drawLines(this.find(".lines .plot"), this.view);
    if (this.cell) this.cell = { step: Math.min(this.cell.step, steps.length - 1), row: Math.min(this.cell.row, rows.length - 1) };
    this.find(".lines figcaption").replaceChildren(...key(rows));
    paintScale(this.find(".ramp"), this.view.scale, asShare);
    this.point(this.cell);
  }

  // Marks a cell in both drawings and reads it out.
  point(cell) {
    this.cell = cell;
    this.map?.mark(cell);
    this.lines?.mark(cell);
    const row = cell && this.view.rows[cell.row], read = this.find("#signals-read");
    read.textContent = row ? `${row.name} · step ${this.view.steps[cell.step].toLocaleString("en-US")} · ${written(row.values[cell.step], this.view.asShare)}`
      : "Point at a cell, or use the arrow keys, to read it.";
    read.classList.toggle("read", Boolean(row));
  }

  walk(event) {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }, way = ways[event.key];
    if (event.key === "Escape") this.point(null);
    if (!way || !this.view) return;
    event.preventDefault();
    const { rows, steps } = this.view, from = this.cell || { step: steps.length - 1 - way[0], row: -way[1] };
    const within = (at, count) => Math.max(0, Math.min(count - 1, at));
    this.point({ step: within(from.step + way[0], steps.length), row: within(from.row + way[1], rows.length) });
  }
}

// What to say where nothing can be drawn.
function nothing(run, told) {
  if (!run || !told) return "Looking …";
  if (GOING.includes(run.status) || run.status === "paused") return "Nothing is measured yet: the first step is the first to be.";
  return "Nothing was measured in this run: it is of a version that did not, or has made no step. Train it again to see how its signals fare.";
}
