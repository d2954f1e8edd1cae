// Compared runs writing side by side: first what each wrote by itself, at the step of a slider over all of them, then from
// the same words and seed on request.

import { write } from "./ask.js";
import { element, emit, on, ready, show, value } from "./state.js";
import { session } from "./session.js";
import { look } from "./selection.js";
import { swatch } from "./overlay.js";
import { sampleText } from "./sample_texts.js";
import { minus } from "./study_words.js";
import { Timeline } from "./timeline.js";

const RESTS_MS = 70; // the slider, before texts that are not there yet are asked for
const UNLIKE = { // options under which samples differ for another reason than how well the models do
  "sample.prompt": "prompts", "sample.length": "lengths", "sample.temperature": "temperatures", "sample.top_k": "choices of tokens",
  "sample.top_p": "choices of tokens", "sample.seed": "seeds of the samples", "data.tokenizer": "tokenizers",
  "data.dataset": "texts", "data.text": "texts",
};
const AT_ONCE = 4; // more would keep each other, and the training, waiting
const BOLD = [0, 2]; // the temperature's range; the form's declaration has the last word

export class Together {
  constructor(root) {
    Object.assign(this, { root, runs: [], columns: new Map(), stopping: null });
    this.build();
    on("view", () => this.mark());
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
    this.unlike = element("p", "about", "");
    const slider = element("div");
    this.timeline = new Timeline(slider, (step, asked) => this.at(step, asked));
    this.grid = element("div", "columns");
    this.grid.tabIndex = 0;
    this.root.replaceChildren(head, slider, this.unlike, this.grid, controls, this.about);
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
  show({ runs, samples, rows }) {
    this.runs = runs;
    const made = runs.map((run, i) => {
      const column = this.columns.get(run.id) || this.column(run);
      this.columns.set(run.id, column);
      column.samples = samples[i];
      return column.box;
    });
    const unlike = [...new Set(rows.map(({ path }) => UNLIKE[path]).filter(Boolean))];
    this.unlike.textContent = unlike.length ? `Different ${unlike.join(", ")}: what they write differs for that, too.` : "";
    for (const [id, column] of this.columns) {
      if (runs.some((run) => run.id === id)) continue;
      column.abort?.abort();
      this.columns.delete(id);
    }
    this.grid.replaceChildren(...made);
    this.grid.style.setProperty("--columns", runs.length);
    this.timeline.set(samples.flat().map(([step]) => step));
    this.at(this.timeline.step, false);
  }

  // Shows what each run had written by `step`; on request also where something else stands by now.
  async at(step, asked) {
    const columns = this.runs.map(({ id }) => this.columns.get(id));
    if (asked) {
      this.stopping?.abort();
      for (const column of columns) column.asked = false;
    }
    this.mark();
    await Promise.all(columns.filter((column) => !column.asked).map((column) => this.sample(column, step)));
    const { stops, at } = this.timeline, ahead = asked ? stops[at + 1] : undefined; // which is where it goes while it plays
    for (const { box, samples } of ahead === undefined ? [] : columns) {
      const next = sampleBy(samples, ahead);
      if (next && this.timeline.step === step) sampleText(box.dataset.run, next[1]);
    }
  }

  // Where on the curves that is.
  mark() {
    const { atEnd, step } = this.timeline;
    if (document.body.dataset.view === "compare") emit("sample-step", atEnd || !this.runs.length ? null : step);
  }

  async sample(column, step) {
    const sample = sampleBy(column.samples, step), [at, seq, loss] = sample || [];
    const told = loss == null ? "" : ` · held out ${loss.toFixed(2)}`;
    column.step.textContent = sample ? `step ${show(at)}${told}` : "";
    if (sample && column.seq === seq) return;
    column.seq = seq;
    if (!sample) { column.pre.replaceChildren(element("span", "faint", "nothing yet")); return; }
    await new Promise((resolve) => { setTimeout(resolve, RESTS_MS); });
    if (column.seq !== seq || column.asked) return;
    const answer = await sampleText(column.box.dataset.run, seq);
    if (column.seq !== seq || column.asked) return;
    if (answer) column.pre.replaceChildren(element("span", "given", answer.prompt), answer.text);
    else column.seq = null; // once more with the next look
  }

  column(run) {
    const box = element("article"), head = element("header"), step = element("small"), pre = element("pre");
    head.append(swatch(look(run)), element("b", "", minus(run.name)), step);
    box.append(head, pre);
    box.dataset.run = run.id;
    return { box, step, pre, asked: false, seq: null, samples: [] };
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
      Object.assign(column, { asked: true, seq: null });
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
    if (!column.asked) return; // the slider was moved since
    if (refused) column.pre.replaceChildren(element("span", "bad", refused));
    const drawn = `seed ${asked.seed} · boldness ${show(asked.temperature)}`;
    column.step.textContent = refused ? "not written" : signal.aborted ? "stopped" : drawn;
  }
}

// The newest of samples [[step, seq, loss], ...] by a step.
const sampleBy = (samples, step) => samples.findLast(([at]) => at <= step);

function labelled(root, words, control, classes = "") {
  const label = element("label", classes), name = element("span", "", words);
  label.append(name, control);
  root.append(label);
  return control;
}
