// A sample from the visitor's own prompt, as it is written; and why the prompt cannot be read, by the text of the form or by
// the shown run.

import { write } from "./ask.js";
import { session } from "./session.js";
import { form, on, value } from "./state.js";

const GIVEN = ["prompt", "length", "temperature", "top_k", "top_p", "seed"];

export function mount(root) {
  const said = root.querySelector("#prompt-note p"), page = root.querySelector("textarea");
  let refused = "", going = null; // by the last press of Sample; its end
  const tell = () => {
    said.textContent = refused || form.checked?.unreadable || "";
    said.hidden = !said.textContent;
    document.querySelector("#prompt textarea")?.toggleAttribute("aria-invalid", !said.hidden);
  };
  const begin = async () => {
    going?.abort();
    const mine = going = new AbortController(), given = Object.fromEntries(GIVEN.map((name) => [name, value(`sample.${name}`)]));
    page.value = session.shown ? given.prompt || session.shown.head?.question || "" : "";
    refused = "";
    const written = session.shown
      ? await write({ visitor: session.visitor, run: session.shown.id, ...given }, (piece) => {
        if (mine === going) { page.value += piece; page.scrollTop = page.scrollHeight; }
      }, mine.signal)
      : { refused: "Train a model first, then let it write." };
    if (mine !== going) return;
    refused = written.refused || "";
    if (refused) page.value = "";
    tell();
  };
  document.getElementById("try").addEventListener("click", ({ target }) => {
    if (target.closest("#sample")) begin();
    else if (target.closest("#sample-stop")) going?.abort();
  });
  on("form", () => { refused = ""; });
  on("checked", tell);
}
