// Two drawings of the same sizes: a map with a row for each part, the deepest on top, and a line for each part.
// Their steps lie side by side as they were measured: closer at the beginning, when most happens.

import { make, text } from "./svg.js";
import { decade, ramp } from "./health_scale.js";

const ROW = 13.5, LOW_ROW = 6; // px of a row of the map: of few parts, and at least
const HEIGHT = [150, 250]; // px of both, at least and at most
const ALONE = 190; // px of the lines, at most, where they stand under the map
const TOP = 4, BOTTOM = 24; // px around them
const LEFT = { map: 78, lines: 46 }, RIGHT = { map: 2, lines: 112 }, NARROW = 92;
const LINE = 15; // px between two names
const TICK = 52; // px between two steps that are named
const COLOURS = { attn: "--c-attn", mlp: "--c-mlp", both: "--ink", io: "--c-io" };
const DASHES = { mlp: "7 3", both: "9 3 2 3", io: "2 3" }; // never colour alone

const colour = (part) => `var(${COLOURS[part]})`;
const NAMES = { attn: "attention", mlp: "MLP", both: "attention + MLP", io: "other parts" };

// What the lines of the parts of `rows` look like.
export function key(rows) {
  return Object.keys(NAMES).filter((name) => rows.some(({ part }) => part === name)).map((part) => {
    const item = document.createElement("span"), stroke = make("svg", { width: 22, height: 8, "aria-hidden": "true" });
    stroke.append(make("line", { x1: 0, x2: 22, y1: 4, y2: 4, "stroke-width": 1.8, "stroke-dasharray": DASHES[part] || "" }));
    stroke.firstChild.style.stroke = colour(part);
    item.append(stroke, NAMES[part]);
    return item;
  });
}

const heightOf = (rows) => TOP + BOTTOM + Math.max(HEIGHT[0], Math.min(HEIGHT[1], rows * ROW), rows * LOW_ROW);

// Draws the map of `view` {rows, steps, scale, size}; returns how to find and to mark a cell.
export function drawMap(plot, view) {
  const { svg, width, height } = begin(plot, view), wide = width - LEFT.map - RIGHT.map, tall = height - TOP - BOTTOM;
  const paint = ramp(), n = view.steps.length, rows = view.rows.length, w = wide / n, h = tall / rows;
  const x = (i) => LEFT.map + i * w, y = (r) => TOP + (rows - 1 - r) * h;
  const seam = (r) => (r && view.rows[r].layer !== view.rows[r - 1].layer && h > 5 ? 1 : 0); // under the first part of a layer
  view.rows.forEach((row, r) => {
    row.values.forEach((size, i) => {
      const at = view.scale.place(size);
      svg.append(make("rect", { x: x(i).toFixed(2), y: y(r).toFixed(2), width: (w + 0.5).toFixed(2),
        height: (h - seam(r) + (seam(r) ? 0 : 0.3)).toFixed(2), ...(at == null ? { class: "lost" } : { fill: paint(at) }) }));
    });
    svg.append(make("rect", { x: LEFT.map - 6, y: y(r).toFixed(2), width: 3, height: (h - (h > 5 ? 1 : 0)).toFixed(2), fill: colour(row.part) }));
  });
  nameRows(svg, view.rows, y, h);
  nameSteps(svg, view.steps, (i) => x(i) + w / 2, height, LEFT.map, width - RIGHT.map);
  const mark = make("rect", { class: "mark", width: Math.max(w, 4), height: Math.max(h, 4), visibility: "hidden" });
  svg.append(mark);
  return {
    at: (px, py) => ({ step: within(Math.floor((px - LEFT.map) / w), n), row: within(rows - 1 - Math.floor((py - TOP) / h), rows) }),
    mark: (cell) => {
      mark.setAttribute("visibility", cell ? "visible" : "hidden");
      if (cell) { mark.setAttribute("x", x(cell.step)); mark.setAttribute("y", y(cell.row)); }
    },
  };
}

// A layer once, beside all its parts; as many as there is room for.
function nameRows(svg, rows, y, h) {
  const layers = new Map();
  rows.forEach((row, r) => {
    const name = row.layer ? `layer ${row.layer}` : row.name;
    layers.set(name, [...(layers.get(name) || []), r]);
  });
  let last = Infinity;
  for (const [name, own] of layers) {
    const middle = (y(own[0]) + y(own.at(-1)) + h) / 2;
    if (last - middle < 13) continue;
    svg.append(text(LEFT.map - 12, middle + 4, name, "row"));
    last = middle;
  }
}

