// The panel for an own text: stands in the form under the choice of it, and says what became of the last try.

import { on, ready, value } from "./state.js";

export function mount(root, { props, watch }) {
  const said = root.querySelector("p"), first = said.textContent;
  const panel = document.getElementById("own-text");
  const paint = () => panel.classList.toggle("gone", value("data.dataset") !== "own");
  watch("value", () => {
    const { note, bad } = props.value || {};
    said.textContent = note || first;
    said.classList.toggle("bad", Boolean(bad));
  });
  ready.then(() => {
    document.querySelector("#settings [data-path='data.dataset']").after(panel);
    paint();
    on("form", paint);
  });
}
