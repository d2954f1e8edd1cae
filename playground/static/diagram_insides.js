// What is inside attention and MLP: heads and what acts on them, the hidden layer and its bend.

import { show } from "./state.js";
import { make, text } from "./svg.js";

const EDGE = 9, ROW = 17, STEP = 21; // px: margin of the inside, height of a row, and from one row to the next
const MOST = 32; // heads drawn as squares: more are not allowed, but can be typed

// From the top: output projection, weights with what changes the scores, what changes queries and keys, and their heads.
export function insideOfAttention(sheet, part, x, y, width) {
  const on = (place) => part.inner.filter((chip) => chip.on === place), left = x + EDGE, wide = width - 2 * EDGE;
  const scores = rows([...on("scores"), ...on("weights")], wide), turns = on("qk");
  const heads = width > 150 ? 24 : 18, height = 25 + STEP + STEP + scores.length * STEP + turns.length * STEP + heads + EDGE;
  const node = frame(sheet, part, x, y, width, height); // takes a click on what has no choices of its own
  let at = y + 25;
  const row = (chips) => {
    const each = (wide - 4 * (chips.length - 1)) / chips.length;
    chips.forEach((chip, i) => sheet.chip(chip, left + i * (each + 4), at, each, ROW));
    at += STEP;
  };
  row(on("out"));
  node.append(make("rect", { class: "still", x: left, y: at, width: wide, height: ROW, rx: 6 }),
    text(left + wide / 2, at + 12.3, width > 150 ? `softmax(Q·Kᵀ / √${show(part.D)}) · V` : "softmax(QKᵀ)V",
      "chip-name quiet"));
  at += STEP;
  for (const chips of [...scores].reverse()) row(chips); // what acts first is nearer to the foot
  const cell = (wide - 8) / 3;
  for (const chip of [...turns].reverse()) { sheet.chip(chip, left, at, 2 * cell + 4, ROW); at += STEP; }
  [["Q", part.H], ["K", part.K], ["V", part.K]].forEach(([name, count], i) =>
    node.append(...cellOf(sheet, name, count, left + i * (cell + 4), at, cell, heads)));
  return height;
}

// As many chips side by side as have room for their words.
function rows(chips, wide) {
  const found = [];
  for (const chip of chips) {
    const length = (each) => 14 + 5.9 * `${each.name} ${each.note}`.length, last = found.at(-1);
    if (last && [...last, chip].every((each) => length(each) <= (wide - 4 * last.length) / (last.length + 1))) last.push(chip);
    else found.push([chip]);
  }
  return found;
}

// Queries, keys or values: a square a head.
function cellOf(sheet, name, count, x, y, width, height) {
  const shapes = [make("rect", { class: "still", x, y, width, height, rx: 6 })], room = width - 27;
  const letter = (at) => text(at, y + height / 2 + 4, name, "chip-name strong");
  if (room < 20 || !Number.isInteger(count) || count < 1 || count > MOST) return [...shapes, letter(x + width / 2)];
  const columns = Math.min(count, count > 8 ? Math.ceil(count / 2) : count), lines = Math.ceil(count / columns);
  const each = Math.min(8, (room - 1.5 * (columns - 1)) / columns), tall = Math.min(8, (height - 8 - 2 * (lines - 1)) / lines);
  const top = y + (height - lines * tall - 2 * (lines - 1)) / 2;
  const squares = Array.from({ length: count }, (_, i) => make("rect", { class: "head", width: each, height: tall, rx: 1,
    x: x + 20 + (i % columns) * (each + 1.5), y: top + Math.floor(i / columns) * (tall + 2) }));
  return [...shapes, letter(x + 11), ...squares];
}

// From the top: the layer back to the width, the bend, the layer up to the hidden width. As wide as they are.
export function insideOfMlp(sheet, part, x, y, width) {
  const [bend, second] = part.inner, height = 25 + 2 * STEP + ROW + EDGE + 2, middle = x + width / 2, most = width - 2 * EDGE;
  const node = frame(sheet, part, x, y, width, height);
  const hidden = part.ratio >= 1 ? most : Math.max(0.3, part.ratio) * 0.8 * most;
  const outer = part.ratio >= 1 ? Math.max(0.34, 1 / part.ratio) * most : 0.8 * most, narrow = width < 150;
  const shape = (top, upper, lower) => `M${middle - upper / 2} ${top}h${upper}l${(lower - upper) / 2} ${ROW}h${-lower}z`;
  let at = y + 25;
  const down = sheet.part(second);
  down.append(make("path", { class: "box c-mlp", d: shape(at, outer, second.off ? outer : hidden) }),
    text(middle, at + 12.5, second.off ? (narrow ? "off" : "no second layer") : short(second.note, narrow), "chip-name"));
  sheet.badge(second, middle + outer / 2, at);
  at += STEP;
  sheet.chip({ ...bend, note: narrow ? "" : bend.note }, middle - hidden / 2, at, hidden, ROW);
  at += STEP;
  node.append(make("path", { class: "still", d: shape(at, hidden, part.ratio >= 1 || !second.off ? outer : hidden) }),
    text(middle, at + 12.5, narrow ? short(part.up, true) : part.up, "chip-name quiet"));
  return height;
}

// Without insides, but for the position where it is told within attention. Returns its height, as the others do.
export function smallLayer(sheet, part, x, y, width) {
  const position = part.inner.find(({ key }) => key === "position"), height = position ? 50 : 32;
  if (!position) { sheet.box(part, x, y, width, height); return height; }
  frame(sheet, part, x, y, width, height);
  sheet.chip(position, x + EDGE, y + 26, width - 2 * EDGE, ROW);
  return height;
}

const short = (words, narrow) => (narrow ? words.replace("2 × ", "").replaceAll(" ", "") : words);

function frame(sheet, part, x, y, width, height) {
  const node = sheet.part(part);
  node.append(make("rect", { class: `box c-${part.colour}`, x, y, width, height, rx: 9 }));
  sheet.strip(node, x, y, width, height);
  sheet.title(part, node, x, y + 1, width, 23);
  sheet.badge(part, x + width, y);
  return node;
}
