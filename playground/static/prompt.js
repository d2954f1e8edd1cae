// The prompt: an option of the form that stands where it is used.

import { on, ready } from "./state.js";
import { bind, paint } from "./form.js";

export function mount(root) {
  root.querySelector("textarea").placeholder = "a new line";
  bind(root);
  ready.then(() => { paint(root); on("form", () => paint(root)); });
}
