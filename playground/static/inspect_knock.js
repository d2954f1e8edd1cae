// What the trained model relies on: the change in loss without each of its parts, as a table of layers by parts.

import { ask } from "./ask.js";
import { session } from "./session.js";
import { element, show } from "./state.js";
import { minus } from "./study_words.js";

const NAMES = { layer: "whole layer", attn: "attention", mlp: "MLP" };

export class KnockOut {
  // `asked()` says which weights.
  constructor(root, asked) {
    Object.assign(this, { root, asked, find: (selector) => root.querySelector(selector) });
    this.button = this.find(".knock");
    this.button.addEventListener("click", () => this.go());
  }

  // Another run or another step: what was found is no longer of these weights.
  forget() {
    this.going = null;
    this.find(".found").hidden = this.find(".bad").hidden = true;
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
    const wrong = !answer ? "The server is away: try again in a moment." : answer.refused;
    this.find(".bad").textContent = wrong || "";
    this.find(".bad").hidden = !wrong;
    this.find(".found").hidden = Boolean(wrong) || answer.status === "gone";
    if (!this.find(".found").hidden) this.paint(answer);
  }

  paint({ step, loss, tokens, rows, left_out: left }) {
    const known = rows.map(([kind, layer, head, change, spread]) => ({ kind, layer, head, change, spread }));
    const worst = Math.max(0.01, ...known.map(({ change }) => change));
    this.find(".most").replaceChildren(...most(known));
    const kinds = ["layer", "attn", "mlp"].filter((kind) => known.some((row) => row.kind === kind));
    const heads = Math.max(0, ...known.map(({ head }) => (head ?? -1) + 1)), layers = Math.max(0, ...known.map(({ layer }) => layer + 1));
    const at = (kind, layer, head = null) => known.find((row) => row.kind === kind && row.layer === layer && row.head === head);
    const line = (layer) => [...kinds.map((kind) => at(kind, layer)), ...Array.from({ length: heads }, (_, h) => at("head", layer, h))];
    const body = Array.from({ length: layers }, (_, layer) => {
      const row = element("tr"), name = element("th", "", `layer ${layer + 1}`);
      name.scope = "row";
      row.append(name, ...line(layer).map((part) => cell(part, worst)));
      return row;
    });
    this.find("table").replaceChildren(...(layers ? [header(kinds, heads), ...body] : []));
    const said = [`change in loss, nats a token · whole model ${loss.toFixed(2)}, on ${show(tokens)} held-out tokens · step ${show(step)}`];
    if (known.some(({ spread }) => spread != null)) said.push("± 95 % over the pieces of text");
    if (left) said.push(`${left} parts left out: this model is large`);
    this.find(".found .facts").textContent = said.join(" · ");
  }
}

function header(kinds, heads) {
  const row = element("tr"), names = [...kinds.map((kind) => NAMES[kind]), ...Array.from({ length: heads }, (_, h) => `head ${h + 1}`)];
  row.append(element("td"), ...names.map((name) => {
    const made = element("th", "", name);
    made.scope = "col";
    return made;
  }));
  return row;
}

// `worst` is the change of the part that is missed most.
function cell(part, worst) {
  const made = element("td", "cell");
  if (!part) return made;
  const { kind, change, spread } = part, unsure = spread != null && Math.abs(change) <= spread;
  made.dataset.part = kind === "head" ? "attn" : kind === "layer" ? "io" : kind;
  made.style.setProperty("--share", Math.max(0, change / worst).toFixed(3));
  made.classList.toggle("unsure", unsure);
  made.append(element("b", "", signed(change)));
  if (spread != null) made.append(element("small", "", `± ${spread.toFixed(2)}`));
  return made;
}

const signed = (change) => (Math.abs(change) < 0.005 ? "0.00" : minus(`${change > 0 ? "+" : "-"}${Math.abs(change).toFixed(2)}`));

// The part that is missed most, and those that could go, in words.
function most(known) {
  if (!known.length) return ["There is nothing to take out: a bigram table is one part."];
  const inner = known.filter(({ kind }) => kind !== "layer"), first = (inner.length ? inner : known).reduce((a, b) => (b.change > a.change ? b : a));
  const idle = inner.filter(({ change, spread }) => change <= (spread ?? 0.005));
  const name = first.kind === "head" ? `head ${first.head + 1} of layer ${first.layer + 1}` : `the ${NAMES[first.kind]} of layer ${first.layer + 1}`;
  const said = ["It relies most on ", element("b", "", name), `: without it the loss rises by ${Math.max(0, first.change).toFixed(2)} nats.`];
  if (idle.length) said.push(` ${idle.length} of ${inner.length} sublayers and heads are not missed at all.`);
  return said;
}
