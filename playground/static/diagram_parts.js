// From option values to the parts of the model that they make, wired as gpt/model.py wires them. Pure: no page, no form.
//
// A part is { key, id, name, full, note, count, off, colour, toggles | offers, judged }: `key` is its kind, `id` names it
// among those of its kind; `full` is its name where its place does not explain it; `note` is its shape or choice in few characters; `count` its parameters, of one layer; `off` parts are
// not in the model; a click `toggles` one option, or `offers` several; the part differs from another model's if an option
// that it is `judged` by does. Keys are listed in diagram.js.

import { form, hasEffect, show } from "./state.js";

// What stands in the model, from the tokens up. `block.sublayers` are those of one layer, the first one first; `ghosts` are
// layers without any effect, which could be switched on.
export function describe(values, { counts = {}, vocab = null } = {}) {
  const of = (path) => values[path] ?? form.options[path].default, m = (name) => of(`model.${name}`);
  const made = { m, acts: (name) => hasEffect(`model.${name}`, of), counts, V: vocab ?? "V", C: m("n_embd"), T: m("block_size") };
  made.label = (name) => form.options[`model.${name}`].choices[m(name)]?.[0] ?? String(m(name));
  const { V, C, T } = made, outer = { vocab: V, width: C, context: T };
  if (m("architecture") === "bigram") {
    return { ...outer, bigram: part(made, "bigram", "bigram", "Bigram table", { note: `${V} × ${V}`, colour: "attn",
      offers: ["architecture", "block_size"], judged: ["architecture"] }) };
  }
  const drops = m("dropout_embd") > 0, sublayers = sublayersOf(made);
  return { ...outer, bigram: null,
    embedding: part(made, "embedding", "embedding", "Embedding", { note: `${V} × ${C}`, colour: "io",
      offers: ["architecture", "n_embd", "block_size", "tie_weights", "dropout_embd"],
      judged: ["architecture", "n_embd", "block_size", ...(drops ? [] : ["dropout_embd"])] }),
    position: positionOf(made),
    dropout: drops ? dropoutOf(made, "dropout_embd") : null,
    block: { sublayers, ghosts: ghostsOf(made), layers: layersOf(made, sublayers) },
    final: finalOf(made),
    head: part(made, "head", "head", "Head", { colour: "io", offers: ["head_bias", "tie_weights"], judged: ["head_bias"],
      note: `${C} × ${V}${m("head_bias") ? " + bias" : ""}` }),
    tie: part(made, "tie", "tie", "Tied tables", { note: m("tie_weights") ? "tied" : "untied", off: !m("tie_weights"),
      colour: "io", toggles: "tie_weights", judged: ["tie_weights"] }),
  };
}

// All parts of a description, in the order in which the drawing is walked: from the output down.
export function partsOf(described) {
  if (described.bigram) return [described.bigram];
  const { head, tie, final, block, dropout, position, embedding } = described;
  const inner = [...block.sublayers].reverse().flatMap(({ before, layers, out, dropout, residual, after }) =>
    [after, residual, dropout, out, ...[...layers].reverse().flatMap((layer) => [layer, ...layer.inner]), before]);
  return [head, tie, final, ...block.layers, ...inner, ...block.ghosts, dropout, position.inside ? null : position, embedding]
    .filter(Boolean);
}

const path = (name) => `model.${name}`;

function part({ counts }, key, id, name, { toggles, offers, judged, ...rest }) {
  return { key, id, name, note: "", off: false, colour: "", count: counts[id] || 0, ...rest,
    toggles: toggles ? path(toggles) : null, offers: (offers || []).map(path), judged: judged.map(path) };
}

const dropoutOf = (made, name, about = {}) => part(made, "dropout", about.id || name, "Dropout", {
  note: show(made.m(name)), colour: "", offers: [name], judged: [name] });

