// The weights of the shown run as files to keep, and a file's weights as a run.

import { ask, bring, take } from "./ask.js";
import { bindFile, megabytes } from "./files.js";
import { download } from "./runs.js";
import { refreshRuns, session, show } from "./session.js";
import { element, on, show as number } from "./state.js";

const NOTHING = { name: "", step: null, bytes: 0, shape: "", why: [], missing: "Train a model first: its weights can then be taken along." };

export function bindWeights(card, most) {
  const find = (selector) => card.querySelector(selector);
  let told = NOTHING, looked = "", busy = false;

  const say = (words, bad = false) => {
    const line = find("#weights-said");
    line.textContent = words;
    line.classList.toggle("bad", bad);
    line.hidden = !words;
  };

  const paint = () => {
    const has = told.step != null, size = megabytes(told.bytes);
    find("#weights-of").textContent = told.name ? `of ${told.name}` : "";
    find(".out .lead").textContent = has ? `${number(told.bytes / 4)} numbers, as they are after step ${number(told.step)}.` : told.missing;
    find("#take").disabled = busy || !has;
    find("#take-transformers").disabled = busy || !has || !told.shape;
    find("#take-transformers").title = has && !told.shape ? told.why.join("\n") : "";
    find("#bring").disabled = busy;
    find("#take-help").textContent = !has ? "" : told.shape
      ? `One file of about ${size}, to be brought back here; or a folder that Hugging Face’s transformers loads as ${told.shape}.`
      : `One file of about ${size}, to be brought back here. Not for transformers, whose models have the shapes of GPT-2 and Llama:`;
    find("#take-why").replaceChildren(...(has && !told.shape ? told.why : []).map((why) => element("li", "", why)));
    find("#take-why").hidden = !has || Boolean(told.shape);
  };

  const look = async () => {
    const run = session.shown, key = run ? `${run.id} ${run.status} ${run.evals.length}` : "";
    if (document.body.dataset.view !== "code" || key === looked) return;
    looked = key;
    const answer = run ? await ask("weights", { visitor: session.visitor, run: run.id }) : null;
    if (session.shown !== run || key !== looked) return;
    if (run && !answer) looked = ""; // the server is away: asked again
    told = answer?.name ? answer : NOTHING;
    paint();
  };

  const work = async (task) => {
    busy = true;
    paint();
    await task();
    busy = false;
    paint();
  };

  const save = (to) => work(async () => {
    const { name, blob, refused } = await take({ visitor: session.visitor, run: session.shown?.id, to });
    if (refused) { say(refused, true); return; }
    download(name, URL.createObjectURL(blob));
    say(`Saved as ${name}, ${megabytes(blob.size)}.`);
  });

  const send = (chosen) => work(async () => {
    if (chosen.size > most) { say(`${chosen.name} has ${megabytes(chosen.size)}, and at most ${megabytes(most)} can be brought.`, true); return; }
    say(`Reading ${chosen.name} …`);
    const { run, words, refused } = await bring("weights", session.visitor, chosen);
    say(refused || words, Boolean(refused));
    if (!run) return;
    await refreshRuns();
    await show(run);
  });

  find("#take").addEventListener("click", () => save("file"));
  find("#take-transformers").addEventListener("click", () => save("transformers"));
  bindFile(find("#bring"), find("#bring-file"), find(".in"), (chosen) => { if (!busy) send(chosen); });
  on("attached", (run) => { looked = ""; if (!run) { told = NOTHING; paint(); } });
  for (const event of ["view", "attached", "status", "runs", "points"]) on(event, look);
  paint();
}
