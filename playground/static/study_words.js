// What a study found, in words.

import { form, show } from "./state.js";

export const minus = (words) => words.replace(/(^|[\s(,])-(?=[\w.])/g, "$1−"); // "-residual" as printers set it

export function signed(number, digits = 3) {
  if (number == null) return "";
  const rounded = Math.abs(number).toFixed(digits), none = Number(rounded) === 0;
  return `${none ? "±" : number < 0 ? "−" : "+"}${rounded}`;
}

export const isAway = (row) => Boolean(row.diverged) && row.mean == null; // in every seed

export const range = ({ low, high }) => (low == null ? "" : `${signed(low)} to ${signed(high)}`);

export function percent(share) {
  if (share == null) return "";
  const rounded = Math.round(100 * share);
  return rounded ? `${rounded < 0 ? "−" : "+"}${Math.abs(rounded)} %` : "same";
}

export function difference(count) {
  if (count == null) return "";
  return count ? `${count < 0 ? "−" : "+"}${show(Math.abs(count))}` : "same";
}

// What a row is called in a sentence: "Without residual", "With QK-norm", "RMSNorm instead".
function subject({ name, kind }) {
  const bare = name.replace(/^[-+]/, "");
  if (kind === "minus") return ["Without ", bare, ""];
  if (kind === "plus") return ["With ", bare, ""];
  return kind === "swap" ? ["", bare, " instead"] : ["", bare, ""];
}

// The study's main finding as [[words, row's part or null], ...]: what is said, and what of it is a row's name.
export function headline(study) {
  const ended = !study.going, known = study.rows.filter((row) => row.mean != null || row.diverged);
  if (!known.length) return [[study.going ? "The first runs are training." : "Nothing to compare: no two runs have ended."]];
  const clear = known.filter((row) => row.clear && row.mean != null).sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean));
  const diverged = known.filter(isAway);
  if (study.kind === "sweep") return best(study, known, ended);
  if (diverged.length && !clear.length) return [...named(diverged[0]), [" it diverged: the loss left all bounds."]];
  if (clear.length) return [...away(diverged), ...strongest(clear[0], ended)];
  const [top] = known.filter((row) => row.mean != null).sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean));
  if (study.seeds.length === 1) {
    return [...named(top), [` the loss is ${apart(top)}. With one seed nobody can tell that from chance.`]];
  }
  return [[ended ? `With ${study.seeds.length} seeds, nothing here can be told from chance.` : "Nothing can be told from chance yet."]];
}

// "0.410 higher (0.380 to 0.440)"
function apart({ mean, low, high }) {
  const bounds = low == null ? [] : [low, high].map((end) => Math.sign(mean) * end).sort((a, b) => a - b);
  const said = bounds.map((end) => (end < 0 ? "−" : "") + Math.abs(end).toFixed(3)).join(" to ");
  return `${Math.abs(mean).toFixed(3)} ${mean > 0 ? "higher" : "lower"}${said && ` (${said})`}`;
}

const named = (row) => subject(row).map((words, i) => [minus(words), i === 1 ? row : null]).filter(([words]) => words);

function strongest(row, ended) {
  const what = row.kind === "minus" ? "taking it away" : row.kind === "plus" ? "adding it" : "the swap";
  const verb = row.mean > 0 ? "hurts most" : "helps most", when = ended ? "" : " so far";
  return [...named(row), [` the loss is ${apart(row)}: ${what} ${verb}${when}.`]];
}

function away(diverged) {
  if (!diverged.length) return [];
  const names = diverged.map((row, i) => [[i ? ", " : ""], [minus(row.name), row]]).flat();
  return [...names, [" diverged. Of the others: "]];
}

function best(study, known, ended) {
  const rows = known.filter((row) => row.loss != null && !isAway(row));
  const lowest = rows.reduce((least, row) => (!least || row.loss < least.loss ? row : least), null);
  const when = ended ? "" : " so far";
  if (!lowest || (study.base.loss != null && study.base.loss <= lowest.loss)) {
    return [[`The base is the best${when}: `], [valueOf(study), { part: lowest?.part || "" }], [`, with a loss of ${study.base.loss?.toFixed(3)}.`]];
  }
  const sure = lowest.clear ? "" : study.seeds.length > 1 ? ", which may be chance" : ", which one seed cannot tell from chance";
  return [[`Best${when}: `], [minus(lowest.name), lowest], [`, a loss ${apart(lowest)} than with ${valueOf(study)}${sure}.`]];
}

// The value the base has of the number that is swept.
export function baseValue(study) {
  if (study.base.value != null) return study.base.value;
  const from = form.presets.find((preset) => preset.id === study.preset);
  return study.changes[study.path] ?? from?.values[study.path] ?? form.options[study.path]?.default;
}

export const valueOf = (study) => `${form.options[study.path]?.short || ""} ${show(baseValue(study))}`.trim();

// How many rows cannot be told from chance, once that can be said.
export function untold(study) {
  const known = study.rows.filter((row) => row.mean != null), same = known.filter((row) => !row.clear);
  if (study.seeds.length < 2 || !same.length || same.length === known.length) return "";
  return `${same.length} of ${known.length} cannot be told from ${study.kind === "sweep" ? "the base" : "chance"}.`;
}

const LONG = 44; // letters of a verdict that fill two lines

// A verdict beside its numbers, which need not be said again: [what it is, more of it].
export function verdict({ verdict: said = "", low, mean }, { going, seeds }) {
  if (going && mean != null && low == null && seeds.length > 1) return ["one seed so far", ""];
  const plain = said.replace(/^this value is /, "").replace(/^[+-][\d.]+, but /, "").replace(/:? [+-][\d.]+ \(-?[\d.]+ to -?[\d.]+\)/, "");
  const [first, ...more] = plain.split(/; |: /);
  return [minus(first), first.length > LONG ? "" : minus(more.join(": "))];
}

export function conditions(study) {
  const own = study.budget.replace(/^the same (number of )?/, "equal ");
  const seeds = study.seeds.length === 1 ? "1 seed" : `${study.seeds.length} seeds`;
  const bits = study.unit === "bits a character", batches = bits ? "same text, losses in bits a character" : "same batches";
  return [own, seeds, `${batches}, same starting weights where shapes match`].join(" · ");
}
