// A cell that is typed in: Enter keeps what was typed, and so does leaving it; Escape does not.

import { element } from "./state.js";

export function edit(cell, { value, label, hint, most, save }) {
  if (cell.querySelector("input")) return;
  const input = element("input", "editing"), row = cell.closest(".grid-row");
  Object.assign(input, { type: "text", value, placeholder: hint, maxLength: most, autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", label);
  let ended = false;
  const end = (kept) => {
    if (ended) return;
    ended = true;
    const typing = document.activeElement === input;
    cell.classList.remove("edited");
    input.remove();
    if (typing) row.focus({ preventScroll: true });
    if (kept && input.value !== value) save(input.value);
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") end(true);
    else if (event.key === "Escape") end(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  input.addEventListener("blur", () => end(true));
  cell.classList.add("edited");
  cell.append(input);
  input.focus();
  input.select();
}