// Where a position is told: added to the embedding, or inside attention, on queries and keys or on the scores.
function positionOf(made) {
  const { m, label, C, T } = made, kind = m("position"), inAttention = kind === "rope" || kind === "alibi";
  const inside = inAttention && m("attention") !== "none" ? kind : null, lost = inAttention && !inside;
  const note = { learned: `${T} × ${C}`, sinusoidal: `${T} × ${C}`, none: "off" }[kind] ?? "";
  const name = kind === "none" ? "Position" : label("position");
  return { inside, kind, ...part(made, "position", "position", name, { full: kind === "none" ? name : `Position: ${name}`,
    note: lost ? "no attention" : note, off: kind === "none" || lost, colour: "pos",
    offers: ["position", "rope_base"], judged: ["position", "rope_base"] }) };
}

function finalOf(made) {
  const { m, acts, C } = made, on = acts("final_norm") && m("final_norm");
  return part(made, "final_norm", "final_norm", "Final norm", { note: on ? `${C}` : "off", off: !on, colour: "norm",
    ...(acts("final_norm") ? { toggles: "final_norm" } : { offers: ["norm", "final_norm"] }), judged: ["final_norm"] });
}

// The badge with the number of layers, and its two ends.
function layersOf(made, sublayers) {
  const { m, acts } = made, count = m("n_layer"), { low, high } = form.options[path("n_layer")];
  const none = !acts("n_layer"), badge = part(made, "layers", "layers", "Layers", { note: none ? "no layers" : `× ${show(count)}`,
    off: none, offers: ["n_layer", "parallel", "init"], judged: none ? [] : ["n_layer", "parallel", "init"] });
  badge.sum = sublayers.flatMap(({ before, layers, out, after }) => [before, out, after, ...layers.flatMap((l) => [l, ...l.inner])])
    .reduce((sum, each) => sum + (each && !each.inMain ? each.count : 0), 0);
  if (none || typeof count !== "number") return [badge];
  const end = (id, name, by) => ({ ...part(made, id, id, name, { judged: [] }), sets: { [path("n_layer")]: count + by },
    held: count + by < low || count + by > high, by });
  return [end("fewer_layers", "One layer less", -1), badge, end("more_layers", "One layer more", 1)];
}

// The wiring of one layer: after(x + dropout(out(layer(before(x))))), as Sublayer in gpt/model.py.
function sublayersOf(made) {
  const { m, acts } = made, attention = m("attention") === "none" ? null : attentionOf(made), mlp = m("mlp") ? mlpOf(made) : null;
  if (attention && mlp && m("parallel")) return [dressed(made, "both", [attention, mlp], "residual_attn")];
  return [attention && dressed(made, "attn", [attention], "residual_attn"), mlp && dressed(made, "mlp", [mlp], "residual_mlp")]
    .filter(Boolean);

  function dressed(made, name, layers, residual) {
    const on = m("norm") !== "none", place = m("norm_place"), called = on ? made.label("norm") : "Norm", drops = m("dropout_resid") > 0;
    const norm = (where, ...places) => (places.includes(place) ? part(made, "norm", `norm_${name}_${where}`, called, {
      note: on ? `${made.C}` : "off", off: !on, colour: "norm", offers: ["norm", "norm_place", "final_norm"],
      judged: ["norm", ...(on ? ["norm_place"] : [])] }) : null);
    const around = name === "both" ? "both" : name === "attn" ? "attention" : "the MLP";
    return { name, layers, before: norm("before", "pre", "both"), out: norm("out", "both"), after: norm("after", "post"),
      dropout: drops ? dropoutOf(made, "dropout_resid", { id: `dropout_resid_${name}` }) : null,
      residual: part(made, residual, residual, `Residual around ${around}`, { note: m(residual) ? "on" : "off", off: !m(residual),
        colour: "res", toggles: residual, judged: [residual, ...(drops ? [] : ["dropout_resid"])] }) };
  }
}

