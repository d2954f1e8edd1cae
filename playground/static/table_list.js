// Which rows the table shows, in which order: the columns, the filter, the sorting, the groups. Pure functions.

import { title, withoutSteps } from "./session.js";

const lower = (text) => (text || "").toLocaleLowerCase();

// The automatic name, by what differs; preset and steps have columns of their own.
export function automatic(run) {
  const labels = withoutSteps(run.labels);
  return title({ labels, title: labels.length ? "" : run.title });
}

export function speedOf({ step, seconds, tokens_per_step: tokens }) {
  return seconds > 0 && tokens ? (step * tokens) / seconds : null;
}

export const bitsOf = ({ val, bits }) => (val == null || bits == null ? null : val * bits);

// Columns in their order: what they sort by, and whether the first click puts the highest first.
export const COLUMNS = [
  { key: "name", label: "Run", by: (run) => lower(run.name || automatic(run)) },
  { key: "preset", label: "Preset", by: (run) => run.preset },
  { key: "parameters", label: "Params", title: "Parameters", number: true, down: true, by: (run) => run.parameters },
  { key: "step", label: "Steps", number: true, down: true, by: (run) => run.step },
  { key: "best", label: "Best", title: "Lowest loss on held-out text, nats a token", number: true, by: (run) => run.best },
  { key: "val", label: "Last", title: "Last loss on held-out text, nats a token", number: true, by: (run) => run.val },
  { key: "bits", label: "Bits", title: "The last loss in bits a character: compares whatever the tokens are", number: true, by: bitsOf },
  { key: "exact", label: "Exact", title: "Questions answered exactly", number: true, down: true, by: (run) => run.exact },
  { key: "seconds", label: "Time", title: "Time trained", number: true, down: true, by: (run) => run.seconds },
  { key: "speed", label: "Tokens/s", number: true, down: true, by: speedOf },
  { key: "status", label: "Status", by: (run) => run.status },
  { key: "tags", label: "Tags", by: (run) => (run.tags?.length ? lower(run.tags.join(" ")) : null) },
  { key: "created", label: "When", down: true, by: (run) => run.created },
];

const texts = new WeakMap(); // what a row is searched in: rows are never changed, only replaced

function searched(run) {
  if (!texts.has(run)) {
    const words = [run.name, automatic(run), run.title, run.preset, run.status, ...(run.tags || [])];
    texts.set(run, { all: lower(words.join("\n")).replaceAll("−", "-"), tags: (run.tags || []).map(lower) });
  }
  return texts.get(run);
}

// Those that match every word; "tag:x" asks for a tag that begins so.
export function filtered(runs, filter) {
  const words = lower(filter).replaceAll("−", "-").split(/\s+/).filter(Boolean);
  if (!words.length) return runs;
  return runs.filter((run) => words.every((word) => {
    const { all, tags } = searched(run);
    return word.startsWith("tag:") ? tags.some((tag) => tag.startsWith(word.slice(4))) : all.includes(word);
  }));
}

export function sorted(runs, { key, down }) {
  const { by } = COLUMNS.find((column) => column.key === key), sign = down ? -1 : 1;
  const order = ([a], [b]) => (a == null || b == null ? (a == null) - (b == null) : sign * ((a > b) - (a < b)));
  return runs.map((run) => [by(run), run]).sort(order).map(([, run]) => run); // what is not known comes last
}

// Runs as items of the table, each study's in one group, where its first one stands: closed ones show only their line.
export function grouped(runs, isOpen) {
  const groups = new Map(), items = [];
  for (const run of runs) {
    if (!run.study) { items.push({ key: run.id, run }); continue; }
    if (!groups.has(run.study)) {
      groups.set(run.study, { key: `study ${run.study}`, study: run.study, runs: [] });
      items.push(groups.get(run.study));
    }
    groups.get(run.study).runs.push(run);
  }
  return items.flatMap((item) => (!item.runs ? [item]
    : [item, ...(isOpen(item.study) ? item.runs.map((run) => ({ key: run.id, run, inside: true })) : [])]));
}
