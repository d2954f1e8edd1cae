// The model as the papers draw it, as SVG: from the tokens at the foot to the scores at the top.
//
//   diagram(values, options) -> SVGElement
//
// `values` are options by path, {"model.n_layer": 6, ...}; what is missing is at its default. It needs the schema that
// state.js holds (await `ready`), not the form's values. `options`, all of which may be left out:
//   counts  {id: parameters}, as the `pieces` of the server's answer to "check"; without them none are written
//   vocab   the number of different tokens, else "V" is written
//   lit     keys or ids of parts to stand out: all others are dimmed
//   marked  {id: words}: parts that differ from another model, with what they were there
//   tint    {id: {fill, layers, words}}: a colour for a part, those of its layers, the first layer first, and what they say
//   held    ids of parts that a link holds, which get a padlock
//   small   true: no insides of attention and MLP, and no counts
//   title   what a screen reader says of the whole
// The same `values` give the same drawing; change and call again. Colours are of diagram.css, by the page's theme.
//
// Keys of parts, which stay as they are; each part is a <g data-key data-id>, whose id is its key unless said:
//   embedding, head, tie (the link between the two), final_norm, bigram (the table, alone)
//   position      added to the embedding, or in attention: on queries and keys (RoPE), on the scores (ALiBi)
//   attention, mlp; inside: qk_norm, softcap, window, attn_proj; activation, mlp_proj
//   norm          ids norm_attn_before, norm_attn_out, norm_attn_after, the same of mlp, and of both when parallel
//   residual_attn, residual_mlp (rail and addition)
//   dropout       ids dropout_embd, dropout_attn, dropout_resid_attn, dropout_resid_mlp, dropout_resid_both
//   layers        (the badge with their number), fewer_layers, more_layers

import { insideOfAttention, insideOfMlp, smallLayer } from "./diagram_insides.js";
import { describe } from "./diagram_parts.js";
import { Sheet } from "./diagram_sheet.js";
import { brief } from "./state.js";
import { make, text } from "./svg.js";

const WIDTH = 292, MID = 147, LEFT = 42, BOX = 210, RAIL = 23, GAP = 13, TIE = 283;

export const diagram = (values, options = {}) => draw(describe(values, options), options);

export function draw(described, options = {}) {
  const sheet = new Sheet(options);
  if (described.bigram) drawTable(sheet, described);
  else drawModel(sheet, described);
  return sheet.finish(WIDTH, options.title || "The model as a diagram, from the tokens at the foot to the scores at the top");
}

function drawTable(sheet, { bigram, vocab, context }) {
  sheet.says(MID, 12, "scores of the next token", `${context} × ${vocab}`);
  const node = sheet.part(bigram), size = 150, left = MID - size / 2, top = 34, cells = 10;
  node.append(make("rect", { class: "box c-attn", x: left, y: top, width: size, height: size, rx: 9 }));
  const grid = Array.from({ length: cells - 1 }, (_, i) => (size * (i + 1)) / cells)
    .map((at) => `M${left + at} ${top}v${size}M${left} ${top + at}h${size}`).join("");
  node.append(make("path", { class: "grid", d: grid }),
    make("rect", { class: "row", x: left + 1, y: top + 0.6 * size, width: size - 2, height: size / cells }));
  sheet.title(bigram, node, left, top + size + 4, size, 20);
  sheet.badge(bigram, left + size, top);
  sheet.wire(MID, top, 18);
  sheet.wire(MID, top + size + 46, top + size + 26);
  sheet.says(MID, top + size + 58, "the present token", `one row of ${vocab}`);
  sheet.height = top + size + 68;
}

