// Under the prompt: why it cannot be read, by the text of the form or by the shown run.

import { form, on } from "./state.js";

export function mount(root, { props, watch }) {
  const said = root.querySelector("p");
  let refused = ""; // by the last press of Sample
  const tell = () => {
    said.textContent = refused || form.checked?.unreadable || "";
    said.hidden = !said.textContent;
    document.querySelector("#prompt textarea")?.toggleAttribute("aria-invalid", !said.hidden);
  };
  watch("value", () => { refused = props.value?.note || ""; tell(); });
  on("form", () => { refused = ""; });
  on("checked", tell);
}
