// The dialog that sets up a study: the form's model is its base. What is chosen stays when it is closed or refused.

import { act, ask } from "./ask.js";
import { Arms } from "./ablate_arms.js";
import { Costs } from "./ablate_costs.js";
import { Sweep } from "./ablate_sweep.js";
import { duration } from "./form.js";
import { session } from "./session.js";
import { differences, element, emit, form, isOff, on, recall, remember, show, words } from "./state.js";
import { minus } from "./study_words.js";

const KEY = "gpt-playground-ablate";
const PLAN_AFTER = 220; // ms without a change before the server is asked what it would come to
const AWAY_MS = 2000;
const NAMED = 5; // differences of the base from its preset, in words

export function mount(root) { new Dialog(root.querySelector("dialog")); }

class Dialog {
  constructor(dialog) {
    this.dialog = dialog;
    this.find = (selector) => dialog.querySelector(selector);
    const kept = recall(KEY) || {};
    this.tab = kept.tab === "number" ? "number" : "parts";
    this.arms = new Arms(this.find("#panel-parts"), () => this.plan());
    this.sweep = new Sweep(dialog, () => this.plan());
    this.costs = new Costs(this.find(".costs"), kept.costs || {}, () => this.plan());
    this.asked = 0;
    this.bind();
    this.bindTabs();
  }

  bind() {
    document.addEventListener("click", ({ target }) => { if (target.closest?.("#ablate-open, [data-ablate]")) this.open(); });
    on("open-ablate", () => this.open());
    this.dialog.addEventListener("click", ({ target }) => { if (target === this.dialog) this.dialog.close(); }); // beside it
    for (const button of [this.find(".close"), this.find("#ablate-cancel")]) button.addEventListener("click", () => this.dialog.close());
    this.find("#ablate-start").addEventListener("click", () => this.start());
  }

