// What a shared result says of its runs: settings, outcomes, what to keep in mind, and what they wrote.

import { swatch } from "./overlay.js";
import { lineOf, tokensOf } from "./result_lines.js";
import { NOTHING, option, outcome, whole } from "./side_by_side.js";
import { element, form, hasEffect, show, value } from "./state.js";
import { minus, signed } from "./study_words.js";

const LETTERS = 60; // of an option's text
const LOSSES = [["best", "Best held-out loss"], ["last", "Last held-out loss"], ["final", "Over the whole split"],
  ["bits", "Bits a character"]];

// `load(run)` is called where several runs each have a button for their settings.
export function table(runs, load) {
  const made = element("table", "side-by-side"), head = element("tr"), top = element("thead"), body = element("tbody");
  const rows = differing(runs), several = runs.length > 1, { preset } = runs[0], corner = element("td", "corner");
  const from = several ? "in what they differ" : `in what it differs from ${preset?.title}`;
  const none = several ? "Their settings are the same." : `The settings are those of ${preset?.title}.`;
  const known = runs.every((run) => run.preset);
  const section = (words) => whole(words, runs.length);
  made.style.setProperty("--columns", runs.length);
  corner.append(element("span", "", rows.length ? from : ""));
  head.append(corner, ...runs.map((run, i) => heading(run, i, load)));
  if (several) top.append(head);
  else if (rows.length) body.append(section(from));
  body.append(...rows.map(option), ...(known && !rows.length ? [section(none)] : []));
  body.append(section(several ? "how they did" : "how it did"), ...LOSSES.map(([key, label]) => losses(runs, key, label)));
  for (const [label, say] of FACTS) body.append(outcome(label, runs.map((run) => element("td", "", say(run)))));
  made.append(top, body);
  return made;
}

const FACTS = [
  ["Steps", ({ step, status }) => `${show(step)}${status === "finished" ? "" : `, ${status}`}`],
  ["Parameters", ({ parameters }) => show(parameters)],
  ["Seed", ({ preset, values }) => (preset ? String(values("train.seed")) : NOTHING)],
  ["Text", (run) => `${textName(run)} (${run.text.print || "unknown"})`],
];

function heading(run, place, load) {
  const cell = element("th"), acts = element("span", "run-acts"), button = element("button", "", "Load its settings");
  cell.scope = "col";
  cell.append(swatch(lineOf(run, place)), element("span", "run-name", minus(run.name)));
  if (!run.preset) return cell;
  button.type = "button";
  button.setAttribute("aria-label", `Load the settings of ${run.name}`);
  button.addEventListener("click", () => load(run));
  acts.append(button);
  cell.append(acts);
  return cell;
}

const read = { best: ({ best }) => best?.[1], last: ({ evals }) => evals.at(-1)?.[1], final: ({ final }) => final,
  bits: (run) => (run.text.bits === null ? null : (run.final ?? read.last(run)) * run.text.bits || null) };

function losses(runs, key, label) {
  const known = runs.map((run) => read[key](run) ?? null), fair = runs.length > 1 && (key === "bits" ? sameText : alike)(runs);
  const lowest = fair ? Math.min(...known.filter((loss) => loss !== null)) : null;
  return outcome(label, runs.map((run, i) => {
    const loss = known[i], cell = element("td", loss !== null && loss === lowest ? "best" : "");
    cell.append(element("b", "", loss === null ? NOTHING : loss.toFixed(3)));
    if (i && fair && loss !== null && known[0] !== null) cell.append(element("small", "", signed(loss - known[0])));
    if (key === "best" && run.best) cell.append(element("small", "step", `step ${show(run.best[0])}`));
    return cell;
  }));
}

// Settings --------------------------------------------------------------------------------------------------------------

// Options in which runs differ from the first, or one from its preset; where a preset is not here, they are not known.
function differing(runs) {
  const [first] = runs, base = runs.length > 1 ? first.values : (path) => first.preset.values[path] ?? form.options[path].default;
  if (runs.some(({ preset }) => !preset)) return [];
  const seen = (path, of) => (hasEffect(path, of) ? of(path) : null);
  return Object.entries(form.options).map(([path, { label, term, part }]) => {
    const values = path === "data.text" ? [] : runs.map((run) => seen(path, run.values)); // which does not travel
    const changed = values.map((here) => here !== seen(path, base));
    return { label, term, part, changed, values: values.map((here) => inWords(path, here)) };
  }).filter(({ changed }) => changed.some(Boolean));
}

function inWords(path, here) {
  const { kind, choices, zero } = form.options[path];
  if (here === null) return "-";
  if (kind === "choice") return choices[here][0];
  if (kind === "switch") return here ? "on" : "off";
  if (kind === "text") return `“${here.slice(0, LETTERS)}${here.length > LETTERS ? "…" : ""}”`;
  return here === 0 && zero ? zero : show(here);
}

// Words -----------------------------------------------------------------------------------------------------------------

const nameOf = (dataset) => form.options["data.dataset"].choices[dataset][0];
const textName = ({ own, values }) => (own ? "its author’s own" : nameOf(values("data.dataset")));
const heldOut = ({ text, values }) => `${text.print}/${values("data.val_fraction")}`;
const sameText = (runs) => runs.every((run) => heldOut(run) === heldOut(runs[0]));
const alike = (runs) => sameText(runs) && runs.every(({ values }) => tokensOf(values) === tokensOf(runs[0].values));
const formHas = ({ text: { print } }) => value("data.dataset") === "own" && print !== "" && value("data.text").startsWith(print);

export function cautions(runs) {
  const said = [], away = runs.some((run) => run.own && !formHas(run));
  const unfinished = runs.filter(({ status }) => status !== "finished");
  if (!sameText(runs)) said.push("Different texts: their losses cannot be compared.");
  else if (!alike(runs)) said.push("Different tokens: nats a token are not the same unit, so compare bits a character.");
  if (unfinished.length) {
    const told = unfinished.map(({ name, status, step }) => `${name}: ${status} at step ${show(step)}`);
    said.push(`Not finished (${told.join("; ")}).`);
  }
  for (const { name, marks } of runs) {
    const told = marks.map(([step, words]) => `${words} at step ${show(step)}`).join("; ");
    if (told) said.push(`${name} was changed on its way (${told}): the settings are those it ended with.`);
  }
  if (away) {
    said.push("Trained on a text of its author’s own, which does not travel with a link: its settings are loaded with the text "
      + `that your form has, ${nameOf(value("data.dataset"))}.`);
  }
  return said;
}

export function wrote({ name, sample, ...run }, place, several) {
  const box = element("article"), head = element("header"), pre = element("pre");
  if (several) head.append(swatch(lineOf({ ...run, name }, place)), element("b", "", minus(name)));
  head.append(element("small", "", sample ? `after step ${show(sample.step)}` : ""));
  pre.append(...(sample ? [element("span", "given", sample.prompt), sample.text] : [element("span", "faint", "no sample")]));
  box.append(head, pre);
  return box;
}
