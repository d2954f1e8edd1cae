// What is wrong with the shown run, each as a strip: a shape, the words, a button that mends it, and one that puts it away.

import { again } from "./advice.js";
import { element, emit } from "./state.js";
import { make } from "./svg.js";

// Curves that misbehave, as drawings: nobody has to tell them apart by colour.
const SHAPES = {
  diverged: ["M3 12.5c3.5 0 5.5-1 7-9.5", "M7.4 5.4 10.1 3l2 3"],
  stuck: ["M2.5 3c.5 4 2 5.5 4.5 5.5h6.5", "M2.5 13h2M7 13h2M11.5 13h2"],
  overfitting: ["M2.5 3.5c1.5 5.5 5 8.5 11 9", "M5 8.4c3.5 1.8 6.5-1 8.5-5.4"],
  "short text": ["M3.5 5.5a5 5 0 1 1-.5 4.6", "M3 2.5v3.2h3.2"],
};

const away = new Set(); // "run kind", put away while the page is open
let fixes = []; // what the strips would change, as JSON

export const shownFixes = () => fixes;

// Shows the most serious one, and the rest when asked; returns how many there are.
export function paintFindings(box, run, findings) {
  const told = run ? findings.filter(({ kind }) => !away.has(`${run.id} ${kind}`)) : [];
  const key = told.map(({ kind, words }) => `${run.id} ${kind} ${words}`).join("\n");
  fixes = told.map(({ fix }) => JSON.stringify(fix));
  emit("findings", told.map(({ kind }) => kind));
  if (box.dataset.key === key) return told.length; // left alone, or the focus would be lost
  box.dataset.key = key;
  const strips = told.map((finding) => strip(finding, run, () => {
    away.add(`${run.id} ${finding.kind}`);
    paintFindings(box, run, findings);
    emit("put-away");
  }));
  strips.slice(1).forEach((other) => { other.hidden = true; });
  box.replaceChildren(...strips);
  if (strips.length > 1) strips[0].querySelector("p").append(" ", more(strips));
  return told.length;
}

function more(strips) {
  const button = element("button", "link", `${strips.length - 1} more`);
  button.type = "button";
  button.addEventListener("click", () => {
    for (const other of strips) other.hidden = false;
    button.remove();
    strips[1].querySelector("button").focus();
  });
  return button;
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
