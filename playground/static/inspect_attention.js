// Where each head looks: a small picture of every head, one of them large, and the text tinted by what one token looks at.

import { element } from "./state.js";
import { large, picture } from "./inspect_picture.js";
import { TokenText } from "./inspect_text.js";
import { glyph, percent } from "./inspect_words.js";

const ROOM = 340, TALL = 430, BIGGEST = 104, SMALLEST = 13, GAP = 6; // px of the small pictures
const NAMED = 3; // tokens that are looked at most

export class Attention {
  constructor(root, cursor) {
    Object.assign(this, { root, cursor, chosen: [0, 0], heads: [], thumbs: [], named: [], find: (selector) => root.querySelector(selector) });
    this.text = new TokenText(this.find(".toks"), cursor);
    this.canvas = this.find("canvas");
    cursor.listen(() => this.paintToken());
    this.bind();
    new MutationObserver(() => this.paint()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => { // the picture is drawn for the pixels there are
      if (Math.abs(contentRect.width - width) > 1 && contentRect.width) { width = contentRect.width; this.paintLarge(); }
    }).observe(this.find(".large"));
  }

  bind() {
    this.find(".thumbs").addEventListener("click", ({ target }) => {
      const thumb = target.closest("button");
      if (thumb) this.choose(Number(thumb.dataset.layer), Number(thumb.dataset.head));
    });
    this.find(".thumbs").addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!way) return;
      event.preventDefault();
      this.choose(this.chosen[0] + way[0], this.chosen[1] + way[1]);
      this.thumb()?.focus();
    });
    this.canvas.addEventListener("pointermove", (event) => this.point(event, false));
    this.canvas.addEventListener("click", (event) => this.point(event, true));
  }

  point({ offsetX, offsetY }, press) {
    const { cell, margin } = this.drawn || {}, n = this.answer.tokens.length;
    const row = Math.floor((offsetY - margin) / cell), column = Math.floor((offsetX - margin) / cell);
    if (!this.drawn || row < 0 || row >= n || column < 0) return;
    this.column = column < n ? column : null;
    if (press) this.cursor.go(row, !(this.cursor.kept && this.cursor.at === row));
    else if (!this.cursor.kept) this.cursor.go(row);
    this.paintToken();
  }

  choose(layer, head) {
    if (!this.heads[layer]?.[head]) return;
    this.chosen = [layer, head];
    this.markThumbs();
    this.paintToken();
  }

  show(answer) {
    const shape = JSON.stringify([answer.run, answer.heads.map((layer) => layer.length)]);
    this.answer = answer;
    this.heads = answer.heads.map((layer) => layer.map((packed) => unpack(packed, answer)));
    const off = this.find(".off"), none = !this.heads.length;
    off.hidden = !none;
    this.find(".looks").hidden = none;
    this.find(".which").hidden = none;
    if (none) {
      off.textContent = answer.bigram ? "A bigram table has no attention: it knows only the token before."
        : "This model has no attention: its tokens never look at each other.";
      return;
    }
    if (!this.heads[this.chosen[0]]?.[this.chosen[1]]) this.chosen = [0, 0];
    if (shape !== this.shape) this.buildThumbs();
    this.shape = shape;
    this.paint();
  }

  buildThumbs() {
    const across = this.heads[0].length, room = Math.min(ROOM, this.root.clientWidth - 60);
    const size = Math.max(SMALLEST, Math.min(BIGGEST, Math.floor(room / across) - GAP, Math.floor(TALL / this.heads.length) - GAP));
    const box = this.find(".thumbs");
    box.style.setProperty("--size", `${size}px`);
    box.style.gridTemplateColumns = `auto repeat(${across}, ${size}px)`;
    this.thumbs = this.heads.map((layer, n) => layer.map((_, h) => {
      const thumb = element("button");
      thumb.type = "button";
      Object.assign(thumb.dataset, { layer: n, head: h });
      thumb.setAttribute("role", "radio");
      thumb.setAttribute("aria-label", `layer ${n + 1}, head ${h + 1}`);
      thumb.append(element("canvas"));
      return thumb;
    }));
    const named = size > 20;
    const top = [element("span"), ...this.heads[0].map((_, h) => element("span", "head", named ? `head ${h + 1}` : ""))];
    box.replaceChildren(...top, ...this.thumbs.flatMap((layer, n) => [element("span", "layer", `${size > 40 ? "layer " : ""}${n + 1}`), ...layer]));
    if (size < 56) for (const [h, head] of top.slice(1).entries()) head.textContent = named ? h + 1 : "";
  }

  thumb() { return this.thumbs[this.chosen[0]]?.[this.chosen[1]]; }

  markThumbs() {
    for (const thumb of this.thumbs.flat()) {
      const here = thumb === this.thumb();
      thumb.setAttribute("aria-checked", here);
      thumb.tabIndex = here ? 0 : -1;
    }
  }

  paint() {
    if (!this.heads.length) return;
    this.thumbs.forEach((layer, n) => layer.forEach((thumb, h) => picture(thumb.firstChild, this.heads[n][h])));
    this.markThumbs();
    this.paintToken();
  }

  paintToken() {
    if (!this.heads.length) return;
    const { tokens, context } = this.answer, pattern = this.heads[this.chosen[0]][this.chosen[1]];
    const from = Math.min(this.cursor.at, tokens.length - 1), shares = tokens.map((_, to) => pattern.at(from, to));
    this.text.paint(tokens, (i) => (shares[i] ? `color-mix(in srgb, var(--c-attn) ${Math.round(72 * shares[i])}%, transparent)` : ""),
      (i) => `, looked at ${percent(shares[i] ** 2)}`);
    const most = shares.map((share, to) => [share ** 2, to]).sort((a, b) => b[0] - a[0]).slice(0, NAMED).filter(([p]) => p >= 0.02);
    const said = [element("code", "", glyph(tokens[from])), " looks at "];
    most.forEach(([p, to], n) => said.push(n ? ", " : "", element("code", "", glyph(tokens[to])), to === from ? " (itself) " : " ", percent(p)));
    this.named = most.map(([, to]) => to);
    this.find(".says").replaceChildren(...(most.length ? said : [said[0], " looks everywhere a little"]));
    this.find(".which").textContent = `layer ${this.chosen[0] + 1} · head ${this.chosen[1] + 1}`;
    this.find(".gaze .facts").textContent = this.facts(tokens, context);
    this.paintLarge();
  }

  facts(tokens, context) {
    const { window: near, per_kv: shared } = this.answer;
    const said = ["What a token gathers there helps to guess the one after it."];
    if (near) said.push(`A window: nothing ${near} or more tokens back is seen.`);
    else if (tokens.length > context) said.push(`The context is ${context} tokens: nothing further back is seen.`);
    if (shared > 1) said.push(`Every ${shared} heads share their keys and values.`);
    return said.join(" ");
  }

  paintLarge() {
    if (!this.heads.length) return;
    const pattern = this.heads[this.chosen[0]][this.chosen[1]], from = Math.min(this.cursor.at, this.answer.tokens.length - 1);
    this.drawn = large(this.canvas, pattern, this.answer.tokens.map(glyph), from, [...this.named, this.column]);
    this.canvas.setAttribute("aria-label", `Attention of layer ${this.chosen[0] + 1}, head ${this.chosen[1] + 1}: each row a token, each column one it looks at`);
  }
}

// A pattern as {n, at(row, column), first(row)}: the square root of a weight, 0 to 1, or null for what cannot be seen; a row's first column.
function unpack(packed, { tokens, context }) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)), n = tokens.length;
  const begins = [0];
  for (let row = 0; row < n; row++) begins.push(begins[row] + Math.min(row + 1, context));
  const at = (row, column) => {
    const first = Math.max(0, row - context + 1);
    return column < first || column > row ? null : bytes[begins[row] + column - first] / 255;
  };
  return { n, at, first: (row) => Math.max(0, row - context + 1) };
}
