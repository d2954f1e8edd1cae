// Drawings of a study: a row's interval beside the base's line, and a sweep's losses over its values.
// As wide as their place: x is in percent and y in px, so that lines and type keep their size.

import { show } from "./state.js";
import { make, text } from "./svg.js";
import { isAway, minus, range, signed } from "./study_words.js";

const ROW = 40; // px of a row; the next one's grid goes on where it ends
const MIDDLE = ROW / 2;
const LONE = 4; // times as far from the base as any other row
const EDGE = 2; // percent left free on each side

// Round numbers from `low` to `high`, roughly `about` of them.
function ticks(low, high, about) {
  const raw = (high - low) / about, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => unit * times).find((wide) => wide >= raw), found = [];
  for (let n = Math.ceil(low / step); n <= Math.floor(high / step + 1e-9); n += 1) found.push(+(n * step).toFixed(10));
  return found;
}

const across = (low, high) => (value) => EDGE + ((100 - 2 * EDGE) * (value - low)) / (high - low);

// The scale of all rows' intervals: zero is always on it.
export function scaleOf(rows) {
  const known = rows.filter((row) => row.mean != null);
  if (!known.length) return { low: -0.5, high: 1, at: across(-0.5, 1), ticks: [] };
  const values = [0, ...known.flatMap((row) => [row.mean, ...whiskers(row, known), ...(row.differences || [])])].filter(Number.isFinite);
  let low = Math.max(Math.min(...values), -most(known)), high = Math.min(Math.max(...values), most(known));
  const room = (high - low) * 0.05 || 0.05;
  low -= low < 0 ? room : room * 2.2;
  high += room;
  return { low, high, at: across(low, high), ticks: ticks(low, high, 5) };
}

// One row far beyond all others would press them flat: it leaves the drawing, with an arrow and its number.
function most(rows) {
  const [first, second] = rows.map((row) => Math.abs(row.mean)).sort((a, b) => b - a);
  if (!(second > 0) || first < LONE * second) return Infinity;
  return 1.25 * Math.max(...rows.filter((row) => Math.abs(row.mean) <= second).flatMap((row) => [row.mean, ...whiskers(row, rows)].map(Math.abs)));
}

// Two seeds may leave an interval far wider than all that was found: it is cut off at the edge.
function whiskers({ low, high }, known) {
  if (low == null) return [];
  const bound = 2.5 * Math.max(...known.flatMap((row) => [Math.abs(row.mean), ...(row.differences || []).map(Math.abs)]), 0.01);
  return [Math.max(low, -bound), Math.min(high, bound)];
}

export function axis(scale) {
  const svg = make("svg", { class: "axis", width: "100%", height: 34, "aria-hidden": "true" });
  for (const value of scale.ticks) {
    if (value) svg.append(text(`${scale.at(value)}%`, 29, `${value < 0 ? "−" : "+"}${show(Math.abs(value))}`, "tick"));
  }
  svg.append(text(`${scale.at(0)}%`, 29, "0", "tick zero"));
  svg.append(text(`${scale.at(0)}%`, 11, "the base", "base"));
  if (scale.at(0) > 24) svg.append(text("0%", 11, "← better", "side"));
  if (scale.at(0) < 76) svg.append(text("100%", 11, "worse →", "side end"));
  return svg;
}

// One row: grid, the base's line, each seed a faint dot, the mean on its interval; hollow where it may be chance.
export function interval(row, scale) {
  const svg = make("svg", { class: "interval", width: "100%", height: ROW, "aria-hidden": "true" });
  const line = (classes, x1, x2, y1, y2) => make("line", { class: classes, x1: `${x1}%`, x2: `${x2}%`, y1, y2 });
  for (const value of scale.ticks) if (value) svg.append(line("grid", scale.at(value), scale.at(value), 0, ROW));
  svg.append(line("zero", scale.at(0), scale.at(0), 0, ROW));
  if (row.mean > scale.high || row.mean < scale.low) svg.append(line("stem", scale.at(0), row.mean > 0 ? 100 : 0, MIDDLE, MIDDLE), beyond(row));
  else if (row.mean != null) svg.append(...measured(row, scale, line));
  if (row.diverged) svg.append(diverged(isAway(row) ? "diverged" : `${row.diverged} diverged`));
  return svg;
}

function measured(row, scale, line) {
  const held = (value) => Math.min(100, Math.max(0, scale.at(value))), mean = held(row.mean), made = [];
  made.push(line("stem", scale.at(0), mean, MIDDLE, MIDDLE));
  if (row.low != null) {
    const [low, high] = [held(row.low), held(row.high)];
    made.push(line("whisker", low, high, MIDDLE, MIDDLE));
    for (const end of [low, high]) if (end > 0 && end < 100) made.push(line("whisker", end, end, MIDDLE - 5, MIDDLE + 5));
  }
  for (const value of row.differences || []) made.push(make("circle", { class: "seed", cx: `${held(value)}%`, cy: MIDDLE + 10, r: 2.2 }));
  made.push(make("circle", { class: "mean", cx: `${mean}%`, cy: MIDDLE, r: 5.5 }));
  return made;
}

function beyond({ mean }) {
  const edge = make("svg", { class: "lone", x: mean > 0 ? "100%" : "0%", overflow: "visible" }), way = mean > 0 ? 1 : -1;
  edge.append(make("path", { class: "away", d: `M${-way * 30} ${MIDDLE}H${-way * 4}M${-way * 10} ${MIDDLE - 5}l${way * 7} 5l${-way * 7} 5` }));
  edge.append(text(-way * 38, MIDDLE + 4, signed(mean, 2), mean > 0 ? "away-words" : "away-words start"));
  return edge;
}

