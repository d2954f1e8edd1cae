// The top line: the chosen text and the Light / Dark switch, which is remembered.

import { form, on, ready, recall, remember, value } from "./state.js";

const KEY = "gpt-playground-theme";

export function mount(root) {
  const button = root.querySelector("#theme"), text = root.querySelector("#text-name");
  const dark = () => document.body.classList.contains("dark");
  const apply = (wanted) => {
    document.body.classList.toggle("dark", wanted);
    document.documentElement.style.colorScheme = wanted ? "dark" : "light";
    button.setAttribute("aria-checked", wanted);
  };
  const chosen = recall(KEY);
  apply(chosen && !/__theme=/.test(location.search) ? chosen === "dark" : dark());
  button.addEventListener("click", () => { apply(!dark()); remember(KEY, dark() ? "dark" : "light"); });
  new MutationObserver(() => button.setAttribute("aria-checked", dark()))
    .observe(document.body, { attributes: true, attributeFilter: ["class"] });
  const tell = () => { text.textContent = form.options["data.dataset"].choices[value("data.dataset")]?.[0] || ""; };
  ready.then(() => { tell(); on("form", tell); });
}
