// The curves of a study's arms: held-out loss by step, the mean over the seeds in a band from lowest to highest.

import { plain } from "./labels.js";
import { plotly } from "./plotly.js";
import { minus } from "./study_words.js";

const DASHES = ["solid", "7px,3px", "2px,3px", "9px,3px,2px,3px", "12px,5px"];
const SETTINGS = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
const MARGIN = { l: 40, r: 172, t: 26, b: 30 }, NARROW = 112; // px right of the plot, for names
const LINE = 15, LEADER = 18; // px between two names; from the plot to them
const FADED = 0.18; // opacity of the others while one arm is looked at
const FEW = 5; // checks: of fewer nothing may be out of sight
const EARLY = 0.12; // the share of the steps whose fall may leave the chart upwards: it would press the rest flat

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

  // The base first. Arms of one component differ by their dashes; the values of a sweep are the stronger the larger.
  get arms() {
    const { base, rows, kind } = this.study, used = {}, begun = (row) => row.curve.steps.length;
    const own = (row) => this.colour(row.part ? `--c-${row.part}` : kind === "sweep" ? "--acc" : "--c-io");
    const arms = rows.map((row, i) => {
      const n = (used[row.part] = (used[row.part] ?? -1) + 1), share = 0.45 + (0.55 * i) / Math.max(1, rows.length - 1);
      const look = kind === "sweep" ? { ink: mixed(own(row), this.colour("--card"), share), dash: "solid" }
        : { ink: own(row), dash: DASHES[n % DASHES.length] };
      return { name: row.name, curve: row.curve, ...look };
    });
    return [{ name: base.name, ink: this.colour("--ink"), dash: "solid", curve: base.curve, base: true }, ...arms].filter(begun);
  }

  get right() { return this.plot.clientWidth < 620 ? NARROW : MARGIN.r; }
  colour(name) { return getComputedStyle(document.body).getPropertyValue(name).trim(); }

  // The figure's colours are names of the page's.
  paint(figure) {
    return JSON.parse(JSON.stringify(figure), (_, said) =>
      (typeof said === "string" && said.startsWith("var(") ? this.colour(said.slice(4, -1)) : said));
  }

  draw() {
    if (!window.Plotly || !this.study || !this.plot.clientWidth) return;
    const arms = this.arms, { x, y } = ranges(arms), layout = this.paint({ ...this.layout, margin: { ...MARGIN, r: this.right }, hovermode: "closest" });
    layout.xaxis = { ...layout.xaxis, range: x, showspikes: false, fixedrange: true, nticks: this.plot.clientWidth < 520 ? 4 : 7 };
    layout.yaxis = { ...layout.yaxis, range: y, fixedrange: true };
    layout.dragmode = false;
    Object.assign(layout, { width: this.plot.clientWidth, height: this.plot.clientHeight });
    layout.annotations = this.labels(arms, x, y);
    Plotly.react(this.plot, arms.toReversed().flatMap((arm) => this.traces(arm)), layout, SETTINGS);
  }

  traces({ name, ink, dash, curve, base }) {
    const { steps } = curve, lit = this.lit === name, faded = this.lit !== null && !lit;
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

  // A name for each curve right of the plot, moved apart where they would meet, with a thin line to where the curve ends.
  labels(arms, [left, right], [low, high]) {
    const width = this.plot.clientWidth - this.right - MARGIN.l, height = this.plot.clientHeight - MARGIN.t - MARGIN.b;
    const ends = arms.map(({ name, curve, ink, base }) => {
      const at = curve.mean.findLastIndex((loss) => loss != null), x = curve.steps[at], y = curve.mean[at], strong = base || name === this.lit;
      return { x, y, across: (width * (x - left)) / (right - left), down: (height * (high - y)) / (high - low), ink, strong,
        text: base ? "the base" : minus(name), faded: this.lit !== null && name !== this.lit };
    }).filter(({ y, down }) => y != null && down >= 0 && down <= height);
    const places = apart(ends.map(({ down }) => down), height - LINE / 2), most = this.right > MARGIN.r - 1 ? 22 : 13;
    const mut = { size: 12, color: this.colour("--mut") }, plainly = { showarrow: false, xref: "paper", yref: "paper", xanchor: "left" };
    return [
      { ...plainly, x: 0, y: 1, yanchor: "bottom", yshift: 6, xshift: -40, text: `held-out loss, ${this.study.unit}`, font: mut },
      { ...plainly, x: 1, y: 0, yanchor: "top", yshift: -7, xshift: 22, text: "steps", font: mut },
      ...ends.map((end, i) => {
        const text = plain(end.text.length > most ? `${end.text.slice(0, most - 1)}…` : end.text), color = end.ink;
        return { x: end.x, y: end.y, ax: width - end.across + LEADER, ay: places[i] - end.down, xanchor: "left", showarrow: true, arrowhead: 0,
          arrowwidth: 1, arrowcolor: translucent(color, 0.45), standoff: 2, text: end.strong ? `<b>${text}</b>` : text,
          font: { size: 12, color }, opacity: end.faded ? 0.35 : 1, borderpad: 1 };
      }),
    ];
  }
}

// Places near the wanted ones, LINE px from each other, between 0 and `most`; those that meet share their mean.
function apart(wanted, most) {
  const gap = Math.min(LINE, most / Math.max(1, wanted.length - 1)), groups = [], places = [];
  const begin = (members) => {
    const mean = members.reduce((sum, i) => sum + wanted[i], 0) / members.length, wide = gap * (members.length - 1);
    return Math.max(0, Math.min(mean - wide / 2, most - wide));
  };
  for (const i of [...wanted.keys()].sort((a, b) => wanted[a] - wanted[b])) {
    let members = [i], start = begin(members);
    while (groups.length && start < groups.at(-1).start + gap * groups.at(-1).members.length) {
      members = [...groups.pop().members, ...members];
      start = begin(members);
    }
    groups.push({ start, members });
  }
  for (const { start, members } of groups) members.forEach((i, n) => { places[i] = start + gap * n; });
  return places;
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

const channels = (hex) => (hex.length === 4 ? [1, 2, 3].map((at) => parseInt(hex[at] + hex[at], 16))
  : [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

const translucent = (hex, alpha) => `rgba(${channels(hex).join()},${alpha})`;

function mixed(hex, paper, share) {
  const [own, ground] = [channels(hex), channels(paper)];
  return `#${own.map((value, i) => Math.round(share * value + (1 - share) * ground[i]).toString(16).padStart(2, "0")).join("")}`;
}

