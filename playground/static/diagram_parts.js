// From option values to the parts of the model that they make, wired as gpt/model.py wires them. Pure: no page, no form.
//
// A part is { key, id, name, full, note, brief, count, off, colour, toggles | offers | sets, judged, self }:
//   key, id      its kind, and itself among those of its kind; keys are listed in diagram.js
//   name, full   as drawn, and where its place does not explain it
//   note, brief  its shape or choice in few characters, and in fewer
//   count        its parameters, of one layer
//   off          not in the model, but there to be switched on
//   toggles, offers, sets   the option a click switches, those it opens, or what it sets them to
//   judged, self options by which it differs from another model's, and the one of them that it is called after

import { form, hasEffect, show } from "./state.js";

// What stands in the model, from the tokens up. `block.sublayers` are those of one layer, the first one first; `ghosts` are
// layers without any effect, which could be switched on.
export function describe(values, { counts = {}, vocab = null } = {}) {
  const made = new Made(values, counts, vocab), { V, C, T } = made, m = made.option, outer = { vocab: V, width: C, context: T };
  if (m("architecture") === "bigram") {
    return { ...outer, bigram: made.part("bigram", "Bigram table", { note: `${V} × ${V}`, colour: "attn",
      offers: ["architecture", "block_size"], judged: ["architecture"] }) };
  }
  const drops = m("dropout_embd") > 0, sublayers = sublayersOf(made);
  return { ...outer, bigram: null,
    embedding: made.part("embedding", "Embedding", { note: `${V} × ${C}`, colour: "io",
      offers: ["architecture", "n_embd", "block_size", "tie_weights", "dropout_embd"],
      judged: ["architecture", "n_embd", "block_size", ...(drops ? [] : ["dropout_embd"])] }),
    position: positionOf(made),
    dropout: drops ? made.dropout("dropout_embd") : null,
    block: { sublayers, ghosts: ghostsOf(made), layers: layersOf(made, sublayers) },
    final: finalOf(made),
    head: made.part("head", "Head", { note: `${C} × ${V}${m("head_bias") ? " + bias" : ""}`, colour: "io",
      offers: ["head_bias", "tie_weights"], judged: ["head_bias"], self: null }),
    tie: made.part("tie", "Tied tables", { note: m("tie_weights") ? "tied" : "untied", off: !m("tie_weights"), colour: "io",
      toggles: "tie_weights" }),
  };
}

// All parts of a description, in the order in which the drawing is walked: from the output down.
export function partsOf(described) {
  if (described.bigram) return [described.bigram];
  const { head, tie, final, block, dropout, position, embedding } = described;
  const whole = (layer) => [layer, ...[...layer.inner].reverse()];
  const inner = [...block.sublayers].reverse().flatMap(({ before, layers, out, dropout, residual, after }) =>
    [after, residual, dropout, out, ...layers.flatMap(whole), before]);
  return [head, tie, final, ...block.layers, ...inner, ...block.ghosts, dropout, position.inside ? null : position, embedding]
    .filter(Boolean);
}

const path = (name) => `model.${name}`;

// The values of one model, and how a part of it is described.
class Made {
  constructor(values, counts, vocab) {
    this.of = (path) => values[path] ?? form.options[path].default;
    this.option = (name) => this.of(path(name));
    this.acts = (name) => hasEffect(path(name), this.of);
    Object.assign(this, { counts, V: vocab ?? "V", C: this.option("n_embd"), T: this.option("block_size") });
  }

  // The words of a choice; of one that there is not, the server says what is wrong with it.
  label(name) { return form.options[path(name)].choices[this.option(name)]?.[0] ?? String(this.option(name)); }

  part(key, name, { id = key, toggles, offers = [], judged = toggles ? [toggles] : [], self = judged[0], ...rest }) {
    return { key, id, name, note: "", off: false, colour: "", count: this.counts[id] || 0, ...rest,
      self: self ? path(self) : null, toggles: toggles ? path(toggles) : null, offers: offers.map(path),
      judged: judged.map(path) };
  }

