// What a study costs: seeds, what is held equal, steps a run; and the picture of its runs.

import { element, form, show, value } from "./state.js";
import { make } from "./svg.js";
import { toPosition, toValue } from "./slider.js";

const STEPS = "train.steps", CHECKS = "train.eval_every";
const EQUAL = {
  steps: "Every variant trains the same number of steps. Nothing is adjusted: one may take longer than another.",
  tokens: "Every variant reads the same number of tokens. One with another batch or context gets more or fewer steps.",
  seconds: "Every variant trains equally long on this machine. A slower one gets fewer steps.",
  flops: "Every variant does the same arithmetic. A larger one gets fewer steps.",
  parameters: "Every variant has as many parameters. One that lost a part gets wider instead.",
};
const CELL = 9; // px from one run to the next
const MOST_COLUMNS = 30;

export class Costs {
  constructor(root, { seeds = 3, budget = "steps" }, changed) {
    Object.assign(this, { root, seeds, budget, changed, steps: null });
    root.addEventListener("change", ({ target }) => {
      if (target.name === "ablate-seeds") this.set({ seeds: Number(target.value) });
      else if (target.name === "ablate-budget") this.set({ budget: target.value });
      else if (target.type === "text") this.set({ steps: read(target.value) });
    });
    this.slider = root.querySelector(".slider");
    this.slider.addEventListener("input", () => this.set({ steps: toValue(form.options[STEPS], Number(this.slider.value)) }));
  }

  set(wanted) {
    Object.assign(this, wanted);
    this.paint();
    this.changed();
  }

  // The form's changes, and the steps set here: as many checks as before, and no warm-up longer than the run.
  changes() {
    const { steps } = this, own = value(STEPS), share = steps / own;
    if (steps === null || steps === own) return form.changes;
    if (!(share > 0)) return { ...form.changes, [STEPS]: steps }; // no number: the server says so
    return { ...form.changes, [STEPS]: steps, "train.warmup": Math.min(value("train.warmup"), Math.round(steps / 10)),
      [CHECKS]: Math.min(form.options[CHECKS].high, Math.max(1, Math.round(value(CHECKS) * share))) };
  }

  paint() {
    const { root, seeds, budget } = this;
    root.querySelector(`[name=ablate-seeds][value="${seeds}"]`).checked = true;
    root.querySelector(`[name=ablate-budget][value="${budget}"]`).checked = true;
    root.querySelector("#seeds-help").textContent = seedsInWords(seeds);
    root.querySelector("#budget-help").textContent = EQUAL[budget];
    this.paintSteps();
  }

  paintSteps() {
    const steps = this.steps ?? value(STEPS), typed = this.root.querySelector("#ablate-steps-number");
    const own = value(STEPS), position = toPosition(form.options[STEPS], steps);
    typed.value = show(steps);
    typed.toggleAttribute("aria-invalid", typeof steps !== "number");
    if (document.activeElement !== this.slider) this.slider.value = position;
    this.slider.style.setProperty("--share", `${position / 10}%`);
    this.root.querySelector("#steps-help").textContent = steps === own ? "As in the form. Fewer give a quick look."
      : steps < own ? `A quick look: the form has ${show(own)}.` : `The form has ${show(own)}.`;
  }

  // Each run a square: a column for each variant, a row for each seed.
  draw(parts) {
    const figure = this.root.querySelector("#ablate-grid"), columns = parts.slice(0, MOST_COLUMNS);
    const svg = make("svg", { width: columns.length * CELL + 4, height: this.seeds * CELL });
    columns.forEach((part, column) => {
      for (let seed = 0; seed < this.seeds; seed += 1) {
        const cell = make("rect", { x: column * CELL + (column ? 4 : 0), y: seed * CELL, width: CELL - 2, height: CELL - 2, rx: 2 });
        cell.dataset.part = column ? part : "base";
        svg.append(cell);
      }
    });
    const words = element("figcaption", "", "a column a variant, the base first; a row a seed");
    figure.setAttribute("aria-label", `${parts.length} variants, ${this.seeds} seeds`);
    figure.replaceChildren(svg, words);
  }
}

function read(typed) {
  const plain = typed.trim().replaceAll(",", "");
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : typed;
}

function seedsInWords(seeds) {
  if (seeds === 1) return "One seed cannot tell a part from luck: another draw of starting weights would land elsewhere. No interval, no verdict.";
  if (seeds === 2) return "Two seeds give a first idea, with wide intervals. Each variant trains from the same starting weights as the base.";
  if (seeds < 6) return `Each variant trains from the same ${seeds} draws of starting weights and batches as the base: what is left is the part, and its interval says how sure that is.`;
  return `${seeds} seeds make narrow intervals: small effects show, too.`;
}
