// The paper the diagram is drawn on: boxes, chips, wires and marks, each in the look of its part.

import { tintAll } from "./diagram_tint.js";
import { brief, show } from "./state.js";
import { make, text } from "./svg.js";

const SPACE = "\u2002"; // which no program leaves out
const LOCK = "M5.6 7.6V6.2a2.4 2.4 0 0 1 4.8 0V7.6M4.6 7.6h6.8v4.2H4.6Z";

export class Sheet {
  constructor({ lit, marked = {}, tint = {}, held = [], small = false }) {
    this.svg = make("svg", { class: "diagram", xmlns: "http://www.w3.org/2000/svg" });
    Object.assign(this, { small, marked, tint, held: new Set(held), lit: lit ? new Set(lit) : null, height: 0 });
    for (const name of ["wires", "frames", "marks"]) this[name] = make("g", { class: name });
    this.svg.append(this.wires, this.frames);
    if (this.lit) this.svg.classList.add("has-lit");
  }

  finish(width, title) {
    const name = make("title", {});
    name.textContent = title;
    this.svg.prepend(name);
    this.svg.append(this.marks);
    tintAll(this.svg, this.tint);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", title);
    this.svg.style.aspectRatio = `${width} / ${this.height}`;
    return this.svg;
  }

  // The group of a part, which also says to who reads or points what it is.
  part(part) {
    const { key, id, off } = part, node = make("g", { class: "part", "data-key": key, "data-id": id }), tip = make("title", {});
    node.classList.toggle("ghost", off);
    node.classList.toggle("lit", Boolean(this.lit && (this.lit.has(key) || this.lit.has(id))));
    tip.textContent = spoken(part, this.marked[id], this.held.has(id));
    node.append(tip);
    this.svg.append(node);
    return node;
  }

  // A box with its name at the left, and its shape and count at the right; in two lines where it is tall and narrow.
  box(part, x, y, width, height) {
    const node = this.part(part), two = width < 150;
    node.append(make("rect", { class: `box c-${part.colour || "none"}`, x, y, width, height, rx: Math.min(9, height / 3) }));
    this.strip(node, x, y, width, height);
    if (two && height > 30) {
      node.append(text(x + 11, y + 14.5, part.name, "pn"), this.note(part, x + 11, y + 27, width - 20, true));
    } else this.title(part, node, x, y, width, height);
    this.badge(part, x + width, y);
    return node;
  }

  // Name and note in one line; the note only where there is room for it.
  title(part, node, x, y, width, height) {
    const middle = y + height / 2 + 4.3, name = part.name.length * 7 + 12;
    node.append(text(x + 12, middle, part.name, "pn"),
      this.note(part, x + width - 10, middle, width - name - 18));
  }

  note(part, x, y, room, left = false) {
    const made = text(x, y, "", left ? "ps left" : "ps"), count = !this.small && part.count ? brief(part.count) : "";
    const all = [part.note, count].filter(Boolean).join(SPACE);
    made.textContent = [all, part.note, part.brief].find((each) => each && each.length * 6.3 <= room) ?? "";
    return made;
  }

  // A small box in a box, or on the wire: name and note in the middle.
  chip(part, x, y, width, height) {
    const node = this.part(part), words = [part.name, part.note !== "on" && part.note].filter(Boolean).join(" ");
    const room = (width - 8) / 5.9, shown = [words, part.name, part.brief].find((each) => each?.length <= room) ?? "";
    node.append(make("rect", { class: `box chip c-${part.colour || "none"}`, x, y, width, height, rx: 6 }),
      text(x + width / 2, y + height / 2 + 3.8, shown, "chip-name"));
    this.badge(part, x + width, y);
    return node;
  }

  // Where the colours of the layers go, within a box.
  strip(node, x, y, width, height) { node.dataset.strip = `${x + width - 7} ${y + 4} 5 ${height - 8}`; }

  // Marks a part that differs, or is held: by signs, so that colour is not needed to see it.
  badge(part, x, y, lock = x - 18) {
    if (this.held.has(part.id)) {
      const made = make("g", { class: "lock", transform: `translate(${lock - 8} ${y - 8})` });
      made.append(make("circle", { cx: 8, cy: 8, r: 8.5 }), make("path", { d: LOCK }));
      this.marks.append(made);
    }
    if (this.marked[part.id] === undefined) return;
    const made = make("g", { class: "differs" });
    made.append(make("circle", { cx: x - 1, cy: y + 1, r: 7 }), text(x - 1, y + 5, "≠", "sign"));
    this.marks.append(made);
  }

  // The way of the data, upwards, from y `from` to y `to`.
  wire(x, from, to, tip = true) {
    if (from <= to) return;
    this.wires.append(make("path", { class: "wire", d: `M${x} ${from}V${to + (tip ? 4 : 0)}` }));
    const d = `M${x - 3.5} ${to + 6}L${x} ${to + 0.5}L${x + 3.5} ${to + 6}z`;
    if (tip && from - to > 6) this.wires.append(make("path", { class: "tip", d }));
  }

  path(d) { this.wires.append(make("path", { class: "wire", d })); }

  plain(shapes) { this.svg.append(...shapes); }

  aside(x, y, words) { this.frames.append(text(x, y, words, "aside")); }

  says(x, y, words, shape) {
    const made = text(x, y, `${words}${SPACE}`, "says-io"), size = make("tspan", { class: "shape" });
    size.textContent = shape;
    made.append(size);
    this.frames.append(made);
  }
}

// "Attention, 4 heads × 16, 16,640 parameters; differs: was off; held by the link".
function spoken(part, was, held) {
  const { note, off, count } = part, state = !off || note === "off" || !note ? (off ? "off" : note) : `${note}, off`;
  const told = [called(part), state, count ? `${show(count)} parameters` : ""].filter(Boolean).join(", ");
  return [told, was && `differs: ${was}`, held && "held by the link"].filter(Boolean).join("; ");
}

// A part's name where its drawing is not seen.
export const called = ({ full, name }) => full || name;
