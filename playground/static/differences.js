// Chosen runs side by side: the options that differ, how each did, what to keep in mind, and what they write.

import { ask } from "./ask.js";
import { element, on, show } from "./state.js";
import { bring } from "./motion.js";
import { session } from "./session.js";
import { compare, compared, look } from "./selection.js";
import { swatch } from "./overlay.js";
import { NOTHING, option, outcome, whole } from "./side_by_side.js";
import { reportButtons } from "./report.js";
import { MOST as SHARED, bindShare } from "./share.js";
import { minus, signed } from "./study_words.js";
import { Together } from "./writing_together.js";

const FEWEST = 2, MOST = 8; // runs side by side
const ASK_AFTER = 150; // ms without a change of the selection
const UNLIKE = /cannot be compared|of different text/; // cautions under which no loss is the better one,
const UNITS = /not the same unit/; // and under which bits a character alone compare
const LOSSES = [["best", "Best held-out loss"], ["last", "Last held-out loss"], ["final", "Over the whole split"], ["bits", "Bits a character"]];
const COUNTS = [["parameters", "Parameters"], ["steps", "Steps"], ["tokens", "Tokens"], ["seconds", "Seconds"], ["tokens_per_second", "Tokens a second"]];

export function mount(root) { new Differences(root.querySelector("#differences-card")); }

class Differences {
  constructor(card) {
    Object.assign(this, { card, answer: null, asked: 0, reference: null, said: "" });
    this.find = (selector) => card.querySelector(selector);
    this.together = new Together(this.find(".together"));
    this.tools = this.makeTools();
    on("selection", () => this.later());
    on("view", () => this.later());
    on("runs", () => this.later());
    this.later();
  }

  // In the bar over the table of runs, which may be painted after this.
  makeTools() {
    const made = element("span", "selection-acts"), open = element("button", "", "Differences");
    open.type = "button";
    open.id = "differences-open";
    open.addEventListener("click", () => this.open());
    const share = element("button", "", "Share"), told = element("span", "told");
    share.type = "button";
    share.id = "share-ticked";
    bindShare(share, compared);
    told.setAttribute("role", "status");
    made.append(open, share, reportButtons(() => ({ runs: compared(), study: null }), (words) => { told.textContent = words; }), told);
    return made;
  }

  place() {
    const bar = document.getElementById("selection-tools");
    if (bar && !bar.contains(this.tools)) bar.append(this.tools);
    const count = compared().length, share = this.tools.querySelector("#share-ticked");
    this.tools.querySelector("#differences-open").disabled = count < FEWEST;
    share.disabled = count > SHARED;
    share.title = count > SHARED ? `Up to ${SHARED} runs go into a link: untick some first.` : "Copy a link that shows these results to others: curves, outcomes and samples";
  }

  open() {
    bring(this.card);
    this.card.focus({ preventScroll: true });
  }

  get ids() {
    const ids = compared();
    return ids.includes(this.reference) ? [this.reference, ...ids.filter((id) => id !== this.reference)] : ids;
  }

  later() {
    this.place();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), ASK_AFTER);
  }

  async refresh() {
    this.place();
    const { ids } = this, told = this.find(".told"), much = ids.length > MOST;
    this.card.hidden = ids.length < FEWEST;
    told.hidden = !much;
    told.textContent = much ? `${ids.length} runs are ticked: up to ${MOST} can stand side by side.` : "";
    for (const part of [".compared", ".cautions", ".together"]) this.find(part).hidden = much;
    if (this.card.hidden || much || !session.visitor || document.body.dataset.view !== "compare") return;
    const key = JSON.stringify(ids.map((id) => { const run = this.listed(id); return [id, run?.status, run?.step, run?.name]; }));
    if (key === this.said) return;
    const number = ++this.asked, answer = await ask("compare", { visitor: session.visitor, runs: ids });
    if (number !== this.asked || !answer?.runs) return;
    Object.assign(this, { said: key, answer });
    this.paint();
    this.together.show(answer);
  }

  listed(id) { return session.runs.find((run) => run.id === id); }

  paint() {
    const { rows, cautions, runs } = this.answer, table = element("table", "side-by-side"), body = element("tbody");
    table.style.setProperty("--columns", runs.length);
    const head = element("tr"), corner = element("td", "corner");
    corner.append(element("span", "", rows.length ? "in what they differ" : ""));
    head.append(corner, ...runs.map((run, i) => this.head(run, i)));
    const top = element("thead");
    top.append(head);
    if (rows.length) body.append(...rows.map((row) => option(row)));
    else body.append(whole("They have the same options: what differs is chance, or nothing.", runs.length));
    body.append(whole("how they did", runs.length), ...LOSSES.map((about) => this.losses(...about)), ...this.exact(), ...COUNTS.map((about) => this.counts(...about)));
    table.append(top, body);
    this.find(".compared").replaceChildren(table);
    this.find(".cautions").replaceChildren(...cautions.map((words) => element("li", "", minus(words))));
    this.find(".cautions").hidden = !cautions.length;
  }

  head(run, place) {
    const cell = element("th"), name = element("span", "run-name", minus(run.name)), acts = element("span", "run-acts");
    cell.scope = "col";
    const status = run.status === "finished" ? "" : run.status, refer = () => { this.reference = run.id; this.said = ""; this.refresh(); };
    cell.append(swatch(look(run)), name, element("small", "", status), acts);
    acts.append(place ? quiet("as reference", `Compare against ${run.name}`, refer) : element("span", "", "reference"));
    acts.append(quiet("×", `Take ${run.name} out`, () => compare([{ id: run.id }], false)));
    return cell;
  }

  losses(key, label) {
    const { runs, cautions } = this.answer, known = runs.map((run) => run[key]), unlike = (said) => cautions.some((words) => said.test(words));
    const fair = !unlike(UNLIKE) && (key === "bits" || !unlike(UNITS));
    const lowest = fair ? Math.min(...known.filter((loss) => loss != null)) : null;
    return outcome(label, runs.map((run, i) => {
      const cell = element("td", run[key] === lowest ? "best" : "");
      cell.append(element("b", "", run[key] == null ? NOTHING : run[key].toFixed(3)));
      if (i && fair && run[key] != null && known[0] != null) cell.append(element("small", "", signed(run[key] - known[0])));
      if (key === "best" && run.best_step != null) cell.append(element("small", "step", `step ${show(run.best_step)}`));
      return cell;
    }));
  }

  // Where one of them has a task.
  exact() {
    const { runs } = this.answer, share = (run) => (run.exact == null ? NOTHING : `${(100 * run.exact).toFixed(1)} %`);
    return runs.some((run) => run.exact != null) ? [outcome("Exact answers", runs.map((run) => element("td", "", share(run))))] : [];
  }

  counts(key, label) {
    const digits = key === "seconds" ? 1 : 0, { runs } = this.answer;
    const rounded = (count) => Number(count.toFixed(count < 100 ? digits : 0));
    return outcome(label, runs.map((run) => element("td", "", run[key] == null ? NOTHING : show(rounded(run[key])))));
  }
}

function quiet(words, label, act) {
  const button = element("button", "plain", words);
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.title = label;
  button.addEventListener("click", act);
  return button;
}