// Layers that are switched off stay as ghosts, without norm and rail, which the model does not have then either.
function ghostsOf({ m, ...made }) {
  const all = { m, ...made }, ghosts = [];
  if (!m("mlp")) ghosts.push(part(all, "mlp", "mlp", "MLP", { note: "off", off: true, colour: "mlp", offers: MLP, judged: ["mlp"] }));
  if (m("attention") === "none") {
    ghosts.push(part(all, "attention", "attention", "Attention", { note: "off", off: true, colour: "attn", offers: LOOKS, judged: ["attention"] }));
  }
  return ghosts;
}

const LOOKS = ["attention", "n_head", "queries_per_kv", "window", "softcap", "qk_norm", "attn_proj", "qkv_bias", "dropout_attn"];
const MLP = ["mlp", "activation", "expansion", "mlp_proj", "bias"];

function attentionOf(made) {
  const { m, C, counts } = made, single = m("attention") === "single", H = single ? 1 : m("n_head");
  const K = single ? 1 : H / m("queries_per_kv"), D = C / H, whole = Number.isInteger(D) && Number.isInteger(K);
  const position = positionOf(made), projected = m("attn_proj");
  const chips = [ // in the order in which they act
    m("qk_norm") && part(made, "qk_norm", "qk_norm", "QK-norm", { on: "qk", note: "on", colour: "norm", toggles: "qk_norm", judged: ["qk_norm"] }),
    position.inside && { ...position, on: position.inside === "rope" ? "qk" : "scores" },
    m("softcap") > 0 && part(made, "softcap", "softcap", "cap", { full: "Cap on the scores", on: "scores", note: `±${show(m("softcap"))}`, colour: "attn",
      offers: ["softcap"], judged: ["softcap"] }),
    m("window") > 0 && part(made, "window", "window", "window", { full: "Window", on: "scores", note: show(m("window")), colour: "attn",
      offers: ["window"], judged: ["window"] }),
    m("dropout_attn") > 0 && { ...dropoutOf(made, "dropout_attn"), name: "drop", full: "Dropout on the attention weights", on: "weights" },
    part(made, "attn_proj", "attn_proj", "Output projection", { brief: "projection", on: "out", note: projected ? `${C} → ${C}` : "off", off: !projected,
      colour: "attn", toggles: "attn_proj", judged: ["attn_proj"] }),
  ].filter(Boolean).map((chip) => ({ ...chip, inMain: chip.key === "attn_proj" }));
  const own = ["qk_norm", "softcap", "window", "dropout_attn"].filter((name) => !chips.some((chip) => chip.judged.includes(path(name))));
  return { ...part(made, "attention", "attention", "Attention", { colour: "attn", offers: LOOKS, inner: chips,
    note: whole ? `${H} ${H === 1 ? "head" : "heads"} × ${D}` : `${show(H)} heads`,
    judged: ["attention", "n_head", "queries_per_kv", "qkv_bias", ...own] }),
    count: (counts.qkv || 0) + (counts.attn_proj || 0), H, K, D, whole };
}

const rounded = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // a half to the even side, as Python does

function mlpOf(made) {
  const { m, C, counts, label } = made, second = m("mlp_proj");
  const hidden = second ? Math.max(1, rounded(m("expansion") * C)) : C, gated = ["swiglu", "geglu"].includes(m("activation"));
  const inner = [
    part(made, "activation", "activation", label("activation"), { note: gated ? "gate × up" : "", colour: "mlp", offers: ["activation"],
      judged: ["activation"] }),
    part(made, "mlp_proj", "mlp_proj", "Second layer", { note: second ? `${hidden} → ${C}` : "off", off: !second, colour: "mlp",
      toggles: "mlp_proj", judged: ["mlp_proj"], inMain: true }),
  ];
  return { ...part(made, "mlp", "mlp", "MLP", { colour: "mlp", offers: MLP, inner, judged: ["mlp", "expansion", "bias"],
    note: second ? `${C} → ${hidden} → ${C}` : `${C} → ${hidden}` }),
    count: (counts.mlp_fc || 0) + (counts.mlp_proj || 0), ratio: hidden / C, gated, hidden, up: `${gated ? "2 × " : ""}${C} → ${hidden}` };
}