  dropout(name, about = {}) {
    const note = show(this.option(name));
    return this.part("dropout", "Dropout", { id: name, note, offers: [name], judged: [name], ...about });
  }
}

// Where a position is told: added to the embedding, or inside attention, on queries and keys or on the scores.
function positionOf(made) {
  const kind = made.option("position"), { C, T } = made, label = made.label("position");
  const inAttention = kind === "rope" || kind === "alibi", lost = inAttention && made.option("attention") === "none";
  const added = { learned: `learned ${T} × ${C}`, sinusoidal: `sinusoidal ${T} × ${C}` }[kind] ?? label;
  const about = { brief: label, off: kind === "none" || lost, colour: "pos", offers: ["position", "rope_base"],
    judged: ["position", "rope_base"] };
  return inAttention && !lost
    ? { inside: kind, ...made.part("position", label, { ...about, full: `Position: ${label}` }) }
    : { inside: null, ...made.part("position", "Position", { ...about, note: lost ? `${label}: no attention` : added }) };
}

function finalOf(made) {
  const acts = made.acts("final_norm"), on = acts && made.option("final_norm");
  return made.part("final_norm", "Final norm", { note: on ? `${made.C}` : "off", off: !on, colour: "norm",
    judged: ["final_norm"], ...(acts ? { toggles: "final_norm" } : { offers: ["norm", "final_norm"] }) });
}

// The badge with the number of layers, and its two ends.
function layersOf(made, sublayers) {
  const count = made.option("n_layer"), { low, high } = form.options[path("n_layer")], none = !made.acts("n_layer");
  const badge = made.part("layers", "Layers", { note: none ? "no layers" : `× ${show(count)}`, off: none,
    offers: ["n_layer", "parallel"], judged: none ? [] : ["n_layer", "parallel"] });
  const all = sublayers.flatMap(({ before, layers, out, after }) =>
    [before, out, after, ...layers.flatMap((layer) => [layer, ...layer.inner])]);
  badge.sum = all.reduce((sum, part) => sum + (part && !part.within ? part.count : 0), 0);
  if (none || typeof count !== "number") return [badge];
  const end = (key, name, by) => ({ ...made.part(key, name, {}), by, sets: { [path("n_layer")]: count + by },
    ended: count + by < low || count + by > high });
  return [end("fewer_layers", "One layer less", -1), badge, end("more_layers", "One layer more", 1)];
}

// The wiring of one layer: after(x + dropout(out(layer(before(x))))), as Sublayer in gpt/model.py.
function sublayersOf(made) {
  const attention = made.option("attention") === "none" ? null : attentionOf(made);
  const mlp = made.option("mlp") ? mlpOf(made) : null;
  if (attention && mlp && made.option("parallel")) {
    return [dressed(made, "both", [attention, mlp], "residual_attn", "both")];
  }
  return [attention && dressed(made, "attn", [attention], "residual_attn", "attention"),
    mlp && dressed(made, "mlp", [mlp], "residual_mlp", "the MLP")].filter(Boolean);
}

function dressed(made, name, layers, residual, around) {
  const m = made.option, on = m("norm") !== "none", drops = m("dropout_resid") > 0;
  const norm = (where, ...places) => (places.includes(m("norm_place")) ? made.part("norm", on ? made.label("norm") : "Norm", {
    id: `norm_${name}_${where}`, note: on ? `${made.C}` : "off", off: !on, colour: "norm",
    offers: ["norm", "norm_place", "final_norm"], judged: on ? ["norm", "norm_place"] : ["norm"] }) : null);
  return { name, layers, before: norm("before", "pre", "both"), out: norm("out", "both"), after: norm("after", "post"),
    dropout: drops ? made.dropout("dropout_resid", { id: `dropout_resid_${name}` }) : null,
    residual: made.part(residual, `Residual around ${around}`, { note: m(residual) ? "on" : "off", off: !m(residual),
      colour: "res", toggles: residual, judged: drops ? [residual] : [residual, "dropout_resid"] }) };
}

