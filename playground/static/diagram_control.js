// The diagram as a control of the form: a click, Enter or Space on a part switches it, or opens its choices beside it.

import { draw } from "./diagram.js";
import { Choices } from "./diagram_choices.js";
import { partsOf } from "./diagram_parts.js";
import { tintAll } from "./diagram_tint.js";
import { form, set, value } from "./state.js";
import { say } from "./toast.js";

const HELD = "The link of this page holds it where it is.";
const MOVES = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };

// Whether the form lists an option: a teacher's link may have hidden its group.
const listed = (path) => Boolean(document.querySelector(`#settings .group:not(.gone) [data-path="${path}"]`));

const pathsOf = ({ toggles, offers, sets }) => (toggles ? [toggles] : sets ? Object.keys(sets) : offers).filter(listed);
const isHeld = (part) => {
  const paths = pathsOf(part);
  return paths.length > 0 && paths.every((path) => form.locked.has(path));
};

// In `host`, which also holds the popover. `paint` draws a description; the focus stays on the part that had it.
export class Control {
  constructor(host) {
    this.host = host;
    this.box = host.querySelector(".drawing");
    this.parts = new Map();
    this.current = null; // id of the part that the Tab key comes to
    this.choices = new Choices(host.querySelector(".choices"), (id) => this.node(id) || this.node(this.current));
    this.box.addEventListener("pointerdown", () => { this.open = this.choices.part?.id; }); // before the popover closes for it
    this.box.addEventListener("click", ({ target }) => this.act(target.closest("[data-id]")?.dataset.id, true));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("focusin", ({ target }) => this.turn(target.closest("[data-id]")?.dataset.id));
  }

  node(id) { return this.box.querySelector(`[data-id="${id}"][tabindex]`); }

  paint(described, options) {
    const focused = this.box.contains(document.activeElement) ? this.current : null;
    const parts = partsOf(described).filter((part) => pathsOf(part).length);
    this.parts = new Map(parts.map((part) => [part.id, part]));
    const svg = draw(described, { ...options, held: parts.filter((part) => !part.sets && isHeld(part)).map(({ id }) => id) });
    svg.setAttribute("role", "group");
    for (const part of parts) this.name(svg.querySelector(`[data-id="${part.id}"]`), part);
    this.box.replaceChildren(svg);
    if (!this.parts.has(this.current)) this.current = parts[0]?.id ?? null;
    this.node(this.current)?.setAttribute("tabindex", "0");
    if (focused) this.node(this.current)?.focus({ preventScroll: true });
    this.choices.follow(this.parts);
  }

  // Other colours for the same drawing.
  tint(colours) { tintAll(this.box, colours); }

  name(node, part) {
    const held = isHeld(part) || part.ended, about = { tabindex: -1, "aria-label": node.querySelector("title").textContent };
    if (part.toggles) Object.assign(about, { role: "switch", "aria-checked": String(!part.off) });
    else about.role = "button";
    if (part.offers.length && !part.toggles) {
      Object.assign(about, { "aria-haspopup": "dialog", "aria-expanded": this.choices.part?.id === part.id });
    }
    if (held) about["aria-disabled"] = "true";
    for (const [name, wanted] of Object.entries(about)) node.setAttribute(name, wanted);
  }

  turn(id) {
    if (!this.parts.has(id) || id === this.current) return;
    this.node(this.current)?.setAttribute("tabindex", "-1");
    this.current = id;
    this.node(id).setAttribute("tabindex", "0");
  }

  key(event) {
    const { key } = event, ids = [...this.parts.keys()], at = ids.indexOf(this.current);
    if (key === "Enter" || key === " ") { event.preventDefault(); this.act(this.current); return; }
    const to = key === "Home" ? 0 : key === "End" ? ids.length - 1 : MOVES[key] ? at + MOVES[key] : -1;
    if (to < 0 || to >= ids.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.node(ids[to]).focus();
  }

  act(id, pointed = false) {
    const part = this.parts.get(id);
    if (!part) return;
    this.turn(id);
    if (pointed) this.node(id).focus({ preventScroll: true });
    if (isHeld(part)) say(`${part.name}: ${HELD}`);
    else if (part.toggles) set({ [part.toggles]: !value(part.toggles) });
    else if (part.sets) { if (!part.ended) set(part.sets); }
    else if (pointed && this.open === id) this.open = null; // the press has closed it
    else this.choices.show(part, pathsOf(part));
  }
}
