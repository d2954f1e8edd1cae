// The form: native controls, bound to the shared state. Rows that have no effect are hidden; changed ones can be reset.

import { ask } from "./ask.js";
import {
  base, begin, differences, element, emit, form, hasEffect, isOff, load, on, remember, recall, reset, set, show,
  value, words,
} from "./state.js";
import { bindCut } from "./cut.js";
import { bindOwnText } from "./own_text.js";
import { bindSchedule } from "./schedule.js";
import { toPosition, toValue } from "./slider.js";

const OPEN = "gpt-playground-open";
const CHECK_AFTER = 120; // ms without a change before the server is asked
const CHECK_WITHIN = 360; // ms after which it is asked all the same: a slider may keep moving

export function mount(root, { props }) {
  on("form", () => { paint(root); check(); });
  on("checked", () => report(root));
  bind(root);
  bindGroups(root);
  bindSchedule(root);
  bindCut(root);
  bindOwnText(root.querySelector("#own-text"));
  begin(props.schema, props.presets);
}

// Controls ----------------------------------------------------------------------------------------------------------

// Binds every option's control under `root`; the prompt stands in another region and is bound there.
export function bind(root) {
  root.addEventListener("input", ({ target }) => {
    const path = target.closest("[data-path]")?.dataset.path, option = form.options[path];
    if (!option) return;
    if (target.type === "range") set({ [path]: toValue(option, Number(target.value)) });
    else if (target.type === "radio" || target.tagName === "SELECT") set({ [path]: target.value });
    else if (target.type === "checkbox") set({ [path]: target.checked });
    else if (target.tagName === "TEXTAREA") set({ [path]: target.value });
  });
  root.addEventListener("change", ({ target }) => {
    const path = target.closest("[data-path]")?.dataset.path, option = form.options[path];
    if (option?.kind === "number" && target.type === "text") set({ [path]: read(option, target.value) });
  });
  root.addEventListener("click", ({ target }) => {
    const button = target.closest(".reset");
    if (button) reset(button.closest("[data-path]").dataset.path);
  });
}

// What was typed, as a number; anything else goes to the server as it is, which says in words what would pass.
function read(option, typed) {
  const plain = typed.trim().replaceAll(",", "");
  if (option.zero && plain === option.zero) return 0;
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : typed;
}

export function paint(root) {
  const added = new Set(form.preset.changed);
  for (const row of root.querySelectorAll("[data-path]")) {
    const path = row.dataset.path, differs = path in form.changes;
    row.hidden = !hasEffect(path);
    row.classList.toggle("changed", differs);
    const reset = row.querySelector(".reset"), mark = row.querySelector(".mark");
    if (reset) { reset.hidden = !differs; reset.title = `Back to ${tell(path, base(path))}`; }
    if (mark) mark.hidden = !added.has(path);
    fill(row, path, form.options[path], value(path));
  }
  for (const group of root.querySelectorAll(".group")) paintGroup(group, added);
  const count = Object.keys(differences()).length, all = root.querySelector("#reset-all");
  if (all) { all.hidden = !count; all.textContent = `Reset ${count} changed`; }
}

const tell = (path, wanted) => (typeof wanted === "boolean" ? (wanted ? "on" : "off") : words(path, wanted));

function fill(row, path, option, wanted) {
  if (option.kind === "choice") {
    for (const radio of row.querySelectorAll("input")) radio.checked = radio.value === wanted;
    const select = row.querySelector("select"), says = row.querySelector(".says");
    if (select) select.value = wanted;
    if (says) says.textContent = (option.choices[wanted] || ["", ""])[1];
  } else if (option.kind === "switch") row.querySelector("input").checked = wanted === true;
  else if (option.kind === "number") {
    const typed = row.querySelector("input[type=text]"), zero = row.querySelector(".zero");
    const slider = row.querySelector(".slider");
    if (document.activeElement !== typed || typeof wanted === "number") typed.value = show(wanted);
    typed.toggleAttribute("aria-invalid", typeof wanted !== "number");
    if (zero) zero.hidden = wanted !== 0;
    if (slider) {
      const position = toPosition(option, wanted);
      if (document.activeElement !== slider) slider.value = position;
      slider.style.setProperty("--share", `${position / 10}%`);
      slider.setAttribute("aria-valuetext", words(path, wanted));
    }
  } else {
    const area = row.querySelector("textarea");
    if (area.value !== wanted) area.value = wanted;
  }
}

// Groups ------------------------------------------------------------------------------------------------------------

