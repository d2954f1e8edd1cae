// The drawing of the model, from the form: what is there in its component's colour, what is off as a ghost.

import { brief, form, hasEffect, on, ready, show, value } from "./state.js";
import { make, text } from "./svg.js";
import { bindWeights } from "./weights.js";

const WIDTH = 268, MIDDLE = 140, LEFT = 58, BOX = 164, RAIL = 38, GAP = 9;

export function mount(root) {
  bindWeights(root);
  const drawing = root.querySelector("#drawing"), total = root.querySelector("#total");
  const paint = () => drawing.replaceChildren(draw());
  ready.then(() => { paint(); on("form", paint); });
  on("checked", ({ parameters }) => { if (parameters != null) total.textContent = show(parameters); paint(); });
}

const m = (name) => value(`model.${name}`);
const acts = (name) => hasEffect(`model.${name}`);
const counts = () => form.checked?.parts || {};

// The stack from the top: rows of {kind, name, note, part, off}; a block is a row that holds rows.
function stack() {
  const V = form.checked?.vocab_size || "V";
  if (m("architecture") === "bigram") {
    return [
      { name: "Scores", note: `${V}`, part: "io" },
      { name: "Bigram table", note: `${V} × ${V}`, part: "attn", tall: true },
      { name: "Token", note: `1 of ${V}`, part: "io" },
    ];
  }
  const C = m("n_embd"), label = (path) => form.options[path].choices[value(path)][0];
  const head = { name: "Head", note: `${C} → ${V}${m("tie_weights") ? " tied" : ""}`, part: "io" };
  const normed = acts("final_norm") && m("final_norm") && m("norm") !== "none";
  const final = { name: "Final norm", part: "norm", off: !normed };
  final.note = final.off ? "off" : m("norm") === "rms" || !m("bias") ? `${C}` : `${2 * C}`;
  const layers = acts("n_layer") ? m("n_layer") : 0;
  const position = { name: "Position", note: label("model.position"), part: "pos", off: m("position") === "none" };
  const embedding = { name: "Embedding", note: `${V} → ${C}`, part: "io" };
  return [head, final, { block: sublayers(), times: layers }, position, embedding];
}

function sublayers() {
  const norm = m("norm") !== "none" && acts("norm"), place = m("norm_place");
  const name = norm ? form.options["model.norm"].choices[m("norm")][0] : "Norm";
  const attention = { name: "Attention", part: "attn", off: m("attention") === "none",
    note: m("attention") === "none" ? "off" : m("attention") === "single" ? "1 head" : `${m("n_head")} heads` };
  const mlp = { name: "MLP", part: "mlp", off: !m("mlp"),
    note: m("mlp") ? (counts().mlp ? brief(counts().mlp / m("n_layer")) : "") : "off" };
  const normRow = (note) => ({ name, note: norm ? note : "off", part: "norm", off: !norm, low: true });
  const dress = (inner, residual) => {
    const rows = [];
    if (norm && place === "post") rows.push(normRow("post"));
    rows.push({ add: true, off: !residual });
    if (norm && place === "both") rows.push(normRow("out"));
    rows.push(...inner);
    if (!norm || place !== "post") rows.push(normRow(place === "both" ? "in" : "pre"));
    return { rows, residual };
  };
  if (m("parallel") && acts("parallel")) return [dress([{ pair: [attention, mlp] }], m("residual_attn"))];
  return [dress([mlp], m("residual_mlp") && !mlp.off), dress([attention], m("residual_attn") && !attention.off)];
}

function draw() {
  const svg = make("svg", { width: "100%", role: "img", "aria-label": "The model as a stack of parts" });
  const wire = make("path", { class: "wire" });
  svg.append(wire);
  let y = 16;
  for (const row of stack()) y = row.block ? drawBlock(svg, row, y) : box(svg, row, LEFT, BOX, y) + GAP;
  wire.setAttribute("d", `M${MIDDLE} ${y - GAP}V4`);
  svg.append(make("path", { class: "tip", d: `M${MIDDLE - 4} 9L${MIDDLE} 2L${MIDDLE + 4} 9z` }));
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${y}`);
  svg.style.maxHeight = `${y * 1.12}px`;
  return svg;
}

function drawBlock(svg, { block, times }, top) {
  const frame = make("rect", { class: "block", x: 14, y: top, width: WIDTH - 18, rx: 13 });
  const dead = !times;
  svg.append(frame, text(WIDTH - 14, top + 19, dead ? "no layers" : `× ${times}`, "times"));
  let y = top + 12;
  for (const { rows, residual } of block) {
    let plus = null;
    for (const row of rows) {
      if (row.add) { plus = y + 10; svg.append(addition(plus, row.off)); y += 26; }
      else if (row.pair) {
        box(svg, { ...row.pair[0], short: true }, LEFT, BOX / 2 - 4, y);
        y = box(svg, { ...row.pair[1], short: true }, LEFT + BOX / 2 + 4, BOX / 2 - 4, y) + GAP;
      } else y = box(svg, row, LEFT, BOX, y) + GAP;
    }
    y += 5;
    const path = `M${MIDDLE} ${y - 4}H${RAIL + 5}q-5 0 -5 -5V${plus + 5}q0 -5 5 -5H${MIDDLE - 15}`;
    svg.append(make("path", { class: `rail${residual ? "" : " ghost"}`, d: path }));
    if (residual) svg.append(make("path", { class: "rail-tip", d: `M${MIDDLE - 17} ${plus - 4}l7 4l-7 4z` }));
    y += 8;
  }
  frame.setAttribute("height", y - top - 1);
  return y + GAP;
}

function addition(y, off) {
  const g = make("g", { class: `add${off ? " ghost" : ""}` });
  g.append(make("circle", { cx: MIDDLE, cy: y, r: 8.5 }));
  if (!off) g.append(make("path", { d: `M${MIDDLE - 4.5} ${y}h9M${MIDDLE} ${y - 4.5}v9` }));
  return g;
}

function box(svg, { name, note, part, off, low, tall, short }, x, width, y) {
  const height = tall ? 64 : low ? 27 : 33, g = make("g", { class: `part${off ? " ghost" : ""}` });
  g.append(make("rect", { class: `c-${part}`, x, y, width, height, rx: 9 }));
  g.append(text(x + 13, y + height / 2 + 4.5, short && name === "Attention" ? "Attn" : name, "pn"));
  if (note && !short) g.append(text(x + width - 11, y + height / 2 + 4, note, "ps"));
  svg.append(g);
  return y + height;
}