// Draws the lines; returns how to find the nearest and to light one.
export function drawLines(plot, view) {
  const beside = plot.closest(".charts").firstElementChild.offsetTop === plot.parentElement.offsetTop;
  const { svg, width, height } = begin(plot, view, beside ? Infinity : ALONE), right = width < 420 ? NARROW : RIGHT.lines;
  const wide = width - LEFT.lines - right, tall = height - TOP - BOTTOM, n = view.steps.length;
  const x = (i) => LEFT.lines + (n > 1 ? (i * wide) / (n - 1) : wide / 2), y = (at) => TOP + (1 - at) * tall;
  for (const exponent of view.scale.decades(Math.floor(tall / 26))) {
    const at = y((exponent - view.scale.low) / (view.scale.high - view.scale.low));
    svg.append(make("line", { class: "grid", x1: LEFT.lines, x2: LEFT.lines + wide, y1: at, y2: at }));
    svg.append(text(LEFT.lines - 7, at + 4, decade(exponent, view.asShare), "row"));
  }
  nameSteps(svg, view.steps, x, height, LEFT.lines, LEFT.lines + wide);
  const deepest = Math.max(...view.rows.map((row) => row.layer)), lines = view.rows.map((row) => {
    const points = row.values.map((size, i) => [x(i), view.scale.place(size)]).filter(([, at]) => at != null).map(([px, at]) => [px, y(at)]);
    const strength = row.layer ? 0.4 + (0.6 * row.layer) / Math.max(1, deepest) : 0.9;
    const drawn = make("path", { class: "line", d: `M${points.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L")}`,
      stroke: colour(row.part), "stroke-dasharray": DASHES[row.part] || "", opacity: strength.toFixed(2) });
    if (points.length === 1) svg.append(make("circle", { cx: points[0][0], cy: points[0][1], r: 3, fill: colour(row.part) }));
    if (points.length) svg.append(drawn);
    return { row, points, drawn };
  });
  const names = make("g", {});
  svg.append(names);
  nameLines(names, lines, deepest, { left: LEFT.lines, wide, right, tall });
  const dot = make("circle", { class: "dot", r: 4, visibility: "hidden" });
  svg.append(dot);
  return { at: (px, py) => nearest(lines, px, py, x, n), mark: (cell) => light(svg, lines, dot, cell, x, n) };
}

function nearest(lines, px, py, x, n) {
  const step = within(n > 1 ? Math.round((px - x(0)) / (x(1) - x(0))) : 0, n);
  const away = lines.map(({ points }) => Math.abs((points.find(([at]) => Math.abs(at - x(step)) < 0.01)?.[1] ?? Infinity) - py));
  const row = away.indexOf(Math.min(...away));
  return Number.isFinite(away[row]) ? { step, row } : null;
}

function light(svg, lines, dot, cell, x) {
  svg.classList.toggle("lit", Boolean(cell));
  lines.forEach(({ drawn }, r) => drawn.classList.toggle("on", r === cell?.row));
  const point = cell && lines[cell.row]?.points.find(([at]) => Math.abs(at - x(cell.step)) < 0.01);
  dot.setAttribute("visibility", point ? "visible" : "hidden");
  if (point) { dot.setAttribute("cx", point[0]); dot.setAttribute("cy", point[1]); dot.setAttribute("fill", colour(lines[cell.row].row.part)); }
}

// The first and the last layer at the ends of their lines, and what is no layer; others can be told by their order.
function nameLines(svg, lines, deepest, { left, wide, right, tall }) {
  const labels = lines.filter(({ row, points }) => points.length && [0, 1, deepest].includes(row.layer))
    .map(({ row, points }) => ({ row, y: points.at(-1)[1] })).sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => { label.y = Math.max(label.y, i ? labels[i - 1].y + LINE : TOP); });
  for (let i = labels.length - 1, most = TOP + tall + 4; i >= 0; i -= 1, most = labels[i + 1].y - LINE) {
    labels[i].y = Math.min(labels[i].y, most); // in the order of their lines' ends, from the bottom up where they lack room
  }
  for (const { row, y } of labels) {
    const drawn = text(left + wide + 7, y + 4, right === NARROW ? brief(row.name) : row.name, "end");
    drawn.style.fill = colour(row.part);
    svg.append(drawn);
  }
}

function begin(plot, view, most = Infinity) {
  const width = Math.max(260, plot.clientWidth), height = Math.min(most, heightOf(view.rows.length));
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  plot.replaceChildren(svg);
  return { svg, width, height };
}

// Under the steps they stand for, TICK px apart; the first and the last one always.
function nameSteps(svg, steps, x, height, low, high) {
  let free = high + TICK;
  for (let i = steps.length - 1; i >= 0; i -= 1) {
    let at = x(i);
    if (free - at < TICK && i < steps.length - 1) continue;
    if (i && at - x(0) < 0.8 * TICK) [i, at] = [0, x(0)];
    const words = `${i === steps.length - 1 ? "step " : ""}${steps[i].toLocaleString("en-US")}`, half = 3.4 * words.length;
    const middle = Math.max(low + (i ? half : 0), Math.min(at, high - half));
    svg.append(text(middle, height - 6, words, "step"));
    free = middle - half + TICK / 3;
  }
}

const brief = (name) => name.replace(" attention + MLP", "").replace("attention", "attn");
const within = (at, count) => Math.max(0, Math.min(count - 1, at));
