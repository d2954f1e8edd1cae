// The top line: the views, the chosen text, the link, and the Light / Dark switch, which is remembered.

import { bindLinks } from "./links.js";
import { emit, form, on, ready, recall, remember, value } from "./state.js";

const KEY = "gpt-playground-theme", VIEW = "gpt-playground-open-view";

export function mount(root, { props }) {
  bindViews(root);
  bindLinks(root, props.space);
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

// A view is a choice of regions: style shows them by the body's data-view.
function bindViews(root) {
  const views = [...root.querySelectorAll(".views button")];
  const open = (view) => {
    document.body.dataset.view = view;
    for (const button of views) button.setAttribute("aria-pressed", button.dataset.view === view);
    remember(VIEW, view);
    emit("view", view);
  };
  for (const button of views) button.addEventListener("click", () => open(button.dataset.view));
  on("open-view", open);
  const last = recall(VIEW);
  open(views.some((button) => button.dataset.view === last) ? last : "train");
}
