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

// The slider's 0..100 as steps to forget over: nothing, then from a ten-thousandth to a tenth of `total` steps.
export const spanOf = (position, total) => (position > 0 ? total * 10 ** (-4 + (3 * position) / 100) : 0);

// Horizontal values of a run's points: steps, tokens or seconds.
export function across(unit, { steps, seconds, perStep }) {
  if (unit === "tokens") return steps.map((step) => step * perStep);
  return unit === "seconds" ? seconds : steps;
}

// From nothing to the end of the run; its end in seconds is what its pace so far says.
export function rangeX(unit, total, perStep, run) {
  if (unit === "tokens") return [0, total * perStep];
  if (unit === "steps") return [0, total];
  return [0, run?.after ? Math.max(0.1, (run.last / run.after) * Math.max(total, run.after)) : 10];
}

// From a little under the lowest curve to a little over guessing; a curve that starts far above is cut off.
export function rangeY(values, references) {
  const lines = references.map(([, loss]) => loss), guessing = Math.max(...lines, 0);
  const known = values.filter((loss) => loss != null);
  const low = Math.min(...known, ...lines), most = guessing ? 1.5 * guessing : Infinity;
  const high = Math.max(guessing, Math.min(Math.max(...known, 0), most));
  if (!Number.isFinite(low)) return [1, 4.5];
  return [Math.max(0, Math.floor((low - 0.12) * 5) / 5), Math.ceil((high + 0.08) * 10) / 10];
}

export const onAxis = (log, number) => (log ? Math.log10(Math.max(number, 1e-9)) : number);

export function rangeOn(log, [low, high], floor) {
  return log ? [Math.log10(Math.max(low, floor)), Math.log10(Math.max(high, floor * 10))] : [low, high];
}