  bindTabs() {
    const tabs = [...this.dialog.querySelectorAll("[role=tab]")], choose = (tab) => {
      this.tab = tab.id.slice("tab-".length);
      this.paintTabs();
      this.plan();
    };
    for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
    this.find("[role=tablist]").addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = tabs.find((tab) => tab !== document.activeElement);
      other.focus();
      choose(other);
    });
  }

  paintTabs() {
    for (const tab of this.dialog.querySelectorAll("[role=tab]")) {
      const here = tab.id === `tab-${this.tab}`;
      tab.setAttribute("aria-selected", here);
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !here;
    }
    this.find("#ablate-title").textContent = this.tab === "parts" ? "What is each part worth?" : "How much does one number matter?";
  }

  open() {
    if (this.dialog.open) return;
    this.costs.steps = null;
    this.costs.paint();
    this.paintTabs();
    this.paintBase();
    this.say({ problems: [] });
    this.dialog.showModal();
    this.find("#ablate-title").focus({ preventScroll: true }); // read out; no chip is taken for the first thing to do
    this.offer();
  }

  paintBase() {
    const changed = Object.entries(differences()).filter(([path]) => !/^(sample|data(?!\.tokenizer))\./.test(path)).map(([path, value]) => {
      const { kind, short } = form.options[path];
      return isOff(value) ? `−${short}` : kind === "switch" ? `+${short}` : words(path, value);
    });
    const more = changed.length > NAMED ? [`${changed.length - NAMED} more changes`] : [];
    const name = [form.preset.title, ...changed.slice(0, NAMED), ...more].join(" · ");
    this.find("#ablate-base").replaceChildren("The base is the form’s model: ", element("b", "", name));
  }

  // What the form's model can be without, with, or have instead; asked once each time it opens.
  async offer() {
    const offered = await ask("arms", { preset: form.preset.id, changes: form.changes });
    if (!this.dialog.open) return;
    if (!offered) {
      this.say({ problems: ["The server is away, trying again."] });
      setTimeout(() => this.offer(), AWAY_MS);
      return;
    }
    if (offered.refused) { this.say({ problems: [offered.refused] }); return; } // the form does not fit together
    this.arms.offer(offered.arms);
    this.sweep.offer(offered.sweeps);
    this.plan();
  }

  wanted() {
    const sweeping = this.tab === "number";
    return { preset: form.preset.id, changes: this.costs.changes(), arms: sweeping ? [] : this.arms.chosen().map(({ key }) => key),
      sweep: sweeping ? this.sweep.wanted() : null, seeds: this.costs.seeds, budget: this.costs.budget };
  }

  plan() {
    remember(KEY, { tab: this.tab, costs: { seeds: this.costs.seeds, budget: this.costs.budget } });
    this.find("#ablate-steps").hidden = this.tab === "number" && this.sweep.path === "train.steps";
    this.drawGrid();
    if (this.tab === "parts" && this.arms.offered.length && !this.arms.chosen().length) { this.sayNothingTicked(); return; }
    const number = ++this.asked;
    this.find("#ablate-start").disabled = true;
    this.dialog.classList.add("planning");
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const answer = await ask("plan", { visitor: session.visitor, ...this.wanted() });
      if (number !== this.asked || !this.dialog.open) return; // a newer question is under way
      if (answer) { this.say(answer); return; }
      this.say({ problems: ["The server is away, trying again."] });
      this.timer = setTimeout(() => this.plan(), AWAY_MS);
    }, PLAN_AFTER);
  }

  sayNothingTicked() {
    clearTimeout(this.timer);
    this.asked += 1; // what is under way is no longer wanted
    this.say({ problems: [] });
    this.find("#ablate-runs").textContent = "Tick at least one variant";
  }

  drawGrid() {
    const { now, part } = this.sweep.about || {};
    const parts = this.tab === "parts" ? this.arms.chosen().map((arm) => arm.part)
      : this.sweep.values.filter((value) => value !== now).map(() => part);
    this.costs.draw(["base", ...parts]);
  }

  // The server's plan in words; what does not fit, in the server's.
  say({ problems = [], runs, seconds, arms = [] }) {
    this.dialog.classList.remove("planning");
    const list = this.find(".problems"), { seeds } = this.costs, fits = !problems.length && runs > 0;
    list.replaceChildren(...problems.map((problem) => element("li", "", minus(problem))));
    list.hidden = !problems.length;
    const others = fits ? Math.round(runs / seeds) - 1 : 0;
    this.find("#ablate-runs").textContent = fits
      ? `Base and ${others} ${others === 1 ? "variant" : "variants"} × ${seeds} ${seeds === 1 ? "seed" : "seeds"} = ${show(runs)} runs` : problems.length ? "Not like this" : "…";
    this.find("#ablate-time").textContent = fits ? `about ${duration(seconds)}` : "";
    this.find("#ablate-start").disabled = !fits;
    this.find("#ablate-start").textContent = fits ? `Start ${show(runs)} runs` : "Start";
    const adjusted = arms.filter(({ note }) => note), notes = this.find("#ablate-notes");
    notes.hidden = !adjusted.length;
    notes.querySelector("summary").textContent = `${adjusted.length} adjusted to be fair`;
    notes.querySelector("ul").replaceChildren(...adjusted.map(({ name, note }) => {
      const item = element("li");
      item.append(element("b", "", minus(name)), ` ${note}`);
      return item;
    }));
  }

  async start() {
    const button = this.find("#ablate-start");
    button.disabled = true;
    button.textContent = "Starting …";
    const { study, refused } = await act("ablate", { visitor: session.visitor, ...this.wanted() });
    if (!study) {
      this.say({ problems: [refused || "It did not start: try again."] });
      button.disabled = false; // what was refused may pass a moment later: the machine was busy
      return;
    }
    this.dialog.close();
    emit("study", study);
    emit("open-view", "compare");
  }
}
