// The shown run: asks the server for what is new and tells the regions. The run itself belongs to the server.

import { ask } from "./ask.js";
import { emit, load, recall, remember } from "./state.js";

const SHOWN = "gpt-playground-shown";
const HIDDEN_MS = 15000, AWAY_MS = 10000, RESTING_MS = 4000, QUEUED_MS = 1000;
const LIST_MS = 2400, LIST_RESTING_MS = 30000; // between two looks at all runs
const TOLD = ["status", "message", "place", "step", "total", "extend", "stride", "seq", "words", "sharing",
  "more"];
export const GOING = ["queued", "running"];

// `shown` is null or what is known of the run: cursors, and its curve as parallel arrays.
// `runs` are all of the visitor's, newest first, once they are `listed`.
export const session = { visitor: null, shown: null, runs: [], listed: false, away: false };

let every = 400, timer = null, busy = false, fails = 0;

export function start(everyMs) {
  every = everyMs;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { tick(); refreshRuns(); } });
}

// A visitor has come: shows the run looked at last, or the newest one.
export async function enter({ visitor, run }) {
  session.visitor = visitor;
  await refreshRuns();
  const remembered = recall(SHOWN);
  attach(session.runs.some((known) => known.id === remembered) ? remembered : run);
}

export function attach(id) {
  remember(SHOWN, id || null);
  session.shown = id ? { id, head: null, status: "", step: 0, total: 0, after: 0, seq: 0, measured: 0, stride: 0, last: 0,
    steps: [], loss: [], seconds: [], evals: [], samples: [], answers: [], marks: [], speeds: [] } : null;
  emit("attached", session.shown);
  tick();
}

// Shows an earlier run: its curve in front, and its options in the form.
export async function show(id) {
  attach(id);
  const value = await ask("settings", { visitor: session.visitor, run: id });
  if (value?.preset && session.shown?.id === id) load(value.preset, value.changes);
}

async function tick() {
  clearTimeout(timer);
  const run = session.shown;
  if (!run || busy) return;
  busy = true;
  let pause = AWAY_MS;
  try {
    const answer = await ask("poll", {
      visitor: session.visitor, run: run.id, after: run.after, seq: run.seq, stride: run.stride, seconds: run.last,
      head: run.head ? 0 : 1,
    });
    fails = answer ? 0 : fails + 1;
    if (!answer) since = 0;
    session.away = fails > 1;
    if (session.shown === run) pause = answer ? take(run, answer) : Math.min(every * 2 ** fails, AWAY_MS);
    else pause = 0;
    if (!answer) emit("status", run);
  } finally { busy = false; }
  timer = setTimeout(tick, document.hidden ? Math.max(pause, HIDDEN_MS) : pause);
}

// Adds an answer to the run; returns how long to wait for the next.
function take(run, answer) {
  if (answer.status === "gone") { attach(null); return AWAY_MS; }
  if (answer.again) { attach(run.id); return 0; }
  if (answer.from !== run.after) return every;
  const before = run.status, fresh = { from: run.steps.length };
  for (const key of ["evals", "samples", "answers", "marks"]) {
    fresh[key] = run[key].length;
    run[key].push(...(answer[key] || []));
  }
  answer.loss.forEach((loss, i) => {
    run.last += answer.ms[i] / 1000;
    run.after += answer.stride;
    run.steps.push(run.after); run.loss.push(loss); run.seconds.push(run.last);
  });
  for (const key of TOLD) run[key] = answer[key];
  if (answer.measured) run.measured = answer.measured;
  if (answer.head) run.head = answer.head;
  run.speeds = [...run.speeds.filter(([at]) => performance.now() - at < 8000), [performance.now(), run.step]];
  emit("points", { run, fresh });
  if (answer.head) emit("head", run); // after the points: it draws everything anew
  emit("status", run);
  if (before && before !== run.status) run.speeds = [];
  if (known(run.id)?.status !== run.status) refreshRuns();
  if (answer.more) return 0;
  if (GOING.includes(run.status) && !run.steps.length && !run.place) return every / 4; // its first point is near
  if (before !== run.status) return every; // its last points may come after its last word
  return run.status === "running" ? every : run.status === "queued" ? QUEUED_MS : RESTING_MS;
}

// Steps a second of the wall clock over the last seconds, or null: what is left depends on the sharing, too.
export function speed(run) {
  if (run.speeds.length < 2) return null;
  const [since, from] = run.speeds[0], [now, to] = run.speeds.at(-1);
  return now - since > 700 && to > from ? (1000 * (to - from)) / (now - since) : null;
}

// Words for a loss, from the run's own table.
export function verdict(run, loss) {
  const lines = run.head?.verdicts.filter(([limit], i) => loss <= limit || !i) || [];
  return loss == null ? "" : lines.at(-1)?.[1] || "";
}

// All runs ----------------------------------------------------------------------------------------------------------

const rows = new Map(); // by id
let since = 0, listing = Promise.resolve(), next = null, relist = null, done = [];

export const known = (id) => rows.get(id);

// Asks for what has changed. One question at a time: what is wanted meanwhile comes with the next.
export function refreshRuns() {
  next ||= listing.then(() => { next = null; listing = list(); return listing; });
  return next;
}

async function list() {
  clearTimeout(relist);
  if (!session.visitor) return;
  const answer = await ask("runs", { visitor: session.visitor, since });
  if (answer) {
    if (!since) rows.clear();
    if (!since || answer.runs.length) put(answer.runs, answer.done);
    since = answer.touched || 0;
  } else since = 0; // a server that comes back may know other things
  const going = session.runs.some((run) => GOING.includes(run.status));
  const pause = document.hidden ? HIDDEN_MS : going ? Math.max(LIST_MS, 6 * every) : LIST_RESTING_MS;
  relist = setTimeout(refreshRuns, answer ? pause : AWAY_MS);
}

function put(fresh, finished = done) {
  for (const row of fresh) {
    if (row.deleted) rows.delete(row.id);
    else rows.set(row.id, row);
  }
  done = finished;
  session.listed = true;
  session.runs = [...rows.values()].sort((a, b) => b.created - a.created);
  emit("runs", { runs: session.runs, done, fresh });
}

// What an action does to runs, shown before the server has said so: {name}, {tags} or {deleted: true}.
export function foresee(ids, about) {
  put(ids.map((id) => rows.get(id)).filter(Boolean).map((row) => ({ ...row, ...about })));
}

export const minus = (words) => words.replace(/(^|\s)-(?=[\w.])/g, "$1−"); // as printers set it: −residual

// Labels of differences without the number of steps, where that is told beside them or seen.
export const withoutSteps = (labels) => (labels || []).filter((label) => !label.startsWith("steps "));

// How a run is called: by its own name, or by its preset and its differences. Beside another run what both share goes
// without saying.
export function title(run, beside = null) {
  if (run.name) return run.name;
  const shared = beside?.labels || [], labels = (run.labels || []).filter((label) => !shared.includes(label));
  const same = beside && beside.preset === run.preset && labels.length;
  return minus([same ? "" : run.title, ...labels].filter(Boolean).join(" "));
}
