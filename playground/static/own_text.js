// The panel for an own text: shown while the form asks for one, and says what became of the last try.

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
  ready.then(() => { paint(); on("form", paint); });
}