function bindGroups(root) {
  const open = new Set(recall(OPEN) || []);
  for (const details of root.querySelectorAll(".group details")) {
    const { group } = details.parentElement.dataset;
    details.open = open.has(group);
    details.addEventListener("toggle", () => {
      open[details.open ? "add" : "delete"](group);
      remember(OPEN, [...open]);
    });
  }
  root.addEventListener("change", ({ target }) => {
    if (target.dataset.switch) flip(target.dataset.switch, target.checked);
  });
  root.querySelector("#reset-all").addEventListener("click", () => load(form.preset.id));
  on("step", () => { // a ladder step was chosen: show what it changed, and only that
    const groups = new Set(form.preset.changed.map((path) => form.options[path].group));
    for (const details of root.querySelectorAll(".group details")) {
      details.open = [...groups][0] === details.parentElement.dataset.group;
    }
    const first = root.querySelector(".group details[open]"), panel = document.getElementById("right");
    // Into view in the panel alone: the page stays where it is.
    if (first) panel.scrollTop = first.offsetTop + first.parentElement.offsetTop - 60;
  });
}

const partOf = (label) => Object.values(form.parts).flat().find(([name]) => name === label);
const last = {}; // the value an option had before it was switched off

function flip(label, wanted) {
  const updates = {};
  for (const path of partOf(label)[2]) {
    if (!wanted) { last[path] = value(path); updates[path] = form.options[path].kind === "switch" ? false : "none"; }
    else updates[path] = [last[path], base(path), form.options[path].default].find((v) => v !== undefined && !isOff(v));
  }
  set(updates);
}

function paintGroup(group, added) {
  const name = group.dataset.group, parts = form.parts[name] || [];
  const paths = Object.keys(form.options).filter((path) => form.options[path].group === name);
  const acting = paths.filter((path) => hasEffect(path));
  group.hidden = !acting.length;
  const lines = parts.length ? parts : [[name, "", []]];
  lines.forEach(([label, colour, switched]) => {
    const own = parts.length ? paths.filter((p) => form.options[p].part === colour || switched.includes(p)) : paths;
    const here = parts.length === 1 ? paths : own, dead = switched.length && !switched.some((p) => hasEffect(p));
    const line = group.querySelector(`[data-values="${label}"]`);
    line.textContent = dead ? "has no effect here" : summary(own.filter((p) => acting.includes(p)), switched);
    line.closest(".line").classList.toggle("off", line.textContent === "off" || Boolean(dead));
    const dot = line.closest(".line").querySelector(".dot");
    dot.hidden = !here.some((p) => p in form.changes || added.has(p));
    dot.title = here.some((p) => p in form.changes) ? "changed" : "this step";
    const box = group.querySelector(`[data-switch="${label}"]`);
    if (box) { box.checked = switched.some((p) => hasEffect(p) && !isOff(value(p))); box.disabled = Boolean(dead); }
  });
}

// The first three options that say something, in words; "off" where all are off.
function summary(paths, switched) {
  if (switched.length && switched.every((path) => isOff(value(path)))) return "off";
  const on = paths.filter((path) => !isOff(value(path)) && form.options[path].kind !== "text" && !path.endsWith(".seed")
    && !(path === "model.architecture" && value(path) === "transformer"));
  const usual = (path) => value(path) === 1 || (value(path) === true && form.options[path].default);
  const telling = on.filter((path) => !usual(path));
  return [...new Set((telling.length ? telling : on).map((path) => words(path)))].slice(0, 3).join(" · ") || "off";
}

// The server's check --------------------------------------------------------------------------------------------------

let timer = null, asked = 0, changed = 0;

function check() {
  clearTimeout(timer);
  changed ||= performance.now();
  timer = setTimeout(async () => {
    changed = 0;
    const number = ++asked;
    const answer = await ask("check", { preset: form.preset.id, changes: form.changes });
    if (number !== asked) return; // a newer question is under way
    if (!answer) { timer = setTimeout(check, 2000); return; } // the server is away
    // While something does not fit, the drawing and the chart keep what was last known.
    const lasting = ["parts", "vocab_size", "references", "bits", "cut"];
    const kept = answer.problems.length && form.checked ? lasting : [];
    if (!answer.schedule && form.checked) kept.push("schedule");
    form.checked = { ...answer, ...Object.fromEntries(kept.map((key) => [key, form.checked[key]])) };
    emit("checked", form.checked);
  }, Math.max(0, Math.min(CHECK_AFTER, changed + CHECK_WITHIN - performance.now())));
}

function report(root) {
  const { problems, parameters, seconds } = form.checked, list = root.querySelector("#problems");
  list.replaceChildren(...problems.map((problem) => element("li", "", problem)));
  list.hidden = !problems.length;
  const said = [];
  if (parameters) said.push(`${show(parameters)} parameters`);
  if (seconds != null) said.push(`about ${duration(seconds)}`);
  const estimate = problems.length ? "Something does not fit yet" : said.join(" · ") || "…";
  root.querySelector("#estimate").textContent = estimate;
}

export function duration(seconds) {
  if (seconds < 1) return "a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
