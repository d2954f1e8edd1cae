// The guesses for one token: its candidates before and after the sampling options, and the best guess after each layer.

import { element, show, value } from "./state.js";
import { TokenText } from "./inspect_text.js";
import { glyph, nats, percent } from "./inspect_words.js";

const MOST = 6; // nats, from which on a token is tinted most
const STRONGEST = 62; // percent of the tint
const LEAST = 0.25; // the probability of a full bar, unless one is larger

export class Next {
  constructor(root, cursor) {
    Object.assign(this, { root, cursor, find: (selector) => root.querySelector(selector) });
    this.text = new TokenText(this.find(".toks"), cursor, true);
    cursor.listen(() => this.paint());
  }

  show(answer) {
    this.answer = answer;
    const { surprise, tokens } = answer, known = surprise.filter((s) => s !== null);
    this.text.paint(tokens, (i) => tint(surprise[i]), (i) => (surprise[i] == null ? "" : `, ${nats(surprise[i])} nats`));
    const said = known.length ? [`mean ${nats(known.reduce((a, b) => a + b) / known.length)} nats over ${known.length} tokens`] : [];
    if (answer.given > tokens.length) said.push(`the last ${tokens.length} of ${show(answer.given)} tokens`);
    if (tokens.length > answer.context && !answer.bigram) said.push(`each guessed from the ${answer.context} before it`);
    if (answer.bigram) said.push("each guessed from the one before it alone");
    this.find(".facts").textContent = said.join(" · ");
    this.paint();
  }

  paint() {
    if (!this.answer) return;
    const { at } = this.cursor, { tokens, likely, true: really } = this.answer;
    const [title, sub, bars, key, lens] = [".guesses h3", ".guesses .sub", ".candidates", ".key", ".lens"].map(this.find);
    lens.hidden = !this.answer.lens.length || !at;
    bars.hidden = key.hidden = !at;
    if (!at) {
      title.textContent = "The first token";
      sub.textContent = "Nothing comes before it, so nothing is guessed. Point at another one.";
      return;
    }
    const true_ = really[at - 1], before = tokens.slice(Math.max(0, at - 6), at).map(glyph).join("");
    title.replaceChildren("After ", boxed(before, "so-far"), true_ ? " came " : " comes", ...(true_ ? [boxed(glyph(tokens[at]))] : [" …"]));
    sub.textContent = true_ ? told(true_, this.answer.surprise[at]) : "The text ends here: what would be written next.";
    this.paintCandidates(bars, likely[at - 1], true_, tokens[at]);
    if (!lens.hidden) this.paintLens(lens, at - 1, tokens[at]);
  }

  paintCandidates(list, likely, true_, token) {
    const after = likely.some(([, p, q]) => Math.abs(p - q) > 0.0005);
    const scale = Math.max(LEAST, ...likely.map(([, p, q]) => Math.max(p, q)));
    const rows = likely.map(([name, p, q], rank) => candidate(name, p, q, scale, Boolean(true_) && rank === true_[2] && name === token, after));
    const listed = true_ && likely.some(([name]) => name === token);
    if (true_ && listed && !rows.some((row) => row.classList.contains("true"))) { // as likely as another
      rows[likely.findIndex(([name]) => name === token)].classList.add("true");
    }
    if (true_ && !listed) {
      rows.push(candidate(token, true_[0], true_[1], scale, true, after, `${true_[2] + 1}.`));
      rows.at(-1).classList.add("beyond");
    }
    list.replaceChildren(...rows);
    this.find(".key").replaceChildren(...(after
      ? [element("i", "own"), "the model’s own ", element("i", "draws"), `as drawn: ${sampling()}`]
      : [element("i", "own"), `the model’s own; drawn as they are: ${sampling()}`]));
  }

  paintLens(lens, from, token) {
    const stages = this.answer.lens, knows = from < stages[0].true.length;
    const scale = Math.max(LEAST, ...stages.map(({ p, true: right }) => (knows ? right[from] : p[from])));
    lens.querySelector(".sub").replaceChildren(...(knows ? ["bar: the probability of ", boxed(glyph(token))] : ["bar: the best guess’s probability"]));
    lens.querySelector("ol").replaceChildren(...stages.map(({ best, p, true: right }, n) => {
      const row = element("li", best[from] === token ? "right" : ""), share = knows ? right[from] : p[from];
      row.append(element("span", "stage", n ? `layer ${n}` : "input"), boxed(glyph(best[from])), meter(share / scale), element("span", "share", percent(share)));
      return row;
    }));
    lens.dataset.note = this.answer.residual || stages.length < 3 ? "" : "no residual";
  }
}

const tint = (surprise) => (surprise == null ? "" : `color-mix(in srgb, var(--bad) ${Math.round(STRONGEST * Math.min(1, surprise / MOST))}%, transparent)`);

const boxed = (text, classes = "") => element("code", classes, text);

function told([p, , rank], surprise) {
  return `Its ${rank ? ordinal(rank + 1) : "best"} guess, at ${percent(p)}: a surprise of ${nats(surprise)} nats.`;
}

// 2nd, 11th, 63rd
function ordinal(n) {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${(!teen && { 1: "st", 2: "nd", 3: "rd" }[n % 10]) || "th"}`;
}

function meter(share, classes = "") {
  const made = element("i", `meter ${classes}`), fill = element("i");
  fill.style.width = `${100 * share}%`;
  fill.hidden = !share;
  made.append(fill);
  return made;
}

function candidate(name, p, drawn, scale, isTrue, both, rank = "") {
  const row = element("li", isTrue ? "true" : ""), bars = element("span", "bars");
  bars.append(meter(p / scale, "own"), ...(both ? [meter(drawn / scale, "draws")] : []));
  row.append(element("span", "rank", rank), boxed(glyph(name)), bars, element("span", "share", percent(p)));
  if (both) row.append(element("span", drawn ? "share chance" : "share cut", drawn ? percent(drawn) : "cut"));
  return row;
}

function sampling() {
  const [temperature, k, p] = ["temperature", "top_k", "top_p"].map((name) => value(`sample.${name}`));
  return [`temperature ${show(temperature)}`, k ? `top-k ${show(k)}` : "", p < 1 ? `top-p ${show(p)}` : ""].filter(Boolean).join(" · ");
}
