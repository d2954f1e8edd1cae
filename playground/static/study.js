// One study: its finding in words, its rows ranked beside the base, its curves. Painted again with each answer.

import { duration } from "./form.js";
import { element, emit, load, show as number } from "./state.js";
import { session } from "./session.js";
import { clear, compare } from "./selection.js";
import { bring, still } from "./motion.js";
import { reportButtons } from "./report.js";
import { axis, interval, scaleOf, sweepChart } from "./study_chart.js";
import { Curves } from "./study_curves.js";
import { baseValue, conditions, difference, headline, isAway, minus, percent, range, signed, untold, valueOf, verdict } from "./study_words.js";

const MOVE = { duration: 260, easing: "cubic-bezier(.2, .7, .2, 1)" };
const HEADS = [["name", ""], ["effect", ""], ["loss", "difference in loss"], ["pairs", "seeds"], ["size", "parameters"], ["time", "time"],
  ["verdict", "verdict"], ["study-acts", ""]];

export class StudyView {
  constructor(root, layout, actions) {
    Object.assign(this, { root, actions, rows: new Map(), id: null, said: "" });
    this.build(layout);
  }

  build(layout) {
    const part = (tag, name) => { this[name] = element(tag, name); return this[name]; };
    const head = element("header"), words = element("div", "study-words");
    words.append(part("h3", "found"), part("p", "untold"), part("p", "conditions"));
    head.append(words, part("div", "study-acts"));
    const going = element("div", "going"), table = element("table", "ranked");
    this.bar = element("i");
    const track = element("div", "bar");
    track.append(this.bar);
    Object.assign(this, { going, track });
    going.append(track, part("p", "left"));
    this.thead = element("thead");
    this.tbody = element("tbody");
    table.append(element("caption", "hush", "Variants, the largest difference first"), this.thead, this.tbody);
    this.note = element("p", "note");
    this.note.setAttribute("role", "status");
    this.tip = element("div", "tip");
    this.tip.hidden = true;
    const plot = element("div", "curves");
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", "Held-out loss by step of each variant; the table has where they end");
    this.root.replaceChildren(head, this.note, going, part("figure", "swept"), table, plot, part("p", "caution"), this.tip);
    this.rest = button("Pause", () => this.actions.rest(this.study));
    this["study-acts"].append(reportButtons(() => ({ study: this.id, runs: [] }), (words) => this.tell(words)),
      this.rest, button("Show runs", () => this.showRuns(this.allRuns)), button("Delete", () => this.actions.remove(this.study), "bad-act"));
    this.curves = new Curves(plot, layout, (name) => this.light(name));
    this.bindLight();
  }

  // A row that is pointed at or in focus lights up its curve, and says each seed's difference.
  bindLight() {
    const rowOf = (target) => target.closest?.("[data-row]")?.dataset.row ?? null;
    this.root.addEventListener("pointerover", ({ target }) => { if (!target.closest(".curves")) this.light(rowOf(target), target); });
    this.root.addEventListener("pointerleave", () => this.light(null));
    this.root.addEventListener("focusin", ({ target }) => this.light(rowOf(target), target));
    this.root.addEventListener("focusout", () => this.light(null));
  }

  tell(words) { this.note.textContent = words; }

  get allRuns() { return [this.study.base, ...this.study.rows].flatMap(({ runs }) => runs); }

  show(study) {
    const said = JSON.stringify(study);
    if (said === this.said) return;
    if (study.id !== this.id) { this.rows.clear(); this.tbody.replaceChildren(); this.tell(""); }
    Object.assign(this, { study, said, id: study.id });
    this.paintWords();
    this.paintHeads();
    this.paintRows();
    const sweep = study.kind === "sweep";
    this.root.dataset.kind = study.kind;
    const chart = sweep && sweepChart(study, baseValue(study), study.label);
    this.swept.hidden = !sweep;
    if (sweep) this.swept.replaceChildren(element("figcaption", "", sweptWords(study)), chart);
    this.curves.set(study);
  }

  paintWords() {
    const { study } = this, { done, runs, left, going } = study;
    this.found.replaceChildren(...headline(study).map(([words, row]) => {
      if (!row) return words;
      const made = element("b", "", words);
      made.dataset.part = row.part;
      return made;
    }));
    this.untold.textContent = untold(study);
    this.conditions.textContent = conditions(study);
    this.caution.textContent = study.caution || "";
    this.going.hidden = !going && !study.resumable;
    this.rest.hidden = this.going.hidden;
    this.rest.textContent = going ? "Pause" : "Go on";
    this.bar.style.width = `${runs ? (100 * done) / runs : 0}%`;
    const ahead = study.resumable ? "at rest" : left == null ? "" : left < 1 ? "almost done" : `about ${duration(left)} left`;
    this.left.textContent = [`${number(done)} of ${number(runs)} runs`, ahead].filter(Boolean).join(" · ");
  }

  paintHeads() {
    const row = element("tr");
    this.scale = scaleOf(this.study.rows);
    for (const [name, words] of HEADS) {
      const cell = element("th", name, words);
      cell.scope = "col";
      if (name === "effect") cell.append(axis(this.scale));
      if (name === "name") cell.append(element("span", "hush", "variant"));
      if (name === "study-acts") cell.append(element("span", "hush", "what to do with it"));
      row.append(cell);
    }
    this.thead.replaceChildren(row);
  }