function diverged(words) { // percent and px do not mix in a path: it hangs on a drawing of its own at the edge
  const edge = make("svg", { x: "100%", overflow: "visible" });
  edge.append(make("path", { class: "away", d: `M-34 ${MIDDLE}H-4M-10 ${MIDDLE - 5}l7 5l-7 5` }));
  edge.append(text(-42, MIDDLE + 4, words, "away-words"));
  return edge;
}

// A sweep ------------------------------------------------------------------------------------------------------------

// Where values lie, from 0 to 1: evenly, or by their logarithms where they span much; 0 then stands one place before.
export function positions(values) {
  const known = [...new Set(values)].sort((a, b) => a - b), above = known.filter((value) => value > 0);
  if (known.length < 2) return () => 0.5;
  const wide = above.length > 1 && known[0] >= 0 && above.at(-1) / above[0] >= 8;
  const move = wide ? (value) => Math.log(value) : (value) => value;
  const first = move(wide ? above[0] : known[0]), last = move(known.at(-1));
  const apart = wide && known[0] === 0 ? (last - first) / Math.max(1, above.length - 1) : 0;
  return (value) => ((wide && value <= 0 ? first - apart : move(value)) - first + apart) / (last - first + apart);
}

const TALL = 250, TOP = 22, FOOT = 30;

// Points of a sweep, the base among them: {value, loss, low, high, seeds, base, row}.
function sweepPoints(study, present) {
  const { base } = study, points = [];
  for (const row of study.rows) {
    if (row.loss == null || row.value == null) continue;
    const shift = row.mean == null ? 0 : row.loss - row.mean;
    points.push({ value: row.value, loss: row.loss, low: row.low == null ? null : shift + row.low,
      high: row.high == null ? null : shift + row.high, seeds: (row.differences || []).map((d) => shift + d), row });
  }
  if (base.loss != null && typeof present === "number") points.push({ value: present, loss: base.loss, seeds: [], base: true });
  return points.sort((a, b) => a.value - b.value);
}

export function sweepChart(study, present, name) {
  const points = sweepPoints(study, present), part = study.rows[0]?.part || "";
  const svg = make("svg", { class: "sweep-chart", width: "100%", height: TALL + TOP + FOOT, role: "img",
    "aria-label": `${name}: the loss at each value; the table has the numbers` });
  svg.dataset.part = part;
  if (points.length < 2) return svg;
  const all = points.flatMap((p) => [p.loss, p.low, p.high, ...p.seeds]).filter((loss) => loss != null);
  const worst = Math.max(...points.map((p) => p.loss)), best = Math.min(...points.map((p) => p.loss));
  const span = worst - best || 0.1, low = Math.max(Math.min(...all), best - span) - span * 0.08;
  const high = Math.min(Math.max(...all), worst + span) + span * 0.08;
  const y = (loss) => TOP + TALL * (1 - (Math.min(high, Math.max(low, loss)) - low) / (high - low));
  const place = positions([...study.rows.map((row) => row.value).filter((v) => v != null), present].filter(Number.isFinite));
  const x = (value) => 4 + 90 * place(value);
  svg.append(...losses(low, high, y), ...baseline(points.find((p) => p.base), y), curve(points, x, y));
  const lowest = points.reduce((least, p) => (p.loss < least.loss ? p : least));
  for (const point of points) svg.append(mark(point, x, y, point === lowest));
  svg.append(...values(points, x, lowest));
  return svg;
}

const losses = (low, high, y) => ticks(low, high, 5).flatMap((loss) => [
  make("line", { class: "grid", x1: "0%", x2: "100%", y1: y(loss), y2: y(loss) }),
  text("0%", y(loss) - 5, String(loss), "tick start"),
]);

const baseline = (base, y) => (base ? [
  make("line", { class: "base-line", x1: "0%", x2: "100%", y1: y(base.loss), y2: y(base.loss) }),
] : []);

function curve(points, x, y) {
  const box = make("svg", { viewBox: `0 0 100 ${TALL + TOP}`, width: "100%", height: TALL + TOP, preserveAspectRatio: "none" });
  const along = points.map((p) => `${x(p.value).toFixed(2)} ${y(p.loss).toFixed(1)}`).join("L");
  box.append(make("path", { class: "through", d: `M${along}`, "vector-effect": "non-scaling-stroke" }));
  return box;
}

function mark(point, x, y, lowest) {
  const group = make("g", { class: `point${point.base ? " base" : ""}${lowest ? " lowest" : ""}${point.row && !point.row.clear ? " unsure" : ""}` });
  const cx = `${x(point.value)}%`, hint = make("title", {});
  if (point.row) group.dataset.row = point.row.name;
  hint.textContent = point.row ? `${minus(point.row.name)}: ${point.loss.toFixed(3)}, ${signed(point.row.mean)} (${range(point.row)})` : `the base: ${point.loss.toFixed(3)}`;
  if (point.low != null) group.append(make("line", { class: "whisker", x1: cx, x2: cx, y1: y(point.low), y2: y(point.high) }));
  for (const loss of point.seeds) group.append(make("circle", { class: "seed", cx, cy: y(loss), r: 2.6 }));
  group.append(make("circle", { class: "mean", cx, cy: y(point.loss), r: point.base || lowest ? 6.5 : 5 }), hint);
  return group;
}

// Under the axis: each value that has room, the best before all.
function values(points, x, lowest) {
  const taken = [], made = [];
  for (const point of [lowest, ...points.filter((p) => p.base), ...points]) {
    const at = x(point.value);
    if (taken.some((other) => Math.abs(other - at) < 6)) continue;
    taken.push(at);
    const classes = `tick middle${point === lowest ? " strong" : ""}`;
    made.push(text(`${at}%`, TALL + TOP + 20, show(point.value), classes));
  }
  return made;
}