// Layers that are switched off stay as ghosts, without norm and rail, which the model does not have then either.
function ghostsOf(made) {
  const off = { note: "off", off: true };
  return [
    made.option("mlp") ? null : made.part("mlp", "MLP", { ...off, colour: "mlp", offers: MLP, judged: ["mlp"] }),
    made.option("attention") !== "none" ? null
      : made.part("attention", "Attention", { ...off, colour: "attn", offers: LOOKS, judged: ["attention"] }),
  ].filter(Boolean);
}

const CHANGES = ["qk_norm", "softcap", "window", "dropout_attn"]; // of attention, drawn where they are on
const LOOKS = ["attention", "n_head", "queries_per_kv", "window", "softcap", "qk_norm", "attn_proj", "qkv_bias",
  "dropout_attn"];
const MLP = ["mlp", "activation", "expansion", "mlp_proj", "bias"];

function attentionOf(made) {
  const m = made.option, single = m("attention") === "single", H = single ? 1 : m("n_head"), D = made.C / H;
  const K = single ? 1 : H / m("queries_per_kv"), whole = Number.isInteger(D) && Number.isInteger(K); // or it does not fit
  const inner = insidesOf(made), drawn = new Set(inner.flatMap(({ judged }) => judged));
  return { H, K, D, inner, ...made.part("attention", "Attention", { colour: "attn", offers: LOOKS,
    note: whole ? `${H} ${H === 1 ? "head" : "heads"} × ${D}` : `${show(H)} heads`,
    count: (made.counts.qkv || 0) + (made.counts.attn_proj || 0),
    judged: ["attention", "n_head", "queries_per_kv", "qkv_bias", ...CHANGES.filter((name) => !drawn.has(path(name)))] }) };
}

// In the order in which they act; `on` says on what. What is `within` is counted with the whole.
function insidesOf(made) {
  const m = made.option, position = positionOf(made), projected = m("attn_proj"), { C } = made;
  const chip = (name, label, full, note) => made.part(name, label, { full, note, on: "scores", colour: "attn", offers: [name],
    judged: [name] });
  return [
    m("qk_norm") && made.part("qk_norm", "QK-norm", { on: "qk", note: "on", colour: "norm", toggles: "qk_norm" }),
    m("softcap") > 0 && chip("softcap", "cap", "Cap on the scores", `±${show(m("softcap"))}`),
    position.inside && { ...position, on: position.inside === "rope" ? "qk" : "scores" },
    m("window") > 0 && chip("window", "window", "Window", show(m("window"))),
    m("dropout_attn") > 0
      && { ...made.dropout("dropout_attn", { full: "Dropout on the attention weights", on: "weights" }), name: "drop" },
    made.part("attn_proj", "Output projection", { brief: "projection", on: "out", note: projected ? `${C} → ${C}` : "off",
      off: !projected, colour: "attn", toggles: "attn_proj", within: true }),
  ].filter(Boolean);
}

const rounded = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // a half to the even side, as Python does

function mlpOf(made) {
  const m = made.option, { C, counts } = made, second = m("mlp_proj"), gated = ["swiglu", "geglu"].includes(m("activation"));
  const hidden = second ? Math.max(1, rounded(m("expansion") * C)) : C;
  const known = Number.isFinite(hidden / C), F = known ? hidden : "?", up = `${C} → ${F}`; // what was typed may be no number
  const inner = [
    made.part("activation", made.label("activation"), { note: gated ? "gate × up" : "", colour: "mlp", offers: ["activation"],
      judged: ["activation"] }),
    made.part("mlp_proj", "Second layer", { note: second ? `${F} → ${C}` : "off", off: !second, colour: "mlp",
      toggles: "mlp_proj", within: true }),
  ];
  return { inner, ratio: known ? hidden / C : 1, up: `${gated ? "2 × " : ""}${up}`, ...made.part("mlp", "MLP", {
    colour: "mlp", offers: MLP, note: second ? `${up} → ${C}` : up, count: (counts.mlp_fc || 0) + (counts.mlp_proj || 0),
    judged: ["mlp", "expansion", "bias"] }) };
}
