// The runs beside the shown one: which are drawn, and their curves, asked for again as they grow.

import { ask } from "./ask.js";
import { known, session, title } from "./session.js";
import { compared, isDrawn, look } from "./selection.js";
import { smoothed, spanOf } from "./curves.js";

const AT_ONCE = 6; // requests under way
const GROWN = 6; // curves asked for again in one look at all runs
const KEPT = 80;
const SMOOTHING = 70; // of earlier runs, whatever the slider says

export class Others {
  constructor(most, changed, inBits) {
    this.most = most; // earlier runs drawn where none are ticked
    this.inBits = inBits; // whether losses of other tokens compare
    this.changed = changed;
    this.curves = new Map(); // by id, each as it was at its `step`
    this.busy = this.again = false;
  }

  // Rows of the runs to draw, in their order.
  chosen() {
    const shown = session.shown?.id, ticked = compared();
    const all = ticked.length ? ticked.map(known).filter((run) => run?.step > 0) : this.earlier();
    return all.filter((run) => run.id !== shown && isDrawn(run.id));
  }

  // The newest over the same text in the same tokens, one of each name; in bits a character, in any. A study's runs have a chart of their own.
  earlier() {
    const { shown } = session, here = shown && known(shown.id), same = this.inBits() ? "held_out" : "text", text = shown?.head?.[same] || here?.[same], names = new Set();
    const fair = session.runs.filter((run) => run.id !== shown?.id && run.step > 1 && (!text || run[same] === text)
      && (!run.study || run.study === here?.study));
    return fair.filter((run) => !names.has(title(run)) && names.add(title(run))).slice(0, this.most);
  }

  // Their curves, as far as they have come.
  lines(smoothing) {
    const ticked = compared().length > 0;
    return this.chosen().filter((run) => this.curves.has(run.id)).map((run, i) => {
      const curve = this.curves.get(run.id), { steps, loss } = curve;
      const smooth = smoothed(steps, loss, spanOf(ticked ? smoothing : SMOOTHING, run.total || run.step));
      const style = ticked ? look(run) : { colour: run.colour ? `--c-${run.colour}` : "" };
      return { ...curve, run, smooth, place: i, ticked, ...style };
    });
  }

  // Gets what is missing, and of what has grown the part that has waited longest.
  async fetch() {
    this.again = true;
    if (this.busy) return;
    this.busy = true;
    while (this.again) {
      this.again = false;
      const chosen = this.chosen(), missing = chosen.filter((run) => !this.curves.has(run.id));
      const grown = chosen.filter((run) => this.curves.has(run.id) && this.curves.get(run.id).step !== run.step)
        .sort((a, b) => this.curves.get(a.id).asked - this.curves.get(b.id).asked);
      const wanted = [...missing, ...grown.slice(0, GROWN)];
      if (!wanted.length) continue;
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (wanted.length) await this.load(wanted.shift());
      }));
      this.changed();
    }
    this.busy = false;
    this.forget();
  }

  async load({ id, step }) {
    const curve = await ask("curve", { visitor: session.visitor, run: id });
    if (!curve) return;
    const { steps = [], loss = [], seconds = [], evals = [], marks = [] } = curve;
    this.curves.delete(id); // to the end, as the newest
    this.curves.set(id, { steps, loss, seconds, evals, marks, step, asked: performance.now() });
  }

  forget() {
    const needed = new Set(this.chosen().map((run) => run.id));
    for (const id of this.curves.keys()) if (this.curves.size > KEPT && !needed.has(id)) this.curves.delete(id);
  }
}
