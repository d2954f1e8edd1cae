// How probable the candidates for one place of the text were at each step that was kept: a line for each.

import { ask } from "./ask.js";
import { glyph, percent } from "./inspect_words.js";
import { session } from "./session.js";
import { brief, element, show } from "./state.js";
import { make, text } from "./svg.js";

const REST_MS = 220, AGAIN_MS = 5000; // without a move before it is asked; until a server that was away is asked again
const TALL = 168, LINE = 16; // px of the chart, and between two names
const LEFT = 36, RIGHT = 84, TOP = 8, BOTTOM = 22, STEP = 46; // px around it, and between two steps that are named
const DASHES = ["", "6 3", "2 3", "9 3 2 3", "1 4", "4 2 1 2"]; // never colour alone

export class Belief {
  constructor(root, cursor, steps) {
    Object.assign(this, { root, cursor, steps, told: null, find: (selector) => root.querySelector(selector) });
    this.plot = this.find(".plot");
    cursor.listen(() => this.soon());
    steps.listen(() => this.paint());
    this.plot.addEventListener("click", (event) => this.point(event));
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width && Math.abs(contentRect.width - width) > 1) { width = contentRect.width; this.paint(); }
    }).observe(this.plot);
  }

  show(answer) {
    if (answer.run !== this.looked?.run || answer.text !== this.looked.text) this.told = null;
    this.looked = answer;
    this.soon(0);
  }

  soon(ms = REST_MS) {
    this.root.hidden = !this.cursor.at || !this.looked;
    this.root.classList.toggle("waits", this.told?.at !== this.cursor.at); // of another place still
    clearTimeout(this.timer);
    if (!this.root.hidden) this.timer = setTimeout(() => this.want(), ms);
  }

  async want() {
    const { looked, cursor } = this, { at } = cursor, { live } = this.steps;
    const key = JSON.stringify([looked.run, looked.text, at, looked.checkpoints, live && looked.step]);
    if (this.root.hidden || key === this.key) return;
    const asked = { visitor: session.visitor, run: looked.run, text: looked.text, at: at - 1, live };
    this.asked = key;
    const answer = await ask("belief", asked);
    if (key !== this.asked) return; // something else was wanted meanwhile
    if (!answer) { this.soon(AGAIN_MS); return; }
    if (answer.status === "gone") return;
    this.told = answer.refused ? null : { ...answer, at };
    this.find(".sub").textContent = answer.refused || "";
    this.plot.hidden = Boolean(answer.refused);
    this.key = answer.left ? null : key;
    this.root.classList.toggle("waits", at !== cursor.at);
    this.paint();
    if (answer.left) this.soon(0);
  }

  // The place of the step that is looked at.
  get here() {
    const { steps } = this.told, at = this.steps.step === null ? steps.length - 1 : steps.indexOf(this.steps.step);
    return at < 0 ? steps.length - 1 : at;
  }

  point(event) {
    if (!this.told || !this.x) return;
    const px = event.clientX - this.plot.getBoundingClientRect().left, { steps, live } = this.told;
    const at = steps.map((_, i) => Math.abs(this.x(i) - px)), found = at.indexOf(Math.min(...at));
    this.steps.choose(live[found] ? null : steps[found]);
  }

  paint() {
    const width = this.plot.clientWidth;
    if (!this.told || !width) return;
    const { steps, lines, left } = this.told, n = steps.length, wide = width - LEFT - RIGHT, tall = TALL - TOP - BOTTOM;
    const most = Math.max(0.1, ...lines.flatMap(({ p }) => p.filter((value) => value !== null)));
    const high = Math.min(1, most * 1.08), y = (p) => TOP + (1 - p / high) * tall, { here } = this;
    const x = this.x = (i) => LEFT + (n > 1 ? (i * wide) / (n - 1) : wide);
    const svg = make("svg", { width, height: TALL, viewBox: `0 0 ${width} ${TALL}`, role: "img" });
    for (const p of grid(high)) {
      svg.append(make("line", { class: "grid", x1: LEFT, x2: LEFT + wide, y1: y(p), y2: y(p) }));
      svg.append(text(LEFT - 6, y(p) + 4, percentOf(p), "scale"));
    }
    svg.append(make("line", { class: "here", x1: x(here), x2: x(here), y1: TOP - 4, y2: TOP + tall }));
    lines.forEach((line, i) => svg.append(...drawn(line, i, x, y)));
    nameSteps(svg, steps, x, here);
    nameLines(svg, lines, here, LEFT + wide + 8, y);
    svg.setAttribute("aria-label", inWords(lines, steps));
    this.plot.replaceChildren(svg);
    const alone = n < 2 ? `Only one step is kept${this.steps.live ? " so far" : ""}.` : "";
    const waits = left ? `${left} more steps on their way …` : alone;
    const truth = lines.find((line) => line.true);
    const really = truth ? ["thick: ", element("code", "", glyph(truth.name)), ", which really came. "] : [];
    this.find(".sub").replaceChildren(...really, waits);
  }
}

