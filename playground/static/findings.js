// What is wrong with the shown run, each as a strip: a shape, the words, a button that mends it, and one that puts it away.

import { again } from "./advice.js";
import { element, emit } from "./state.js";
import { make } from "./svg.js";

// Curves that misbehave, as drawings: nobody has to tell them apart by colour.
const SHAPES = {
  diverged: ["M3 12.5c3.5 0 5.5-1 7-9.5", "M7.4 5.4 10.1 3l2 3"],
  stuck: ["M3 5.5c1.5 3 3 3.5 5 3.5h5", "M13 6.5v5"],
  overfitting: ["M3 4c1.5 6 6 9 10 9", "M6.5 8.5C9 11 11 7 13 3.5"],
  "short text": ["M3.5 5.5a5 5 0 1 1-.5 4.6", "M3 2.5v3.2h3.2"],
};

const away = new Set(); // "run kind", put away while the page is open

export function paintFindings(box, run, findings) {
  const told = run ? findings.filter(({ kind }) => !away.has(`${run.id} ${kind}`)) : [];
  const key = told.map(({ kind, words }) => `${run.id} ${kind} ${words}`).join("\n");
  emit("findings", told.map(({ kind }) => kind));
  if (box.dataset.key === key) return told.length; // left alone, or the focus would be lost
  box.dataset.key = key;
  box.replaceChildren(...told.map((finding) => strip(finding, run, () => {
    away.add(`${run.id} ${finding.kind}`);
    paintFindings(box, run, findings);
    emit("put-away");
  })));
  return told.length;
}

function strip({ kind, words, fix, label }, run, putAway) {
  const made = element("article", "finding"), [about, rest] = halves(words), said = element("p", "", about);
  made.dataset.kind = kind;
  if (rest) said.append(" ", element("span", "", rest));
  made.append(shape(kind), said);
  if (Object.keys(fix).length) {
    const button = element("button", "mend", label);
    button.type = "button";
    button.addEventListener("click", async () => {
      button.disabled = true;
      await again(run, fix);
      button.disabled = false;
    });
    made.append(button);
  }
  const close = element("button", "close");
  Object.assign(close, { type: "button", title: "Put this away" });
  close.setAttribute("aria-label", `Put away: ${kind}`);
  close.append(drawing(["M4 4l8 8M12 4l-8 8"]));
  close.addEventListener("click", putAway);
  made.append(close);
  return made;
}

// What is the matter, and the rest of what is said about it.
function halves(words) {
  const end = words.search(/[.:]\s/) + 1;
  return end ? [words.slice(0, end), words.slice(end + 1)] : [words, ""];
}

const shape = (kind) => {
  const made = element("i", "shape");
  made.append(drawing(SHAPES[kind] || SHAPES.stuck));
  return made;
};

function drawing(paths) {
  const svg = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  svg.append(...paths.map((d) => make("path", { d })));
  return svg;
}
