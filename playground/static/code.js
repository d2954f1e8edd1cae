// The form's model as code, in the Code view: asked for anew as the form changes, with the lines that another model's code
// does not have.

import { suggested } from "./against.js";
import { ask } from "./ask.js";
import { tint } from "./code_tint.js";
import { bindWeights } from "./code_weights.js";
import { copy } from "./copy.js";
import { still } from "./motion.js";
import { download } from "./runs.js";
import { known, session, title } from "./session.js";
import { element, form, on, preset, ready } from "./state.js";

const AFTER_MS = 350, AWAY_MS = 4000, COPIED_MS = 1800, LATE_MS = 400;
const LISTED = 12; // newest runs to compare with
const NONE = "-"; // compared with nothing

export async function mount(root, { props }) {
  const view = new Code(root);
  bindWeights(root.querySelector("#weights-card"), props.most);
  await ready;
  view.begin();
}

class Code {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.picker = this.find("#code-against");
    this.chosen = null; // what to compare with: a run's or a preset's id, NONE, or null for what suggests itself
    this.asked = ""; // what the last question was, and how often one was asked
    this.times = 0;
    this.told = null;
  }

  begin() {
    on("form", () => this.soon());
    on("view", () => this.soon());
    for (const event of ["checked", "attached", "head", "runs"]) on(event, () => this.soon());
    this.picker.addEventListener("change", () => { this.chosen = this.picker.value; this.soon(0); });
    this.find("#code-copy").addEventListener("click", ({ target }) => this.copy(target));
    this.find("#code-save").addEventListener("click", () => {
      if (this.told) download(this.told.name, URL.createObjectURL(new Blob([this.told.text], { type: "text/x-python;charset=utf-8" })));
    });
    this.find("#code-next").addEventListener("click", () => this.next());
    this.soon(0);
  }

  soon(after = AFTER_MS) {
    clearTimeout(this.timer);
    if (document.body.dataset.view !== "code") return;
    this.timer = setTimeout(() => this.look(), after);
  }

  async look() {
    this.offer();
    const against = this.chosen || this.picker.value, frame = this.find(".code-frame");
    const asked = { visitor: session.visitor, preset: form.preset.id, changes: form.changes, against: against === NONE ? null : against };
    const key = JSON.stringify(asked);
    if (key === this.asked) return;
    this.asked = key;
    const number = ++this.times;
    frame.classList.add("stale");
    frame.setAttribute("aria-busy", "true");
    const waits = () => { this.find("#code-differ").textContent = "Writing the script …"; };
    clearTimeout(this.late);
    this.late = this.told ? setTimeout(waits, LATE_MS) : waits();
    const answer = await ask("script", asked);
    if (number !== this.times) return; // a newer question is under way
    clearTimeout(this.late);
    frame.classList.toggle("stale", Boolean(answer?.refused) || !answer);
    frame.removeAttribute("aria-busy");
    if (!answer) { this.asked = ""; this.soon(AWAY_MS); }
    this.refuse(answer ? answer.refused : "The server is away: this is asked again in a moment.");
    if (answer?.text) this.paint(answer, against);
  }

  refuse(words) {
    const line = this.find(".refused");
    line.textContent = words || "";
    line.hidden = !words;
    if (words) this.find("#code-differ").textContent = this.told ? "The last script that could be written:" : "There is no script yet.";
  }

  // What to compare with ------------------------------------------------------------------------------------------------

  offer() {
    const shown = session.shown && known(session.shown.id), runs = session.runs.filter((run) => !run.study).slice(0, LISTED);
    if (shown && !runs.includes(shown)) runs.unshift(shown);
    const picked = this.chosen && known(this.chosen);
    if (picked && !runs.includes(picked)) runs.push(picked);
    const wanted = this.chosen && (this.chosen === NONE || picked || preset(this.chosen)) ? this.chosen : suggested() || NONE;
    if (wanted !== this.chosen) this.chosen = null;
    const key = JSON.stringify([runs.map((run) => [run.id, title(run)]), wanted]);
    if (this.picker.dataset.key === key) return;
    this.picker.dataset.key = key;
    this.picker.replaceChildren(new Option("nothing", NONE),
      ...group("Your runs", runs.map((run) => [run.id, run === shown ? `${title(run)} (shown)` : title(run)])),
      ...group("The ladder", form.presets.filter((p) => p.number).map((p) => [p.id, `${p.number} ${p.title}`])),
      ...group("Beyond", form.presets.filter((p) => !p.number).map((p) => [p.id, p.title])));
    this.picker.value = wanted;
  }

  // What is shown ---------------------------------------------------------------------------------------------------------

  paint(answer, against) {
    this.told = answer;
    const lines = tint(answer.text), changed = new Set(answer.changed), pre = this.find("pre");
    pre.style.setProperty("--digits", String(lines.length).length);
    pre.replaceChildren(...lines.map((pieces, i) => line(pieces, changed.has(i + 1))));
    this.find("#code-name").textContent = answer.name;
    this.find("#code-lines").textContent = `${lines.length} lines`;
    this.find("#code-run").textContent = `python ${answer.name} input.txt`;
    this.find("#code-next").hidden = !changed.size;
    this.find(".code-map").replaceChildren(...blocks(answer.changed).map(([from, to]) => {
      const mark = element("i");
      mark.style.top = `${(100 * (from - 1)) / lines.length}%`;
      mark.style.height = `${(100 * (to - from + 1)) / lines.length}%`;
      return mark;
    }));
    this.find("#code-differ").replaceChildren(...words(answer, against));
  }

  // The first line of the next block of differences, a little under the top; from the end, the first one again.
  next() {
    const box = this.find(".code-box"), rows = [...this.find("pre").children];
    const tops = blocks(this.told.changed).map(([from]) => rows[from - 1].offsetTop - 40);
    const top = tops.find((at) => at > box.scrollTop + 8 && box.scrollTop + box.clientHeight < box.scrollHeight - 1) ?? tops[0];
    box.scrollTo({ top: Math.max(0, top), behavior: still() ? "auto" : "smooth" });
  }

  async copy(button) {
    if (!this.told) return;
    button.textContent = await copy(this.told.text) ? "Copied" : "Not allowed here";
    setTimeout(() => { button.textContent = "Copy"; }, COPIED_MS);
  }
}

const group = (label, entries) => {
  const made = element("optgroup");
  made.label = label;
  made.append(...entries.map(([id, words]) => new Option(words, id)));
  return entries.length ? [made] : [];
};

function line(pieces, isNew) {
  const made = element("code", isNew ? "new" : "");
  made.append(...pieces.map(([kind, text]) => (kind ? element("span", kind, text) : text)), "\n");
  return made;
}

// [first, last] of lines that follow each other.
function blocks(numbers) {
  const found = [];
  for (const number of numbers) {
    if (found.at(-1)?.[1] === number - 1) found.at(-1)[1] = number;
    else found.push([number, number]);
  }
  return found;
}

function words({ changed, lost, unknown }, against) {
  if (unknown) return [unknown];
  if (against === NONE) return ["Compared with nothing."];
  const run = known(against), name = element("b", "", run ? title(run) : preset(against)?.title || "that run");
  if (!changed.length && !lost) return ["No line differs from ", name, "."];
  const count = changed.length, others = `${lost} ${lost === 1 ? "line that is" : "lines that are"} not here`;
  if (!count) return ["No line is new, and ", name, ` has ${others}.`];
  return [element("b", "count", `${count} ${count === 1 ? "line differs" : "lines differ"}`), " from ", name,
    ...(lost && lost !== count ? [element("span", "", `, which has ${others}`)] : [])];
}
