// A plane of two numbers with arrows and dots that can be dragged, or moved with the arrow keys.

import { element } from "./state.js";
import { make, text } from "./svg.js";

const SIDE = 280, MIDDLE = SIDE / 2, UNIT = 62; // px of the drawing
const MOST = 2, STEP = 0.1;
const KEYS = { ArrowRight: [STEP, 0], ArrowLeft: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
const WHAT = { query: "query of", key: "key of", value: "value of" };

export class Plane {
  // `moved(what, s, to)` hears where a thing has been put.
  constructor(title, axes, moved) {
    Object.assign(this, { axes, moved, things: [], held: null });
    this.box = element("figure", "plane");
    this.svg = make("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "group", "aria-label": title });
    this.box.append(element("figcaption", "", title), this.svg);
    this.svg.addEventListener("pointerdown", (event) => this.take(event));
    this.svg.addEventListener("pointermove", (event) => { if (this.held) this.put(this.held, this.place(event)); });
    for (const end of ["pointerup", "pointercancel"]) this.svg.addEventListener(end, () => { this.held = null; });
    this.svg.addEventListener("keydown", (event) => this.nudge(event));
  }

  take(event) {
    const handle = event.target.closest("[data-thing]");
    if (!handle) return;
    this.held = this.things[handle.dataset.thing];
    this.svg.setPointerCapture(event.pointerId);
    this.focus(handle.dataset.thing);
    event.preventDefault();
  }

  place({ clientX, clientY }) {
    const { left, top, width } = this.svg.getBoundingClientRect(), scale = SIDE / width;
    return [((clientX - left) * scale - MIDDLE) / UNIT, (MIDDLE - (clientY - top) * scale) / UNIT];
  }

  nudge(event) {
    const thing = this.things[event.target.dataset?.thing], by = KEYS[event.key];
    if (!thing || !by) return;
    this.put(thing, thing.to.map((number, i) => number + by[i]));
    event.preventDefault();
  }

  put({ what, s }, to) {
    const held = document.activeElement?.dataset?.thing;
    this.moved(what, s, to.map((number) => Math.round(Math.min(Math.max(number, -MOST), MOST) / STEP) * STEP));
    if (held != null) this.focus(held); // what is drawn anew has lost it
  }

  focus(index) { this.svg.querySelector(`[data-thing="${index}"]`)?.focus({ preventScroll: true }); }

  // Things {what, name, spoken, s, to, share, shut}: arrows for queries and keys, dots for values, a diamond for the mixture.
  draw(things) {
    this.things = things;
    if (this.held) this.held = things.find(({ what, s }) => what === this.held.what && s === this.held.s) || null;
    const { across, up } = this.axes;
    const axes = [make("path", { class: "axes", d: `M8 ${MIDDLE}H${SIDE - 8}M${MIDDLE} 8V${SIDE - 8}` }),
      text(SIDE - 8, SIDE - 9, `${across} →`, "axis end"), text(8, 17, `↑ ${up}`, "axis")];
    this.svg.replaceChildren(...axes, ...things.map((thing, i) => drawn(thing, i)));
  }
}

function drawn({ what, name, spoken, to, share, shut }, index) {
  const [x, y] = [MIDDLE + UNIT * to[0], MIDDLE - UNIT * to[1]], made = make("g", { class: `${what}${shut ? " shut" : ""}` });
  const shaft = make("path", { class: "shaft", d: `M${MIDDLE} ${MIDDLE}L${x} ${y}` });
  if (what === "query" || what === "key") made.append(shaft, tip(x, y));
  if (what === "value") made.append(make("circle", { cx: x, cy: y, r: shut ? 4 : 4 + 14 * Math.sqrt(share) }));
  if (what === "mixture") made.append(make("path", { class: "bag", d: `M${x} ${y - 8}l8 8l-8 8l-8 -8z` }));
  const away = { query: 1, mixture: -1 }[what] || Math.sign(to[0]) || 1, down = what === "mixture" ? 5 : to[1] < 0 ? 15 : -7;
  made.append(text(x + away * 13, y + down, name, `name${away < 0 ? " end" : ""}`));
  if (what === "mixture") return made;
  const numbers = to.map((number) => number.toFixed(1)).join(", ");
  const about = { "data-thing": index, tabindex: 0, role: "slider", "aria-label": `${WHAT[what]} ${spoken}`,
    "aria-valuenow": to[0].toFixed(1), "aria-valuemin": -MOST, "aria-valuemax": MOST,
    "aria-valuetext": `${numbers}${shut ? ", not open yet" : ""}` };
  for (const [key, value] of Object.entries(about)) made.setAttribute(key, value);
  made.append(make("circle", { class: "grip", cx: x, cy: y, r: 16 }));
  return made;
}

// The head of an arrow from the middle.
function tip(x, y) {
  const angle = Math.atan2(y - MIDDLE, x - MIDDLE);
  const wing = (turn) => `${x - 10 * Math.cos(angle + turn)} ${y - 10 * Math.sin(angle + turn)}`;
  return make("path", { class: "tip", d: `M${x} ${y}L${wing(0.45)}L${wing(-0.45)}z` });
}