const percentOf = (p) => `${Math.round(100 * p)} %`;

function grid(high) {
  const every = high > 0.55 ? 0.25 : high > 0.22 ? 0.1 : 0.05;
  return Array.from({ length: Math.floor(high / every + 1e-9) + 1 }, (_, i) => i * every);
}

// Where the weights were no numbers there is a gap.
function drawn({ p, true: truth }, i, x, y) {
  const known = p.map((value, n) => [x(n), value === null ? null : y(value)]);
  const to = ([px, py], n) => `${n && known[n - 1][1] !== null ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`;
  const d = known.map((spot, n) => (spot[1] === null ? "" : to(spot, n))).join("");
  const classes = truth ? "line true" : "line";
  const spots = known.filter(([, py]) => py !== null), r = truth ? 2.6 : 1.8;
  const dots = spots.map(([cx, cy]) => make("circle", { class: classes, cx, cy, r }));
  return [make("path", { class: classes, d, "stroke-dasharray": truth ? "" : DASHES[i % DASHES.length] }), ...dots];
}

// Under the steps they stand for, as many as there is room for: the one that is looked at first, then the last.
function nameSteps(svg, steps, x, here) {
  const taken = [];
  for (const i of new Set([here, steps.length - 1, 0, ...steps.keys()])) {
    if (taken.some((other) => Math.abs(x(other) - x(i)) < STEP)) continue;
    taken.push(i);
    svg.append(text(x(i), TALL - 6, steps[i] >= 1e4 ? brief(steps[i]) : show(steps[i]), i === here ? "step now" : "step"));
  }
}

// At their right ends, with what they are at the step that is looked at.
function nameLines(svg, lines, here, left, y) {
  const labels = lines.map((line) => ({ line, at: y(line.p.at(-1) ?? 0) })).sort((a, b) => a.at - b.at);
  labels.forEach((label, i) => { label.at = Math.max(label.at, i ? labels[i - 1].at + LINE : TOP + 4); });
  for (let i = labels.length - 1, most = TALL - BOTTOM + 2; i >= 0; i -= 1, most = labels[i + 1].at - LINE) {
    labels[i].at = Math.min(labels[i].at, most); // in their order, from the bottom up where they lack room
  }
  for (const { line, at } of labels) {
    const p = line.p[here];
    svg.append(text(left, at + 4, glyph(line.name), line.true ? "name true" : "name"));
    svg.append(text(left + 74, at + 4, p === null ? "–" : percent(p), line.true ? "value true" : "value"));
  }
}

function inWords(lines, steps) {
  const told = lines.map(({ name, p }) => `${glyph(name)} ${percent(p[0] ?? 0)} to ${percent(p.at(-1) ?? 0)}`);
  return `Probability from step ${show(steps[0])} to step ${show(steps.at(-1))}: ${told.join(", ")}`;
}
