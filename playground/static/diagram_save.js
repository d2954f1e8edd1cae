// The diagram as a file that needs nothing else: with its styles written into its elements, in the page's light colours.

import { make, text } from "./svg.js";

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];
const PAGE = /^(role|aria-label|data-strip|data-name|class|style)$/; // attributes that mean something only in the page
const COLOURS = ["card", "ink", "mut", "line", "line-strong", "well", "acc", "on-acc", "bad",
  ...["attn", "mlp", "norm", "res", "pos", "io"].map((part) => `c-${part}`)];
const MARGIN = 14, HEAD = 22;

// The text of the file. `svg` is a drawing as diagram.js makes them, not in the page; it is changed.
export function standalone(svg, title) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const wide = width + 2 * MARGIN, tall = height + 2 * MARGIN + HEAD, left = -MARGIN, top = -MARGIN - HEAD;
  svg.querySelector("title").textContent = title;
  svg.querySelector("title").after(make("rect", { class: "plate", x: left, y: top, width: wide, height: tall }),
    text(width / 2, top + 20, title, "heading"));
  const stage = document.createElement("div"), light = getComputedStyle(document.documentElement);
  for (const name of COLOURS) stage.style.setProperty(`--${name}`, light.getPropertyValue(`--${name}`));
  stage.append(svg);
  document.querySelector(".gradio-container").append(stage); // styles are known only of what is in the page
  for (const node of svg.querySelectorAll(":not(title)")) write(node);
  stage.remove();
  for (const node of svg.querySelectorAll(".hit")) node.remove();
  for (const node of [svg, ...svg.querySelectorAll("*")]) strip(node);
  const about = { viewBox: `${left} ${top} ${wide} ${tall}`, width: 2 * wide, height: 2 * tall };
  for (const [name, value] of Object.entries(about)) svg.setAttribute(name, value);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}\n`;
}

// A node's computed styles as its attributes.
function write(node) {
  const style = getComputedStyle(node);
  for (const name of STYLES) {
    const value = style.getPropertyValue(name);
    if (/^(fill|stroke)$/.test(name)) node.setAttribute(name, rgb(value));
    else if (value) node.setAttribute(name, value);
  }
}

function strip(node) {
  for (const { name } of [...node.attributes]) if (PAGE.test(name)) node.removeAttribute(name);
}

// A colour as every program reads it: color-mix() comes out as "color(srgb 0.9 0.9 0.9)".
function rgb(colour) {
  const mixed = /^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)$/.exec(colour);
  if (!mixed) return /^rgba\(0, 0, 0, 0\)$/.test(colour) ? "none" : colour;
  return `rgb(${mixed.slice(1, 4).map((part) => Math.round(255 * part)).join(", ")})`;
}
