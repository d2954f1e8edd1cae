// A part's signal in the diagram: its colour over the part, and a strip of the layers. Changed in place, so that a drawing
// under the pointer or the focus stays what it is while a run goes.

import { make } from "./svg.js";

// Of `tint`, {id: {fill, layers, words}}, what belongs to the parts of `svg`; what was there before goes.
export function tintAll(svg, tint = {}) {
  for (const node of svg.querySelectorAll(".part")) tintPart(node, tint[node.dataset.id]);
}

function tintPart(node, about) {
  for (const old of node.querySelectorAll(".tint, .cell")) old.remove();
  const shape = node.querySelector(".box, .sum"), name = node.querySelector("title");
  node.dataset.name ??= name.textContent;
  const live = about && shape && !node.classList.contains("ghost"), words = live && about.words ? `; ${about.words}` : "";
  if (name.textContent !== node.dataset.name + words) {
    name.textContent = node.dataset.name + words;
    if (node.hasAttribute("tabindex")) node.setAttribute("aria-label", name.textContent);
  }
  if (!live) return;
  const over = shape.cloneNode();
  over.setAttribute("class", "tint");
  over.style.fill = about.fill;
  shape.after(over, ...strip(node.dataset.strip, about.layers || []));
}

// The first layer at the foot; `place` is "x y width height".
function strip(place, fills) {
  if (!place || fills.length < 2) return [];
  const [x, y, width, height] = place.split(" ").map(Number), each = height / fills.length;
  return fills.map((fill, i) => make("rect", { class: "cell", x, y: y + height - (i + 1) * each, width,
    height: Math.max(0.8, each - (each > 4 ? 1 : 0.3)), style: `fill: ${fill}` }));
}
