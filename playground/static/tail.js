// What has come of the shown run since Plotly last drew the chart: a drawing of Plotly's takes tens of milliseconds, however
// little is new, and this a fraction of one. The words at the head of the curve go along.

import { make } from "./svg.js";

const FARTHEST = 40, LONGEST = 3000; // px and ms after which Plotly draws again, for the other words to make room

export class Tail {
  constructor(box, plot) {
    Object.assign(this, { plot, svg: make("svg", { class: "tail", "aria-hidden": "true" }) });
    box.append(this.svg);
    plot.on("plotly_afterplot", () => this.paint()); // another zoom or width
    this.clear();
  }

  // Plotly has drawn everything.
  clear() {
    Object.assign(this, { curves: [], head: null, since: performance.now() });
    this.svg.replaceChildren();
  }

  // `curves` are [{x, y, line, opacity}], their points as the data has them, from the last that Plotly drew on; at the end of the
  // last stand the words, if they move with it. Returns whether that will do: if not, it is time for Plotly.
  draw(curves, moves) {
    const { x = [], y = [] } = curves.at(-1) || {};
    Object.assign(this, { curves, head: moves && x.length ? { x: x.at(-1), y: y.at(-1) } : null });
    const [first, last] = this.paint();
    return performance.now() - this.since < LONGEST && (!first || last[0] - first[0] < FARTHEST);
  }

  // Returns the first and the last point of the last curve in px; no point may lie outside, or be none.
  paint() {
    const { _size: size, xaxis, yaxis } = this.plot._fullLayout;
    const places = this.curves.map(({ x, y }) => x.map((value, i) => [xaxis.d2p(value), yaxis.d2p(y[i])]));
    Object.assign(this.svg.style, { left: `${size.l}px`, top: `${size.t}px`, width: `${size.w}px`, height: `${size.h}px` });
    this.svg.replaceChildren(...this.curves.map(({ line, opacity }, i) => make("polyline", {
      points: places[i].filter((at) => at.every(Number.isFinite)).join(" "), opacity, stroke: line.color, "stroke-width": line.width })));
    this.move();
    const inside = ([x, y]) => x >= 0 && x <= size.w && y >= 0 && y <= size.h; // of what is not a number, nothing holds
    const whole = places.every((curve) => curve.every(inside)), path = places.at(-1) || [];
    return whole ? [path[0], path.at(-1)] : [[-Infinity], [Infinity]];
  }

  // Moves the words of the head, the first and only strong ones.
  move() {
    const [words] = this.plot.layout.annotations, drawn = this.plot.querySelector(".annotation[data-index='0']");
    const letters = drawn?.querySelector("tspan") || drawn?.querySelector("text"); // not there while it is out of the view
    if (!this.head || !letters || !words.text.startsWith("<b>")) return;
    const { xaxis, yaxis } = this.plot._fullLayout, { x, y } = this.head;
    drawn.setAttribute("transform", `translate(${xaxis.d2p(x) - xaxis.r2p(words.x)} ${yaxis.d2p(y) - yaxis.r2p(words.y)})`);
    letters.textContent = letters.textContent.replace(/\d+\.\d\d$/, y.toFixed(2)); // shortened, they end without it
  }
}
