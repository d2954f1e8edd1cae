// What the run wrote at each evaluation, newest to the right; a slider leads along. Texts are fetched when they come into view.

import { element, emit, on, show as number } from "./state.js";
import { still } from "./motion.js";
import { sampleText } from "./sample_texts.js";
import { verdict } from "./session.js";
import { Timeline } from "./timeline.js";

const NARROW = 480; // only this many cards are kept: the newest

export function mount(root) {
  const strip = root.querySelector(".strip"), from = root.querySelector("#samples-from");
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) { seen.unobserve(target); fetchText(target); }
  }, { root: strip, rootMargin: "0px 200px" });
  const slider = element("div"), timeline = new Timeline(slider, (step, asked) => {
    const here = strip.querySelector(`[data-step="${step}"]`);
    for (const card of strip.querySelectorAll("[aria-current]")) card.removeAttribute("aria-current");
    mark();
    if (!asked || !here) return null;
    if (!timeline.atEnd) here.setAttribute("aria-current", "step");
    const card = here.getBoundingClientRect(), room = strip.getBoundingClientRect();
    strip.scrollBy({ left: card.left + card.width / 2 - room.left - room.width / 2, behavior: still() ? "auto" : "smooth" });
    return fetchText(here);
  });
  const mark = () => { if (document.body.dataset.view === "train") emit("sample-step", timeline.atEnd ? null : timeline.step); };
  root.querySelector(".heading").append(slider);
  on("view", () => { mark(); if (timeline.atEnd) strip.scrollLeft = strip.scrollWidth; });
  const clear = () => { strip.replaceChildren(hint()); from.textContent = ""; timeline.set([]); };
  on("attached", clear);
  on("head", (run) => {
    const words = run.head.prompt.trim().slice(0, 24);
    from.textContent = `from ${words ? `“${words}”` : "a new line"} · same seed`;
    for (const card of strip.querySelectorAll(".sample")) stamp(card, run);
  });
  on("points", ({ run, fresh }) => {
    if (fresh.samples === run.samples.length) return;
    const atEnd = strip.scrollLeft + strip.clientWidth > strip.scrollWidth - 40;
    strip.querySelector(".hint")?.remove();
    for (const [step, seq] of run.samples.slice(fresh.samples)) {
      const card = element("article", "sample");
      card.setAttribute("role", "listitem");
      Object.assign(card.dataset, { step, seq, run: run.id });
      card.append(element("header"), element("pre"));
      strip.append(card);
      stamp(card, run);
      seen.observe(card);
    }
    while (strip.children.length > NARROW) strip.firstChild.remove();
    if (atEnd && timeline.atEnd) strip.scrollLeft = strip.scrollWidth;
    timeline.set([...strip.children].map((card) => Number(card.dataset.step)));
  });
  clear();
}

const HINT = "At every check on the held-out text the model writes a few lines, always from the same words and the "
  + "same seed. They appear here.";
const hint = () => element("p", "hint", HINT);

function stamp(card, run) {
  const step = Number(card.dataset.step), loss = run.evals.find(([at]) => at === step)?.[1];
  card.firstChild.replaceChildren(element("b", "", `step ${number(step)}`), ` ${verdict(run, loss)}`);
}

async function fetchText(card) {
  const answer = await sampleText(card.dataset.run, Number(card.dataset.seq));
  if (answer) card.lastChild.replaceChildren(element("span", "given", answer.prompt), answer.text);
}
