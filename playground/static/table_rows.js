// One row of the table: made once, then filled again whenever its run has changed.

import { brief, element, show as number } from "./state.js";
import { GOING, minus, session } from "./session.js";
import { isAlone, isCompared, isDrawn, isHidden, look } from "./selection.js";
import { COLUMNS, automatic, bitsOf, speedOf } from "./table_list.js";
import { swatch } from "./overlay.js";
import { make } from "./svg.js";

const ICONS = {
  show: "M2.5 8h10M8.5 4l4 4-4 4",
  hide: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8ZM8 6.1a1.9 1.9 0 1 0 0 3.8 1.9 1.9 0 0 0 0-3.8Z",
  hidden: "M3.2 5.6C2.1 6.7 1.5 8 1.5 8S4 12.2 8 12.2c1 0 1.9-.3 2.7-.7M6 4.1c.6-.2 1.3-.3 2-.3 4 0 6.5 4.2 6.5 4.2"
    + "s-.6 1.1-1.7 2.2M2.5 2.5l11 11",
  alone: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2",
  rename: "M3 13l.7-2.9 6.9-6.9a1.2 1.2 0 0 1 1.7 0l.5.5a1.2 1.2 0 0 1 0 1.7L5.9 12.3 3 13Z",
  tag: "M2.5 2.5h5l6 6-5 5-6-6v-5ZM5.3 5.3h.01",
  remove: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5",
};
const ACTS = [["show", "Show in Train"], ["hide", "Hide in the chart"], ["alone", "Draw alone"], ["rename", "Rename"],
  ["tag", "Edit tags"], ["remove", "Delete"]];
const STATES = { queued: "waiting", running: "training" };

function icon(name) {
  const svg = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  svg.append(make("path", { d: ICONS[name] }));
  return svg;
}

export function paint(item, row, { isOpen, studyName, current }) {
  if (!row.firstChild) (item.runs ? buildGroup : build)(row);
  row.tabIndex = current === item.key ? 0 : -1;
  row.classList.toggle("current", current === item.key);
  for (const control of row.querySelectorAll("button, input")) control.tabIndex = row.tabIndex;
  if (item.runs) fillGroup(row, item, isOpen(item.study), studyName(item.study));
  else fill(row, item.run, item.inside);
}

const cell = (classes, ...content) => {
  const made = element("div", classes);
  made.setAttribute("role", "gridcell");
  made.append(...content);
  return made;
};

function build(row) {
  row.setAttribute("role", "row");
  const box = element("input"), acts = cell("acts");
  box.type = "checkbox";
  for (const [name, words] of ACTS) {
    const button = element("button", name);
    button.type = "button";
    button.dataset.act = name;
    button.title = words;
    button.append(icon(name));
    acts.append(button);
  }
  const cells = COLUMNS.map((column) => cell(`${column.key}${column.number ? " number" : ""}`));
  row.append(cell("tick", box, element("span", "look")), ...cells, acts);
  row.querySelector(".name").append(element("b"), element("span", "auto"));
}

function fill(row, run, inside) {
  const shown = session.shown?.id === run.id, ticked = isCompared(run.id), name = minus(run.name || automatic(run));
  row.classList.toggle("inside", Boolean(inside));
  row.classList.toggle("shown", shown);
  row.classList.toggle("undrawn", (ticked || shown) && !isDrawn(run.id));
  row.setAttribute("aria-selected", ticked);
  fillTick(row, run, name, ticked, shown);
  put(row.querySelector(".name b"), name);
  put(row.querySelector(".auto"), run.name && automatic(run) !== run.title ? automatic(run) : "");
  const forked = run.parent && `forked at step ${number(run.forked_at)}`;
  row.querySelector(".name").title = joined(name, shown && "shown in Train", forked);
  const going = GOING.includes(run.status);
  const values = {
    preset: run.title, parameters: run.parameters == null ? "" : brief(run.parameters),
    step: run.step >= run.total ? number(run.step) : run.total > 9999 ? `${brief(run.step)} / ${brief(run.total)}`
      : `${number(run.step)} / ${number(run.total)}`,
    best: loss(run.best), val: loss(run.val), bits: loss(bitsOf(run)), exact: exactly(run), seconds: run.step ? clock(run.seconds) : "",
    speed: speedOf(run) ? brief(speedOf(run)) : "",
    status: `${STATES[run.status] || run.status}${going && run.step ? ` ${Math.floor((100 * run.step) / run.total)} %` : ""}`,
    created: ago(run.created),
  };
  for (const [key, words] of Object.entries(values)) put(row.querySelector(`.${key}`), words);
  Object.assign(row.querySelector(".status").dataset, { status: run.status,
    more: joined(run.title, run.exact != null && `${exactly(run)} exact`, run.step >= run.total && `${number(run.step)} steps`, ago(run.created)) });
  row.querySelector(".step").title = `${number(run.step)} of ${number(run.total)} steps`;
  row.querySelector(".created").title = new Date(1000 * run.created).toLocaleString();
  row.querySelector(".parameters").title = run.parameters == null ? "" : `${number(run.parameters)} parameters`;
  fillTags(row.querySelector(".tags"), run.tags || []);
  fillActs(row, run, name, ticked || shown);
}

