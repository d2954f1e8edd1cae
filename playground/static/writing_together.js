// Compared runs writing side by side, from the same words and seed: first what each wrote by itself, then on request.

import { ask, write } from "./ask.js";
import { element, on, ready, show, value } from "./state.js";
import { session } from "./session.js";
import { look } from "./selection.js";
import { swatch } from "./overlay.js";
import { minus } from "./study_words.js";

const AT_ONCE = 4; // more would keep each other, and the training, waiting
const BOLD = [0, 2]; // the temperature's range; the form's declaration has the last word

export class Together {
  constructor(root) {
    Object.assign(this, { root, runs: [], columns: new Map(), stopping: null });
    this.build();
    ready.then(() => { this.fill(); on("step", () => this.fill()); });
  }

  build() {
    const head = element("h3", "", "What they write"), controls = element("div", "ask-them");
    this.prompt = labelled(controls, "Begin with", element("textarea"), "grow");
    Object.assign(this.prompt, { rows: 1, placeholder: "a new line", maxLength: 2000, spellcheck: false });
    this.bold = labelled(controls, "Boldness", element("input", "slider"));
    Object.assign(this.bold, { type: "range", min: BOLD[0], max: BOLD[1], step: 0.05 });
    this.said = element("output");
    this.bold.previousSibling.append(this.said);
    this.seed = labelled(controls, "Seed", element("input"));
    Object.assign(this.seed, { type: "text", inputMode: "numeric", autocomplete: "off", size: 5 });
    this.button = element("button", "start small", "Let them write");
    this.button.type = "button";
    controls.append(this.button);
    this.about = element("p", "about", "");
    this.about.setAttribute("role", "status");
    this.grid = element("div", "columns");
    this.grid.tabIndex = 0;
    this.root.replaceChildren(head, controls, this.about, this.grid);
    this.bold.addEventListener("input", () => this.tellBold());
    this.button.addEventListener("click", () => (this.stopping ? this.stop() : this.begin()));
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !this.stopping) this.begin();
    });
  }

  fill() {
    this.prompt.value = value("sample.prompt");
    this.bold.value = value("sample.temperature");
    this.seed.value = value("sample.seed");
    this.tellBold();
  }

  tellBold() {
    this.said.textContent = ` ${show(Number(this.bold.value))}`;
    this.bold.style.setProperty("--share", `${(100 * this.bold.value) / BOLD[1]}%`);
  }

  // Columns of runs that stay keep what is written in them.
  show({ runs, samples }) {
    this.runs = runs;
    const made = runs.map((run, i) => {
      const column = this.columns.get(run.id) || this.column(run);
      this.columns.set(run.id, column);
      if (!column.asked) this.lastSample(column, run, samples[i] || []);
      return column.box;
    });
    for (const [id, column] of this.columns) {
      if (runs.some((run) => run.id === id)) continue;
      column.abort?.abort();
      this.columns.delete(id);
    }
    this.grid.replaceChildren(...made);
    this.grid.style.setProperty("--columns", runs.length);
  }

  column(run) {
    const box = element("article"), head = element("header"), step = element("small"), pre = element("pre");
    head.append(swatch(look(run)), element("b", "", minus(run.name)), step);
    box.append(head, pre);
    box.dataset.run = run.id;
    return { box, step, pre, asked: false };
  }

  async lastSample(column, run, samples) {
    if (!samples.length) { column.pre.replaceChildren(element("span", "faint", "nothing yet")); return; }
    const [step, seq] = samples.at(-1);
    if (column.seq === seq) return;
    column.seq = seq;
    const answer = await ask("writing", { visitor: session.visitor, run: run.id, seq });
    if (column.asked || answer?.text == null) return;
    column.step.textContent = `after step ${show(step)}`;
    column.pre.replaceChildren(element("span", "given", answer.prompt), answer.text);
  }

  asked() {
    const number = (typed, otherwise) => (typed.trim() !== "" && Number.isFinite(Number(typed)) ? Number(typed) : otherwise);
    return { visitor: session.visitor, prompt: this.prompt.value, temperature: Number(this.bold.value), top_k: value("sample.top_k"),
      top_p: value("sample.top_p"), seed: number(this.seed.value, this.seed.value), length: value("sample.length") || 200 };
  }

  // All at once would be slow on a small machine: four write, the others wait for one to end.
  async begin() {
    const stopping = new AbortController(), asked = this.asked(), waiting = this.runs.map(({ id }) => this.columns.get(id));
    this.stopping = stopping;
    this.button.textContent = "Stop";
    this.about.textContent = "";
    for (const column of waiting) {
      column.asked = true;
      column.step.textContent = "waiting";
      column.pre.replaceChildren(element("span", "given", asked.prompt));
    }
    const worker = async () => {
      for (let column = waiting.shift(); column; column = waiting.shift()) await this.write(column, asked, stopping.signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (this.stopping !== stopping) return;
    this.stopping = null;
    this.button.textContent = "Let them write";
    this.about.textContent = stopping.signal.aborted ? "Stopped." : "";
  }

  stop() { this.stopping.abort(); }

  async write(column, asked, signal) {
    if (signal.aborted) { column.step.textContent = "stopped"; return; }
    column.abort = new AbortController();
    const end = () => column.abort.abort(), text = document.createTextNode("");
    signal.addEventListener("abort", end);
    column.pre.append(text);
    column.step.textContent = "writing …";
    const { refused } = await write({ ...asked, run: column.box.dataset.run }, (piece) => { text.data += piece; }, column.abort.signal);
    signal.removeEventListener("abort", end);
    if (refused) column.pre.replaceChildren(element("span", "bad", refused));
    const drawn = `seed ${asked.seed} · boldness ${show(asked.temperature)}`;
    column.step.textContent = refused ? "not written" : signal.aborted ? "stopped" : drawn;
  }
}

function labelled(root, words, control, classes = "") {
  const label = element("label", classes), name = element("span", "", words);
  label.append(name, control);
  root.append(label);
  return control;
}
