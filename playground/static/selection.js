// Which runs are compared, which of them are drawn, and how each looks: remembered in this browser.

import { session } from "./session.js";
import { emit, on, recall, remember } from "./state.js";

const KEY = "gpt-playground-compared", LOOKS = "gpt-playground-looks";
const KEPT = 400; // runs whose looks are remembered
const NEUTRALS = [1, 2, 3, 4, 5, 6].map((n) => `--r-${n}`); // of compare.css: of no component
const DASHES = ["solid", "8px,4px", "2px,3px", "10px,4px,2px,4px", "15px,4px", "5px,2px,2px,2px,2px,2px"];

const MOST = 24; // of more curves none could be followed
export const FULL = `${MOST} runs are compared at most: untick some first.`;

const known = recall(KEY) || {};
const strings = (list) => (Array.isArray(list) ? list.filter((id) => typeof id === "string") : []);
const ids = new Set(strings(known.ids).slice(0, MOST)), hidden = new Set(strings(known.hidden).slice(0, 2 * MOST));
const looks = new Map(); // id -> [colour, place of its dashes]: given once, while it is compared it never changes
let only = null; // the run that is drawn alone

for (const [id, colour, dash] of Array.isArray(recall(LOOKS)) ? recall(LOOKS) : []) {
  if (/^--[cr]-\w+$/.test(colour) && DASHES[dash]) looks.set(id, [colour, dash]);
}

export const compared = () => [...ids];
export const isCompared = (id) => ids.has(id);
export const isHidden = (id) => hidden.has(id);
export const isAlone = (id) => only === id;
export const isDrawn = (id) => (only ? only === id : !hidden.has(id));

// Ticks runs, or no longer; "selection" tells whether there was room for all.
export function compare(runs, wanted = true) {
  let full = false;
  for (const run of runs) {
    if (!wanted) { ids.delete(run.id); hidden.delete(run.id); if (only === run.id) only = null; }
    else if (ids.has(run.id)) continue;
    else if (ids.size >= MOST) { full = true; break; }
    else { ids.add(run.id); settle(run); }
  }
  tell(full);
}

export function clear() {
  ids.clear();
  hidden.clear();
  only = null;
  tell();
}

export function hide(id, wanted = !hidden.has(id)) {
  hidden[wanted ? "add" : "delete"](id);
  if (only === id) only = null;
  tell();
}

// Draws one run alone; once more, and all are back.
export function isolate(id) {
  only = only === id ? null : id;
  tell();
}

function tell(full = false) {
  remember(KEY, { ids: [...ids], hidden: [...hidden] });
  emit("selection", { ids: [...ids], full });
}

on("runs", ({ runs }) => { // deleted ones are no longer compared
  const there = new Set(runs.map((run) => run.id)), gone = [...ids, ...hidden].filter((id) => !there.has(id));
  if (only && !there.has(only)) only = null;
  if (!gone.length) return;
  for (const id of gone) { ids.delete(id); hidden.delete(id); }
  tell();
});

on("attached", (run) => { // who wants to see a run does not want it hidden
  if (!run || isDrawn(run.id)) return;
  hidden.delete(run.id);
  only = null;
  tell();
});

// Looks -------------------------------------------------------------------------------------------------------------

// A run's colour, as the name of a variable of the page, and its dashes as Plotly and SVG write them. The shown one is
// drawn in front, in the page's accent.
export function look(run) {
  if (session.shown?.id === run.id) return { colour: "--acc", dash: "solid" };
  if (!looks.has(run.id)) settle(run);
  const [colour, dash] = looks.get(run.id);
  return { colour, dash: DASHES[dash] };
}

// Keeps the look a run had, unless another on the chart has the same by now.
function settle(run) {
  const others = [...ids].filter((id) => id !== run.id && looks.has(id)).map((id) => looks.get(id));
  const had = looks.get(run.id);
  if (!had || others.some(([colour, dash]) => colour === had[0] && dash === had[1])) {
    looks.delete(run.id);
    looks.set(run.id, choose(run.colour ? [`--c-${run.colour}`] : NEUTRALS, others));
  }
  remember(LOOKS, [...looks].slice(-KEPT).map(([id, pair]) => [id, ...pair]));
}

// The pair that sets it off best: of no other on the chart; then of few; then rarely given before.
function choose(colours, others) {
  const all = [...looks.values()], count = (pairs, test) => pairs.filter(test).length;
  const cost = ([colour, dash]) => 1e6 * count(others, (o) => o[0] === colour && o[1] === dash)
    + 1e3 * count(others, (o) => o[0] === colour) + 1e3 * count(others, (o) => o[1] === dash)
    + count(all, (o) => o[0] === colour && o[1] === dash)
    + (colour === "--c-attn" && !dash ? 500 : 0) // as the shown run's, almost
    + (6 * ((dash - colours.indexOf(colour) + 6) % 6) + colours.indexOf(colour)) / 100; // both change from one to the next
  const pairs = colours.flatMap((colour) => DASHES.map((_, dash) => [colour, dash]));
  return pairs.reduce((best, pair) => (cost(pair) < cost(best) ? pair : best));
}
