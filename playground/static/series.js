// What the chart draws of its runs, by view: points, ranges, marks and labels. A line is {run, steps, smooth, seconds,
// evals, marks, colour, dash, strong, ticked}; a view {unit, of, bits, logX, logY}. Losses are nats a token, and bits a character
// where `bits` is true: a run's `bits` are what a nat is there. Pure functions.

import { across, perStep, rangeOn, rangeX, rangeY, readAt } from "./curves.js";
import { GOING, title, withoutSteps } from "./session.js";

const LABELLED = 8; // curves with their name at the head
const LATEST = 1 / 16; // of all steps, within which a check is the newest: further back it would stand in the curve

// Horizontal values; an axis that counts logarithmically has no zero.
export function points({ run }, steps, seconds, { unit, logX }) {
  const values = across(unit, { steps, seconds, perStep: perStep(unit, run) });
  return logX ? values.map((x) => (x > 0 ? x : null)) : values;
}

// The curve that is looked at, as {steps, seconds, y}.
function curve({ run, steps, smooth, seconds, evals }, { of, bits }) {
  if (of === "training") return { steps, seconds, y: measured(smooth, run, bits) };
  return { steps: evals.map((e) => e[0]), seconds: evals.map((e) => e[2]), y: measured(evals.map((e) => e[1]), run, bits) };
}

// Losses in the unit that is shown; null where it is not known.
export function measured(losses, run, bits) {
  return bits ? losses.map((loss) => (loss == null || run?.bits == null ? null : loss * run.bits)) : losses;
}

// A curve's own points {x, y}, and those from before it was forked, or null. They share one.
export function parts(line, view) {
  const { steps, seconds, y } = curve(line, view), x = points(line, steps, seconds, view);
  const at = line.run.forked_at ? Math.max(0, steps.findLastIndex((step) => step <= line.run.forked_at)) : 0;
  return { own: { x: x.slice(at), y: y.slice(at) }, inherited: at ? { x: x.slice(0, at + 1), y: y.slice(0, at + 1) } : null };
}

// Where a step of a line is: {x, y} as drawn, or nulls.
function at(line, step, view) {
  const { steps, seconds, y } = curve(line, view), second = readAt(steps, seconds, step);
  return { x: points(line, [step], [second], view)[0], y: readAt(steps, y, step) };
}

// Where runs began that were forked from others.
export function branches(lines, view) {
  const first = lines.filter(({ run }) => run.forked_at).map((line) => parts(line, view).own);
  return { x: first.map(({ x }) => x[0] ?? null), y: first.map(({ y }) => y[0] ?? null) };
}

// What happened on the way: [{x, y, words, colour, dash, forked}]. Where a run was forked it has a dot already.
export function changes(lines, view) {
  return lines.flatMap((line) => line.marks.map(([step, words]) => ({ ...at(line, Math.max(step, 1), view), words,
    colour: line.colour, dash: line.dash, forked: step === line.run.forked_at })))
    .filter(({ x, y }) => x != null && y != null);
}

// How far a run will reach.
export const extent = (run, unit, total, perStep) => rangeX(unit, total, perStep, run)[1];

export function ranges(lines, view, { reach, perStep: each, references, published }) {
  const { unit, logX, logY } = view, least = { steps: 1, tokens: each, flops: each, seconds: 0.01 }[unit] || 1;
  const reaches = lines.filter(({ ticked }) => ticked).map((line) => extentOf(line, unit));
  const seen = [...lines.flatMap((line) => curve(line, view).y), ...published];
  return { x: rangeOn(logX, [0, Math.max(reach, ...reaches) || 1], least), y: rangeOn(logY, rangeY(seen, references, view.mixed), 0.1) };
}

function extentOf({ run, steps, seconds }, unit) {
  const total = GOING.includes(run.status) ? run.total : run.step;
  return extent({ after: steps.at(-1), last: seconds.at(-1) }, unit, total, perStep(unit, run));
}

// What all lines have in common, which then goes without saying.
export function shared(lines) {
  const runs = lines.map(({ run }) => run), [first] = runs, all = (test) => runs.every(test);
  return { preset: all((run) => run.preset === first.preset) ? first?.preset : null, held_out: first?.held_out,
    labels: (first?.labels || []).filter((label) => all((run) => run.labels?.includes(label))) };
}

// How a line is called beside a run or what is shared; the shown run has a name among others only.
export function named(line, beside, among) {
  if (line.strong && !among) return line.run.name || "this run";
  const other = beside?.held_out && line.run.held_out !== beside.held_out ? " (other text)" : "";
  const labels = withoutSteps(line.run.labels); // whose number is seen
  return title(among || labels.length ? { ...line.run, labels } : line.run, beside) + other;
}

// At the heads of curves and the ends of lines, the most important first.
export function labels(lines, about) {
  const found = [], held = about.of === "validation";
  const add = (x, y, text, more) => { if (x != null && y != null) found.push({ x, y, text, ...more }); };
  for (const line of byHead(lines, about)) {
    const { own } = parts(line, about), last = own.y.findLastIndex((loss) => loss != null), y = own.y[last];
    if (!line.strong) { add(own.x[last], y, named(line, about.beside, about.among), { colour: line.colour }); continue; }
    add(own.x[last], y, `${named(line, about.beside, about.among)} ${y?.toFixed(2)}`, { strong: true });
    const check = line.evals.length > 1 && line.evals.at(-1);
    const near = check && line.steps.at(-1) - check[0] < about.total * LATEST;
    if (!near || held || about.among) continue;
    const [out] = measured([check[1]], line.run, about.bits);
    add(points(line, [check[0]], [check[2]], about)[0], out, `held out ${out?.toFixed(2)}`);
  }
  for (const [text, loss] of about.references) add(1, loss, text, { atEdge: true });
  const { x: [x], y: [y] } = about.published; // curves fall: to the right of the first point there is room
  add(x, y, about.foreign ? "published (tiny Shakespeare)" : "published", { whole: true });
  return found;
}

// The shown run, then the best.
function byHead(lines, view) {
  const last = (line) => curve(line, view).y.findLast((loss) => loss != null) ?? Infinity;
  return [...lines].sort((a, b) => Boolean(b.strong) - Boolean(a.strong) || last(a) - last(b)).slice(0, LABELLED + 1);
}
