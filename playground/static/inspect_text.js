// A text token by token, each tinted: pointed at, pressed, or gone through with the arrow keys.

import { element } from "./state.js";
import { glyph } from "./inspect_words.js";

let texts = 0;

export class TokenText {
  // `next`: whether a place for the token after the last one follows.
  constructor(box, cursor, next = false) {
    Object.assign(this, { box, cursor, next, id: `toks-${texts++}`, spans: [], key: null });
    const at = ({ target }) => target.closest(".tok");
    box.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse" && at(event) && !cursor.kept) cursor.go(Number(at(event).dataset.i));
    });
    box.addEventListener("click", (event) => {
      if (!at(event)) return;
      const i = Number(at(event).dataset.i);
      cursor.go(i, !(cursor.kept && cursor.at === i));
    });
    box.addEventListener("keydown", (event) => this.press(event));
    cursor.listen(() => this.mark());
  }

  // `tint(i)` is a background, `words(i)` what is read out beside the token.
  paint(tokens, tint, words) {
    const key = JSON.stringify(tokens);
    if (key !== this.key) this.build(tokens);
    this.key = key;
    this.spans.forEach((span, i) => {
      span.style.background = tint(i);
      span.setAttribute("aria-label", `${tokens[i] === undefined ? "the next token" : glyph(tokens[i])}${words(i)}`);
    });
    this.mark();
  }

  build(tokens) {
    this.marked = null;
    this.spans = tokens.map((token) => {
      const span = element("span", token.startsWith("\\x") ? "tok byte" : "tok", token.replaceAll("\n", "↵"));
      span.classList.toggle("end", token.endsWith("\n"));
      return span;
    });
    if (this.next) this.spans.push(element("span", "tok coming", "?"));
    this.spans.forEach((span, i) => {
      span.dataset.i = i;
      span.id = `${this.id}-${i}`;
      span.setAttribute("role", "option");
    });
    this.box.replaceChildren(...this.spans.flatMap((span) => (span.classList.contains("end") ? [span, "\n"] : [span])));
  }

  mark() {
    const span = this.spans[Math.min(this.cursor.at, this.spans.length - 1)];
    if (this.marked && this.marked !== span) {
      this.marked.classList.remove("here", "kept");
      this.marked.setAttribute("aria-selected", false);
    }
    this.marked = span;
    if (!span) return;
    span.classList.add("here");
    span.classList.toggle("kept", this.cursor.kept);
    span.setAttribute("aria-selected", true);
    this.box.setAttribute("aria-activedescendant", span.id);
  }

  press(event) {
    const { at, count } = this.cursor;
    const to = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, Home: () => 0, End: () => count - 1,
      ArrowUp: () => this.beside(-1), ArrowDown: () => this.beside(1) }[event.key];
    if (event.key === "Escape") this.cursor.go(at, false);
    if (!to) return;
    event.preventDefault();
    this.cursor.go(to());
    this.marked?.scrollIntoView({ block: "nearest" });
  }

  // The token above or below the present one.
  beside(way) {
    const here = this.marked.getBoundingClientRect();
    const places = this.spans.map((span, i) => ({ i, ...span.getBoundingClientRect().toJSON() }));
    const beyond = places.filter(({ top }) => (top - here.top) * way > here.height / 2);
    const line = way * Math.min(...beyond.map(({ top }) => top * way));
    const row = beyond.filter(({ top }) => Math.abs(top - line) < here.height / 2);
    return row.sort((a, b) => Math.abs(a.left - here.left) - Math.abs(b.left - here.left))[0]?.i ?? this.cursor.at;
  }
}
