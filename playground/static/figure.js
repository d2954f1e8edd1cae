// The chart's figure, from the pieces of playground/plots.py and the runs to draw. Pure functions; see series.js for lines.

import { branches, parts } from "./series.js";

export const BATCH = 0, SMOOTH = 1, CHECKS = 2; // of the shown run's traces; then
const PUBLISHED = 3, BRANCHES = 4, CHANGES = 5;
const LOG_TICKS = [0.1, 0.2, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10];
const TICK_ROOM = 90; // px

const training = (view) => ({ ...view, of: "training" }), validation = (view) => ({ ...view, of: "validation" });
const draws = (lines, id) => lines.some(({ run }) => run.id === id);

// The traces of the shown run, `front` or null, of what was published and of what is marked; and what lies behind them.
// `raw` are its losses unsmoothed; `lines` all that is drawn, `front` among them unless it is hidden.
export function inFront(props, view, { front, raw, lines, published, faint, marks, among }) {
  const held = view.of === "validation", behind = [];
  const traces = props[held ? "checked" : "traces"].map((trace) => ({ ...trace }));
  if (front) {
    const curve = parts(front, training(view)), checks = parts(front, validation(view)), visible = lines.includes(front);
    Object.assign(traces[BATCH], parts({ ...front, smooth: raw }, training(view)).own, { visible });
    Object.assign(traces[SMOOTH], curve.own, { visible });
    Object.assign(traces[CHECKS], checks.own, { visible }, among && !held ? { mode: "markers" } : {});
    const past = (held ? checks : curve).inherited;
    if (visible && past && !draws(lines, front.run.parent)) behind.push({ ...props.inherited, ...past });
  }
  const seen = marks.filter(({ forked }) => !forked); // which has a dot
  Object.assign(traces[PUBLISHED], published, { opacity: faint ? 0.5 : 1 });
  Object.assign(traces[BRANCHES], branches(lines, view));
  Object.assign(traces[CHANGES], { x: seen.map(({ x }) => x), y: seen.map(({ y }) => y) });
  return { traces, behind };
}

// The traces of a run beside it: its own, over what it inherited, unless that is drawn as its parent's.
export function beside(props, view, line, lines) {
  const { compared, inherited } = props, base = line.ticked ? compared : template(props, line);
  const { own, inherited: past } = parts(line, view), color = line.colour ? `var(${line.colour})` : base.line.color;
  const trace = { ...base, name: line.run.id, ...own, mode: view.of === "validation" ? "lines+markers" : "lines",
    line: { ...base.line, color, dash: line.dash || base.line.dash }, marker: { ...compared.marker, color } };
  const before = past && !draws(lines, line.run.parent);
  return before ? [{ ...inherited, line: { ...inherited.line, color }, ...past }, trace] : [trace];
}

const template = ({ earlier }, { place }) => earlier[place % earlier.length];
export const dashOf = (props, line) => line.dash || template(props, line).line.dash;

// `axes` {x, y} are the ranges shown; a finger reads values, so it cannot zoom.
export function layout(props, view, { axes, width, room, references, annotations }) {
  const { xaxis, yaxis, margin } = props.layout, kind = (log) => (log ? "log" : "linear");
  const short = view.unit === "tokens" || view.unit === "flops";
  return {
    ...props.layout, annotations, margin: { ...margin, r: room },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: { ...xaxis, type: kind(view.logX), range: [...axes.x], ticksuffix: view.unit === "seconds" ? " s" : "",
      tickformat: short ? ".3~s" : "", nticks: Math.max(3, Math.min(9, Math.floor(width / TICK_ROOM))) },
    yaxis: { ...yaxis, type: kind(view.logY), range: [...axes.y], ...(view.logY ? { tickvals: LOG_TICKS } : {}) },
    shapes: references.map(([, loss]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: loss, y1: loss, layer: "below", opacity: 0.6,
      line: { color: "var(--mut)", width: 1, dash: "2px,4px" },
    })),
  };
}
