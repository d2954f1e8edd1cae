// Vectors as points of a plane: tokens as marks with their characters, positions as a path. Points move from step to step.

import { make, text } from "./svg.js";

const TALL = 470, FLAT = 0.86; // px at most; height to width
const EDGE = { left: 30, right: 24, top: 18, bottom: 30 }; // px around the points
const REACH = 26; // px from a point that still mean it
const LETTER = 8.2, LINE = 15; // px of a label
const PATH_LABELS = 9; // positions that are named

// A mark for each kind of token, in the order of KINDS of evolving.py: never colour alone.
export const SHAPES = [
  "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z", "M-3.4-3.4H3.4V3.4H-3.4Z", "M0-4.6L4.4 3.2H-4.4Z", "M0-4.9L4.9 0 0 4.9-4.9 0Z",
  "M-4-1.2H-1.2V-4H1.2V-1.2H4V1.2H1.2V4H-1.2V1.2H-4Z", "M-5-1.6H5V1.6H-5Z", "M0 4.6L4.4-3.2H-4.4Z",
  "M-3.6-2.2L-2.2-3.6 0-1.4 2.2-3.6 3.6-2.2 1.4 0 3.6 2.2 2.2 3.6 0 1.4-2.2 3.6-3.6 2.2-1.4 0Z",
];

export class Scatter {
  // `pick(i, keep)` is told which point is meant; null for none.
  constructor(plot, pick) {
    Object.assign(this, { plot, points: [], spots: [], chosen: null });
    plot.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") this.meant(event, pick, false); });
    plot.addEventListener("click", (event) => this.meant(event, pick, true));
  }

  meant(event, pick, keep) {
    const box = this.plot.getBoundingClientRect(), found = this.nearest(event.clientX - box.left, event.clientY - box.top);
    if (found !== null) pick(found, keep);
  }

  nearest(px, py) {
    const away = this.spots.map(([x, y]) => Math.hypot(x - px, y - py)), least = Math.min(...away);
    return least <= REACH ? away.indexOf(least) : null;
  }

  // `names` and `kinds` of the points, places of `all` frames for the scale; `path`: they are in order.
  build({ names, kinds, path }, all) {
    const width = this.width = this.plot.clientWidth, height = this.height = Math.round(Math.min(TALL, FLAT * width));
    if (!width) return;
    Object.assign(this, { names, kinds, path });
    const xs = all.flatMap((at) => at.map(([x]) => x)), ys = all.flatMap((at) => at.map(([, y]) => y));
    const [left, right, low, high] = [least(xs), most(xs), least(ys), most(ys)];
    const wide = width - EDGE.left - EDGE.right, tall = height - EDGE.top - EDGE.bottom;
    const scale = Math.min(wide / (right - left || 1), tall / (high - low || 1)); // one for both: distances mean something
    const [middleX, middleY] = [EDGE.left + wide / 2, EDGE.top + tall / 2];
    this.place = ([x, y]) => [middleX + (x - (left + right) / 2) * scale, middleY - (y - (low + high) / 2) * scale];
    const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const [x0, y0] = this.place([0, 0]);
    svg.append(make("line", { class: "axis", x1: 8, x2: width - 8, y1: y0, y2: y0 }));
    svg.append(make("line", { class: "axis", x1: x0, x2: x0, y1: 8, y2: height - 8 }));
    this.across = text(width - 10, height - 9, "", "axis-name end");
    this.up = text(10, 14, "", "axis-name");
    this.links = make("g", { class: "links" });
    const joined = path ? names.slice(1) : [], colour = (i) => `stroke: ${shade(i / (names.length - 1))}`;
    this.steps = joined.map((_, i) => make("line", { class: "step", style: colour(i) }));
    this.points = names.map((name, i) => this.point(name, i));
    svg.append(this.across, this.up, ...this.steps, this.links, ...this.points);
    this.plot.replaceChildren(svg);
  }

  point(name, i) {
    const made = make("g", { class: "pt" });
    if (this.path) {
      const dot = make("circle", { r: this.names.length > 64 ? 2.4 : 3.4 });
      dot.style.fill = shade(i / Math.max(1, this.names.length - 1));
      made.append(dot);
    } else made.append(make("path", { d: SHAPES[this.kinds[i]], class: `kind-${this.kinds[i]}` }));
    made.append(text(7.5, 4.5, name, this.path ? "" : `kind-${this.kinds[i]}`));
    return made;
  }

  // Whether a frame lies within the picture.
  holds(at) {
    const inside = ([x, y]) => x >= 0 && x <= this.width && y >= 0 && y <= this.height;
    return at.length === this.points.length && at.every((place) => inside(this.place(place)));
  }

  // Moves the points to a frame's places.
  move({ at, share }) {
    if (!this.points.length) return;
    this.spots = at.map((place) => this.place(place));
    this.points.forEach((point, i) => {
      point.style.transform = `translate(${this.spots[i].map((at) => `${at.toFixed(1)}px`).join(", ")})`;
    });
    this.steps.forEach((line, i) => set(line, this.spots[i], this.spots[i + 1]));
    this.across.textContent = `→ ${Math.round(100 * share[0])} % of the variance`;
    this.up.textContent = `↑ ${Math.round(100 * share[1])} %`;
  }

  // Marks a point and links it with its neighbours; names as many others as there is room for.
  mark(chosen, near) {
    this.points.forEach((point, i) => {
      point.classList.toggle("chosen", i === chosen);
      point.classList.toggle("near", near.includes(i));
    });
    for (const i of [...near, chosen]) this.points[i].parentNode.append(this.points[i]); // above the others
    this.links.replaceChildren(...near.map((i) => set(make("line", {}), this.spots[chosen], this.spots[i])));
    const taken = [], every = Math.max(1, Math.round((this.names.length - 1) / PATH_LABELS));
    const order = this.names.map((_, i) => i), ends = this.path ? [0, this.names.length - 1] : [];
    const first = [...new Set([chosen, ...near, ...ends])];
    for (const i of [...first, ...order.filter((i) => !first.includes(i))]) {
      const [x, y] = this.spots[i], box = [x + 5, y - LINE / 2, x + 8 + LETTER * this.names[i].length, y + LINE / 2];
      const wanted = !this.path || first.includes(i) || i % every === 0;
      const free = wanted && (first.includes(i) || !taken.some((other) => overlap(box, other)));
      if (free) taken.push(box, [x - 4, y - 4, x + 4, y + 4]);
      this.points[i].classList.toggle("named", free);
    }
  }

  // The point that is nearest in a direction, [1, 0] being right and [0, 1] down.
  beside(from, [dx, dy]) {
    const [x, y] = this.spots[from];
    const away = ([px, py]) => [(px - x) * dx + (py - y) * dy, Math.abs((px - x) * dy) + Math.abs((py - y) * dx)];
    const ahead = this.spots.map((spot, i) => [i, ...away(spot)])
      .filter(([i, along, aside]) => i !== from && along > 1 && aside <= 2 * along);
    return ahead.sort((a, b) => a[1] + 2 * a[2] - b[1] - 2 * b[2])[0]?.[0] ?? from;
  }
}

// A position's colour: the later the stronger.
export const shade = (share) => `color-mix(in srgb, var(--c-pos) ${Math.round(22 + 78 * share)}%, var(--line))`;

const least = (numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity);
const most = (numbers) => numbers.reduce((a, b) => Math.max(a, b), -Infinity);
const overlap = ([a, b, c, d], [e, f, g, h]) => a < g && e < c && b < h && f < d;

function set(line, [x1, y1], [x2, y2]) {
  for (const [name, at] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(name, at.toFixed(1));
  return line;
}