function fillTick(row, run, name, ticked, shown) {
  const box = row.querySelector(".tick input"), holder = row.querySelector(".look");
  box.checked = ticked;
  box.setAttribute("aria-label", `Compare ${name}`);
  const style = shown || ticked ? { ...look(run), wide: shown ? 3 : 2 } : null, drawn = JSON.stringify(style);
  if (holder.dataset.drawn === drawn) return;
  holder.dataset.drawn = drawn;
  holder.replaceChildren(...(style ? [swatch(style)] : []));
}

function fillTags(holder, tags) {
  if (holder.querySelector("input") || holder.dataset.tags === tags.join("\n")) return;
  holder.dataset.tags = tags.join("\n");
  holder.replaceChildren(...tags.map((tag) => {
    const chip = element("button", "own-tag", tag);
    chip.type = "button";
    chip.tabIndex = holder.parentElement.tabIndex;
    chip.title = `Only those tagged ${tag}`;
    return chip;
  }));
}

function fillActs(row, run, name, drawn) {
  for (const [act, words] of ACTS) {
    row.querySelector(`[data-act=${act}]`).setAttribute("aria-label", `${words}: ${name}`);
  }
  const eye = row.querySelector("[data-act=hide]"), seen = isHidden(run.id) ? "hidden" : "hide";
  eye.disabled = !drawn;
  eye.setAttribute("aria-pressed", isHidden(run.id));
  row.querySelector("[data-act=alone]").setAttribute("aria-pressed", isAlone(run.id));
  if (eye.dataset.icon === seen) return;
  eye.dataset.icon = seen;
  eye.replaceChildren(icon(seen));
}

function buildGroup(row) {
  row.setAttribute("role", "row");
  row.classList.add("group-row");
  const button = element("button", "fold");
  button.type = "button";
  button.append(element("i"), element("b"));
  row.append(cell("fold-cell", button, element("span", "sum")));
}

function fillGroup(row, { runs }, open, name) {
  const mixed = new Set(runs.map(({ text }) => text)).size > 1; // other tokens: their nats do not compare
  const best = Math.min(...runs.map((run) => (run.best == null ? Infinity : mixed ? run.best * (run.bits ?? Infinity) : run.best)));
  const done = runs.filter((run) => run.status === "finished").length;
  const all = `${number(runs.length)} ${runs.length === 1 ? "run" : "runs"}`;
  row.setAttribute("aria-expanded", open);
  row.querySelector(".fold").setAttribute("aria-expanded", open);
  put(row.querySelector(".fold b"), minus(name));
  const some = done < runs.length && `${number(done)} finished`;
  put(row.querySelector(".sum"), joined(all, some, best < Infinity && `best ${loss(best)}${mixed ? " bits" : ""}`));
}

const joined = (...words) => words.filter(Boolean).join(" · ");
const put = (place, words) => { if (place.textContent !== words) place.textContent = words; };
const exactly = ({ exact }) => (exact == null ? "" : `${(100 * exact).toFixed(1)} %`);
const loss = (value) => (value == null ? "" : value.toFixed(3));

// How long, in a narrow column.
function clock(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  return `${Math.floor(seconds / 3600)}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
}

// When, as short as people say it.
function ago(seconds, now = Date.now() / 1000) {
  const past = now - seconds, day = new Date(1000 * seconds);
  if (past < 60) return "now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  if (past < 6 * 86400) return day.toLocaleDateString("en", { weekday: "long" });
  return day.toLocaleDateString("en", { day: "numeric", month: "short" });
}
