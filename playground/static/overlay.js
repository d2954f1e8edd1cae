// A line across a chart that reads all its curves, where the pointer, a finger or the arrow keys are.

import { readAt } from "./curves.js";
import { element } from "./state.js";
import { make } from "./svg.js";

const NEAR = 9; // px from a mark, within which its words are told
const TALL = 12; // values in one column
const SPOKEN = 8; // values read out

// `box` holds `plot`, Plotly's. `lines()` are [{id, name, colour, dash, wide, strong, x, y}] with their points as the data
// has them, `marks()` are [{x, words, colour, dash}], `heading(x)` says where x is.
export class Crosshair {
  constructor(box, plot, about) {
    Object.assign(this, { plot, about, x: null, y: null, frame: null });
    this.layer = element("div", "crosshair");
    this.layer.hidden = true;
    this.svg = make("svg", { "aria-hidden": "true" });
    this.card = element("div", "reading");
    this.layer.append(this.svg, this.card);
    this.glow = make("svg", { class: "glow", "aria-hidden": "true" });
    this.post = make("svg", { class: "post", "aria-hidden": "true" });
    this.pinned = () => null;
    box.append(this.glow, this.post, this.layer);
    this.listen();
  }

  listen() {
    const { plot } = this;
    plot.addEventListener("pointermove", (event) => this.point(event));
    plot.addEventListener("pointerdown", (event) => (event.pointerType === "mouse" ? this.hide() : this.point(event)));
    plot.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse") this.hide(); });
    plot.addEventListener("pointercancel", () => this.hide()); // the finger scrolls the page
    document.addEventListener("pointerdown", ({ target }) => { if (!plot.contains(target)) this.hide(); });
    plot.addEventListener("keydown", (event) => this.step(event));
    plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) this.go(this.ends()[1]); });
    plot.addEventListener("blur", () => this.hide());
  }

  get axes() { return this.plot._fullLayout; }

  // The first and the last x that any curve has, within the view.
  ends() {
    const { xaxis } = this.axes, lines = this.about.lines().filter(({ x }) => x.length);
    const first = Math.min(...lines.map(({ x }) => x[0])), last = Math.max(...lines.map(({ x }) => x.at(-1)));
    return [Math.max(first, xaxis.p2d(0)), Math.min(last, xaxis.p2d(xaxis._length))];
  }

  point({ clientX, clientY, buttons, pointerType }) {
    if (!this.axes || (buttons && pointerType === "mouse")) return; // a mouse that is pressed zooms
    const { left, top } = this.plot.getBoundingClientRect(), { _size: size, xaxis } = this.axes;
    const x = clientX - left - size.l, y = clientY - top - size.t;
    if (x < -8 || x > size.w + 8 || y < -8 || y > size.h + 8) { this.hide(); return; }
    this.y = y;
    this.go(xaxis.p2d(x));
  }

  step(event) {
    const { key, shiftKey } = event, [first, last] = this.axes ? this.ends() : [Infinity, -Infinity];
    if (key === "Escape") this.hide();
    const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[key];
    if (!(first <= last) || !(move || key === "Home" || key === "End")) return;
    event.preventDefault();
    this.y = null;
    const { xaxis } = this.axes, wide = (xaxis.d2p(last) - xaxis.d2p(first)) / 100;
    const from = this.x ?? last, px = xaxis.d2p(from) + (move || 0) * (shiftKey ? 10 : 1) * wide;
    this.go(key === "Home" ? first : key === "End" ? last : Math.min(last, Math.max(first, xaxis.p2d(px))));
    this.plot.setAttribute("aria-valuetext", this.spoken());
  }

  go(x) {
    const [first, last] = this.ends();
    if (!(first <= last)) { this.hide(); return; }
    this.x = Math.min(last, Math.max(first, x));
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  hide() {
    this.x = this.y = null;
    this.layer.hidden = true;
  }

  // The chart has changed under it.
  update() {
    if (this.x != null) this.go(this.x);
    if (this.lit) this.light(this.lit);
    this.pin(this.pinned);
  }

  // All values at x, the lowest first.
  read() {
    return this.about.lines().map((line) => ({ ...line, value: readAt(line.x, line.y, this.x) }))
      .filter(({ value }) => value != null).sort((a, b) => a.value - b.value);
  }

  draw() {
    if (this.x == null) return;
    const { _size: size, xaxis, yaxis } = this.axes, left = size.l + xaxis.d2p(this.x);
    const found = this.read().map((line) => ({ ...line, top: size.t + yaxis.d2p(line.value) }));
    const seen = found.filter(({ top }) => top >= size.t - 2 && top <= size.t + size.h + 2);
    const near = this.y == null ? null : [...seen].sort((a, b) => this.far(a) - this.far(b))[0];
    this.svg.replaceChildren(make("line", { x1: left, x2: left, y1: size.t, y2: size.t + size.h }),
      ...seen.map((line) => make("circle", {
        cx: left, cy: line.top, r: line === near ? 5 : 3.5, style: `stroke: var(${line.colour})` })));
    this.fill(found, near);
    this.layer.hidden = false;
    const right = left > size.l + size.w / 2, room = right ? left - 14 : size.l + size.w + size.r - left - 14;
    this.card.style.maxWidth = `${Math.max(150, room)}px`;
    this.card.style.left = right ? "" : `${left + 12}px`;
    this.card.style.right = right ? `${this.plot.clientWidth - left + 12}px` : "";
  }

  far(line) { return Math.abs(line.top - this.axes._size.t - this.y); }

  fill(found, near) {
    const list = element("ol"), { xaxis } = this.axes;
    list.style.setProperty("--lines", Math.ceil(found.length / Math.ceil(found.length / TALL)) || 1);
    list.append(...found.map((line) => {
      const row = element("li", line === near ? "near" : line.strong ? "strong" : "");
      row.append(swatch(line), element("span", "", line.name), element("b", "", line.value.toFixed(3)));
      return row;
    }));
    this.card.replaceChildren(element("p", "", this.about.heading(this.x)), list, ...this.events().map((mark) => {
      const told = element("p", "event");
      told.append(swatch(mark), mark.words);
      return told;
    }));
  }

  // What happened about here; a forked run shares its parent's past.
  events() {
    const { xaxis } = this.axes, told = new Set();
    return this.about.marks().filter(({ x, words }) => x != null && Math.abs(xaxis.d2p(x) - xaxis.d2p(this.x)) < NEAR
      && !told.has(`${x} ${words}`) && told.add(`${x} ${words}`));
  }

  spoken() {
    const told = this.read().slice(0, SPOKEN).map(({ name, value }) => `${name} ${value.toFixed(2)}`);
    return [this.about.heading(this.x), ...told].join(", ");
  }

  // A line where `place()` says, for what the page shows of there; none where it says null.
  pin(place) {
    const x = place(), { _size: size, xaxis } = this.axes || {}, left = x == null || !xaxis ? NaN : xaxis.d2p(x);
    this.pinned = place;
    if (!(left >= 0 && left <= size.w)) { this.post.replaceChildren(); return; }
    const at = size.l + left;
    this.post.replaceChildren(make("line", { x1: at, x2: at, y1: size.t, y2: size.t + size.h }),
      make("path", { d: `M${at - 5} ${size.t - 7}h10l-5 7z` }));
  }

  // Draws one curve over the others, until told otherwise: the one that is pointed at elsewhere on the page.
  light(id) {
    this.lit = id;
    const line = id && this.axes && this.about.lines().find((line) => line.id === id);
    if (!line) { this.glow.replaceChildren(); return; }
    const { _size: size, xaxis, yaxis } = this.axes;
    const points = line.x.map((x, i) => [xaxis.d2p(x), yaxis.d2p(line.y[i])]).filter((at) => at.every(Number.isFinite));
    Object.assign(this.glow.style, { left: `${size.l}px`, top: `${size.t}px`, width: `${size.w}px`, height: `${size.h}px` });
    this.glow.replaceChildren(make("polyline", { points: points.join(" "), style: `stroke: var(${line.colour})` }));
  }
}

// A short piece of a curve, as it looks in the chart.
export function swatch({ colour, dash, wide = 2 }) {
  const svg = make("svg", { class: "swatch", viewBox: "0 0 24 10", "aria-hidden": "true" });
  svg.append(make("line", { x1: 1, x2: 23, y1: 5, y2: 5, style: `stroke: var(${colour || "--mut"}); stroke-width: ${wide}px`,
    ...(dash && dash !== "solid" ? { "stroke-dasharray": dash.replaceAll("px", "") } : {}) }));
  return svg;
}
