// The learning rate over the steps, as the server's check gives it: a drawing under the options that shape it.

import { form, on, show } from "./state.js";
import { session } from "./session.js";
import { make, text } from "./svg.js";

const HEIGHT = 132, TOP = 30, FLOOR = 110; // px; the floor is a rate of zero
const LINE = 14; // px between two labels, one above the other
const DIGIT = 6.7; // px of a letter in the figures' type
const NAMED = 36; // px of "steps", after the last of them

export function bindSchedule(root) {
  const figure = root.querySelector("#schedule");
  const paint = () => {
    const drawn = form.checked?.schedule;
    figure.hidden = !drawn;
    figure.classList.toggle("stale", Boolean(form.checked?.problems.length));
    const wide = inner(figure); // none while its group is closed
    if (drawn && wide > 0) figure.replaceChildren(draw(drawn, wide));
    mark(figure);
  };
  on("checked", paint);
  new ResizeObserver(paint).observe(figure);
  for (const event of ["status", "attached"]) on(event, () => mark(figure));
}

function inner(figure) {
  const style = getComputedStyle(figure);
  return figure.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

let place = null; // of a step and a rate, in the drawing's px

function draw({ points, bends, peaks, end, words }, wide) {
  const svg = make("svg", { width: wide, height: HEIGHT, role: "img", "aria-labelledby": "schedule-words" });
  const title = make("title", { id: "schedule-words" });
  title.textContent = words;
  const curves = peaks.map(([name, peak]) => ({ name, peak, top: show(+peak.toPrecision(3)),
    last: end < 1 ? (end ? show(+(end * peak).toPrecision(2)) : "≈ 0") : "",
    points: points.map(([step, rate]) => [step, (rate * peak) / peaks[0][1]]) }));
  const steps = points.at(-1)[0], highest = Math.max(...peaks.map(([, peak]) => peak));
  const [left, right] = sides(curves, steps, wide);
  place = { left, right, x: (step) => left + (right - left) * (step / steps),
    y: (rate) => FLOOR - (FLOOR - TOP) * (rate / highest) };
  svg.append(title, text(0, 11, "Learning rate", "axis"), ...axis(steps, bends), ...levels(curves));
  for (const curve of curves.toReversed()) svg.append(...line(curve, curve !== curves[0]));
  svg.append(...ends(curves), make("circle", { class: "now", r: 4, visibility: "hidden" }));
  return svg;
}

// Where the curves' room begins and ends: the labels beside it take what they need.
function sides(curves, steps, wide) {
  const longest = (labels) => DIGIT * Math.max(...labels.map((label) => label.length));
  const beyond = (DIGIT * show(steps).length) / 2 + NAMED;
  return [longest(curves.map(({ top }) => top)) + 7,
    wide - Math.max(beyond, longest(curves.map(({ name, last }) => (name ? `${name}  ${last}` : last))) + 7)];
}

// The curve, over its shade; one step alone is a dot.
function line({ points }, dim) {
  const at = points.map(([step, rate]) => `${place.x(step).toFixed(1)} ${place.y(rate).toFixed(1)}`);
  const classes = dim ? "rate dim" : "rate", along = `M${at.join("L")}`;
  if (at.length === 1) return [make("path", { class: `${classes} lone`, d: `${along}h0` })];
  const shade = make("path", { class: "shade", d: `${along}V${FLOOR}H${place.x(points[0][0]).toFixed(1)}z` });
  return [...(dim ? [] : [shade]), make("path", { class: classes, d: along })];
}

// Steps under the floor: where it begins, bends and ends, and no number that would meet a weightier one.
function axis(steps, bends) {
  const marks = [make("path", { class: "floor", d: `M${place.left} ${FLOOR}.5H${place.right}` })], taken = [];
  for (const step of [steps, 0, ...bends.toReversed()]) {
    const said = show(step), x = place.x(step), half = (said.length * DIGIT) / 2 + 4;
    if (bends.includes(step)) marks.push(make("path", { class: "guide", d: `M${x.toFixed(1)} ${TOP}V${FLOOR}` }));
    if (taken.some(([from, to]) => x - half < to && x + half > from)) continue;
    taken.push([x - half, x + half]);
    marks.push(text(x, FLOOR + 18, said, "tick"));
  }
  const end = place.right + (show(steps).length * DIGIT) / 2 + 4;
  return [...marks, text(end, FLOOR + 18, steps === 1 ? "step" : "steps", "axis")];
}

// The peaks, on the left, each with a dotted line towards its curve.
function levels(curves) {
  const apart = spread(curves.map(({ peak }) => place.y(peak)));
  return curves.flatMap(({ peak, top }, i) => [
    make("path", { class: "guide", d: `M${place.left} ${place.y(peak).toFixed(1)}H${place.right}` }),
    text(place.left - 7, apart[i] + 4, top, i ? "peak dim" : "peak"),
  ]);
}

// Where the curves end, on the right: whose they are, and their last rates where those are not the peaks.
function ends(curves) {
  const apart = spread(curves.map(({ points }) => place.y(points.at(-1)[1])));
  return curves.map(({ name, last }, i) => {
    const label = text(place.right + 7, apart[i] + 4, "", i ? "end dim" : "end");
    const whose = make("tspan", { class: "axis" });
    whose.textContent = name;
    label.append(whose, name && last ? ` ${last}` : last);
    return label;
  });
}

// One height or two, moved apart where labels at them would meet, and kept over the floor.
function spread(heights) {
  const lowest = FLOOR - 3, [one, two = -LINE] = heights.map((height) => Math.min(height, lowest));
  if (Math.abs(one - two) >= LINE) return [one, two];
  const middle = Math.min((one + two) / 2, lowest - LINE / 2), up = heights[0] <= heights[1] ? -1 : 1;
  return [middle + (up * LINE) / 2, middle - (up * LINE) / 2];
}

// A dot at the step of the shown run, if it trains what the form says.
function mark(figure) {
  const dot = figure.querySelector(".now"), run = session.shown, points = form.checked?.schedule?.points;
  if (!dot || !points) return;
  const same = run?.step > 0 && run.head?.recipe === form.checked.recipe && run.step < points.at(-1)[0];
  dot.setAttribute("visibility", same ? "visible" : "hidden");
  if (!same) return;
  const next = Math.max(1, points.findIndex(([step]) => step >= run.step));
  const [[from, low], [to, high]] = [points[next - 1], points[next]];
  dot.setAttribute("cx", place.x(run.step));
  dot.setAttribute("cy", place.y(low + ((high - low) * (run.step - from)) / (to - from)));
}
