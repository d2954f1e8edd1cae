// A result link's text, as gpt/link.py writes it, to the runs it shows. Anybody can write such a link: it is read within
// bounds, nothing in it is believed before it was looked at, and whoever opens a broken one is told the way out.

import { short, valueIn } from "./link_text.js";
import { form } from "./state.js";

const VERSION = "1";
const LONGEST = 16000; // characters; the longest that is written has half as many
const MOST_BYTES = 65536; // unpacked
const RUNS = 4, POINTS = 200, MARKS = 40, CHANGES = 200; // at most
const NAME = 80, WORDS = 120, TEXT = 600, ID = 60; // letters
const STEPS = 1e9, LARGEST = 1e4; // a loss in nats
const STATUSES = ["queued", "running", "paused", "finished", "stopped", "failed", "diverged", "interrupted"];

const ASK = "Ask whoever sent it for the link once more.";
const CUT = `This link is not whole: a part of it was lost on its way. ${ASK}`;
const ODD = `This link does not hold a result as this page writes them. ${ASK}`;
const NEWER = (version) => `This result link is of version ${version}, and this page reads version ${VERSION}: open it on `
  + "the page it came from, or on a newer one.";
const OLD = "This browser cannot unpack result links: open it in a current Firefox, Chrome, Edge or Safari.";

class Broken extends Error {}
const refuse = (why = ODD) => { throw new Broken(why); };

// {runs, wrong} with sentences on what was left out, or {broken: why}. A run is as `runOf` makes it.
export async function readResult(text) {
  try {
    const told = parsed(await unpacked(text)), wrong = new Set();
    const runs = list(told.runs, RUNS).map((run, i) => runOf(object(run), i, wrong));
    if (!runs.length) refuse();
    return { runs, wrong: [...wrong] };
  } catch (error) {
    if (error instanceof Broken) return { broken: error.message };
    throw error;
  }
}

// Bytes ---------------------------------------------------------------------------------------------------------------

async function unpacked(text) {
  if (text.length > LONGEST) refuse(`This link is longer than any this page makes. ${ASK}`);
  const [, version, code] = text.match(/^(\d{1,6})\.([\w-]+)$/) || refuse(CUT);
  if (version !== VERSION) refuse(NEWER(version));
  return inflated(bytesOf(code), unpacker());
}

function unpacker() {
  try { return new DecompressionStream("deflate-raw"); } catch { return refuse(OLD); } // it has none, or not of this kind
}

function bytesOf(code) {
  try {
    return Uint8Array.from(atob(code.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch { return refuse(CUT); } // no whole number of bytes
}

// As little as may unpack to a great deal: it is read piece by piece, and no further than what a result can have.
async function inflated(bytes, unpacking) {
  const reader = new Blob([bytes]).stream().pipeThrough(unpacking).getReader(), pieces = [];
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > MOST_BYTES) break;
      pieces.push(part.value);
    }
  } catch { refuse(CUT); }
  if (size > MOST_BYTES) {
    reader.cancel().catch(() => {}); // it is told below
    refuse(`This link unpacks to more than a result can have, so it was not read to its end. ${ASK}`);
  }
  return new Blob(pieces).arrayBuffer();
}

function parsed(buffer) {
  try {
    return object(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(buffer)));
  } catch (error) { return refuse(error instanceof Broken ? error.message : CUT); }
}

// Fields --------------------------------------------------------------------------------------------------------------

const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : refuse());
const list = (value, most) => (Array.isArray(value) && value.length <= most ? value : refuse());
const number = (value, low, high) => (Number.isFinite(value) && value >= low && value <= high ? value : refuse());
const whole = (value, low, high) => (Number.isInteger(value) ? number(value, low, high) : refuse());
const words = (value, most) => (typeof value === "string" ? value.slice(0, most) : refuse());
const line = (value, most) => words(value, most).replace(/\s+/g, " ").trim();
const perhaps = (value, read) => (value == null ? null : read(value));
const loss = (value) => number(value, 0, LARGEST);

// {id, name, preset, changes, status, step, parameters, text, steps, losses, evals, best, final, marks, sample, values, own}:
// `preset` is one of the form's or null, `values(path)` what the run had of an option, `evals` [[step, loss], ...].
function runOf(told, place, wrong) {
  const preset = presetOf(words(told.preset, ID), wrong), changes = preset ? changesOf(object(told.changes), wrong) : {};
  const values = (path) => changes[path] ?? preset?.values[path] ?? form.options[path].default;
  const { every, loss: losses } = object(told.curve), checks = object(told.checks), step = whole(told.step, 0, STEPS);
  const curve = added(losses).map(thousandth), stride = whole(every, 1, STEPS / Math.max(1, curve.length));
  const status = line(told.status, ID), name = line(told.name, NAME) || preset?.title || `run ${place + 1}`;
  return {
    id: `result-${place}`, name, preset, changes, values, step, own: values("data.dataset") === "own",
    status: STATUSES.includes(status) ? status : "unknown",
    parameters: whole(told.parameters, 0, 1e12), text: textOf(object(told.text)),
    steps: curve.map((_, i) => (i + 1) * stride), losses: curve, evals: evalsOf(checks),
    best: perhaps(told.best, (pair) => at(pair, loss)), final: perhaps(told.final, loss),
    marks: list(told.marks, MARKS).map((pair) => at(pair, (said) => line(said, WORDS))),
    sample: perhaps(told.sample, sampleOf),
  };
}

const at = (pair, read) => [whole(list(pair, 2)[0], 0, STEPS), read(pair[1])];

function sampleOf(told) {
  const { step, prompt, text } = object(told);
  return { step: whole(step, 0, STEPS), prompt: words(prompt, TEXT), text: words(text, TEXT) };
}

// Differences, each added to the last known value; null stays.
function added(values) {
  let sum = 0;
  return list(values, POINTS).map((value) => (value === null ? null : (sum += whole(value, -1e9, 1e9))));
}

const thousandth = (value) => (value === null ? null : loss(value / 1000));

function evalsOf({ step, loss: losses }) {
  const steps = added(step), values = added(losses).map(thousandth);
  if (steps.length !== values.length || steps.some((here, i) => i && here < steps[i - 1])) refuse();
  return steps.map((here, i) => [whole(here, 0, STEPS), values[i]]);
}

const textOf = ({ print, vocab, unigram, bigram, bits }) => ({ print: /^[0-9a-f]{0,64}$/.test(print) ? print : refuse(),
  vocab: whole(vocab, 1, 1e7), unigram: perhaps(unigram, loss), bigram: perhaps(bigram, loss),
  bits: perhaps(bits, (known) => number(known, 0, 100)) });

function presetOf(id, wrong) {
  const found = form.presets.find((preset) => preset.id === id);
  if (!found) wrong.add(`There is no step or model called ${short(id)} here, so its settings cannot be shown or loaded.`);
  return found || null;
}

// As a link of settings is read: what this page does not have is named and left out.
function changesOf(told, wrong) {
  const entries = Object.entries(told), known = entries.filter(([path]) => Object.hasOwn(form.options, path)), changes = {};
  if (entries.length > CHANGES) refuse();
  for (const [path] of entries) if (!Object.hasOwn(form.options, path)) wrong.add(`There is no option ${short(path)} here.`);
  for (const [path, value] of known) {
    const option = form.options[path], written = writtenOf(value);
    const [read, why] = valueIn(option, written);
    if (why) wrong.add(`${option.label} cannot be ${short(written)}: ${why}.`);
    else changes[path] = read;
  }
  return changes;
}

function writtenOf(value) {
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "string" || typeof value === "number" ? String(value) : refuse();
}
