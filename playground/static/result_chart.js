// The curves of a shared result, drawn as the page draws its own.

import { paint, placeInWords } from "./curves.js";
import { beside, inFront, layout } from "./figure.js";
import { annotations } from "./labels.js";
import { Crosshair } from "./overlay.js";
import { plotly } from "./plotly.js";
import { lineOf } from "./result_lines.js";
import { changes, labels, named, parts, ranges, shared } from "./series.js";

const SETTINGS = { displayModeBar: false, doubleClick: false, responsive: false, showTips: false };
const ROOM = 168, NARROW = 560, LEAST = 96; // px right of the curves, for their names
const NONE = { x: [], y: [] };

export class ResultChart {
  constructor(box, props) {
    Object.assign(this, { box, props, plot: box.querySelector(".plot"), runs: [], lines: [] });
    this.view = { unit: "steps", of: "training", logX: false, logY: false, bits: false };
    box.addEventListener("input", ({ target }) => { this.view.of = target.value; this.draw(); });
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => this.draw()).observe(this.plot);
    plotly().then(() => this.draw());
  }

  show(runs) {
    this.runs = runs;
    this.lines = runs.map((run, i) => lineOf(run, i, runs.length === 1));
    this.box.querySelector(".segments").hidden = runs.length === 1; // whose checks are drawn with its curve
    const kinds = (key) => new Set(this.lines.map(({ run }) => run[key])).size;
    const mixed = kinds("text") > 1 && kinds("held_out") === 1;
    Object.assign(this.view, { of: "training", bits: mixed, mixed }); // other tokens of the same text
    this.box.querySelector(".unit").textContent = mixed ? "loss, bits a character" : "loss, nats a token";
    this.box.querySelector("input").checked = true;
    this.draw();
  }

  // Of runs of one text: what guessing would reach, and two tables of counts.
  get references() {
    const [{ text, values }] = this.runs, same = this.lines.every(({ run }) => run.text === this.lines[0].run.text);
    const known = same ? [Math.log(text.vocab), text.unigram, text.bigram] : [];
    return this.props.references[values("data.tokenizer")].map((words, i) => [words, known[i]]).filter(([, loss]) => loss != null);
  }

  colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  draw() {
    if (!window.Plotly || !this.runs.length || !this.plot.clientWidth) return;
    const { plot } = this, { data, figure } = this.figure();
    Plotly.react(plot, paint(data, this.colour), paint(figure, this.colour), SETTINGS);
    this.crosshair ||= new Crosshair(this.box, plot, { lines: () => this.readable(), marks: () => this.marks(),
      heading: (x) => placeInWords("steps", x) });
    this.crosshair.update();
  }

  figure() {
    const { props, view, lines, references } = this, { clientWidth: width, clientHeight: height } = this.plot;
    const room = width < NARROW ? LEAST : ROOM, { l, t, b } = props.layout.margin, among = lines.length > 1;
    const axes = ranges(lines, view, { reach: 0, perStep: 1, references, published: [] });
    const said = labels(lines, { ...view, total: lines[0].run.total, beside: shared(lines), among, references, published: NONE });
    const size = { w: width - l - room, h: height - t - b, r: room };
    const words = annotations(said, { ...axes, logX: false, logY: false }, size, this.colour);
    const about = layout(props, view, { axes, width, room, references, annotations: words });
    return { data: this.traces(), figure: { ...about, dragmode: false, width, height } };
  }

  traces() {
    const { props, view, lines } = this, [front] = lines, marks = this.marks();
    if (lines.length > 1) return lines.flatMap((line) => beside(props, view, line, lines));
    const { behind, traces } = inFront(props, view, { front, raw: [], lines, published: NONE, marks });
    return [...behind, ...traces];
  }

  marks() { return changes(this.lines, this.view); }

  readable() {
    const common = shared(this.lines);
    return this.lines.map((line) => ({ ...line, id: line.run.id, name: named(line, common, true), wide: 2,
      ...parts(line, this.view).own }));
  }
}