  // Rows keep their elements, and move to their new places.
  paintRows() {
    const before = new Map([...this.rows].map(([name, row]) => [name, row.offsetTop])), { base, rows } = this.study;
    const first = { ...base, isBase: true }, swept = this.study.kind === "sweep" && base.value != null;
    const wanted = swept ? [first, ...rows].sort((a, b) => a.value - b.value) : [first, ...rows];
    const made = wanted.map((row) => {
      const found = this.rows.get(row.name) || element("tr");
      this.rows.set(row.name, found);
      this.paintRow(found, row);
      return found;
    });
    if (made.some((row, i) => this.tbody.children[i] !== row)) this.tbody.replaceChildren(...keepFocus(this.tbody, made));
    for (const [name, row] of this.rows) {
      const moved = before.has(name) ? before.get(name) - row.offsetTop : 0;
      if (moved && !still()) row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], MOVE);
    }
  }

  paintRow(found, row) {
    const said = JSON.stringify([row, this.scale]);
    if (found.said === said) return;
    found.said = said;
    found.dataset.row = row.name;
    found.dataset.part = row.part || "";
    found.className = [row.isBase ? "base" : row.kind, row.clear ? "clear" : "unsure", isAway(row) ? "diverged" : "", row.status || ""].join(" ");
    const focused = found.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    found.replaceChildren(...(row.isBase ? this.baseCells(row) : this.cells(row)));
    if (focused) found.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  cells(row) {
    const loss = cell("loss"), name = cell("name", "", "th");
    name.append(element("b", "", minus(row.name)), element("small", "", row.note || ""));
    if (isAway(row)) loss.append(element("b", "", "diverged"));
    else if (row.mean == null) loss.append(element("span", "wait", row.status === "training" || row.status === "stopped" ? row.status : "waiting"));
    else loss.append(element("b", "", signed(row.mean)), element("small", "", range(row)));
    const [first, more] = verdict(row, this.study), said = cell("verdict");
    if (row.mean != null || row.diverged) said.append(element("span", "", first), element("small", "", [more, exactly(row)].filter(Boolean).join(" · ")));
    said.title = minus(row.verdict);
    const drawn = cell("effect");
    drawn.append(interval(row, this.scale));
    return [name, drawn, loss, cell("pairs", row.pairs ? `${row.pairs} of ${this.study.seeds.length}` : ""), cell("size", difference(row.parameters)),
      cell("time", percent(row.seconds)), said, this.actsOf(row)];
  }

  baseCells(base) {
    const name = cell("name", "", "th"), loss = cell("loss"), drawn = cell("effect");
    const sweep = this.study.kind === "sweep";
    name.append(element("b", "", sweep ? valueOf(this.study) : "the base"), element("small", "", sweep ? "the base" : ""));
    if (base.loss != null) loss.append(element("b", "", base.loss.toFixed(3)), element("small", "", [this.study.unit, exactly(base)].filter(Boolean).join(" · ")));
    drawn.append(interval({ mean: base.loss == null ? null : 0, clear: true, differences: [] }, this.scale));
    return [name, drawn, loss, cell("pairs"), cell("size", base.parameters == null ? "" : number(base.parameters)),
      cell("time", base.seconds == null ? "" : `${base.seconds.toFixed(base.seconds < 10 ? 1 : 0)} s`), cell("verdict"), this.actsOf(base)];
  }

  actsOf(row) {
    const acts = cell("study-acts"), name = minus(row.name);
    const train = button("Train this", () => this.train(row), "", `Put ${name} into the form`), { runs } = row;
    train.dataset.act = "train";
    acts.append(train);
    if (runs.length) {
      const all = button("Show runs", () => this.showRuns(runs), "", `Show the runs of ${name} on the chart`);
      all.dataset.act = "runs";
      acts.append(all);
    }
    return acts;
  }

  // The variant goes into the form, to be trained there or changed further.
  train(row) {
    load(this.study.preset, row.changes);
    emit("open-view", "train");
  }

  showRuns(runs) {
    clear();
    compare(session.runs.filter(({ id }) => runs.includes(id)));
    bring(document.getElementById("desk"));
  }

  light(name, target) {
    this.curves.light(name === this.study?.base.name ? name : this.rows.has(name) ? name : null);
    for (const [other, row] of this.rows) row.classList.toggle("lit", other === name);
    const row = this.study?.rows.find((one) => one.name === name), place = target?.closest?.(".effect, .point");
    this.tip.hidden = !(row?.differences?.length && place);
    if (!this.tip.hidden) this.paintTip(row, place);
  }

  paintTip(row, place) {
    const own = this.root.getBoundingClientRect(), at = place.getBoundingClientRect(), { seeds } = this.study;
    const each = row.differences.map((value, i) => `seed ${seeds[i] ?? i + 1}: ${signed(value)}`).join(" · ");
    this.tip.replaceChildren(element("b", "", minus(row.name)), ` ${signed(row.mean)}${row.low == null ? "" : ` (${range(row)})`}`, element("small", "", each));
    Object.assign(this.tip.style, { left: `${at.left + at.width / 2 - own.left}px`, top: `${at.top - own.top - 4}px` });
  }
}

const sweptWords = ({ label, base }) => `held-out loss by ${label.toLowerCase()}`
  + (base.loss == null ? "" : `; dotted: the base, ${base.loss.toFixed(3)}`);

const cell = (classes, words = "", tag = "td") => {
  const made = element(tag, classes, words);
  if (tag === "th") made.scope = "row";
  return made;
};

function button(words, act, classes = "", label = "") {
  const made = element("button", classes, words);
  made.type = "button";
  if (label) made.setAttribute("aria-label", `${words}: ${label}`);
  made.addEventListener("click", act);
  return made;
}

// Moving an element takes its focus away: it is given back.
function keepFocus(body, rows) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  if (focused) queueMicrotask(() => focused.focus({ preventScroll: true }));
  return rows;
}

// How many answers were right, where there is a task.
const exactly = ({ exact }) => (exact == null ? "" : `${(100 * exact).toFixed(1)} % exact`);
