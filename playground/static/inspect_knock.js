// What the trained model relies on: the change in loss without each of its parts, as a table of layers by parts.

import { AWAY, ask } from "./ask.js";
import { Pairs } from "./inspect_pairs.js";
import { signed } from "./inspect_words.js";
import { session } from "./session.js";
import { element, show } from "./state.js";

const NAMES = { layer: "whole layer", attn: "attention", mlp: "MLP", position: "position encoding" };

export class KnockOut {
  // `asked()` says which weights.
  constructor(root, asked) {
    Object.assign(this, { root, asked, find: (selector) => root.querySelector(selector) });
    this.pairs = new Pairs(root, asked, (part) => this.mark(part));
    this.button = this.find(".knock");
    this.button.addEventListener("click", () => this.go());
    this.find(".parts").addEventListener("click", ({ target }) => {
      const pressed = target.closest("button");
      if (pressed) this.pairs.read(JSON.parse(pressed.dataset.of), pressed.dataset.name);
    });
  }

  // Another run or another step: what was found is no longer of these weights.
  forget() {
    this.going = null;
    this.find(".found").hidden = this.find(".bad").hidden = true;
    this.pairs.forget();
    this.idle();
  }

  idle() {
    this.button.disabled = false;
    this.button.textContent = "Knock out each part";
  }

  async go() {
    const mine = this.going = {};
    this.button.disabled = true;
    this.button.textContent = "Knocking out …";
    const answer = await ask("knock_out", { visitor: session.visitor, ...this.asked() });
    if (mine !== this.going) return;
    this.idle();
    const wrong = !answer ? AWAY : answer.refused;
    this.find(".bad").textContent = wrong || "";
    this.find(".bad").hidden = !wrong;
    this.find(".found").hidden = Boolean(wrong) || answer.status === "gone";
    if (!this.find(".found").hidden) this.paint(answer);
  }

  paint({ step, loss, tokens, rows, left_out: left }) {
    const known = rows.map(([kind, layer, head, change, spread]) => (
      { kind, layer, head, change, spread, name: nameOf(kind, layer, head) }));
    const worst = Math.max(0.01, ...known.map(({ change }) => change));
    this.find(".most").replaceChildren(...most(known));
    const inLayers = known.filter(({ layer }) => layer !== null);
    const kinds = ["layer", "attn", "mlp"].filter((kind) => inLayers.some((row) => row.kind === kind));
    const heads = Math.max(0, ...inLayers.map(({ head }) => (head ?? -1) + 1));
    const layers = Math.max(0, ...inLayers.map(({ layer }) => layer + 1));
    const at = (kind, layer, head = null) => (
      inLayers.find((row) => row.kind === kind && row.layer === layer && row.head === head));
    const own = (layer) => Array.from({ length: heads }, (_, h) => at("head", layer, h));
    const line = (layer) => [...kinds.map((kind) => at(kind, layer)), ...own(layer)];
    const body = Array.from({ length: layers }, (_, layer) => {
      const row = element("tr");
      row.append(heading("row", `layer ${layer + 1}`), ...line(layer).map((part) => cell(part, worst)));
      return row;
    });
    this.find(".parts table").replaceChildren(...(layers ? [header(kinds, heads), ...body] : []));
    this.find(".parts").hidden = !layers;
    const said = ["change in loss, nats a token",
      `whole model ${loss.toFixed(2)}, on ${show(tokens)} held-out tokens`, `step ${show(step)}`];
    if (known.some(({ spread }) => spread != null)) said.push("± 95 % over the pieces of text");
    if (left) said.push(`${left} parts left out: this model is large`);
    this.find(".parts-facts").textContent = said.join(" · ");
    this.pairs.show(known, worst);
  }

  // The part whose texts are read.
  mark(part) {
    for (const pressed of this.find(".parts").querySelectorAll("button")) {
      pressed.setAttribute("aria-pressed", pressed.dataset.of === JSON.stringify(part));
    }
  }
}

function nameOf(kind, layer, head) {
  if (kind === "head") return `head ${head + 1} of layer ${layer + 1}`;
  if (kind === "layer") return `layer ${layer + 1}`;
  if (kind === "position") return "its position encoding";
  return layer === null ? `any ${NAMES[kind]}` : `the ${NAMES[kind]} of layer ${layer + 1}`;
}

function heading(scope, words) {
  const made = element("th", "", words);
  made.scope = scope;
  return made;
}

function header(kinds, heads) {
  const row = element("tr"), numbered = Array.from({ length: heads }, (_, h) => `head ${h + 1}`);
  const names = [...kinds.map((kind) => NAMES[kind]), ...numbered];
  row.append(element("td"), ...names.map((name) => heading("col", name)));
  return row;
}

// `worst` is the change of the part that is missed most.
function cell(part, worst) {
  const made = element("td");
  if (!part) return made;
  const { kind, layer, head, change, spread, name } = part, unsure = spread != null && Math.abs(change) <= spread;
  const pressed = element("button", "cell");
  pressed.type = "button";
  const colour = { head: "attn", layer: "io" }[kind] || kind;
  Object.assign(pressed.dataset, { part: colour, of: JSON.stringify([kind, layer, head]), name });
  pressed.setAttribute("aria-label", `without ${name}: ${signed(change)}. Read what it then writes`);
  pressed.style.setProperty("--share", Math.max(0, change / worst).toFixed(3));
  pressed.classList.toggle("unsure", unsure);
  pressed.append(element("b", "", signed(change)));
  if (spread != null) pressed.append(element("small", "", `± ${spread.toFixed(2)}`));
  made.append(pressed);
  return made;
}

// The part that is missed most, and those that could go, in words.
function most(known) {
  if (!known.length) return ["There is nothing to take out: a bigram table is one part, or the model has no layers."];
  const inLayers = known.filter(({ layer }) => layer !== null);
  const inner = inLayers.filter(({ kind }) => kind !== "layer"), some = [inner, inLayers, known].find(({ length }) => length);
  const first = some.reduce((a, b) => (b.change > a.change ? b : a));
  const idle = inner.filter(({ change, spread }) => change <= (spread ?? 0.005));
  const rise = Math.max(0, first.change).toFixed(2);
  const said = ["It relies most on ", element("b", "", first.name), `: without it the loss rises by ${rise} nats.`];
  if (idle.length) said.push(` ${idle.length} of ${inner.length} sublayers and heads are not missed at all.`);
  return said;
}
