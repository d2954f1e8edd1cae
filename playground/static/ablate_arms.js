// The variants of an ablation, as chips in their components' colours: what is taken away, added, or swapped.

import { element } from "./state.js";
import { minus } from "./study_words.js";

const KINDS = [
  ["minus", "Without", "one part taken away"],
  ["plus", "With", "one part added"],
  ["swap", "Instead", "one part of another kind"],
];
const PARTS = ["attn", "pos", "mlp", "res", "norm"]; // in each group those of a component stand together

export class Arms {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.offered = [];
    this.ticks = new Map(); // what the visitor has ticked or not, by key: kept when the form changes
    root.addEventListener("change", ({ target }) => this.tick([[target.value, target.checked]]));
    root.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-set]");
      if (button) this.set(button.dataset.set, button.dataset.kind);
    });
  }

  chosen() { return this.offered.filter((arm) => this.isTicked(arm)); }
  isTicked(arm) { return this.ticks.get(arm.key) ?? arm.ticked; }

  tick(pairs) {
    for (const [key, wanted] of pairs) this.ticks.set(key, wanted);
    this.mark();
    this.changed();
  }

  // "usual": what is ticked at first; "all", "none": of a kind, or of all.
  set(which, kind) {
    const arms = this.offered.filter((arm) => !kind || arm.kind === kind);
    this.tick(arms.map((arm) => [arm.key, which === "usual" ? arm.ticked : which === "all"]));
  }

  offer(arms) {
    const same = this.offered.map(({ key }) => key).join() === arms.map(({ key }) => key).join();
    this.offered = arms;
    if (!same || !this.root.firstChild) this.paint();
    this.mark();
  }

  paint() {
    const bar = element("p", "whole"), all = [["usual", "only parts"], ["all", "all"], ["none", "none"]];
    bar.append(element("span", "", "The base with one change each. Tick"), ...all.map(([which, words]) => setter(which, words)));
    const groups = KINDS.map((kind) => this.group(...kind)).filter(Boolean);
    this.root.replaceChildren(bar, ...groups);
  }

  group(kind, title, about) {
    const arms = this.offered.filter((arm) => arm.kind === kind);
    if (!arms.length) return null;
    const group = element("fieldset", "arms"), head = element("div", "arms-head"), chips = element("div", "arm-chips");
    group.dataset.kind = kind;
    group.append(element("legend", "hush", `${title}: ${about}`));
    const name = element("h3", "", title);
    name.setAttribute("aria-hidden", "true"); // the legend says it
    head.append(name, element("span", "about", about), element("span", "count"), setter("all", "all", kind), setter("none", "none", kind));
    const rank = ({ part }) => (PARTS.includes(part) ? PARTS.indexOf(part) : PARTS.length);
    chips.append(...arms.toSorted((a, b) => rank(a) - rank(b)).map(chip));
    group.append(head, chips);
    return group;
  }

  mark() {
    for (const input of this.root.querySelectorAll("input")) {
      input.checked = this.isTicked(this.offered.find((arm) => arm.key === input.value));
    }
    for (const group of this.root.querySelectorAll(".arms")) {
      const boxes = [...group.querySelectorAll("input")], on = boxes.filter((box) => box.checked).length;
      group.querySelector(".count").textContent = `${on} of ${boxes.length}`;
    }
  }
}

function chip({ key, name, part }) {
  const label = element("label", "arm"), input = element("input");
  input.type = "checkbox";
  input.value = key;
  label.dataset.part = part;
  label.append(input, element("span", "", minus(name)));
  return label;
}

function setter(which, words, kind = "") {
  const button = element("button", "plain", words);
  button.type = "button";
  button.dataset.set = which;
  if (kind) {
    button.dataset.kind = kind;
    button.setAttribute("aria-label", `${words} of “${KINDS.find(([k]) => k === kind)[1]}”`);
  }
  return button;
}
