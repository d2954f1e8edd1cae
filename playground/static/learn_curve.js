// The loss of a lesson's run as it grows, over that of the step before, in a small picture.

import { ask } from "./ask.js";
import { smoothed, spanOf } from "./curves.js";
import { session } from "./session.js";
import { element, show } from "./state.js";
import { make, text } from "./svg.js";

const WIDTH = 560, HEIGHT = 150, LEFT = 30, END = 468, BOTTOM = 18, TOP = 8;
const TICKS = [2, 3, 4];
const POINTS = 240, SMOOTHING = 66;
const LEAST = 0.3; // nats under the lowest line

export class SmallCurve {
  constructor(figure) {
    this.figure = figure;
    this.references = [];
    this.below = null; // {id, steps, loss} of the step before
  }

  // `names` of the step, and of the one before; `below` is a run of that, or null.
  async draw(run, below, names) {
    if (below && this.below?.id !== below) {
      this.below = { id: below, steps: [], loss: [] };
      const curve = await ask("curve", { visitor: session.visitor, run: below });
      if (curve?.steps && this.below.id === below) Object.assign(this.below, { steps: curve.steps, loss: curve.loss });
    }
    this.paint(run, below ? this.below : null, names);
  }

  paint(run, below, names) {
    const lines = this.references.map(([, loss]) => loss), total = run.total || 1;
    const high = Math.max(...lines, 4.2) + 0.1, low = Math.min(...lines, ...run.loss.filter((loss) => loss != null)) - LEAST;
    const x = (step) => LEFT + ((END - LEFT) * step) / total;
    const y = (loss) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - Math.min(loss, high))) / (high - low);
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
      "aria-label": `Training loss over ${run.step} of ${total} steps` });
    const across = (loss, kind) => make("path", { class: kind, d: `M${LEFT} ${y(loss)}H${END}` });
    for (const loss of TICKS) svg.append(across(loss, "grid"), text(LEFT - 8, y(loss) + 4, loss, "tick-y"));
    for (const [name, loss] of this.references) svg.append(across(loss, "reference"), text(END + 8, y(loss) + 4, name, "name"));
    if (below?.steps.length) svg.append(make("path", { class: "below", d: path(below.steps, below.loss, x, y, total) }));
    if (run.steps.length) svg.append(make("path", { class: "now", d: path(run.steps, run.loss, x, y, run.total) }));
    svg.append(text(LEFT, HEIGHT - 3, "0", "tick-x"), text(END, HEIGHT - 3, show(total), "tick-x end"));
    this.figure.replaceChildren(...(below ? [key(names)] : []), svg);
  }
}

function key([here, before]) {
  const made = element("figcaption");
  made.append(element("i", "now"), here, element("i", "below"), before);
  return made;
}

// A smoothed line through at most POINTS of the points, the last among them.
function path(steps, loss, x, y, total) {
  const smooth = smoothed(steps, loss, spanOf(SMOOTHING, total)), every = Math.ceil(steps.length / POINTS);
  const kept = (value, i) => value != null && (i % every === 0 || i === steps.length - 1);
  const at = steps.map((step, i) => [step, smooth[i]]).filter(([, value], i) => kept(value, i));
  return `M${at.map(([step, value]) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`;
}