function drawModel(sheet, described) {
  const { head, tie, final, block, dropout, position, embedding, width, context, vocab } = described;
  sheet.says(MID, 12, "next token", `${context} × ${vocab}`);
  let above = 17, y = 30;
  const put = (part, height) => { // the next part down the wire
    sheet.wire(MID, y, above);
    sheet.box(part, LEFT, y, BOX, height);
    above = y + height;
    y = above + GAP;
  };
  put(head, 30);
  const headAt = y - GAP - 15;
  put(final, 24);
  sheet.wire(MID, y + 8, above);
  above = drawBlock(sheet, block, y);
  y = above + GAP;
  if (dropout) { pill(sheet, dropout, y, above); above = y + 17; y = above + GAP; }
  if (!position.inside) {
    const at = y + 17, node = sheet.box(position, 4, y, 126, 34);
    sheet.wire(MID, at - 8, above);
    if (position.off) sheet.wire(MID, at + 8.5, at - 8.5, false);
    node.append(...plus(MID, at, position.off, "c-pos"), make("path", { class: "feed", d: `M130 ${at}h8` }));
    above = at + 8.5;
    y += 46;
  }
  y += 7;
  sheet.aside(MID + 10, y - 6, `${context} × ${width}`);
  put(embedding, 30);
  drawTie(sheet, tie, headAt, y - GAP - 15);
  sheet.wire(MID, y + 6, above);
  sheet.says(MID, y + 18, "tokens", `${context}`);
  sheet.height = y + 26;
}

// Pieces ------------------------------------------------------------------------------------------------------------

function drawTie(sheet, tie, from, to) {
  const node = sheet.part(tie), d = `M${LEFT + BOX} ${from}H${TIE - 7}q7 0 7 7V${to - 7}q0 7 -7 7H${LEFT + BOX}`;
  node.append(make("path", { class: "hit", d }), make("path", { class: "link", d }));
  const middle = (from + to) / 2, label = text(TIE, middle, tie.note, "tied");
  label.setAttribute("transform", `rotate(-90 ${TIE} ${middle})`);
  node.append(make("rect", { class: "plate", x: TIE - 7, y: middle - 22, width: 14, height: 44 }), label);
  sheet.badge(tie, TIE, middle - 30);
}

function pill(sheet, part, y, above) {
  sheet.wire(MID, y, above);
  sheet.chip(part, MID - 46, y, 92, 17);
}

function plus(x, y, off, colour) {
  const arms = off ? [] : [make("path", { class: `arms ${colour}`, d: `M${x - 4.5} ${y}h9M${x} ${y - 4.5}v9` })];
  return [make("circle", { class: `sum ${colour}`, cx: x, cy: y, r: 8.5 }), ...arms];
}

// The frame of the layers with all that is in one; returns its foot.
function drawBlock(sheet, { sublayers, ghosts, layers }, top) {
  const frame = make("rect", { class: "block", x: 3, y: top, width: 266, rx: 13 });
  sheet.frames.append(frame);
  let y = top + 22, above = top + 8;
  for (const ghost of ghosts.filter(({ key }) => key === "mlp")) [y, above] = drawGhost(sheet, ghost, y, above);
  for (const sublayer of [...sublayers].reverse()) [y, above] = drawSublayer(sheet, sublayer, y, above);
  for (const ghost of ghosts.filter(({ key }) => key !== "mlp")) [y, above] = drawGhost(sheet, ghost, y, above);
  const foot = y + 2;
  sheet.wire(MID, foot + GAP, above, false);
  frame.setAttribute("height", foot - top);
  drawLayers(sheet, layers, top);
  return foot;
}

function drawGhost(sheet, ghost, y, above) {
  sheet.wire(MID, y, above);
  sheet.box(ghost, LEFT, y, BOX, 26);
  return [y + 26 + GAP, y + 26];
}

