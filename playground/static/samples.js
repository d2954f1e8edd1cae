// What the run wrote at each evaluation, newest to the right. Texts are fetched when they come into view.

import { ask } from "./ask.js";
import { element, on, show as number } from "./state.js";
import { session, verdict } from "./session.js";

const NARROW = 480; // only this many cards are kept: the newest

export function mount(root) {
  const strip = root.querySelector(".strip"), from = root.querySelector("#samples-from");
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) { seen.unobserve(target); fetchText(target); }
  }, { root: strip, rootMargin: "0px 200px" });
  const clear = () => { strip.replaceChildren(hint()); from.textContent = ""; };
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
    if (atEnd) strip.scrollLeft = strip.scrollWidth;
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
  const { run, seq } = card.dataset;
  const answer = await ask("writing", { visitor: session.visitor, run, seq: Number(seq) });
  if (!answer?.text && answer?.text !== "") return;
  card.lastChild.replaceChildren(element("span", "given", answer.prompt), answer.text);
}
