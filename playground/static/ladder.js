// The ladder: one button a step, presets beyond it, and under it what the chosen one adds, why, and a question.

import { centre } from "./motion.js";
import { element, emit, form, loadStep, on, ready } from "./state.js";

export function mount(root) {
  root.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-preset]");
    if (button) { loadStep(button.dataset.preset); emit("step"); }
  });
  root.addEventListener("keydown", (event) => { // arrows walk the ladder, as in any toolbar
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = [...root.querySelectorAll("button[data-preset]")];
    const at = all.indexOf(document.activeElement);
    if (move && at >= 0) { all[(at + move + all.length) % all.length].focus(); event.preventDefault(); }
  });
  const more = root.querySelector("#sources");
  document.addEventListener("click", ({ target }) => { if (!more.contains(target)) more.open = false; });
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") more.open = false; });
  on("runs", ({ done }) => {
    for (const button of root.querySelectorAll("button[data-preset]")) {
      const finished = done.includes(button.dataset.preset);
      button.classList.toggle("done", finished);
      button.querySelector(".tick").textContent = finished ? "✓" : "";
      button.querySelector(".tick").setAttribute("aria-label", finished ? "finished" : "");
    }
  });
  ready.then(() => { paint(root); on("form", () => paint(root)); });
}

let painted = null;

function paint(root) {
  const chosen = form.preset;
  if (painted === chosen.id) return;
  painted = chosen.id;
  for (const button of root.querySelectorAll("button[data-preset]")) {
    const here = button.dataset.preset === chosen.id;
    button.setAttribute("aria-pressed", here);
    if (here) centre(button, button.closest(".steps"));
  }
  const say = root.querySelector("#say"), more = root.querySelector("#sources");
  say.replaceChildren(element("b", "", `${chosen.title}.`), ` ${chosen.adds} ${chosen.why} `,
    element("span", "predict", chosen.predict));
  if (chosen.number) say.append(" ", toLesson(chosen.number));
  const entries = [["Stated", chosen.stated], ["Inferred", chosen.inferred], ["Sources", chosen.sources.join(", ")]];
  more.querySelector("dl").replaceChildren(...entries.filter(([, said]) => said)
    .flatMap(([title, said]) => [element("dt", "", title), element("dd", "", said)]));
  more.hidden = !entries.some(([, said]) => said);
  more.open = false;
}

function toLesson(number) {
  const made = element("button", "link", "Lesson");
  Object.assign(made, { type: "button", title: `Step ${number} as a lesson` });
  made.dataset.lesson = number;
  return made;
}
