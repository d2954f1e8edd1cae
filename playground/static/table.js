// The table of all runs: sorted, filtered, ticked for the chart, named, tagged and deleted. Only rows in view are drawn.

import { act, ask } from "./ask.js";
import { element, emit, on, recall, remember, show as number } from "./state.js";
import { attach, foresee, known, refreshRuns, session, show } from "./session.js";
import { FULL, clear, compare, compared, hide, isAlone, isCompared, isHidden, isolate } from "./selection.js";
import { COLUMNS, automatic, filtered, grouped, sorted } from "./table_list.js";
import { paint } from "./table_rows.js";
import { bindKeys } from "./table_keys.js";
import { edit } from "./table_edit.js";
import { offerUndo, say } from "./toast.js";
import { Windowed } from "./window.js";

const KEY = "gpt-playground-table";
const TALL = 38, TALL_NARROW = 58; // px of a row, as in compare.css
const NO_RUNS = "No runs yet: each one you train becomes a row here, to be laid over the others in the chart. ";
const narrow = matchMedia("(max-width: 780px)");

export function mount(root) { new Table(root); }

class Table {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.sort = { key: "created", down: true, ...(recall(KEY)?.sort || {}) };
    if (!COLUMNS.some(({ key }) => key === this.sort.key)) this.sort.key = "created";
    this.open = new Set(recall(KEY)?.open || []); // studies
    this.studies = new Map();
    this.current = null; // the row that Tab reaches
    this.last = null; // the row ticked last, from which Shift reaches
    this.pointed = null;
    this.body = this.find(".grid-body");
    this.list = new Windowed(this.body, this.find(".grid-space"), {
      kind: (item) => (item.runs ? "group" : "run"), paint: (item, row) => paint(item, row, this.about()),
      height: () => (narrow.matches ? TALL_NARROW : TALL),
      keep: (key) => document.activeElement?.closest?.(".grid-row")?.dataset.key === key,
    });
    this.bindHead();
    this.bindRows();
    bindKeys(this);
    this.find("#runs-filter").addEventListener("input", () => { this.body.scrollTop = 0; this.refresh(); });
    this.find("#selection-delete").addEventListener("click", () => this.remove(compared()));
    this.find("#selection-clear").addEventListener("click", clear);
    narrow.addEventListener("change", () => this.refresh());
    on("runs", () => { this.nameStudies(); this.refresh(); });
    on("selection", ({ full }) => { if (full) say(FULL); this.refresh(); });
    for (const event of ["attached", "view"]) on(event, () => this.refresh());
    this.refresh();
  }

  get filter() { return this.find("#runs-filter").value; }
  about() {
    const studyName = (study) => this.studies.get(study) || "A study";
    return { current: this.current, isOpen: (study) => this.isOpen(study), studyName };
  }

  // Whoever filters wants to see what is found, in studies, too.
  isOpen(study) { return this.open.has(study) || Boolean(this.filter.trim()); }

  refresh() {
    if (document.body.dataset.view !== "compare") return; // out of sight
    const { runs } = session, found = filtered(runs, this.filter);
    const items = grouped(sorted(found, this.sort), (study) => this.isOpen(study));
    this.listed = items.filter(({ run }) => run).map(({ run }) => run);
    if (!items.some(({ key }) => key === this.current)) this.current = items[0]?.key ?? null;
    this.list.set(items);
    this.find(".grid").setAttribute("aria-rowcount", items.length + 1);
    this.find(".grid").hidden = !items.length;
    const tasks = runs.some((run) => run.exact != null);
    this.find(".grid").classList.toggle("tasks", tasks);
    this.find("#runs-sort [value=exact]").hidden = !tasks;
    this.find(".grid").style.setProperty("--bar", `${this.body.offsetWidth - this.body.clientWidth}px`); // of scrolling
    const all = number(runs.length), some = `${number(found.length)} of ${all}`;
    this.find("#runs-count").textContent = !runs.length ? "" : found.length < runs.length ? some : all;
    this.find(".filter").hidden = !runs.length;
    this.paintEmpty(runs.length, items.length);
    this.paintHead();
    this.paintBulk();
  }

  paintEmpty(all, found) {
    const empty = this.find(".empty");
    empty.hidden = found > 0;
    if (found) return;
    const back = element("button", "", all ? "Show all" : "Train one");
    back.type = "button";
    back.addEventListener("click", () => (all ? this.search("") : emit("open-view", "train")));
    empty.replaceChildren(all ? `None of your ${number(all)} runs matches “${this.filter.trim()}”. ` : NO_RUNS, back);
  }

  search(words) {
    this.find("#runs-filter").value = words;
    this.refresh();
  }

  // The head -----------------------------------------------------------------------------------------------------------

  bindHead() {
    const head = this.find(".grid-head"), box = element("input"), select = this.find("#runs-sort");
    box.type = "checkbox";
    box.setAttribute("aria-label", "Compare all that are listed");
    box.addEventListener("change", () => compare(this.listed, box.checked));
    const header = (classes, ...content) => {
      const made = element("div", classes);
      made.setAttribute("role", "columnheader");
      made.append(...content);
      return made;
    };
    head.append(header("tick", box), ...COLUMNS.map((column) => {
      const button = element("button", "", column.label);
      button.type = "button";
      if (column.title) button.title = column.title;
      button.addEventListener("click", () => this.sortBy(column));
      const made = header(`${column.key}${column.number ? " number" : ""}`, button);
      made.dataset.key = column.key;
      return made;
    }), header("acts", element("span", "hush", "Actions")));
    for (const { key, label } of COLUMNS) select.append(new Option(label, key));
    select.addEventListener("change", () => this.sortBy(COLUMNS.find(({ key }) => key === select.value)));
  }

  sortBy({ key, down = false }) {
    this.sort = { key, down: this.sort.key === key ? !this.sort.down : down };
    this.body.scrollTop = 0;
    this.save();
    this.refresh();
  }

  save() { remember(KEY, { sort: this.sort, open: [...this.open].slice(-100) }); }

  paintHead() {
    for (const header of this.find(".grid-head").querySelectorAll("[data-key]")) {
      const here = header.dataset.key === this.sort.key;
      header.setAttribute("aria-sort", here ? (this.sort.down ? "descending" : "ascending") : "none");
    }
    this.find("#runs-sort").value = this.sort.key;
    const box = this.find(".grid-head input"), ticked = this.listed.filter(({ id }) => isCompared(id)).length;
    box.checked = ticked > 0 && ticked === this.listed.length;
    box.indeterminate = ticked > 0 && ticked < this.listed.length;
  }

  paintBulk() {
    const ticked = compared(), listed = new Set(this.listed.map(({ id }) => id));
    const here = ticked.filter((id) => listed.has(id)).length;
    const some = here < ticked.length ? `, ${here || "none"} in this list` : "";
    const words = ticked.length ? `${ticked.length} ticked${some}`
      : session.runs.length ? "Tick runs to lay their curves over each other." : "";
    const count = this.find("#selection-count");
    if (count.textContent !== words) count.textContent = words;
    this.find(".bulk-tools").hidden = !ticked.length;
  }

  // Rows ---------------------------------------------------------------------------------------------------------------

  bindRows() {
    const { body } = this;
    body.addEventListener("click", (event) => this.click(event));
    body.addEventListener("dblclick", ({ target }) => { if (target.closest(".name")) this.rename(keyOf(target)); });
    body.addEventListener("focusin", ({ target }) => {
      if (keyOf(target) !== this.current) this.move(keyOf(target), false);
    });
    body.addEventListener("pointerover", ({ target }) => this.pointAt(keyOf(target)));
    body.addEventListener("pointerleave", () => this.pointAt(null));
  }

  click(event) {
    const { target } = event, key = keyOf(target), item = this.list.items[this.list.places.get(key)];
    if (!item || target.closest(".editing")) return;
    if (item.runs) { this.fold(item.study); return; }
    const button = target.closest("button");
    if (button?.matches(".own-tag")) this.search(`tag:${button.textContent}`);
    else if (button) this.act(button.dataset.act, item.run);
    else this.tick(item.run, event.shiftKey);
  }

  // With Shift all between it and the one ticked before.
  tick(run, reach = false, wanted = !isCompared(run.id)) {
    const from = reach ? this.listed.findIndex(({ id }) => id === this.last) : -1, to = this.listed.indexOf(run);
    const range = from < 0 ? [run] : this.listed.slice(Math.min(from, to), Math.max(from, to) + 1);
    this.last = run.id;
    compare(range, wanted);
  }

  act(name, run) {
    if (name === "show") { show(run.id); emit("open-view", "train"); }
    else if (name === "hide") this.hide(run);
    else if (name === "alone") this.alone(run);
    else if (name === "rename") this.rename(run.id);
    else if (name === "tag") this.tag(run.id);
    else if (name === "remove") this.remove([run.id]);
  }

  hide(run) {
    if (isCompared(run.id) || isHidden(run.id) || session.shown?.id === run.id) hide(run.id);
  }

  alone(run) {
    if (!isAlone(run.id) && !isCompared(run.id) && session.shown?.id !== run.id) compare([run]);
    if (isCompared(run.id) || session.shown?.id === run.id) isolate(run.id);
  }

  fold(study, wanted = !this.open.has(study)) {
    this.open[wanted ? "add" : "delete"](study);
    this.save();
    this.refresh();
  }

  // Makes a row the one that Tab reaches.
  move(key, focus = true) {
    const before = this.current, { items, places, rows } = this.list;
    this.current = key;
    if (focus) this.list.show(key);
    for (const changed of [before, key]) if (rows.has(changed)) paint(items[places.get(changed)], rows.get(changed), this.about());
    if (focus) this.list.rows.get(key)?.focus({ preventScroll: true });
  }

  pointAt(key) {
    if (key === this.pointed) return;
    this.pointed = key;
    emit("point-at", key && known(key) ? key : null);
  }

  // What the server does -----------------------------------------------------------------------------------------------

  rename(id) {
    const run = known(id), row = this.list.rows.get(id);
    if (!run || !row) return;
    const hint = row.querySelector(".name b").textContent;
    edit(row.querySelector(".name"), { value: run.name, label: "Name", hint, most: 60,
      save: (name) => this.change("rename", id, { name: name.trim() }) });
  }

  tag(id) {
    const run = known(id), row = this.list.rows.get(id);
    if (!run || !row) return;
    const column = row.querySelector(".tags"), cell = column.getClientRects().length ? column : row.querySelector(".name");
    const list = (words) => [...new Set(words.split(",").map((tag) => tag.trim()).filter(Boolean))];
    edit(cell, { value: (run.tags || []).join(", "), label: "Tags", hint: "tags, with commas", most: 200,
      save: (words) => this.change("tag", id, { tags: list(words) }) });
  }

  async change(action, id, about) {
    const before = known(id);
    foresee([id], about);
    const answer = await act(action, { visitor: session.visitor, run: id, ...about });
    if (answer.refused) { foresee([id], { name: before.name, tags: before.tags }); say(answer.refused); }
    refreshRuns(); // names may have been shortened
  }

  async remove(ids) {
    const runs = ids.filter(known), ticked = runs.filter(isCompared), shown = runs.find((id) => id === session.shown?.id);
    if (!runs.length) return;
    const [first] = runs.map(known), said = runs.length > 1 ? `${runs.length} runs` : `“${first.name || automatic(first)}”`;
    const answer = await act("delete", { visitor: session.visitor, runs });
    if (answer.refused) { say(answer.refused); return; }
    this.leave(runs);
    if (shown) attach(null);
    foresee(runs, { deleted: true });
    offerUndo(`Deleted ${said}.`, async () => {
      const back = await act("restore", { visitor: session.visitor, runs });
      if (back.refused) { say(back.refused); return; }
      await refreshRuns();
      compare(ticked.map(known).filter(Boolean));
      if (shown && !session.shown) attach(shown);
    });
  }

  // The keyboard goes on from the row after those that go.
  leave(ids) {
    const gone = new Set(ids), { items } = this.list, place = this.list.places.get(this.current) ?? 0;
    if (!gone.has(this.current)) return;
    const stays = ({ key }) => !gone.has(key), next = items.slice(place).find(stays) || items.slice(0, place).findLast(stays);
    const here = this.body.contains(document.activeElement);
    this.move(next?.key ?? null, here);
  }

  async nameStudies() {
    const unnamed = session.runs.some(({ study }) => study && !this.studies.has(study));
    if (!unnamed || this.asking) return;
    this.asking = true;
    const answer = await ask("studies", { visitor: session.visitor });
    this.asking = false;
    for (const { id, title } of answer?.studies || []) this.studies.set(id, title);
    for (const { study } of session.runs) if (study && !this.studies.has(study)) this.studies.set(study, "A study");
    this.refresh();
  }
}

const keyOf = (target) => target.closest?.(".grid-row")?.dataset.key || null;