// From the top: norm after, addition, dropout, norm on the output, the layer, norm before; the rail leads around them.
function drawSublayer(sheet, { name, layers, before, out, dropout, residual, after }, y, above) {
  const rail = sheet.part(residual); // under what follows
  const norm = (part) => {
    if (!part) return;
    sheet.wire(MID, y, above);
    sheet.box(part, LEFT, y, BOX, 24);
    above = y + 24;
    y = above + GAP;
  };
  norm(after);
  const at = y + 9;
  sheet.wire(MID, at - 8.5, above);
  if (residual.off) sheet.wire(MID, at + 8.5, at - 8.5, false); // nothing is added: the layer's output goes on alone
  above = at + 8.5;
  y = above + GAP;
  if (dropout) { pill(sheet, dropout, y, above); above = y + 17; y = above + GAP; }
  norm(out);
  if (name === "both") [y, above] = drawTogether(sheet, layers, y, above);
  else {
    sheet.wire(MID, y, above);
    above = y + drawLayer(sheet, layers[0], LEFT, y, BOX);
    y = above + GAP;
  }
  norm(before);
  const d = `M${MID} ${y}H${RAIL + 6}q-6 0 -6 -6V${at + 6}q0 -6 6 -6H${MID - 9}`;
  rail.append(make("path", { class: "hit", d }), make("path", { class: "rail", d }), ...plus(MID, at, residual.off, "c-res"));
  if (!residual.off) rail.append(make("path", { class: "rail-tip", d: `M${MID - 16} ${at - 4}l7 4l-7 4z` }));
  rail.dataset.strip = `${RAIL - 2.5} ${at + 8} 5 ${y - at - 16}`; // on the rail
  sheet.badge(residual, MID + 11, at - 8, MID + 20);
  sheet.wire(MID, y + 2, above, false);
  return [y + GAP + 2, y];
}

// Attention and MLP over the same input, their outputs added.
function drawTogether(sheet, layers, y, above) {
  const half = (BOX - 8) / 2, top = y + 26, middles = [LEFT + half / 2, LEFT + BOX - half / 2];
  const heights = layers.map((layer, i) => drawLayer(sheet, layer, LEFT + i * (half + 8), top, half));
  sheet.wire(MID, y, above);
  sheet.plain(plus(MID, y + 8.5, false, "c-io"));
  middles.forEach((x, i) => sheet.path(`M${x} ${top}V${y + 14}q0 -5.5 ${i ? -5 : 5} -5.5H${MID + (i ? 8.5 : -8.5)}`));
  const foot = top + Math.max(...heights);
  middles.forEach((x, i) => {
    const side = i ? 5 : -5;
    sheet.path(`M${MID} ${foot + 12}H${x - side}q${side} 0 ${side} -5V${top + heights[i]}`);
  });
  return [foot + 12 + GAP, foot + 12];
}

function drawLayer(sheet, layer, x, y, width) {
  if (sheet.small) return smallLayer(sheet, layer, x, y, width);
  return (layer.key === "attention" ? insideOfAttention : insideOfMlp)(sheet, layer, x, y, width);
}

// × N on the frame's upper edge, between one less and one more.
function drawLayers(sheet, layers, top) {
  const badge = layers.find(({ key }) => key === "layers"), right = 262, ends = layers.length > 1, wide = ends ? 98 : 88;
  const node = sheet.part(badge), from = right - wide;
  node.append(make("rect", { class: "plate round", x: from, y: top - 11, width: wide, height: 22, rx: 11 }),
    text(from + wide / 2, top + 4, badge.note, "times"));
  for (const end of layers.filter(({ by }) => by)) {
    const button = sheet.part(end), x = end.by < 0 ? from + 12 : right - 12;
    button.append(make("circle", { class: "end", cx: x, cy: top, r: 8.5 }),
      make("path", { class: "arms", d: `M${x - 4} ${top}h8${end.by > 0 ? `M${x} ${top - 4}v8` : ""}` }));
  }
  sheet.badge(badge, from + wide / 2 + 22, top - 10);
  if (badge.sum && !sheet.small) sheet.aside(16, top + 15, `${brief(badge.sum)} a layer`);
}
