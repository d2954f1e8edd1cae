// An own text, pasted or from a file: stands in the form under the choice of it, and says what became of the last try.

import { bring } from "./ask.js";
import { bindFile, megabytes } from "./files.js";
import { session } from "./session.js";
import { on, set, value } from "./state.js";

export function bindOwnText(panel) {
  const said = panel.querySelector(".help"), pasted = panel.querySelector("#pasted"), most = Number(panel.dataset.most);
  let newest = 0;

  const say = (words, bad = false) => {
    said.textContent = words;
    said.classList.toggle("bad", bad);
  };

  const take = async (body, name) => {
    const number = ++newest;
    if (body.size > most) { say(`${name} has ${megabytes(body.size)}, and at most ${megabytes(most)} can be used.`, true); return; }
    say(`Reading ${name} …`);
    const { text, words, refused } = await bring("text", session.visitor, body);
    if (number !== newest) return; // another was given since
    say(refused || words, Boolean(refused));
    if (text) set({ "data.dataset": "own", "data.text": text });
  };

  on("form", () => { panel.hidden = value("data.dataset") !== "own"; });
  panel.querySelector("#paste").addEventListener("click", () => take(new Blob([pasted.value]), "the text"));
  bindFile(panel.querySelector("#upload"), panel.querySelector("#upload-file"), panel, (file) => take(file, file.name));
}
