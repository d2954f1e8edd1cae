// Numbers of the chart: a causal average, the units of the horizontal axis, and the ranges shown before any zoom.

// The same as plots.smooth, kept going point by point: what is drawn is never changed by what comes later.
export class Average {
  constructor(span) { this.span = span; this.weight = 0; this.total = 0; this.last = null; }

  add(step, loss) {
    if (loss == null) return null;
    const keep = this.span <= 0 || this.last === null ? 0 : Math.exp(-(step - this.last) / this.span);
    this.weight = keep * this.weight + 1;
    this.total = keep * this.total + loss;
    this.last = step;
    return this.total / this.weight;
  }
}

export function smoothed(steps, losses, span) {
  const average = new Average(span);
  return steps.map((step, i) => average.add(step, losses[i]));
}

// The slider's 0..100 as steps to forget over: nothing, then from a ten-thousandth to a tenth of `total` steps.
export const spanOf = (position, total) => (position > 0 ? total * 10 ** (-4 + (3 * position) / 100) : 0);

// Of each unit: what a step stands for, of a run or a row of the list; seconds are known of each point.
const COUNTED = { tokens: "tokens_per_step", flops: "flops" };
export const perStep = (unit, run) => (unit in COUNTED ? run?.[COUNTED[unit]] || null : 1);

// Horizontal values of a run's points: steps, tokens, operations or seconds. Null where `perStep` is not known.
export function across(unit, { steps, seconds, perStep }) {
  if (unit in COUNTED) return steps.map((step) => (perStep == null ? null : step * perStep));
  return unit === "seconds" ? seconds : steps;
}

// From nothing to the end of the run; its end in seconds is what its pace so far says.
export function rangeX(unit, total, perStep, run) {
  if (unit in COUNTED) return [0, total * perStep];
  if (unit === "steps") return [0, total];
  return [0, run?.after ? Math.max(0.1, (run.last / run.after) * Math.max(total, run.after)) : 10];
}

// From a little under the lowest curve to a little over guessing; a curve that starts far above is cut off, unless it may
// be one for which guessing is worse.
export function rangeY(values, references, mixed) {
  const lines = references.map(([, loss]) => loss), guessing = Math.max(...lines, 0);
  const known = values.filter((loss) => loss != null);
  const low = Math.min(...known, ...lines), most = guessing && !mixed ? 1.5 * guessing : Infinity;
  const high = Math.max(guessing, Math.min(Math.max(...known, 0), most));
  if (!Number.isFinite(low)) return [1, 4.5];
  return [Math.max(0, Math.floor((low - 0.12) * 5) / 5), Math.ceil((high + 0.08) * 10) / 10];
}

export const onAxis = (log, number) => (log ? Math.log10(Math.max(number, 1e-9)) : number);

export function rangeOn(log, [low, high], floor) {
  return log ? [Math.log10(Math.max(low, floor)), Math.log10(Math.max(high, floor * 10))] : [low, high];
}

// The value of a curve at `x`, on the straight line between its points; null before its first, and after its last.
export function readAt(xs, ys, x) {
  let low = 0, high = xs.length - 1;
  if (high < 0 || x == null || x < xs[0] || x > xs[high]) return null;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle; else high = middle;
  }
  const [left, right] = [ys[low], ys[high]], wide = xs[high] - xs[low];
  if (left == null || right == null || !wide) return x >= xs[high] ? right : left;
  return left + ((right - left) * (x - xs[low])) / wide;
}

const SUFFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

// A number in three digits and a suffix: 1.23M, 45.6G.
function si(number) {
  const [unit, suffix] = SUFFIXES.find(([unit]) => number >= unit) || [1, ""];
  return `${+(number / unit).toPrecision(3)}${suffix}`;
}

// A place on the horizontal axis, in words.
export function placeInWords(unit, x) {
  if (unit === "tokens") return `${si(x)} tokens`;
  if (unit === "flops") return `${si(x)}FLOP`.replace(/(\d)([A-Zk]?FLOP)$/, "$1 $2");
  return unit === "seconds" ? `${x.toFixed(x < 10 ? 2 : 1)} s` : `step ${Math.round(x).toLocaleString("en-US")}`;
}

// A figure with each "var(--name)" in it replaced by `colour("--name")`.
export function paint(figure, colour) {
  return JSON.parse(JSON.stringify(figure), (_, said) =>
    (typeof said === "string" && said.startsWith("var(") ? colour(said.slice(4, -1)) : said));
}
