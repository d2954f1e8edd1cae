// The choices of a part, in a popover beside it: the form's own rows once more, bound as those are.

import { bind, paint } from "./form.js";
import { hold } from "./links.js";
import { element, on } from "./state.js";

const GAP = 10, EDGE = 8; // px from the part, and from the window

export class Choices {
  // `box` is an element with popover="auto", so that Escape and a press elsewhere close it; `anchor(id)` is a part's node.
  constructor(box, anchor) {
    Object.assign(this, { box, anchor, part: null });
    bind(box);
    on("form", () => { if (this.part) this.fill(); });
    box.addEventListener("toggle", ({ newState }) => { if (newState === "closed") this.closed(); });
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("click", ({ target }) => { if (target.closest(".close")) box.hidePopover(); });
    const place = () => this.place();
    for (const event of ["scroll", "resize"]) window.addEventListener(event, place, { passive: true, capture: true });
  }

  show(part, paths) {
    this.part = part;
    const head = element("header"), close = element("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    head.append(element("b", "", part.name), element("span", "mono", part.note), close);
    const rows = paths.map(copied);
    this.box.replaceChildren(head, ...rows);
    this.box.setAttribute("aria-label", `Choices: ${part.name}`);
    this.box.dataset.part = part.colour;
    this.fill();
    this.box.showPopover();
    this.follow(new Map([[part.id, part]]));
    (this.controls[1] || close).focus({ preventScroll: true }); // the first is the cross
  }

  // The form has other values. Not at each new drawing: it would write over what is just being typed.
  fill() {
    paint(this.box);
    hold();
  }

  // The drawing is new: so may be what the part is called, and where it stands.
  follow(parts) {
    if (!this.part) return;
    const part = parts.get(this.part.id);
    if (part) {
      this.part = part;
      this.box.querySelector("header b").textContent = part.name;
      this.box.querySelector("header span").textContent = part.note;
    }
    this.anchor(this.part.id)?.setAttribute("aria-expanded", "true");
    this.place();
  }

  // Beside the part, or under or over it where the window is narrow.
  place() {
    const node = this.part && this.anchor(this.part.id);
    if (!node) return;
    const at = (node.querySelector(".box, .plate, .sum, .end") || node).getBoundingClientRect(), { box } = this;
    const { offsetWidth: wide, offsetHeight: tall } = box, { clientWidth: width } = document.documentElement;
    const height = window.innerHeight;
    const within = (wanted, size, most) => Math.max(EDGE, Math.min(most - size - EDGE, wanted));
    const right = at.right + GAP + wide + EDGE <= width, left = at.left - GAP - wide >= EDGE;
    let x = right ? at.right + GAP : at.left - GAP - wide, y = within(at.top - 12, tall, height);
    if (!right && !left) {
      x = within(at.left + at.width / 2 - wide / 2, wide, width);
      y = at.bottom + GAP + tall <= height - EDGE ? at.bottom + GAP : within(at.top - GAP - tall, tall, height);
    }
    Object.assign(box.style, { left: `${x}px`, top: `${y}px` });
  }

  closed() {
    const { id } = this.part, { activeElement } = document, node = this.anchor(id);
    this.part = null;
    node?.setAttribute("aria-expanded", "false");
    if (activeElement === document.body || this.box.contains(activeElement)) node?.focus({ preventScroll: true });
    this.box.replaceChildren();
  }

  get controls() {
    return [...this.box.querySelectorAll(".option :is(input:not(.slider), select), .close")].filter((control) =>
      !control.disabled && !control.closest("[hidden]") && (control.type !== "radio" || control.checked));
  }

  // Up and down walk from control to control where the control itself has no use for them.
  key(event) {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key], { target } = event;
    if (!way || (target.type !== "checkbox" && target.type !== "text" && target.tagName !== "BUTTON")) return;
    event.preventDefault();
    const { controls } = this;
    controls[(controls.indexOf(target) + way + controls.length) % controls.length].focus();
  }
}

// The form's row of an option once more, under ids and names of its own.
function copied(path) {
  const row = document.querySelector(`#settings [data-path="${path}"]`).cloneNode(true), own = (name) => `part-${name}`;
  for (const node of row.querySelectorAll("[id]")) node.id = own(node.id);
  for (const node of row.querySelectorAll("[name]")) node.name = own(node.getAttribute("name"));
  for (const name of ["for", "aria-labelledby"]) {
    for (const node of row.querySelectorAll(`[${name}]`)) node.setAttribute(name, own(node.getAttribute(name)));
  }
  return row;
}
