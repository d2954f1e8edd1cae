// Forking: a new run that begins with weights the shown one had, at a step that was kept.

import { act } from "./ask.js";
import { shown } from "./advice.js";
import { departures, origin, valueIn } from "./origin.js";
import { session } from "./session.js";
import { element, form, isOff, on, set, show, value, words } from "./state.js";

const NAMED = 6; // differences in words; more are counted

export class Fork {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    [this.opener, this.panel] = [this.find("#fork-open"), this.find("#fork")];
    this.steps = [];
    this.step = null; // chosen
    this.refused = "";
    this.opener.addEventListener("click", () => this.open(this.panel.hidden));
    this.find(".stops").addEventListener("change", ({ target }) => { this.step = Number(target.value); this.paint(); });
    this.find("#fork-here").addEventListener("click", () => this.start());
    for (const event of ["form", "origin", "checked"]) on(event, () => { if (event === "form") this.refused = ""; this.paint(); });
  }

  // The steps that were kept; none where there is nothing to fork.
  offer(steps) {
    const same = steps.join() === this.steps.join();
    this.steps = steps;
    this.opener.hidden = !steps.length;
    if (!steps.length) this.open(false);
    if (same) return;
    // The last one that leaves something to do: the end of a run leaves nothing, unless it is to train for longer.
    if (!steps.includes(this.step)) this.step = steps.findLast((step) => step < value("train.steps")) ?? steps.at(-1);
    this.place();
    this.paint();
  }

  // One stop a step; those that stay are left alone, or the focus would be lost.
  place() {
    const box = this.find(".stops"), stands = new Map([...box.children].map((stop) => [Number(stop.firstChild.value), stop]));
    for (const [step, stop] of stands) if (!this.steps.includes(step)) stop.remove();
    this.steps.forEach((step, i) => { if (!stands.has(step)) box.insertBefore(this.stop(step), box.children[i] || null); });
  }

  forget() {
    this.step = null;
    this.refused = "";
    this.open(false);
    this.offer([]);
  }

  open(wanted) {
    this.panel.hidden = !wanted;
    this.opener.setAttribute("aria-expanded", wanted);
    if (wanted) { this.refused = ""; this.paint(); }
  }

  stop(step) {
    const made = element("label", "stop"), radio = element("input");
    Object.assign(radio, { type: "radio", name: "fork-step", value: step });
    made.append(radio, element("i"), element("b", "", show(step)), element("span"));
    return made;
  }

  paint() {
    if (this.panel.hidden || this.step === null) return;
    for (const radio of this.panel.querySelectorAll(".stop input")) {
      const step = Number(radio.value), check = session.shown?.evals.find(([at]) => at === step)?.[1];
      radio.checked = step === this.step;
      radio.parentElement.classList.toggle("kept", step <= this.step);
      radio.parentElement.lastChild.textContent = check == null ? "" : check.toFixed(2);
    }
    const wrong = this.problem(), [words, offer, updates] = wrong || [];
    this.find(".with").replaceChildren(...this.told(Boolean(wrong)));
    const box = this.find(".refused"), mend = box.querySelector("button");
    box.hidden = !wrong;
    box.querySelector("span").textContent = words || "";
    mend.hidden = !offer;
    mend.textContent = offer || "";
    mend.onclick = () => set(updates);
    this.find("#fork-here").disabled = Boolean(wrong && !this.refused);
  }

  // What the form's settings make of it, in words.
  told(wrong) {
    const known = origin(), paths = known ? departures(known) : [];
    if (!paths.length && wrong) return [];
    if (!paths.length) return ["With the same settings it trains on exactly as this run did. Change one to see what it does."];
    const tags = element("ul", "tags");
    tags.append(...paths.slice(0, NAMED).map((path) => tag(path)));
    if (paths.length > NAMED) tags.append(element("li", "", `and ${paths.length - NAMED} more`));
    return [`From step ${show(this.step)} on, with `, tags];
  }

  // Why it cannot begin here, and what would mend that, as [words, a button's label, what it sets]; null if it can.
  problem() {
    const { step } = this, steps = value("train.steps"), known = origin();
    const other = known ? departures(known).filter((path) => path.startsWith("data.")) : [];
    if (other.length) {
      return ["A fork goes on with the text of its run, and the form has another.", "Take this run’s text",
        Object.fromEntries(other.map((path) => [path, valueIn(known, path)]))];
    }
    if (steps <= step) {
      const more = Math.min(step + Math.max(1, Math.round(step / 2)), form.options["train.steps"].high);
      return [`The form says ${show(steps)} steps, and at step ${show(step)} they are done.`, `Set steps to ${show(more)}`,
        { "train.steps": more }];
    }
    if (form.checked?.problems.length) return [form.checked.problems.join(" ")];
    return this.refused ? [this.refused] : null;
  }

  async start() {
    const button = this.find("#fork-here"), run = session.shown;
    button.disabled = true;
    const asked = { visitor: session.visitor, run: run.id, step: this.step, preset: form.preset.id, changes: form.changes };
    const answer = await act("fork", asked);
    button.disabled = false;
    this.refused = answer.refused || "";
    if (this.refused) this.paint();
    else await shown(answer);
  }
}

function tag(path) {
  const { kind, short, part } = form.options[path], wanted = value(path);
  const made = element("li", "", isOff(wanted) && kind !== "number" ? `−${short}` : kind === "switch" ? `+${short}` : words(path, wanted));
  made.dataset.part = part;
  return made;
}
