// The card with the model: its diagram, which is a control of the form; what differs from another model; the total.

import { differing, suggested, valuesOf } from "./against.js";
import { Control } from "./diagram_control.js";
import { describe, partsOf } from "./diagram_parts.js";
import { called } from "./diagram_sheet.js";
import { known, title } from "./session.js";
import { element, form, on, preset, ready, show, value } from "./state.js";
import { bindWeights } from "./weights.js";

export async function mount(root) {
  bindWeights(root);
  const card = new Card(root.querySelector("#model-card"));
  await ready;
  card.begin();
}

class Card {
  constructor(root) {
    this.control = new Control(root);
    this.total = root.querySelector("#total");
    this.legend = root.querySelector(".legend");
    this.of = null; // the values of the model compared with, and its id
    this.against = null;
    this.frame = null;
  }

  begin() {
    for (const event of ["form", "checked"]) on(event, () => this.soon());
    for (const event of ["checked", "attached", "head", "runs", "origin"]) on(event, () => this.compare());
    on("view", () => this.soon());
    this.compare();
    this.paint();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; if (document.body.dataset.view === "train") this.paint(); });
  }

  async compare() {
    const id = suggested(), of = id && (await valuesOf(id));
    if (id !== suggested()) return; // it is another by now, which has its own question
    Object.assign(this, { against: id, of });
    this.soon();
  }

  paint() {
    const values = Object.fromEntries(Object.keys(form.options).filter((path) => path.startsWith("model.")).map((path) => [path, value(path)]));
    const { pieces: counts = {}, vocab_size: vocab = null } = form.checked || {};
    if (form.checked?.parameters != null) this.total.textContent = show(form.checked.parameters);
    const described = describe(values, { counts, vocab }), parts = partsOf(described);
    const marked = this.of ? differing(parts, this.of) : {};
    this.control.paint(described, { marked });
    this.tell(parts, marked);
  }

  tell(parts, marked) {
    const { against, legend } = this, run = known(against), name = run ? title(run) : preset(against)?.title;
    legend.hidden = !this.of || !name;
    if (legend.hidden) return;
    const said = new Set(parts.filter(({ id }) => marked[id]).map((part) => `${called(part)} ${marked[part.id]}`));
    const lead = said.size ? ["differs from ", element("b", "", name), ": "] : ["No part differs from ", element("b", "", name), "."];
    const rest = [...said].join(" · ");
    legend.replaceChildren(...(said.size ? [element("i", "sign", "≠"), " "] : []), ...lead, ...(said.size ? [`${rest}.`] : []));
  }
}
