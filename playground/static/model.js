// The card with the model: its diagram, which is a control of the form; what differs from another model; its signals. Once
// more in a dialog, large.

import { differing, suggested, told, valuesOf } from "./against.js";
import { draw } from "./diagram.js";
import { Control } from "./diagram_control.js";
import { describe, partsOf } from "./diagram_parts.js";
import { standalone } from "./diagram_save.js";
import { called } from "./diagram_sheet.js";
import { Signals } from "./diagram_signals.js";
import { ramp } from "./health_scale.js";
import { download } from "./runs.js";
import { known, session, title } from "./session.js";
import { differences, element, form, on, preset, ready, show, value } from "./state.js";
import { bindWeights } from "./weights.js";

export async function mount(root) {
  bindWeights(root);
  await ready;
  new Card(root.querySelector("#model-card"), root.querySelector("#model-dialog")).begin();
}

class Card {
  constructor(root, dialog) {
    Object.assign(this, { root, dialog, of: null, against: null, frame: null }); // `of` as of valuesOf(against)
    this.places = [root, dialog].map((host) => ({ host, control: new Control(host), legend: host.querySelector(".legend") }));
    this.signals = new Signals(root, () => this.tint());
  }

  begin() {
    for (const event of ["form", "checked", "held", "view"]) on(event, () => this.soon());
    for (const event of ["checked", "attached", "head", "runs", "origin"]) on(event, () => this.compare());
    this.root.querySelector("#model-save").addEventListener("click", () => this.save());
    this.root.querySelector("#model-larger").addEventListener("click", () => { this.dialog.showModal(); this.paint(); });
    this.dialog.querySelector(".close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", ({ target }) => { if (target === this.dialog) this.dialog.close(); }); // beside it
    this.compare();
    this.paint();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (document.body.dataset.view === "train") this.paint();
    });
  }

  async compare() {
    const id = suggested(), of = id && (await valuesOf(id));
    if (id !== suggested()) return; // it is another by now, which has its own question
    Object.assign(this, { against: id, of });
    this.soon();
  }

  // The model as the form has it, and in what it differs.
  model() {
    const paths = Object.keys(form.options).filter((path) => path.startsWith("model."));
    const { pieces: counts = {}, vocab_size: vocab = null } = form.checked || {};
    const described = describe(Object.fromEntries(paths.map((path) => [path, value(path)])), { counts, vocab });
    return { described, marked: this.of ? differing(partsOf(described), this.of) : {} };
  }

  paint() {
    const { described, marked } = this.model(), tint = this.signals.tint(), parameters = form.checked?.parameters;
    for (const { host, control, legend } of this.places) {
      if (host === this.dialog && !host.open) continue;
      control.paint(described, { marked, tint });
      this.tell(legend, partsOf(described), marked);
      if (form.checked) host.querySelector("#total, .total").textContent = parameters == null ? "–" : show(parameters);
    }
  }

  tint() {
    const colours = this.signals.tint();
    for (const { control } of this.places) control.tint(colours);
  }

  tell(legend, parts, marked) {
    const run = known(this.against), name = run ? title(run) : preset(this.against)?.title;
    const said = new Set(parts.filter(({ id }) => marked[id]).map((part) => `${called(part)} ${marked[part.id]}`));
    legend.hidden = !this.of || !name || (!said.size && this.against === session.shown?.id); // it is that run's model
    if (legend.hidden) return;
    const other = element("b", "", name);
    if (!said.size) legend.replaceChildren("No part differs from ", other, ".");
    else legend.replaceChildren(element("i", "sign", "≠"), " differs from ", other, `: ${[...said].join(" · ")}.`);
  }

  save() {
    const { described } = this.model(), changed = Object.keys(differences()).filter((path) => path.startsWith("model."));
    const name = [form.preset.title, ...changed.map((path) => told(path, value(path)))].join(", "), { said } = this.signals;
    const heading = said ? `${name} (${said})` : name;
    const drawn = draw(described, { tint: this.signals.tint(ramp(document.documentElement)) });
    const file = `model-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60).replace(/-$/, "")}.svg`;
    download(file, URL.createObjectURL(new Blob([standalone(drawn, heading)], { type: "image/svg+xml" })));
  }
}
