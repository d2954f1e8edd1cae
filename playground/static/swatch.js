// The line that a run has on the chart, small.

import { look } from "./selection.js";
import { make } from "./svg.js";

export function swatch(run) {
  const svg = make("svg", { class: "swatch", width: 26, height: 10, "aria-hidden": "true" });
  if (!run) return svg;
  const { colour, dash } = look(run), line = make("line", { x1: 1, x2: 25, y1: 5, y2: 5, "stroke-dasharray": dash === "solid" ? "none" : dash });
  line.style.stroke = `var(${colour})`;
  svg.append(line);
  return svg;
}
