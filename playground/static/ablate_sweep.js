// One number and the values it takes: a list to type in. What is no number stays as it was typed, and the server says why.

import { element, show } from "./state.js";
import { make } from "./svg.js";
import { positions } from "./study_chart.js";

const FIRST = "train.lr"; // what most people tune first

export class Sweep {
  constructor(root, changed) {
    this.changed = changed;
    this.select = root.querySelector("#sweep-path");
    this.box = root.querySelector("#sweep-values");
    this.input = root.querySelector("#sweep-add");
    this.line = root.querySelector(".numbers-line");
    this.again = root.querySelector("#sweep-suggested");
    this.offered = [];
    this.path = "";
    this.edited = new Map(); // the visitor's own values, by path
    this.select.addEventListener("change", () => { this.path = this.select.value; this.paint(); changed(); });
    this.again.addEventListener("click", () => { this.edited.delete(this.path); this.paint(); changed(); this.input.focus(); });
    this.box.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) this.remove(Number(button.dataset.place));
      else if (target === this.box) this.input.focus();
    });
    this.bindTyping();
  }

  bindTyping() {
    const take = () => { if (this.input.value.trim()) this.add(this.input.value); };
    this.input.addEventListener("keydown", (event) => {
      if (["Enter", ",", ";", " "].includes(event.key)) { event.preventDefault(); take(); }
      else if (event.key === "Backspace" && !this.input.value) this.remove(this.values.length - 1);
    });
    this.input.addEventListener("input", () => { if (/[,;\s]/.test(this.input.value)) take(); }); // pasted
    this.input.addEventListener("change", take); // and what is left there when the dialog's Start is pressed
  }

  get about() { return this.offered.find(({ path }) => path === this.path); }
  get values() { return this.edited.get(this.path) || this.about?.values || []; }

  wanted() { return { path: this.path, values: this.values }; }

  offer(sweeps) {
    this.offered = sweeps;
    const known = (path) => sweeps.some((sweep) => sweep.path === path);
    if (!known(this.path)) this.path = known(FIRST) ? FIRST : sweeps[0]?.path || "";
    this.select.replaceChildren(...[...new Set(sweeps.map(({ group }) => group))].map((group) => {
      const made = element("optgroup");
      made.label = group;
      made.append(...sweeps.filter((sweep) => sweep.group === group).map(choice));
      return made;
    }));
    this.select.value = this.path;
    this.paint();
  }

  add(typed) {
    const fresh = typed.split(/[,;\s]+/).filter(Boolean).map((word) => (Number.isFinite(Number(word)) ? Number(word) : word));
    const values = [...new Set([...this.values, ...fresh])];
    const numbers = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
    this.edited.set(this.path, [...numbers, ...values.filter((value) => typeof value !== "number")]);
    this.input.value = "";
    this.paint();
    this.changed();
  }

  remove(place) {
    if (place < 0) return;
    this.edited.set(this.path, this.values.toSpliced(place, 1));
    this.paint();
    this.changed();
    this.input.focus(); // its button is no more
  }

  paint() {
    const { now, part } = this.about || {}, chips = this.values.map((value, place) => {
      const chip = element("span", "value"), button = element("button", "", "×"), said = show(value);
      chip.classList.toggle("wrong", typeof value !== "number");
      chip.classList.toggle("now", value === now);
      Object.assign(button, { type: "button", title: `Remove ${said}` });
      button.setAttribute("aria-label", `Remove ${said}`);
      button.dataset.place = place;
      chip.append(element("b", "", said), ...(value === now ? [element("i", "", "base")] : []), button);
      return chip;
    });
    this.box.dataset.part = part || "";
    this.box.replaceChildren(...chips, this.input);
    this.again.hidden = !this.edited.has(this.path);
    this.drawLine(now);
  }

  // Where the values lie: whether they are spread evenly shows at once.
  drawLine(now) {
    const numbers = [...new Set([...this.values, now])].filter((value) => typeof value === "number");
    const place = positions(numbers), svg = make("svg", { width: "100%", height: 30 });
    svg.append(make("line", { class: "axis", x1: "0%", x2: "100%", y1: 10, y2: 10 }));
    for (const value of numbers) {
      svg.append(make("circle", { class: value === now ? "now" : "", cx: `${3 + 94 * place(value)}%`, cy: 10, r: value === now ? 5.5 : 4 }));
    }
    this.line.replaceChildren(svg);
    this.line.dataset.part = this.about?.part || "";
  }
}

function choice({ path, label, term }) {
  const option = element("option", "", term && term.toLowerCase() !== label.toLowerCase() ? `${label} (${term})` : label);
  option.value = path;
  return option;
}
