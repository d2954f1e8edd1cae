// The curves of a study's arms: held-out loss by step, the mean over the seeds in a band from lowest to highest.

import { place, plain } from "./labels.js";
import { minus } from "./study_words.js";

const DASHES = ["solid", "7px,3px", "2px,3px", "9px,3px,2px,3px", "12px,5px"];
const SETTINGS = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
const MARGIN = { l: 40, r: 132, t: 26, b: 30 };
const FADED = 0.18; // opacity of the others while one arm is looked at
const FEW = 5; // checks: of fewer nothing may be out of sight
const EARLY = 0.12; // the share of the steps whose fall may leave the chart upwards: it would press the rest flat

const plotly = () => new Promise((resolve) => { // another region loads it
  const look = () => (window.Plotly ? resolve(window.Plotly) : setTimeout(look, 100));
  look();
});

export class Curves {
  constructor(plot, layout, look) {
    Object.assign(this, { plot, layout, study: null, lit: null });
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    let wide = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width && contentRect.width !== wide) this.draw();
      wide = contentRect.width;
    }).observe(plot);
    plotly().then(() => {
      this.draw();
      plot.on?.("plotly_hover", ({ points }) => look(points[0]?.data.meta ?? null));
      plot.on?.("plotly_unhover", () => look(null));
    });
    this.look = look;
  }

  set(study) { this.study = study; this.draw(); }

  light(name) {
    if (this.lit === name) return;
    this.lit = name;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  // The base first; arms of one component differ by their dashes.
  get arms() {
    const { base, rows } = this.study, used = {};
    const arms = rows.filter((row) => row.curve?.steps?.length).map((row) => {
      const n = (used[row.part] = (used[row.part] ?? -1) + 1);
      return { name: row.name, colour: row.part ? `--c-${row.part}` : "--c-io", dash: DASHES[n % DASHES.length], curve: row.curve };
    });
    return base.curve?.steps?.length ? [{ name: base.name, colour: "--ink", dash: "solid", curve: base.curve, base: true }, ...arms] : arms;
  }

  colour(name) { return getComputedStyle(document.body).getPropertyValue(name).trim(); }

  // The figure's colours are names of the page's.
  paint(figure) {
    return JSON.parse(JSON.stringify(figure), (_, said) =>
      (typeof said === "string" && said.startsWith("var(") ? this.colour(said.slice(4, -1)) : said));
  }

  draw() {
    if (!window.Plotly || !this.study || !this.plot.clientWidth) return;
    const arms = this.arms, { x, y } = ranges(arms), layout = this.paint({ ...this.layout, margin: MARGIN, hovermode: "closest" });
    layout.xaxis = { ...layout.xaxis, range: x, showspikes: false, fixedrange: true, nticks: this.plot.clientWidth < 520 ? 4 : 7 };
    layout.yaxis = { ...layout.yaxis, range: y, fixedrange: true };
    layout.dragmode = false;
    Object.assign(layout, { width: this.plot.clientWidth, height: this.plot.clientHeight });
    layout.annotations = this.labels(arms, x, y);
    Plotly.react(this.plot, arms.toReversed().flatMap((arm) => this.traces(arm)), layout, SETTINGS);
  }

  traces({ name, colour, dash, curve, base }) {
    const { steps } = curve, lit = this.lit === name, faded = this.lit !== null && !lit, ink = this.colour(colour);
    const line = { type: "scatter", mode: "lines", x: steps, meta: name, hoverinfo: "skip" };
    const band = curve.low && curve.seeds?.length > 1 && !faded ? [
      { ...line, y: curve.low, line: { width: 0 } },
      { ...line, y: curve.high, line: { width: 0 }, fill: "tonexty", fillcolor: translucent(ink, lit ? 0.2 : base ? 0.1 : 0.08) },
    ] : [];
    const seeds = lit ? (curve.seeds || []).map((points) => ({ ...line, x: points.map(([step]) => step), y: points.map(([, loss]) => loss),
      line: { color: ink, width: 1 }, opacity: 0.55 })) : [];
    return [...band, ...seeds, { ...line, y: curve.mean, opacity: faded ? FADED : base ? 1 : 0.92, hoverinfo: undefined,
      line: { color: ink, width: lit || base ? 2.4 : 1.8, dash }, hovertemplate: `${plain(minus(name))}<br>step %{x:,}: %{y:.3f}<extra></extra>` }];
  }

  // Names where the curves end; the one that is looked at before all, then the base.
  labels(arms, [left, right], [low, high]) {
    const width = this.plot.clientWidth - MARGIN.l - MARGIN.r, height = this.plot.clientHeight - MARGIN.t - MARGIN.b;
    const order = arms.toSorted((a, b) => (b.name === this.lit) - (a.name === this.lit));
    const ends = order.map(({ name, curve, colour, base }) => {
      const at = curve.mean.findLastIndex((loss) => loss != null), step = curve.steps[at], loss = curve.mean[at];
      return { x: (width * (step - left)) / (right - left), y: (height * (high - loss)) / (high - low), step, loss, colour,
        text: base ? "the base" : minus(name), strong: base || name === this.lit,
        faded: this.lit !== null && name !== this.lit };
    }).filter(({ loss, y }) => loss != null && y >= 0 && y <= height);
    const unit = { xref: "paper", x: 1, yref: "paper", y: 0, xanchor: "left", yanchor: "top", yshift: -7, xshift: 22, showarrow: false,
      text: "steps", font: { size: 12, color: this.colour("--mut") } };
    const around = { width, room: MARGIN.r, height, font: "IBM Plex Sans" };
    const caption = { xref: "paper", x: 0, yref: "paper", y: 1, xanchor: "left", yanchor: "bottom", yshift: 6, xshift: -40,
      showarrow: false, text: "held-out loss, nats a token", font: { size: 12, color: this.colour("--mut") } };
    return [caption, unit, ...place(ends, around).map((label) => ({
      x: label.step, y: label.loss, xanchor: "left", yanchor: "middle", xshift: 7, yshift: -label.dy, showarrow: false,
      text: label.strong ? `<b>${plain(label.text)}</b>` : plain(label.text), opacity: label.faded ? 0.3 : 1,
      font: { size: 12, color: this.colour(label.colour) } }))];
  }
}

// From the lowest loss to where the curves are after their first fall.
function ranges(arms) {
  const last = Math.max(1, ...arms.map(({ curve }) => curve.steps.at(-1) || 0)), later = [], low = [];
  for (const { curve } of arms) {
    curve.steps.forEach((step, i) => {
      const values = [curve.mean[i], curve.low?.[i], curve.high?.[i]].filter((loss) => loss != null);
      low.push(...values);
      if (step >= EARLY * last) later.push(...values);
    });
    if (curve.steps.length < FEW) later.push(...low);
  }
  const bottom = Math.min(...low), top = Math.max(...(later.length ? later : low));
  const room = 0.05 * (top - bottom) || 0.1;
  return { x: [0, last], y: low.length ? [bottom - room, top + room] : [1, 4.5] };
}

function translucent(hex, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

