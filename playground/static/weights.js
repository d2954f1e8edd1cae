// How the parameters are shared out between the parts, as bars; and the first hints, while a visitor has no runs.

import { session } from "./session.js";
import { brief, element, form, on, show, value } from "./state.js";

const TABLE = [["embedding", "Table", "attn"]]; // all that a bigram model is
const PARTS = [["embedding", "Embedding", "io"], ["position", "Position", "pos"], ["attention", "Attention", "attn"],
  ["mlp", "MLP", "mlp"], ["norm", "Norm", "norm"], ["head", "Head", "io"]];

export function bindWeights(root) {
  const list = root.querySelector("#weights"), begin = root.querySelector("#begin");
  const share = ({ parts }) => {
    const all = value("model.architecture") === "bigram" ? TABLE : PARTS;
    const here = all.filter(([key]) => parts[key]), most = Math.max(...here.map(([key]) => parts[key]));
    list.replaceChildren(...here.map(([key, name, part]) => bar(name, part, parts[key], parts[key] / most)));
    if (!here.length) list.append(element("li", "none", "Nothing to count: this model cannot be built."));
  };
  const greet = () => { begin.hidden = !session.listed || session.runs.length > 0; };
  on("checked", share);
  on("runs", greet);
  if (form.checked) share(form.checked); // this region may be the last to be there
  greet();
}

function bar(name, part, count, share) {
  const row = element("li"), track = element("i"), fill = element("i");
  row.title = `${name}: ${show(count)} parameters`;
  fill.dataset.part = part;
  fill.style.width = `${Math.max(1, 100 * share)}%`;
  track.append(fill);
  row.append(element("span", "", name), track, element("span", "mono", brief(count)));
  return row;
}
